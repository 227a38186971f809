//! The planted faults with the seed that catches each.

use cometql::fault::{Fault, plant};

use super::run;

/// So many seeds are tried when the one that is written here finds its fault no longer.
const SEEDS: u64 = 2_000;

const FAULTS: [(Fault, u64); 14] = [
    (Fault::ReadBeforeHold, 794),
    (Fault::ArrivalsDroppedWhileHeld, 25),
    (Fault::OverflowForgotten, 2),
    (Fault::DuplicatesKept, 1),
    (Fault::HolesUnnoticed, 0),
    (Fault::DoubtIgnoredWhileReading, 2),
    (Fault::GapNotToldToTheHeld, 298),
    (Fault::GapUnsaid, 17),
    (Fault::BeginningIgnored, 238),
    (Fault::LateAnswerReachesNextTenant, 363),
    (Fault::DepartureOvertakes, 3),
    (Fault::StaleRecoveryDelivered, 171),
    (Fault::WindowReachesTooFar, 17),
    (Fault::RepeatPublished, 1),
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
