//! The way between one node and Redis is cut and mended under load, while pipes keep nothing but their recovery windows.

use super::gaps::{Provoked, Within};
use super::house::{FIVES, House};
use super::load::{Load, PIPES, UNLIMITED};
use super::proxy::Way;
use super::server::Redis;

/// The node behind the way that is cut.
const CUT: usize = 0;
/// How many messages a recovery window has.
const WINDOW: usize = 100;
/// What is said while the way is cut and until all is well again, on all pipes together: not half a window each.
const FEW: usize = WINDOW / 2 * PIPES.len();

/// The way is cut, and mended when something has been said meanwhile; more is said while the node catches up.
async fn cut_for_a_moment(house: &House, load: &mut Load, way: Way) {
    load.allow(FEW);
    load.acknowledged(20).await;
    house.ways[CUT].set(way);
    load.acknowledged(40).await;
    house.ways[CUT].set(Way::Open);
    // Of some nobody knows whether they were published.
    load.acknowledged(FEW as u64 - 70).await;
    house.until_full().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_twice_for_less_than_a_window_misses_nothing() {
    let redis = Redis::start();
    let mut house = House::that_forgets(&redis).await;
    house.fill().await;
    let mut load = Load::begin_slowly(&house.doors);
    for way in [Way::Closed, Way::Silent] {
        cut_for_a_moment(&house, &mut load, way).await;
    }
    house.end(&load.end().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_for_more_than_a_window_is_told_of_one_gap_a_pipe() {
    let redis = Redis::start();
    let mut house = House::that_forgets(&redis).await;
    house.fill().await;
    let browsers: Vec<usize> = (0..FIVES).filter(|number| number % house.count() == CUT).collect();
    let mut load = Load::begin_slowly(&house.doors);
    cut_for_a_moment(&house, &mut load, Way::Closed).await;
    house.ways[CUT].set(Way::Closed);
    // The publishers of this node do not go on, and what the others say is dealt to the pipes in turn.
    load.allow(UNLIMITED);
    load.acknowledged((PIPES.len() * WINDOW + 50) as u64).await;
    house.ways[CUT].set(Way::Open);
    house.until_gaps(browsers.len() * PIPES.len()).await;
    load.acknowledged(100).await;
    let messages_min = WINDOW as u64 + 1;
    let provoked = Provoked::within(Within { pipes: &PIPES, browsers, count: 1, messages_min });
    house.end_with(&load.end().await, provoked).await;
}
