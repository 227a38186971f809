//! Nothing dies.

use super::House;
use super::load::Load;
use super::server::Redis;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_what_is_published_on_any_node() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    load.acknowledged(300).await;
    let told = load.end().await;
    assert!(told.iter().all(|told| told.index.is_some()), "nothing was in the way of an answer");
    house.end(&told).await;
}
