//! Users who are logged in on several nodes, and those who watch them come and go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use super::browser::Browser;
use super::house::insert;
use super::listener::THE_END;
use super::server::Redis;
use super::{DEADLINE, House};

/// The pipe that all are on.
pub const HALL: &str = "track_hall";
/// What a watcher has heard where it was told that something is lost.
pub const GAP: &str = "a gap";
pub const USERS: [u32; 4] = [41, 42, 43, 44];

/// A browser that hears who comes and goes, and what it has heard of each pipe in its order.
pub struct Watcher {
    browser: Browser,
    events: BTreeMap<String, Vec<String>>,
}

impl Watcher {
    pub fn at(address: SocketAddr) -> Watcher {
        let statuses = USERS.map(status_of);
        let pipes: Vec<&str> = [HALL].into_iter().chain(statuses.iter().map(String::as_str)).collect();
        let browser = Browser::follower(address, &pipes);
        browser.socket.set_read_timeout(Some(DEADLINE)).expect("a socket");
        Watcher { browser, events: BTreeMap::new() }
    }

    /// Hears on until it has heard so much of a pipe.
    pub fn hear_until(&mut self, pipe: &str, is_enough: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        while !is_enough(self.events.entry(pipe.to_owned()).or_default()) {
            assert!(began.elapsed() < DEADLINE, "of {pipe} it has heard {:?}", self.events);
            let told = self.browser.hear();
            let event = match told["event"].as_str() {
                None if told["is"] == "gap" => GAP.to_owned(),
                // It names who it is about.
                Some(event @ ("subscription" | "unsubscription")) => format!("{event} {}", told["data"]["uuid"]),
                _ => told["data"].as_str().expect("a text").to_owned(),
            };
            self.events.entry(told["pipe"].as_str().expect("a pipe").to_owned()).or_default().push(event);
        }
    }

    /// What it has heard of a pipe up to its end.
    pub fn up_to_end(&mut self, pipe: &str) -> Vec<String> {
        self.hear_until(pipe, |events| events.last().is_some_and(|event| event == THE_END));
        self.events.remove(pipe).expect("it has heard the end")
    }
}

pub fn status_of(user: u32) -> String {
    format!("user_status_{user}")
}

/// A browser of generation 5 on the pipe that all are on.
pub fn member(address: SocketAddr, user: Option<u32>, uuid: &str) -> Browser {
    let mut browser = Browser::five(address);
    let hello = match user {
        Some(user) => json!({"do": "hello", "uuid": uuid, "user": user, "key": format!("key{user}")}),
        None => json!({"do": "hello", "uuid": uuid}),
    };
    assert_eq!(browser.ask(&hello)["user"], json!(user));
    browser.follow(&json!({"pipe": HALL}));
    browser
}

async fn house_with_users(redis: &Redis) -> House {
    let house = House::over(redis).await;
    let_in(&house).await;
    house
}

pub async fn let_in(house: &House) {
    let rows = USERS.map(|user| format!("({user}, 'key{user}')")).join(", ");
    house.tell(0, &format!("INSERT INTO users_auth (id, hash) VALUES {rows}")).await;
}

pub async fn say_the_end(house: &House) {
    let number = house.living().next().expect("a node");
    for pipe in [HALL.to_owned()].into_iter().chain(USERS.map(status_of)) {
        house.tell(number, &insert(&pipe, THE_END)).await;
    }
}

