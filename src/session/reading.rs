//! A browser reads what a pipe keeps. It goes out page by page, the next when the last has been sent: a long reading is
//! not slowness. And a device tells how far it has got its user's log.

use super::{Next, Reply, Session, Surroundings, Waits};
use crate::frame::{self, five};
use crate::node::{Ask, Page, Since, StoreError};
use crate::pipe::{HISTORY_LENGTH_MAX, Pipe, PipeName, Position};
use crate::user::Generation;
use bytes::Bytes;

/// Nothing more is read for a browser while more than this waits for it, in bytes.
pub(super) const CROWDED_BYTES: usize = 64 * 1_024;

/// A history that is being read, and how far.
pub(super) struct Reading {
    reply: Reply,
    pipe: Pipe,
    since: Since,
}

/// How far the user's log has arrived on this device.
#[derive(Default)]
pub(super) struct Receipts {
    /// The highest index that a pong has brought.
    come_up_to: u64,
    /// What the node was told last, and whether its answer is on its way.
    asked_up_to: u64,
    is_asked: bool,
}

impl Session {
    /// The newest messages a pipe keeps, oldest first.
    pub(super) fn read_history(
        &mut self,
        reply: Reply,
        name: PipeName,
        count_max: usize,
        around: &mut Surroundings<'_>,
    ) -> Next {
        if !self.may_read(&name) {
            return self.refuse(&reply, 403, "The history of private pipes is for who is logged in", around);
        }
        let since = Since::Newest(count_max.min(usize::from(HISTORY_LENGTH_MAX)));
        let reading = Reading { reply, pipe: Pipe::Named(self.tenant, name), since };
        if around.outboxes.is_empty(self.id.slot) { self.read_on(reading) } else { self.wait_for_room(reading, around) }
    }

    /// Goes on reading when all that waits for the browser has been sent.
    fn wait_for_room(&mut self, reading: Reading, around: &mut Surroundings<'_>) -> Next {
        around.outboxes.tell_when_empty(self.id.slot);
        self.waits_for = Some(Waits::Room(reading));
        Next::NOTHING
    }

    /// A page has been read.
    pub(super) fn page(
        &mut self,
        mut reading: Reading,
        page: Result<Page, StoreError>,
        around: &mut Surroundings<'_>,
    ) -> Next {
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.refuse(&reading.reply, 503, &format!("Try again: {error}"), around),
        };
        let frames = match &reading.reply {
            Reply::Marked(_) => {
                let frames: Vec<Bytes> = page.messages.iter().map(|delivery| frame::of_history(delivery)).collect();
                Bytes::from(frames.concat())
            }
            Reply::Id(id) => five::history(Some(*id), reading.pipe.shown_name(), &page.messages, page.more),
        };
        if !frames.is_empty() {
            around.outboxes.push_page(self.id.slot, frames);
        }
        if !page.more {
            return Next::NOTHING;
        }
        reading.since = Since::After(page.up_to.index);
        self.wait_for_room(reading, around)
    }

    /// All that was read has been sent.
    pub fn emptied(&mut self, around: &mut Surroundings<'_>) -> Next {
        match self.waits_for.take() {
            Some(Waits::Room(reading)) => self.read_on(reading),
            Some(Waits::RoomToFollow(following)) => self.follow_on(following, around),
            waits_for => {
                self.waits_for = waits_for;
                Next::NOTHING
            }
        }
    }

    fn read_on(&mut self, reading: Reading) -> Next {
        let ask = Ask::Read { pipe: reading.pipe.clone(), since: reading.since };
        self.wait(Waits::Page(reading), ask)
    }

    /// The device has got its user's log up to here. A position of a former epoch, or one that the log has not
    /// reached, says nothing.
    pub(super) fn has_taken(&mut self, position: Position, around: &Surroundings<'_>) -> Next {
        let has = self.log.and_then(|log| around.hub.position(log));
        if has.is_some_and(|has| has.epoch == position.epoch && has.index >= position.index) {
            self.receipts.come_up_to = self.receipts.come_up_to.max(position.index);
        }
        Next { ask: self.take(), ending: None }
    }

    /// A pong came back. With an index in it, it says that so much of the user's log has arrived on this device:
    /// only the original's library is asked so, others say it.
    pub fn ponged(&mut self, payload: &[u8]) -> Option<Ask> {
        if self.generation != Generation::Four {
            return None;
        }
        let index = u64::from_be_bytes(payload.try_into().ok()?);
        self.receipts.come_up_to = self.receipts.come_up_to.max(index);
        self.take()
    }

    /// What has arrived is written down one mark at a time: pongs come as fast as a stranger likes, writing takes
    /// its time.
    fn take(&mut self) -> Option<Ask> {
        let log = Pipe::Log(self.tenant, self.user?);
        let Receipts { come_up_to, asked_up_to, is_asked } = &mut self.receipts;
        if *is_asked || come_up_to <= asked_up_to {
            return None;
        }
        (*is_asked, *asked_up_to) = (true, *come_up_to);
        Some(Ask::Take { log, index: *come_up_to })
    }

    pub(super) fn taken(&mut self, taken: Result<(), StoreError>) -> Next {
        self.receipts.is_asked = false;
        if let Err(error) = taken {
            tracing::warn!("it was not written down what a device has got, so it comes again: {error}");
        }
        Next { ask: self.take(), ending: None }
    }
}
