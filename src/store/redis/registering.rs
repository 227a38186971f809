//! Registrations that wait to be told to Redis: what comes while others are on their way goes together.
//!
//! So pipes that come and go by the thousand cost few calls, and whoever publishes meanwhile waits for few of them:
//! what is on its way at a time is bounded, however many wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::call::Slot;
use super::listened::Mark;
use crate::pipe::Pipe;
use crate::store::{Listening, StoreError};

/// Pipes that one call registers. Redis does nothing else meanwhile: with 16 of them messages to other pipes waited
/// several times as long, and a pipe was no cheaper.
const PIPES_A_CALL: usize = 8;
/// Calls of one line that are on their way at a time: Redis has the next before it has answered the one before.
const CALLS_MAX: usize = 2;

/// Where registrations stand that may go together: those of one slot, or all when there is one server.
pub type LineId = Option<Slot>;

#[derive(Default)]
pub struct Registering(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    /// Those where somebody waits or is on his way.
    lines: HashMap<LineId, Line>,
    /// Of the newest that has come.
    number: u64,
}

#[derive(Default)]
struct Line {
    /// By number, in their order.
    waiting: BTreeMap<u64, Registration>,
    /// Those who take from the line until it is empty.
    callers: usize,
}

/// A pipe of which Redis is to be told how many connections listen.
pub struct Registration {
    pub base: String,
    pub pipe: Pipe,
    pub mark: Mark,
    /// Who waits for the answer.
    pub answer: oneshot::Sender<Result<Listening, StoreError>>,
}

/// What has become of one that came.
pub struct Joined {
    pub number: u64,
    /// Whether whoever brought it has to see to it that the line is called.
    pub must_call: bool,
}

impl Registering {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one behind the others.
    pub fn join(&self, line: LineId, registration: Registration) -> Joined {
        let mut lines = self.lines();
        lines.number += 1;
        let number = lines.number;
        let line = lines.lines.entry(line).or_default();
        line.waiting.insert(number, registration);
        let must_call = line.callers < CALLS_MAX;
        line.callers += usize::from(must_call);
        Joined { number, must_call }
    }

    /// Takes one back that still waits; answers whether it did.
    pub fn take_back(&self, line: LineId, number: u64) -> bool {
        let mut lines = self.lines();
        lines.lines.get_mut(&line).is_some_and(|line| line.waiting.remove(&number).is_some())
    }

    /// The next ones for a call. When there are none the caller has done with the line.
    pub fn take(&self, id: LineId) -> Option<Vec<Registration>> {
        let mut lines = self.lines();
        let line = lines.lines.get_mut(&id)?;
        let mut taken = Vec::new();
        while taken.len() < PIPES_A_CALL
            && let Some((_, registration)) = line.waiting.pop_first()
        {
            taken.push(registration);
        }
        if !taken.is_empty() {
            return Some(taken);
        }
        line.callers -= 1;
        if line.callers == 0 {
            lines.lines.remove(&id);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::PipeName;
    use crate::user::TenantId;

    fn registration(number: usize) -> Registration {
        let pipe = Pipe::Named(TenantId(1), PipeName::for_publish("pipe").unwrap());
        Registration { base: number.to_string(), pipe, mark: Mark::Leave, answer: oneshot::channel().0 }
    }

    fn taken(registering: &Registering, line: LineId) -> Option<Vec<String>> {
        Some(registering.take(line)?.into_iter().map(|registration| registration.base).collect())
    }

    #[test]
    fn who_comes_while_calls_are_on_their_way_goes_with_the_next_in_the_order_of_coming() {
        let registering = Registering::default();
        assert!((0..CALLS_MAX).all(|number| registering.join(None, registration(number)).must_call));
        assert_eq!(taken(&registering, None), Some((0..CALLS_MAX).map(|number| number.to_string()).collect()));
        let joined: Vec<Joined> =
            (0..PIPES_A_CALL + 2).map(|number| registering.join(None, registration(number))).collect();
        assert!(joined.iter().all(|joined| !joined.must_call));
        assert!(registering.take_back(None, joined[1].number) && !registering.take_back(None, joined[1].number));
        let expected: Vec<String> = (0..PIPES_A_CALL + 2).filter(|n| *n != 1).map(|n| n.to_string()).collect();
        assert_eq!(taken(&registering, None).unwrap(), expected[..PIPES_A_CALL]);
        assert!(!registering.take_back(None, joined[0].number), "it is on its way");
        assert_eq!(taken(&registering, None).unwrap(), expected[PIPES_A_CALL..]);
        assert!((0..CALLS_MAX).all(|_| registering.take(None).is_none()));
        assert!(registering.lines().lines.is_empty(), "nothing is left of a line that is done");
        assert!(registering.join(None, registration(0)).must_call);
    }

    #[test]
    fn slots_do_not_wait_for_each_other() {
        let registering = Registering::default();
        let lines = [Some(Slot::numbered(1)), Some(Slot::numbered(2))];
        for line in lines {
            assert!(
                (0..3).all(|number| registering.join(line, registration(number)).must_call == (number < CALLS_MAX))
            );
        }
        for line in lines {
            assert_eq!(taken(&registering, line).unwrap().len(), 3);
        }
    }
}