/// Users of a node that goes, and of others; who went is told once, wherever one listens, and who did not is not.
async fn they_leave_once(signal: Signal) {
    let redis = Redis::start();
    let mut house = house_with_users(&redis).await;
    let [first, second, third] = [0, 1, 2].map(|number| house.node(number).browsers);
    let mut watchers = [Watcher::at(second), Watcher::at(third)];
    // 43 is on another node as well, and 44 only there.
    let _going =
        [(Some(41), "a"), (Some(42), "b"), (Some(43), "c"), (None, "d")].map(|(user, uuid)| member(first, user, uuid));
    let _staying = [member(second, Some(43), "e"), member(third, Some(44), "f")];
    for watcher in &mut watchers {
        watcher.hear_until(HALL, |events| ["a", "b", "c", "d", "e", "f"].iter().all(|who| came(events, who)));
    }
    match signal {
        Signal::TERM => house.stop(0),
        _ => house.kill(0),
    }
    // Promised is 10 s after the death of a node, and 2 s of grace when it has said that it goes.
    for watcher in &mut watchers {
        watcher.hear_until(HALL, |events| ["a", "b", "c", "d"].iter().all(|who| went(events, who)));
        for user in [41, 42] {
            watcher.hear_until(&status_of(user), |events| events.iter().any(|event| event == "offline"));
        }
    }
    house.until_all_say(&format!("SELECT users FROM pipes WHERE name = '{HALL}'"), &[&["4"]]).await;
    house.until_all_say("SELECT id FROM users_time WHERE time = 0 ORDER BY id", &[&["43"], &["44"]]).await;
    house.start(0);
    let _back = member(house.node(0).browsers, Some(41), "g");
    for watcher in &mut watchers {
        watcher.hear_until(HALL, |events| came(events, "g"));
    }
    say_the_end(&house).await;
    for watcher in &mut watchers {
        let statuses = USERS.map(|user| watcher.up_to_end(&status_of(user)));
        assert_eq!(statuses[0], ["online", "offline", "online", THE_END], "of 41");
        assert_eq!(statuses[1], ["online", "offline", THE_END], "of 42");
        assert_eq!(statuses[2], ["online", THE_END], "of 43, who is elsewhere, too");
        assert_eq!(statuses[3], ["online", THE_END], "of 44, who was never there");
        let hall = watcher.up_to_end(HALL);
        for who in ["a", "b", "c", "d"] {
            let departures = hall.iter().filter(|event| **event == format!("unsubscription \"{who}\"")).count();
            assert_eq!(departures, 1, "{who}: {hall:?}");
        }
        assert_eq!(hall.iter().filter(|event| event.starts_with("unsubscription")).count(), 4, "{hall:?}");
        assert!(!hall.contains(&GAP.to_owned()), "{hall:?}");
    }
    house.end(&[]).await;
}

pub fn came(events: &[String], who: &str) -> bool {
    events.contains(&format!("subscription \"{who}\""))
}

pub fn went(events: &[String], who: &str) -> bool {
    events.contains(&format!("unsubscription \"{who}\""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_killed_node_leave_once_and_who_is_elsewhere_stays() {
    they_leave_once(Signal::KILL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_node_that_stops_in_good_order_leave_once() {
    they_leave_once(Signal::TERM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_has_gone_because_redis_was_away_for_longer_than_a_lease() {
    let mut redis = Redis::that_keeps();
    let mut house = house_with_users(&redis).await;
    let addresses = [0, 1, 2].map(|number| house.node(number).browsers);
    let mut watcher = Watcher::at(addresses[0]);
    let _members = [(0, 41, "a"), (1, 42, "b"), (1, 43, "c"), (2, 43, "d"), (2, 44, "e")]
        .map(|(node, user, uuid)| member(addresses[node], Some(user), uuid));
    watcher.hear_until(HALL, |events| ["a", "b", "c", "d", "e"].iter().all(|who| came(events, who)));
    redis.kill();
    // A publisher waits 5 s; three of them wait longer than a lease lasts.
    for _ in 0..3 {
        house.tried(0, &insert("elsewhere", "x")).await.expect_err("Redis is away");
    }
    redis.start_again();
    house.until_all_say(&format!("SELECT users FROM pipes WHERE name = '{HALL}'"), &[&["6"]]).await;
    let online: [&[&str]; 4] = [&["41"], &["42"], &["43"], &["44"]];
    house.until_all_say("SELECT id FROM users_time WHERE time = 0 ORDER BY id", &online).await;
    // By the time that it is told who went with a node, it would have been told of the others.
    house.kill(2);
    watcher.hear_until(&status_of(44), |events| events.iter().any(|event| event == "offline"));
    watcher.hear_until(HALL, |events| went(events, "d") && went(events, "e"));
    say_the_end(&house).await;
    for (user, expected) in [(41, 1), (42, 1), (43, 1), (44, 2)] {
        let statuses = watcher.up_to_end(&status_of(user));
        assert_eq!(statuses, [&["online", "offline"][..expected], &[THE_END]].concat(), "of {user}");
    }
    let hall = watcher.up_to_end(HALL);
    assert_eq!(hall.iter().filter(|event| event.starts_with("unsubscription")).count(), 2, "{hall:?}");
    assert!(!hall.contains(&GAP.to_owned()), "{hall:?}");
    house.end(&[]).await;
}
