//! Crowds of browsers on the real binary, from one process: they subscribe, talk, die and come back at random, and
//! strangers send what makes no sense. Afterwards everything is as it must be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
mod members;
#[path = "../world/node.rs"]
mod node;
mod random;
mod strangers;

use std::time::{Duration, Instant};

use browser::Browser;
use cometql::clock::{Clock, SystemClock};
use members::Crowd;
use node::{Home, Node};
use random::Random;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

fn is_long() -> bool {
    std::env::var("COMETQL_TESTS").is_ok_and(|value| value == "all")
}

/// Nobody here answers pings, and a crowd of one machine is no attack.
fn start() -> Node {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let flags = ["--log", "warn", "--memory", "--ping-seconds", "3600"];
    Home::new(&flags).start()
}

/// A browser that asks the node about the others.
struct Judge {
    browser: Browser,
    /// What it was told last.
    last: Value,
}

impl Judge {
    fn answer(&mut self, question: &str) -> Value {
        self.browser.send_text(question);
        self.last = self.browser.frame().json();
        self.last["data"].clone()
    }

    fn count(&mut self, pipe: &str) -> u64 {
        self.answer(&format!("pipe_count\n{pipe}"))["user_in_pipe"].as_u64().unwrap()
    }

    /// Of who is here the original tells the time since 1970; of who has gone, the time since.
    fn is_here(&mut self, user: u32) -> bool {
        let seconds = self.answer(&format!("user_status\n{user}"))["last_online_time"].as_u64().unwrap();
        let (a_test_is_no_longer, of_who_never_came) = (100_000, 1);
        let now = SystemClock.now().seconds();
        seconds > a_test_is_no_longer && seconds < now + of_who_never_came
    }

    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Judge) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < DEADLINE, "it did not come true that {what}: {}", self.last);
        }
    }
}

#[test]
fn a_crowd_that_comes_and_goes_at_random_leaves_exact_counts_and_no_memory() {
    let (members, steps) = if is_long() { (10_000, 80_000) } else { (1_000, 4_000) };
    let node = start();
    let mut random = Random::new("crowd");
    let mut crowd = Crowd::new(&node, members);
    let mut judge = Judge { browser: Browser::stranger(node.browsers), last: Value::Null };
    crowd.come();
    crowd.steps(steps, &mut random);
    crowd.check(&mut judge);
    let calm = node.resident_bytes();
    for _ in 0..3 {
        crowd.steps(steps, &mut random);
        crowd.check(&mut judge);
    }
    let afterwards = node.resident_bytes();
    println!("{calm} bytes resident after the first round, {afterwards} after four");
    assert!(afterwards < calm + calm / 4 + (8 << 20), "{afterwards} bytes resident, {calm} after the first round");
    crowd.go();
    crowd.check(&mut judge);
}

#[test]
fn strangers_end_nobody_but_themselves_and_leave_no_memory() {
    let inputs = if is_long() { 500_000 } else { 50_000 };
    let node = start();
    let mut random = Random::new("strangers");
    let mut witness = Browser::subscriber(node.browsers, &["web_witness"]);
    let mut speaker = Browser::stranger(node.browsers);
    let mut calm = 0;
    for tenth in 0..10 {
        strangers::send(&node, inputs / 10, &mut random);
        let text = format!("{tenth}");
        speaker.send_text(&format!("web_pipe2\nweb_witness\ne\n*\n{text}"));
        assert_eq!(speaker.frame().json()["data"]["number_messages"], 1);
        assert_eq!(witness.frame().json()["data"], text);
        if tenth == 0 {
            calm = node.resident_bytes();
        }
    }
    let mut judge = Judge { browser: speaker, last: Value::Null };
    judge.until("all strangers have left", |judge| judge.count("web_stranger") == 0);
    let afterwards = node.resident_bytes();
    println!("{calm} bytes resident after the first tenth, {afterwards} after all");
    assert!(afterwards < calm + calm / 4 + (8 << 20), "{afterwards} bytes resident, {calm} after the first tenth");
}
