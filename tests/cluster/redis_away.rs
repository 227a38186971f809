//! Redis goes and comes back with all it had.

use super::House;
use super::load::Load;
use super::proxy::Way;
use super::server::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_and_starts_again_has_lost_nothing_that_was_acknowledged() {
    let mut redis = Redis::that_keeps();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    for _ in 0..3 {
        load.acknowledged(150).await;
        redis.kill();
        redis.start_again();
    }
    load.acknowledged(150).await;
    let told = load.end().await;
    house.end(&told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_a_cable_that_was_pulled_catches_up_when_it_is_in_again() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    for way in [Way::Silent, Way::Closed, Way::Slow(std::time::Duration::from_millis(50))] {
        load.acknowledged(100).await;
        house.ways[0].set(way);
        load.acknowledged(200).await;
        house.ways[0].set(Way::Open);
        house.until_full().await;
    }
    let told = load.end().await;
    house.end(&told).await;
}
