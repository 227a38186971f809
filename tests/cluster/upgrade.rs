//! A node of a newer version shares the store for a while.

use super::gaps::{Provoked, Within};
use super::house::FIVES;
use super::load::Load;
use super::server::Redis;
use super::{House, all};

/// Announces something of a version that there is not yet.
const ANNOUNCE: &str = r"
local base = string.match(redis.call('KEYS', '*n:first*:kept')[1], '^(.*):kept$')
return redis.call('SPUBLISH', base, '\99 something newer')";

/// Publishes a message of a version that there is not yet, as a newer node would.
const PUBLISH: &str = r"
local base = string.match(redis.call('KEYS', '*n:first*:kept')[1], '^(.*):kept$')
local index = redis.call('HINCRBY', base, 'index', 1)
redis.call('HSET', base, 'id', 'of a newer node!')
for _, stream in ipairs({ ':kept', ':window' }) do
  redis.call('XADD', base .. stream, index .. '-0', 'm', '\99 something newer that has the length of a message at least')
end
return redis.call('SPUBLISH', base, '\99 something newer that has the length of a message at least')";

fn run(redis: &Redis, script: &str) {
    let answer = redis.ask(&["EVAL", script, "0"]);
    assert!(answer.starts_with(':'), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_of_a_newer_version_harms_nobody() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    for _ in 0..3 {
        load.acknowledged(50).await;
        run(&redis, ANNOUNCE);
    }
    load.acknowledged(100).await;
    let told = load.end().await;
    house.end(&told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_a_newer_version_is_a_gap_that_is_declared_and_the_pipe_goes_on() {
    let redis = Redis::start();
    let mut house = House::over(&redis).await;
    house.fill().await;
    let mut load = Load::begin(&house.doors);
    let count = if all() { 20 } else { 2 };
    for number in 1..=count {
        load.acknowledged(50).await;
        run(&redis, PUBLISH);
        house.until_gaps(FIVES * number).await;
    }
    load.acknowledged(100).await;
    let told = load.end().await;
    let browsers = (0..FIVES).collect();
    let provoked = Provoked::within(Within { pipes: &["first"], browsers, count, messages_min: 1 });
    house.end_with(&told, provoked).await;
}
