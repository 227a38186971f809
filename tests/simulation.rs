//! A world that is wholly given by its seed: the binary's own shards, sessions, hubs, histories, node and store, with
//! other clocks and sockets, and with news that come late or not at all. Browsers come, go and come back, and check
//! every frame; in the end everyone has everything, in order and once, or was told of a gap that was provoked.
//!
//! `COMETQL_SEED=7 cargo test --test simulation` runs one seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clock.rs"]
mod clock;
#[path = "simulation/ending.rs"]
mod ending;
#[cfg(debug_assertions)]
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/five.rs"]
mod five;
#[path = "simulation/four.rs"]
mod four;
#[allow(dead_code)]
#[path = "world/browser.rs"]
mod frames;
#[path = "simulation/house.rs"]
mod house;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/socket.rs"]
mod socket;
#[path = "simulation/steps.rs"]
mod steps;
#[path = "simulation/truth.rs"]
mod truth;
#[path = "simulation/world.rs"]
mod world;

use std::ops::Range;

use world::{Kind, World};

/// What a seed came to.
#[derive(Default)]
struct Outcome {
    wrong: Option<String>,
    trace: String,
    messages: usize,
    gaps: usize,
}

fn seeds() -> Range<u64> {
    if let Ok(seed) = std::env::var("COMETQL_SEED") {
        let seed = seed.parse().expect("COMETQL_SEED is a number");
        return seed..seed + 1;
    }
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") {
        0..10_000
    } else {
        0..std::env::var("N").map_or(500, |n| n.parse().unwrap())
    }
}

fn run(seed: u64) -> Outcome {
    let mut world = World::new(seed);
    world.begin();
    for _ in 0..world.house.plan.steps {
        if world.house.wrong.is_some() {
            break;
        }
        world.do_something();
    }
    if world.house.wrong.is_none() {
        world.end();
    }
    let mut outcome = Outcome { wrong: world.house.wrong.take(), trace: world.house.trace(), ..Outcome::default() };
    for browser in &world.browsers {
        if let Kind::Five(five) = &browser.kind {
            outcome.messages += five.messages;
            outcome.gaps += five.gaps;
        }
    }
    outcome
}

#[test]
fn everyone_has_everything_in_order_and_once_or_is_told_of_a_gap() {
    let (mut messages, mut gaps) = (0, 0);
    for seed in seeds() {
        let outcome = run(seed);
        if let Some(wrong) = outcome.wrong {
            panic!("{}\n\nseed {seed}: {wrong}\nCOMETQL_SEED={seed} runs it once more", outcome.trace);
        }
        messages += outcome.messages;
        gaps += outcome.gaps;
    }
    println!("{messages} messages, {gaps} gaps");
}
