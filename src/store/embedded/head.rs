//! Where a pipe stands: the newest position, what is kept behind it, and what trimming has taken away.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pipe::{Pipe, Position, Retention};

/// Where a pipe stands and what it keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Of the newest message.
    pub position: Position,
    pub kept_count: u64,
    pub kept_bytes: u64,
    /// Up to this index the messages of a user's log have been taken.
    pub taken: u64,
    /// The highest index that was not kept, or was trimmed. What is missing behind it was deleted.
    pub floor: u64,
    /// The lowest index that is kept: what the file still has below it was trimmed.
    pub first: u64,
    pub retention: Retention,
}

impl Head {
    /// A pipe nobody has published to, in an epoch of its own.
    pub fn new(pipe: &Pipe) -> Head {
        Head {
            position: Position { epoch: new_epoch(), index: 0 },
            kept_count: 0,
            kept_bytes: 0,
            taken: 0,
            floor: 0,
            first: 0,
            retention: Retention::default_of(pipe),
        }
    }

    /// A pipe whose record is lost, but not its history: a new epoch that goes on counting behind it.
    pub fn behind(pipe: &Pipe, newest: u64, kept_count: u64, kept_bytes: u64) -> Head {
        let head = Head::new(pipe);
        let position = Position { index: newest, ..head.position };
        Head { position, floor: newest, kept_count, kept_bytes, ..head }
    }

    /// Something that was acknowledged may be missing: what was published until now is not vouched for.
    pub fn begin_new_epoch(&mut self) {
        self.position.epoch = new_epoch();
        self.floor = self.position.index;
    }

    /// One message of so many bytes is no longer kept.
    pub fn forget(&mut self, bytes: u64) {
        self.kept_count = self.kept_count.saturating_sub(1);
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
    }

    /// The message with this index was not kept, or is no longer, and nobody asked for that.
    pub fn trim(&mut self, index: u64) {
        self.floor = self.floor.max(index);
    }
}

/// Random, within what a JavaScript number holds exactly, and always with as many digits: how long a frame is does not
/// hang on chance. Numbers that are hashed with a key that the system has drawn at random once, because a pipe that
/// nobody knows any more begins one with every message.
fn new_epoch() -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    1 << 52 | KEY.hash_one(DRAWN.fetch_add(1, Ordering::Relaxed)) >> 12
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_epoch_comes_twice_and_each_has_as_many_digits() {
        let epochs: HashSet<u64> = (0..100_000).map(|_| new_epoch()).collect();
        assert_eq!(epochs.len(), 100_000);
        assert!(epochs.iter().all(|epoch| (1 << 52..1 << 53).contains(epoch)));
    }
}
