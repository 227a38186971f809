//! Servers of Redis die, and others take their places.
//!
//! A message is announced as soon as it is numbered. Whoever has heard one that the new primary has not is told of a gap:
//! of one for each server that died, and only on pipes of which something is gone.

use tokio::task::block_in_place;

use super::House;
use super::gaps::Provoked;
use super::load::{Load, PIPES};
use super::server::{self, Cluster, Redis, Sentinels};

/// So many nodes over the store at this address, with browsers.
pub async fn filled(store: &str, flags: &[&str]) -> House {
    let mut house = House::at(&[store, store, store].map(str::to_owned), flags).await;
    house.fill().await;
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_replace_a_primary_and_nothing_is_lost_in_silence() {
    let mut all = Sentinels::start();
    let house = filled(&all.url(), &["--redis-replicas-min", "1"]).await;
    let mut load = Load::begin(&house.doors);
    load.acknowledged(150).await;
    let primary = all.primary();
    all.servers[primary].kill();
    // Each message wants a replica, so that none is acknowledged before the old primary is one.
    block_in_place(|| {
        server::until("another is the primary", || all.primary() != primary);
        all.servers[primary].start_again();
    });
    load.acknowledged(150).await;
    house.end_with(&load.end().await, Provoked::epochs_up_to(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_replaces_a_primary_and_nothing_is_lost_in_silence() {
    let mut cluster = Cluster::start();
    let house = filled(&cluster.url(), &[]).await;
    let mut load = Load::begin(&house.doors);
    for _ in 0..2 {
        load.acknowledged(150).await;
        let owner = cluster.servers.iter().position(has_a_pipe).expect("somebody has the pipes");
        cluster.servers[owner].kill();
        load.acknowledged(150).await;
        cluster.servers[owner].start_again();
        block_in_place(|| cluster.until_whole());
    }
    house.end_with_losses(&load.end().await, Provoked::epochs_up_to(2)).await;
}

/// Whether it is the primary of one of the pipes that all listen to.
pub fn has_a_pipe(server: &Redis) -> bool {
    let has = |pipe: &str| server.ask(&["KEYS", &format!("*n:{pipe}*")]) != "*0\r\n";
    server.ask(&["ROLE"]).contains("master") && PIPES.iter().any(|pipe| has(pipe))
}
