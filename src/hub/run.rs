//! Messages of one pipe that go out together, encoded once for all who hear them.

use std::sync::Arc;

use bytes::Bytes;

use super::{Held, Outboxes};
use crate::pipe::{Delivery, Pipe};
use crate::user::Generation;

/// Messages of one pipe that go out together.
pub struct Run<'r> {
    pub pipe: &'r Pipe,
    pub deliveries: &'r [Arc<Delivery>],
    /// The wire bytes of some of them, in one piece.
    pub encode: fn(&[Arc<Delivery>], Generation) -> Bytes,
}

/// The wire bytes of a whole run, made for the generations that are there.
pub(super) struct Together<'t> {
    run: &'t Run<'t>,
    four: Option<Bytes>,
    five: Option<Bytes>,
}

impl Together<'_> {
    pub fn of<'t>(run: &'t Run<'t>) -> Together<'t> {
        Together { run, four: None, five: None }
    }

    pub fn bytes(&mut self, generation: Generation) -> Bytes {
        let bytes = match generation {
            Generation::Four => &mut self.four,
            Generation::Five => &mut self.five,
        };
        bytes.get_or_insert_with(|| (self.run.encode)(self.run.deliveries, generation)).clone()
    }
}

impl Run<'_> {
    /// Goes by somebody who reads, or has read further.
    pub(super) fn pass(&self, slot: u32, generation: Generation, held: &mut Held, outboxes: &mut Outboxes) {
        let Held { follower, bytes_max } = held;
        let lacks = |delivery: &&Arc<Delivery>| follower.pass(delivery, *bytes_max) == Some(true);
        let lacking: Vec<_> = self.deliveries.iter().filter(lacks).cloned().collect();
        let is_own = |delivery: &Delivery| generation == Generation::Four && outboxes.is(slot, delivery.origin);
        let others: Vec<_> = lacking.into_iter().filter(|delivery| !is_own(delivery)).collect();
        self.push(slot, generation, &others, outboxes);
    }

    pub(super) fn push(
        &self,
        slot: u32,
        generation: Generation,
        deliveries: &[Arc<Delivery>],
        outboxes: &mut Outboxes,
    ) {
        if !deliveries.is_empty() {
            outboxes.push(slot, (self.encode)(deliveries, generation));
        }
    }
}
