//! The planted faults with the seed that catches each.

use cometql::fault::{Fault, plant};

use super::run;

/// So many seeds are tried when the one that is written here finds its fault no longer.
const SEEDS: u64 = 2_000;

const FAULTS: [(Fault, u64); 15] = [
    (Fault::ReadBeforeHold, 0),
    (Fault::ArrivalsDroppedWhileHeld, 0),
    (Fault::OverflowForgotten, 0),
    (Fault::DuplicatesKept, 0),
    (Fault::HolesUnnoticed, 0),
    (Fault::DoubtIgnoredWhileReading, 0),
    (Fault::EpochsJoined, 0),
    (Fault::GapNotToldToTheHeld, 0),
    (Fault::GapUnsaid, 0),
    (Fault::BeginningIgnored, 0),
    (Fault::LateAnswerReachesNextTenant, 0),
    (Fault::DepartureOvertakes, 0),
    (Fault::StaleRecoveryDelivered, 0),
    (Fault::WindowReachesTooFar, 0),
    (Fault::RepeatPublished, 0),
];

/// What is wrong in this world when the fault is planted.
fn caught(fault: Fault, seed: u64) -> Option<String> {
    let _planted = plant(fault);
    run(seed).wrong
}

#[test]
fn each_planted_fault_is_caught_by_a_seed_that_finds_nothing_without_it() {
    let mut missed = Vec::new();
    for (fault, seed) in FAULTS {
        let found = std::iter::once(seed).chain(0..SEEDS).find_map(|seed| Some((seed, caught(fault, seed)?)));
        match found {
            Some((seed, wrong)) => {
                println!("{fault:?} is caught by seed {seed}: {wrong}");
                assert_eq!(run(seed).wrong, None, "seed {seed}");
            }
            None => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "nothing finds {missed:?}");
}
