//! Which server has which slot. One server has them all, unless there is a cluster, whose servers may hand them on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::call::{SLOT_COUNT, Slot};
use super::server::{Kept, ServerId};

/// So long it is waited before something is asked again that was refused for a moment only.
const PAUSE: Duration = Duration::from_millis(20);

pub struct Servers {
    map: watch::Sender<Map>,
    /// Whether slots can move.
    are_many: bool,
    /// Told that the map may be wrong.
    pub doubted: Notify,
    /// How often it has been looked at.
    pub looks: watch::Sender<u64>,
}

/// The servers, and which has which slot.
#[derive(Clone, Default)]
pub struct Map {
    pub servers: Vec<Arc<Kept>>,
    /// Of each slot the place among the servers, if one has it. Empty: the first has them all.
    pub owners: Vec<Option<u16>>,
    /// Whether the node is stopping: there is none any more, and none will come.
    pub is_closed: bool,
}

impl Map {
    pub fn owner(&self, slot: Slot) -> Option<&Arc<Kept>> {
        let place = if self.owners.is_empty() { 0 } else { usize::from((*self.owners.get(slot.number())?)?) };
        self.servers.get(place)
    }

    /// The slots that have another owner here than there.
    pub fn gained<'m>(&'m self, before: &'m Map) -> impl Iterator<Item = (Slot, &'m Arc<Kept>)> {
        (0..SLOT_COUNT).map(Slot::numbered).filter_map(move |slot| {
            let now = self.owner(slot)?;
            before.owner(slot).is_none_or(|before| before.id != now.id).then_some((slot, now))
        })
    }
}

impl Servers {
    pub fn new(are_many: bool) -> Servers {
        Servers {
            map: watch::Sender::new(Map::default()),
            are_many,
            doubted: Notify::new(),
            looks: watch::Sender::new(0),
        }
    }

    pub fn are_many(&self) -> bool {
        self.are_many
    }

    pub fn map(&self) -> Map {
        self.map.borrow().clone()
    }

    /// Knows better from now on.
    pub fn install(&self, servers: Vec<Arc<Kept>>, owners: Vec<Option<u16>>) {
        self.map.send_if_modified(|map| {
            let is_open = !map.is_closed;
            if is_open {
                *map = Map { servers, owners, is_closed: false };
            }
            is_open
        });
    }

    /// The server that has a slot, as far as is known.
    pub fn owner(&self, slot: Slot) -> Option<Arc<Kept>> {
        self.map.borrow().owner(slot).cloned()
    }

    pub fn is_owner(&self, server: ServerId, slot: Slot) -> bool {
        self.map.borrow().owner(slot).is_some_and(|owner| owner.id == server)
    }

    /// The same, as soon as one has it; none when the node is stopping.
    pub async fn until_owned(&self, slot: Slot) -> Option<Arc<Kept>> {
        if let Some(owner) = self.owner(slot) {
            return Some(owner);
        }
        let mut map = self.map.subscribe();
        let map = map.wait_for(|map| map.is_closed || map.owner(slot).is_some()).await.ok()?;
        map.owner(slot).cloned()
    }

    /// Waits until somebody else has the slot.
    pub async fn until_moved(&self, slot: Slot, from: ServerId) {
        let mut map = self.map.subscribe();
        let _ = map.wait_for(|map| map.owner(slot).is_none_or(|owner| owner.id != from)).await;
    }

    /// The map may be wrong; waits until it has been looked at.
    pub async fn look(&self) {
        if self.are_many {
            let mut looks = self.looks.subscribe();
            looks.mark_unchanged();
            self.doubted.notify_one();
            let _ = looks.changed().await;
        }
    }

    /// Waits a moment, for what is refused for a moment only.
    pub async fn pause(&self) {
        tokio::time::sleep(PAUSE).await;
    }

    /// The subscription of a pipe may no longer be what it should be. While nobody has its slot nothing is done: then
    /// all pipes are looked through when somebody has.
    pub fn change(&self, base: &str) {
        if let Some(owner) = self.map.borrow().owner(Slot::of(base)) {
            owner.change(base);
        }
    }

    /// Lets go of all of them.
    pub fn close(&self) {
        self.map.send_replace(Map { is_closed: true, ..Map::default() });
    }
}
