//! The ids that publishers have chosen lately, and what they were answered: a publisher that heard no answer asks
//! again under the same id, and gets the same.

use std::collections::{HashMap, VecDeque};

use crate::clock::UnixMillis;
use crate::fault::{Fault, is_planted};
use crate::pipe::{MessageId, Pipe};
use crate::store::{Published, REPEAT_MILLIS};

/// Most chosen ids a node remembers; past it the oldest are forgotten first.
pub const REPEATS_MAX: usize = 100_000;

/// The first publish of a message under a chosen id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct First {
    pub pipe: Pipe,
    pub id: MessageId,
    pub published: Published,
    pub at: UnixMillis,
}

/// Whether a second publish at `now` is still known to be the same message.
fn is_known(at: UnixMillis, now: UnixMillis) -> bool {
    now.0 <= at.0.saturating_add(REPEAT_MILLIS)
}

#[derive(Default)]
pub struct Repeats {
    firsts: HashMap<(Pipe, MessageId), (Published, UnixMillis)>,
    /// The same, oldest first.
    order: VecDeque<(Pipe, MessageId, UnixMillis)>,
}

impl Repeats {
    /// What the message was answered when it was published first, if that is remembered.
    pub fn first(&self, pipe: &Pipe, id: MessageId, now: UnixMillis) -> Option<Published> {
        let (published, at) = self.firsts.get(&(pipe.clone(), id))?;
        (is_known(*at, now) && !is_planted(Fault::RepeatPublished))
            .then_some(Published { is_repeat: true, ..*published })
    }

    /// Remembers a first publish, and forgets what is too old or too much.
    pub fn remember(&mut self, first: First, now: UnixMillis) {
        let First { pipe, id, published, at } = first;
        self.order.push_back((pipe.clone(), id, at));
        self.firsts.insert((pipe, id), (published, at));
        self.forget(now);
    }

    /// Forgets what is too old or too much.
    pub fn forget(&mut self, now: UnixMillis) {
        while let Some((_, _, at)) = self.order.front()
            && (self.order.len() > REPEATS_MAX || !is_known(*at, now))
            && let Some((pipe, id, at)) = self.order.pop_front()
        {
            let key = (pipe, id);
            // An id that came again after its time stands in the order twice, and counts from the second.
            if self.firsts.get(&key).is_some_and(|(_, since)| *since == at) {
                self.firsts.remove(&key);
            }
        }
        // A rush of ids should not hold its memory for ever.
        if self.order.is_empty() {
            *self = Repeats::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{PipeName, Position};
    use crate::user::TenantId;
    use uuid::Uuid;

    fn first(name: &str, id: u64, index: u64, at: u64) -> First {
        let published = Published { position: Position { epoch: 1, index }, receivers: 2, is_repeat: false };
        let pipe = Pipe::Named(TenantId(0), PipeName::for_publish(name).unwrap());
        First { pipe, id: MessageId(Uuid::from_u128(u128::from(id))), published, at: UnixMillis(at) }
    }

    fn index_of(repeats: &Repeats, name: &str, id: u64, now: u64) -> Option<u64> {
        let First { pipe, id, .. } = first(name, id, 0, 0);
        let published = repeats.first(&pipe, id, UnixMillis(now))?;
        assert!(published.is_repeat && published.receivers == 2);
        Some(published.position.index)
    }

    #[test]
    fn an_id_is_known_on_its_pipe_for_its_time() {
        let mut repeats = Repeats::default();
        repeats.remember(first("one", 7, 1, 100), UnixMillis(100));
        assert_eq!(index_of(&repeats, "one", 7, 100 + REPEAT_MILLIS), Some(1));
        assert_eq!(index_of(&repeats, "one", 7, 101 + REPEAT_MILLIS), None);
        assert_eq!(index_of(&repeats, "two", 7, 100), None);
        assert_eq!(index_of(&repeats, "one", 8, 100), None);
        let later = 101 + REPEAT_MILLIS;
        repeats.remember(first("one", 7, 2, later), UnixMillis(later));
        assert_eq!(index_of(&repeats, "one", 7, later + REPEAT_MILLIS), Some(2));
        repeats.forget(UnixMillis(later + REPEAT_MILLIS + 1));
        assert_eq!((repeats.firsts.len(), repeats.order.len(), repeats.order.capacity()), (0, 0, 0));
    }

    #[test]
    fn only_so_many_are_remembered_and_the_oldest_goes_first() {
        let mut repeats = Repeats::default();
        for id in 0..REPEATS_MAX as u64 + 3 {
            repeats.remember(first("one", id, id, 0), UnixMillis(0));
        }
        assert_eq!((repeats.firsts.len(), repeats.order.len()), (REPEATS_MAX, REPEATS_MAX));
        assert_eq!(index_of(&repeats, "one", 2, 0), None);
        assert_eq!(index_of(&repeats, "one", 3, 0), Some(3));
    }
}
