//! Nodes die, or go in good order.

use super::House;
use super::load::Load;
use super::server::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_of_a_killed_node_come_back_at_the_others_and_miss_nothing() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    for number in [0, 1] {
        load.acknowledged(100).await;
        house.kill(number);
        load.acknowledged(200).await;
        // Its own count no more when its lease is over, 10 s after it was last heard of.
        house.until_full().await;
        house.start(number);
    }
    let told = load.end().await;
    house.end(&told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_in_good_order_loses_nothing_and_counts_no_more() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    for number in 0..house.count() {
        load.acknowledged(100).await;
        house.stop(number);
        house.until_full().await;
        load.acknowledged(100).await;
        house.start(number);
    }
    let told = load.end().await;
    house.end(&told).await;
}
