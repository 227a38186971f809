//! The real binary under load, killed at random moments and started again on what it left: whatever was acknowledged
//! is there, once, in its place, and nothing else is.
//!
//! Browsers and devices of users listen through all of it, and have everything in the end. What had no answer is said
//! once more after the crash, if its publisher had chosen its ids, and some of what had one, too.
//!
//! A round has parts that begin with a node and end when it is gone (`load`); each says what it was told, and the
//! ledger compares that with what the next node has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
mod ledger;
mod load;
#[path = "../world/node.rs"]
mod node;
#[path = "../crowd/random.rs"]
mod random;
mod watchers;

use ledger::{LENGTH, Ledger, PIPES, USERS};
use load::Load;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::{Home, Node};
use random::Random;
use rustix::process::Signal;
use watchers::Watcher;

/// So many browsers listen.
const WATCHERS: usize = 4;
/// A round's node is killed after so many statements were sent or answered, at most.
const STEPS_MAX: usize = 600;

fn rounds() -> usize {
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") { 50 } else { 5 }
}

async fn connect(node: &Node) -> Conn {
    let options = OptsBuilder::default().ip_or_hostname(node.sql.ip().to_string()).tcp_port(node.sql.port());
    let options = options.user(Some("root")).pass(Some(&node.password)).prefer_socket(false);
    Conn::new(options).await.expect("a node that listens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_kill_once_and_in_its_place() {
    let mut random = Random::new("crash");
    let mut ledger = Ledger::default();
    let devices = USERS.into_iter().map(Watcher::device);
    let mut watchers: Vec<Watcher> = (0..WATCHERS).map(|_| Watcher::default()).chain(devices).collect();
    let mut home = with_settings(Home::new(&["--log", "warn"]).start()).await;
    for round in 1..=rounds() {
        let node = home.start();
        let mut client = connect(&node).await;
        ledger.repeat(&mut client).await;
        ledger.compare(&mut client).await;
        // What a crash left must outlive the next one, too, also when nothing was written between them.
        let node = if random.below(4) == 0 { node.kill().start() } else { node };
        let browsers: Vec<_> = watchers.iter_mut().map(|watcher| watcher.catch_up(node.browsers)).collect();
        for (place, index) in watchers.iter().filter_map(Watcher::taken) {
            ledger.until_taken(&mut connect(&node).await, place, index).await;
        }
        let attached: Vec<_> =
            watchers.into_iter().zip(browsers).map(|(watcher, browser)| watcher.attach(browser)).collect();
        home = crashed(node, round, &mut random, &mut ledger).await;
        watchers = attached.into_iter().map(|watcher| watcher.join().expect("it heard nothing wrong")).collect();
        watchers.iter().filter_map(Watcher::taken).for_each(|(place, index)| ledger.may_be_taken(place, index));
    }
    let node = home.start();
    let mut client = connect(&node).await;
    ledger.repeat(&mut client).await;
    ledger.compare(&mut client).await;
    for watcher in &mut watchers {
        watcher.catch_up(node.browsers);
        watcher.compare(&ledger);
    }
    println!("each browser has {:?} messages", watchers.iter().map(Watcher::messages).collect::<Vec<_>>());
    watchers.iter().filter_map(Watcher::taken).for_each(|(place, index)| ledger.may_be_taken(place, index));
    let (end, home) = node.stop(Signal::TERM);
    assert_eq!((end.status.code(), end.stderr.as_str()), (Some(0), ""));
    ledger.compare(&mut connect(&home.start()).await).await;
    println!("{ledger}");
}

/// The settings that the pipes of the test need, and what its users log in with, on a node that is killed as soon as it says OK.
async fn with_settings(node: Node) -> Home {
    let mut client = connect(&node).await;
    for pipe in PIPES {
        let set = "INSERT INTO pipes_settings (name, length) VALUES (?, ?)";
        client.exec_drop(set, (pipe, LENGTH)).await.unwrap();
    }
    for user in USERS {
        let set = "INSERT INTO users_auth (id, hash) VALUES (?, ?)";
        client.exec_drop(set, (user, watchers::hash(user))).await.unwrap();
    }
    node.kill()
}

/// One round: a node under load, killed in the midst of it.
async fn crashed(node: Node, round: usize, random: &mut Random, ledger: &mut Ledger) -> Home {
    let mut load = Load::begin(&node, round, random).await;
    load.steps(1 + random.below(STEPS_MAX)).await;
    let home = node.kill();
    for told in load.end().await {
        ledger.take(told);
    }
    home
}
