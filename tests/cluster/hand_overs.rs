//! A primary of Redis hands over to its replica because somebody has asked for it, while both live.
//!
//! A Redis Cluster has the replica catch up before it takes over, and nothing is lost. Sentinels do not wait: until the old
//! primary has learned that it is none any more, it numbers and announces what the new one never has. Of that browsers are
//! told a gap; and no publisher was told OK if each message wants a replica, for that one has gone.

use tokio::task::block_in_place;

use super::failovers::{filled, has_a_pipe};
use super::gaps::Provoked;
use super::load::Load;
use super::server::{self, Cluster, Sentinels};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_are_asked_for_another_primary_lose_nothing_that_replicas_have() {
    let all = Sentinels::start();
    let house = filled(&all.url(), &["--redis-replicas-min", "1"]).await;
    let mut load = Load::begin(&house.doors);
    let count = 2;
    for _ in 0..count {
        load.acknowledged(150).await;
        block_in_place(|| all.fail_over());
    }
    load.acknowledged(150).await;
    house.end_with(&load.end().await, Provoked::epochs_up_to(count)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_asked_for_another_primary_loses_nothing() {
    let cluster = Cluster::start();
    let house = filled(&cluster.url(), &[]).await;
    let mut load = Load::begin(&house.doors);
    for _ in 0..2 {
        load.acknowledged(150).await;
        let owner = cluster.servers.iter().position(has_a_pipe).expect("somebody has the pipes");
        let heir = (owner + 3) % cluster.servers.len();
        assert_eq!(cluster.servers[heir].ask(&["CLUSTER", "FAILOVER"]), "+OK\r\n");
        block_in_place(|| {
            server::until("the replica takes over", || cluster.servers[heir].ask(&["ROLE"]).contains("master"));
            cluster.until_whole();
        });
    }
    load.acknowledged(150).await;
    house.end(&load.end().await).await;
}
