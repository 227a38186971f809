//! One pipe as it is in memory: where it stands, who hears it, and the window of its last messages.

use std::sync::Arc;

use super::head::Head;
use super::window::{Window, Windows};
use crate::clock::UnixMillis;
use crate::pipe::{Delivery, Pipe, Position};
use crate::store::listeners::Listeners;
use crate::store::{EarId, Listening, Page, PageMax, Recovered, WINDOW_MILLIS_MAX};

/// A pipe that nobody keeps or hears is forgotten when it has been quiet for so long, in milliseconds.
const IDLE_MILLIS_MAX: u64 = 600_000;

pub struct LivePipe {
    pub head: Head,
    /// Whether `pipes_settings` says something about it.
    pub is_set: bool,
    /// Whether others were told that the user is here whose log it is.
    is_present: bool,
    listeners: Listeners,
    /// Without listeners, it counts as heard until then.
    heard_until: UnixMillis,
    /// Made by the first message while the pipe is heard.
    window: Option<Box<Window>>,
    /// Pieces of work that the committer has of this pipe.
    pub with_committer: u32,
    pub used_at: UnixMillis,
}

/// Where to look for what was missed.
pub enum Sought {
    Found(Recovered),
    /// In the history of a pipe that stands here.
    OnDisk(Head),
}

impl LivePipe {
    pub fn new(head: Head, now: UnixMillis) -> LivePipe {
        let (listeners, heard_until) = (Listeners::Nobody, UnixMillis(0));
        LivePipe {
            head,
            is_set: false,
            is_present: false,
            listeners,
            heard_until,
            window: None,
            with_committer: 0,
            used_at: now,
        }
    }

    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    pub fn listen(&mut self, pipe: &Pipe, ear: EarId, now: UnixMillis) -> Listening {
        // A window that nobody was in time for is not this listener's.
        self.let_go(now);
        self.listeners.add(ear);
        let has_appeared = matches!(pipe, Pipe::Log(..)) && !std::mem::replace(&mut self.is_present, true);
        Listening { position: self.head.position, listeners: self.listeners.count(), has_appeared }
    }

    /// Answers whether the user was here until now, as far as others were told.
    pub fn disappear(&mut self) -> bool {
        self.listeners.count() == 0 && std::mem::take(&mut self.is_present)
    }

    pub fn unlisten(&mut self, ear: EarId, now: UnixMillis) -> u64 {
        let was_heard = self.listeners.count() > 0;
        self.listeners.remove(ear);
        let count = self.listeners.count();
        if was_heard && count == 0 {
            self.heard_until = UnixMillis(now.0.saturating_add(WINDOW_MILLIS_MAX));
        }
        count
    }

    /// What was published behind `after`, as far as memory can tell: up to where the pipe stands. What is announced
    /// later continues there, as the position, the window and the ears move under one lock.
    pub fn recover(&mut self, after: Position, max: PageMax, now: UnixMillis) -> Sought {
        self.let_go(now);
        let position = self.head.position;
        if after.epoch != position.epoch || after.index > position.index {
            return Sought::Found(Recovered::Lost(position));
        }
        if let Some(window) = self.window.as_ref().filter(|window| window.reaches(after.index)) {
            return Sought::Found(Recovered::Page(window.page(after.index, max, position)));
        }
        // Of one group of the committer, the floor may be ahead of the position.
        if after.index < self.head.floor.min(position.index) {
            return Sought::Found(Recovered::Lost(position));
        }
        if after.index < position.index && self.head.retention.keeps() {
            return Sought::OnDisk(self.head);
        }
        // Nothing was published behind it, or all of that was deleted.
        Sought::Found(Recovered::Page(Page { messages: Vec::new(), up_to: position, more: false }))
    }

    /// What was numbered up to here is on disk, although nobody was told so.
    pub fn skip_to(&mut self, position: Position) {
        if self.head.position.epoch == position.epoch {
            self.head.position.index = self.head.position.index.max(position.index);
            self.head.trim(position.index);
        }
    }

    /// The disk has what stands up to here, and nothing of it was announced.
    pub fn stand_at(&mut self, position: Position) {
        self.head.position = position;
        self.window = None;
    }

    /// Something that was announced may be gone. The disk stands at `known`.
    pub fn begin_new_epoch(&mut self, known: Head) {
        let index = self.head.position.index.max(known.position.index);
        self.head = Head { position: Position { index, ..known.position }, floor: index, ..known };
        self.window = None;
    }

    /// Nobody would miss it: what it keeps without a setting, the disk knows.
    pub fn is_idle(&self) -> bool {
        let is_free = self.with_committer == 0 && !self.is_set && !self.is_present;
        is_free && self.listeners.count() == 0 && !self.has_window()
    }

    /// Whether it holds messages for who is away for a moment.
    pub fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// Whether somebody listens, or did a moment ago.
    pub fn is_heard(&self, now: UnixMillis) -> bool {
        self.listeners.count() > 0 || now < self.heard_until
    }

    /// Connections that listen, without the sender.
    pub fn receivers(&self, sender_listens: bool) -> u64 {
        self.listeners.count().saturating_sub(u64::from(sender_listens))
    }

    /// The pipe stands behind this message now. Its window has it, if the pipe is heard and the node has room; a
    /// window that is given up begins again behind it.
    pub fn stand_behind(&mut self, delivery: &Arc<Delivery>, windows: &Windows) {
        self.let_go(delivery.sent_at);
        self.head.position = delivery.position;
        let before = delivery.position.index.saturating_sub(1);
        // What a pipe without a history lacks behind its floor was deleted; one with a history has it there.
        let floor = if self.head.retention.keeps() { before } else { self.head.floor.min(before) };
        if self.is_heard(delivery.sent_at) {
            let window = self.window.get_or_insert_with(|| Box::new(Window::new(floor, &windows.bytes)));
            window.push(delivery);
            if window.is_empty() || windows.are_too_large() {
                self.window = None;
            }
        }
        if !self.head.retention.keeps() {
            self.head.trim(delivery.position.index);
        }
    }

    /// Whether nobody keeps or hears it and it has been quiet for so long that it begins anew when it comes again.
    pub fn is_forgotten(&self, now: UnixMillis) -> bool {
        self.is_idle() && self.used_at.0.saturating_add(IDLE_MILLIS_MAX) <= now.0
    }

    /// Lets go of what the window held for long enough, and of the window when nobody has listened for so long.
    pub fn let_go(&mut self, now: UnixMillis) {
        let is_heard = self.is_heard(now);
        if let Some(window) = &mut self.window {
            window.expire(now);
            if window.is_empty() || !is_heard {
                self.window = None;
            }
        }
    }

    /// These messages were deleted.
    pub fn erase(&mut self, indexes: &[u64]) {
        if let Some(window) = &mut self.window {
            window.erase(indexes);
        }
    }

    /// All messages behind this index were deleted.
    pub fn erase_behind(&mut self, index: u64) {
        if let Some(window) = &mut self.window {
            window.erase_behind(index);
        }
    }
}
