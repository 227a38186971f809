//! A browser reads what a pipe keeps: a history it asks for, and at login its own log. Both go out page by page, the
//! next when the last has been sent: a long reading is not slowness.

use bytes::Bytes;

use super::{Next, Session, Surroundings, Waits};
use crate::frame;
use crate::history::Joined;
use crate::node::{Ask, Page, Since, StoreError};
use crate::pipe::{HISTORY_LENGTH_MAX, Pipe, PipeName, Position};
use crate::user::UserId;

/// Something that is being read, and how far.
pub(super) struct Reading {
    pipe: Pipe,
    /// Of the last message that was read.
    last: Option<Position>,
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
    pub(super) fn read_history(&mut self, name: PipeName, around: &mut Surroundings<'_>) -> Next {
        if !self.may_read(&name) {
            return self.refuse("The history of private pipes is for who is logged in", around);
        }
        let reading = Reading { pipe: Pipe::Named(self.tenant, name), last: None };
        if around.outboxes.is_empty(self.id.slot) { self.read_on(reading) } else { self.wait_for_room(reading, around) }
    }

    /// Goes on reading when all that waits for the browser has been sent.
    fn wait_for_room(&mut self, reading: Reading, around: &mut Surroundings<'_>) -> Next {
        around.outboxes.tell_when_empty(self.id.slot);
        self.waits_for = Some(Waits::Room(reading));
        Next::NOTHING
    }

    /// The user's log is held, listened to, and read; what has arrived meanwhile comes behind what was read.
    pub(super) fn join_log(&mut self, user: UserId, around: &mut Surroundings<'_>) -> Next {
        let pipe = Pipe::Log(self.tenant, user);
        let subscription = around.hub.subscribe(self.id.slot, &pipe);
        around.hub.hold(subscription);
        self.log = Some(subscription);
        let ask = Ask::Join { visitor: self.visitor(), user };
        self.wait(Waits::Page(Reading { pipe, last: None }), ask)
    }

    /// A page has been read.
    pub(super) fn page(
        &mut self,
        mut reading: Reading,
        page: Result<Page, StoreError>,
        around: &mut Surroundings<'_>,
    ) -> Next {
        let is_log = matches!(reading.pipe, Pipe::Log(..));
        let page = match page {
            Ok(page) => page,
            // Without its log a user would miss messages and not know.
            Err(error) if is_log => {
                tracing::warn!("a browser is sent away: {error}");
                return Next::CLOSE;
            }
            Err(error) => return self.refuse(&format!("Try again: {error}"), around),
        };
        let encode: fn(&_) -> Bytes = if is_log { frame::of_queued } else { frame::of_history };
        let mut frames: Vec<Bytes> = page.messages.iter().map(|delivery| encode(delivery)).collect();
        if let Some(last) = page.messages.last() {
            reading.last = Some(last.position);
            if is_log {
                frames.push(frame::receipt_request(last.position.index));
            }
            around.outboxes.push_page(self.id.slot, Bytes::from(frames.concat()));
        }
        if page.more {
            return self.wait_for_room(reading, around);
        }
        if is_log { self.go_live(reading, around) } else { Next::NOTHING }
    }

    fn go_live(&mut self, reading: Reading, around: &mut Surroundings<'_>) -> Next {
        let Some(log) = self.log else { return Next::NOTHING };
        match around.hub.join(log, reading.last) {
            Joined::Live(arrivals) => {
                if let Some(last) = arrivals.last() {
                    let frames = [frame::of_run(&arrivals), frame::receipt_request(last.position.index)];
                    around.outboxes.push_page(self.id.slot, Bytes::from(frames.concat()));
                }
                Next::NOTHING
            }
            Joined::ReadOn => self.read_on(reading),
        }
    }

    /// All that was read has been sent.
    pub fn emptied(&mut self) -> Next {
        match self.waits_for.take() {
            Some(Waits::Room(reading)) => self.read_on(reading),
            waits_for => {
                self.waits_for = waits_for;
                Next::NOTHING
            }
        }
    }

    fn read_on(&mut self, reading: Reading) -> Next {
        let since = match (&reading.pipe, reading.last) {
            (_, Some(last)) => Since::After(last.index),
            (Pipe::Named(..), None) => Since::Newest(usize::from(HISTORY_LENGTH_MAX)),
            // What was taken long ago must not come again.
            (Pipe::Log(..), None) => Since::Untaken,
        };
        let ask = Ask::Read { pipe: reading.pipe.clone(), since };
        self.wait(Waits::Page(reading), ask)
    }

    /// A pong came back. With an index in it, it says that so much of the user's log has arrived on this device.
    pub fn ponged(&mut self, payload: &[u8]) -> Option<Ask> {
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
        Next { ask: self.take(), close: false }
    }
}
