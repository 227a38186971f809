//! A clock that stands still until it is moved.

use std::sync::atomic::{AtomicU64, Ordering};

use cometql::clock::{Clock, UnixMillis};

pub struct StillClock(AtomicU64);

impl StillClock {
    pub fn at(millis: u64) -> StillClock {
        StillClock(AtomicU64::new(millis))
    }

    pub fn forward(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for StillClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}
