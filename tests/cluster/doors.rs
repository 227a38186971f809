//! Where the nodes that are there can be reached, for those who come back when theirs has gone.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So long somebody who was not let in waits before he tries the next door, unless a door opens.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone, Default)]
pub struct Doors(Arc<Inner>);

#[derive(Default)]
struct Inner {
    doors: Mutex<Vec<Option<Door>>>,
    changed: Condvar,
}

/// Of one node.
#[derive(Clone, Copy)]
pub struct Door {
    pub sql: SocketAddr,
    pub browsers: SocketAddr,
}

impl Doors {
    pub fn set(&self, node: usize, door: Option<Door>) {
        let mut doors = self.lock();
        let count = doors.len().max(node + 1);
        doors.resize(count, None);
        doors[node] = door;
        drop(doors);
        self.0.changed.notify_all();
    }

    /// Of this node, or of the next one that has any.
    pub fn at_or_behind(&self, node: usize) -> Option<Door> {
        let doors = self.lock();
        (0..doors.len()).find_map(|step| doors[(node + step) % doors.len()])
    }

    /// Waits a moment, or until a door opens or closes.
    pub fn pause(&self) {
        drop(self.0.changed.wait_timeout(self.lock(), PAUSE).unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Door>>> {
        self.0.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
