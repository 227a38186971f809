//! A replica becomes the primary that has not what was said last.

use super::House;
use super::failovers::filled;
use super::gaps::Provoked;
use super::house::FIVES;
use super::listener::THE_END;
use super::load::{Load, PIPES};
use super::people::{GAP, HALL, Watcher, came, let_in, member, say_the_end, status_of, went};
use super::server::Sentinels;

/// The replica stands still and is not written to any more.
fn freeze_the_replica(all: &Sentinels) {
    let primary = all.primary();
    let wait = || all.servers[primary].ask(&["WAIT", "1", "1000"]) == ":1\r\n";
    super::server::until("the replica has what was written", wait);
    all.servers[1 - primary].freeze();
    // What was on its way to it is not.
    all.servers[primary].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
}

fn replace_the_primary(all: &mut Sentinels) {
    let primary = all.primary();
    all.servers[primary].kill();
    all.servers[1 - primary].thaw();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_behind_and_becomes_the_primary_is_a_gap_that_is_declared() {
    let mut all = Sentinels::start();
    let house = filled(&all.url(), &[]).await;
    let mut load = Load::begin(&house.doors);
    load.acknowledged(150).await;
    tokio::task::block_in_place(|| freeze_the_replica(&all));
    load.acknowledged(100).await;
    replace_the_primary(&mut all);
    load.acknowledged(150).await;
    house.until_gaps(FIVES * PIPES.len()).await;
    load.acknowledged(150).await;
    house.end_with_losses(&load.end().await, Provoked::epochs(1)).await;
}

/// Who comes and who goes while the replica stands still, and how that looks afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_came_and_went_before_a_replica_took_over_that_was_behind_is_known_afterwards() {
    let mut all = Sentinels::start();
    let mut house = filled(&all.url(), &[]).await;
    let_in(&house).await;
    let [first, second, third] = [0, 1, 2].map(|number| house.node(number).browsers);
    let mut watchers = [Watcher::at(first), Watcher::at(third)];
    let _staying = [member(first, Some(41), "a"), member(third, Some(41), "b")];
    let going = member(second, Some(42), "c");
    hear(&mut watchers, |events| ["a", "b", "c"].iter().all(|who| came(events, who)));
    let mut load = Load::begin(&house.doors);
    load.acknowledged(100).await;
    tokio::task::block_in_place(|| freeze_the_replica(&all));
    let _coming = member(second, Some(43), "d");
    drop(going);
    hear(&mut watchers, |events| came(events, "d") && went(events, "c"));
    for watcher in &mut watchers {
        watcher.hear_until(&status_of(42), |events| events.contains(&"offline".to_owned()));
    }
    load.acknowledged(100).await;
    replace_the_primary(&mut all);
    house.until_gaps(FIVES * PIPES.len()).await;
    load.acknowledged(100).await;
    all_know_who_is_here(&house).await;
    for watcher in &mut watchers {
        // The new primary knew only that he had come, and so did whoever asked it.
        watcher.hear_until(&status_of(42), |events| events.ends_with(&[GAP, "offline"].map(str::to_owned)));
    }
    // Whoever sees to what it leaves says nothing of those who had gone before.
    house.kill(1);
    for watcher in &mut watchers {
        watcher.hear_until(&status_of(43), |events| events.contains(&"offline".to_owned()));
    }
    hear(&mut watchers, |events| went(events, "d"));
    say_the_end(&house).await;
    for watcher in &mut watchers {
        assert_eq!(watcher.up_to_end(&status_of(41)), ["online", THE_END]);
        assert_eq!(watcher.up_to_end(&status_of(42)), ["online", "offline", GAP, "offline", THE_END]);
        assert_eq!(watcher.up_to_end(&status_of(43)), ["online", GAP, "offline", THE_END]);
        assert_eq!(watcher.up_to_end(&status_of(44)), [THE_END]);
        let hall = watcher.up_to_end(HALL);
        let behind = hall.iter().skip_while(|event| *event != GAP);
        assert_eq!(behind.collect::<Vec<_>>(), [GAP, "unsubscription \"d\"", THE_END], "{hall:?}");
    }
    house.end_with_losses(&load.end().await, Provoked::epochs(1)).await;
}

fn hear(watchers: &mut [Watcher], is_enough: impl Fn(&[String]) -> bool) {
    watchers.iter_mut().for_each(|watcher| watcher.hear_until(HALL, &is_enough));
}

async fn all_know_who_is_here(house: &House) {
    house.until_all_say("SELECT id FROM users_time WHERE time = 0 ORDER BY id", &[&["41"], &["43"]]).await;
    let users = format!("SELECT users FROM pipes WHERE name = '{HALL}'");
    house.until_all_say(&users, &[&["5"]]).await;
    let listed = format!("SELECT user_id FROM users_in_pipes WHERE name = '{HALL}' ORDER BY user_id");
    house.until_all_say(&listed, &[&["0"], &["0"], &["41"], &["41"], &["43"]]).await;
}
