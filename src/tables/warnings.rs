//! What is amiss with the answer of a statement that is no error, for SHOW WARNINGS and the count in each reply.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::node::Others;

/// Most warnings of a statement, as in MySQL.
const WARNINGS_MAX: usize = 1_024;
/// The number of the warning that rows are missing: behind the documented errors.
const INCOMPLETE: u16 = 22;

/// The warnings of one statement. More may come as long as its rows are read.
#[derive(Default)]
pub(super) struct Warnings(Mutex<Vec<Warning>>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Warning {
    pub code: u16,
    pub message: String,
}

impl Warnings {
    /// Nodes that did not answer, each once.
    pub fn add_missing(&self, others: &mut Others) {
        let mut warnings = self.warnings();
        for missing in others.take_missing() {
            let message = format!("Incomplete answer: {missing}, and what is known there is not in it");
            let warning = Warning { code: INCOMPLETE, message };
            if warnings.len() < WARNINGS_MAX && !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }

    pub fn all(&self) -> Vec<Warning> {
        self.warnings().clone()
    }

    pub fn count(&self) -> u16 {
        u16::try_from(self.warnings().len()).unwrap_or(u16::MAX)
    }

    fn warnings(&self) -> MutexGuard<'_, Vec<Warning>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
