//! Who subscribes to a pipe, as browsers ask it: over all nodes, some browsers at a time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::{Node, Present};
use crate::pipe::Pipe;

/// So many browsers are answered at a time,
const AT_WORK_MAX: usize = 16;
/// and so many have asked, those that wait for their turn among them.
const ASKING_MAX: usize = 1_024;
/// So long the wait for a turn and the answer may take together, in milliseconds: a browser that is gone is not answered
/// for longer either.
const ANSWER_MILLIS_MAX: u64 = 5_000;
/// Most connections that are told of in one answer.
const USERS_MAX: usize = 10_000;

/// The browsers that ask.
pub(super) struct Asking {
    room: Semaphore,
    turns: Semaphore,
}

/// Why a browser is to ask later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Busy {
    TooMany,
    TooLate,
}

impl fmt::Display for Busy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Busy::TooMany => write!(out, "{ASKING_MAX} browsers ask already who is in a pipe"),
            Busy::TooLate => write!(out, "who is in a pipe was not known within {ANSWER_MILLIS_MAX} ms"),
        }
    }
}

impl Default for Asking {
    fn default() -> Asking {
        Asking { room: Semaphore::new(ASKING_MAX), turns: Semaphore::new(AT_WORK_MAX) }
    }
}

impl Node {
    /// Those of all nodes, as far as they answer.
    pub(super) async fn users(self: &Arc<Node>, pipe: &Pipe) -> Result<Vec<Present>, Busy> {
        let _place = self.asking.room.try_acquire().map_err(|_| Busy::TooMany)?;
        let deadline = Instant::now() + Duration::from_millis(ANSWER_MILLIS_MAX);
        let answered = async {
            let _turn = self.asking.turns.acquire().await;
            self.users_everywhere(pipe).await
        };
        timeout_at(deadline, answered).await.map_err(|_| Busy::TooLate)
    }

    async fn users_everywhere(self: &Arc<Node>, pipe: &Pipe) -> Vec<Present> {
        let mut others = self.others().await;
        let mut subscribers = self.subscribers(pipe.tenant(), std::slice::from_ref(pipe), &others);
        let mut users = Vec::new();
        while users.len() < USERS_MAX
            && let Some((_, page)) = subscribers.next(&mut others).await
        {
            users.extend(page.into_iter().map(|subscriber| subscriber.present));
        }
        users.truncate(USERS_MAX);
        for missing in others.take_missing() {
            tracing::info!("it is not known of all who is in {}: {missing}", pipe.shown_name());
        }
        users
    }
}
