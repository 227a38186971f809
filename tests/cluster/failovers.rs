//! Servers of Redis die, and others take their places.
//!
//! A message is announced as soon as it is numbered. Whoever has heard one that the new primary has not is told of a gap,
//! whenever servers die under load; so what is asked for here is that nothing is missing where none was declared.

use super::House;
use super::load::{Load, PIPES};
use super::server::{Cluster, Redis, Sentinels};

/// So many nodes over the store at this address, with browsers.
async fn filled(store: &str, flags: &[&str]) -> House {
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
    tokio::task::block_in_place(|| {
        super::server::until("another is the primary", || all.primary() != primary);
        all.servers[primary].start_again();
    });
    load.acknowledged(150).await;
    house.end_where_gaps_may_be(&load.end().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_behind_and_becomes_the_primary_is_a_gap_that_is_declared() {
    let mut all = Sentinels::start();
    let house = filled(&all.url(), &[]).await;
    let mut load = Load::begin(&house.doors);
    load.acknowledged(150).await;
    let primary = all.primary();
    all.servers[1 - primary].freeze();
    // What was on its way to it is not.
    all.servers[primary].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    load.acknowledged(100).await;
    all.servers[primary].kill();
    all.servers[1 - primary].thaw();
    load.acknowledged(150).await;
    house.end_with_gaps(&load.end().await).await;
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
        tokio::task::block_in_place(|| cluster.until_whole());
    }
    house.end_where_gaps_may_be(&load.end().await).await;
}

/// Whether it is the primary of one of the pipes that all listen to.
fn has_a_pipe(server: &Redis) -> bool {
    let has = |pipe: &str| server.ask(&["KEYS", &format!("*n:{pipe}*")]) != "*0\r\n";
    server.ask(&["ROLE"]).contains("master") && PIPES.iter().any(|pipe| has(pipe))
}
