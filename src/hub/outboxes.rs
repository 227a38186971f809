//! What waits for each socket of a shard.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use crate::pipe::ConnectionId;

/// What waits for each socket of the shard, by slot.
pub struct Outboxes {
    boxes: Vec<Outbox>,
    /// Slots that have got something since they were last looked at, each once, the longest waiting first.
    dirty: VecDeque<u32>,
    waiting_bytes_max: usize,
}

#[derive(Default)]
struct Outbox {
    frames: Frames,
    /// What waits behind the first frame.
    waiting_bytes: usize,
    /// Room beyond the most, for pages; none again when all has been sent.
    page_bytes: usize,
    owner: Option<ConnectionId>,
    is_dirty: bool,
    is_too_slow: bool,
    when_empty: WhenEmpty,
}

/// What is to happen when all that waits for a connection has been sent.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum WhenEmpty {
    #[default]
    Wait,
    End,
    /// Its session has more to send, a page at a time.
    Tell,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutboxEvent {
    /// More waits than may.
    TooSlow,
    /// The connection was to end, and all has been sent.
    Ended,
    /// The session has more to send.
    Emptied,
}

/// A connection that waits owns no queue, and one that is sent one frame now and then never makes one.
#[derive(Default)]
enum Frames {
    #[default]
    Empty,
    One(Bytes),
    Many(VecDeque<Bytes>),
}

impl Frames {
    /// Without what waits behind the first.
    fn first(self) -> Frames {
        match self {
            Frames::Many(mut queue) => queue.pop_front().map_or(Frames::Empty, Frames::One),
            first => first,
        }
    }
}

impl Outboxes {
    pub fn new(waiting_bytes_max: usize) -> Outboxes {
        Outboxes { boxes: Vec::new(), dirty: VecDeque::new(), waiting_bytes_max }
    }

    pub fn waiting_bytes_max(&self) -> usize {
        self.waiting_bytes_max
    }

    /// What waits for a connection behind its first frame.
    pub fn waiting_bytes(&self, slot: u32) -> usize {
        self.boxes.get(slot as usize).map_or(0, |outbox| outbox.waiting_bytes)
    }

    pub fn open(&mut self, owner: ConnectionId) {
        let slot = owner.slot as usize;
        if self.boxes.len() <= slot {
            self.boxes.resize_with(slot + 1, Outbox::default);
        }
        self.boxes[slot] = Outbox { owner: Some(owner), is_dirty: self.boxes[slot].is_dirty, ..Outbox::default() };
    }

    pub fn close(&mut self, slot: u32) {
        let is_dirty = self.boxes[slot as usize].is_dirty;
        self.boxes[slot as usize] = Outbox { is_dirty, ..Outbox::default() };
    }

    pub(super) fn is(&self, slot: u32, connection: Option<ConnectionId>) -> bool {
        connection.is_some() && self.boxes[slot as usize].owner == connection
    }

    /// Puts a frame behind what waits. When more than the most waits behind the first, all but the first is dropped
    /// (that one may be half sent) and the outbox is too slow from then on: its connection is to be closed. Nothing is
    /// put behind an end: a close frame is the last that a connection sends (RFC 6455, 5.5.1).
    pub fn push(&mut self, slot: u32, frame: Bytes) {
        let outbox = &mut self.boxes[slot as usize];
        if outbox.owner.is_none() || outbox.is_too_slow || outbox.when_empty == WhenEmpty::End {
            return;
        }
        outbox.frames = match std::mem::take(&mut outbox.frames) {
            Frames::Empty => Frames::One(frame),
            waiting if outbox.waiting_bytes + frame.len() > self.waiting_bytes_max + outbox.page_bytes => {
                (outbox.is_too_slow, outbox.waiting_bytes) = (true, 0);
                waiting.first()
            }
            Frames::One(first) => {
                outbox.waiting_bytes += frame.len();
                Frames::Many(VecDeque::from([first, frame]))
            }
            Frames::Many(mut queue) => {
                outbox.waiting_bytes += frame.len();
                queue.push_back(frame);
                Frames::Many(queue)
            }
        };
        self.mark(slot);
    }

    /// Puts a page of something that is read behind what waits. It does not count as slowness: its session reads the
    /// next when this one has been sent.
    pub fn push_page(&mut self, slot: u32, page: Bytes) {
        self.boxes[slot as usize].page_bytes += page.len();
        self.push(slot, page);
    }

    /// Has the slot looked at again, for instance because its socket takes bytes again.
    pub fn mark(&mut self, slot: u32) {
        if let Some(outbox) = self.boxes.get_mut(slot as usize)
            && !outbox.is_dirty
        {
            outbox.is_dirty = true;
            self.dirty.push_back(slot);
        }
    }

    /// How many slots are to be looked at.
    pub fn dirty_count(&self) -> usize {
        self.dirty.len()
    }

    /// The next slot to look at. What it gets from now on has it looked at again.
    pub fn next_dirty(&mut self) -> Option<u32> {
        let slot = self.dirty.pop_front()?;
        self.boxes[slot as usize].is_dirty = false;
        Some(slot)
    }

    /// The last word for a connection that is too slow, behind the frame that was being sent.
    pub fn end_with(&mut self, slot: u32, frame: Bytes) {
        let outbox = &mut self.boxes[slot as usize];
        outbox.frames = match std::mem::take(&mut outbox.frames).first() {
            Frames::One(first) => Frames::Many(VecDeque::from([first, frame])),
            Frames::Empty | Frames::Many(_) => Frames::One(frame),
        };
        (outbox.waiting_bytes, outbox.page_bytes, outbox.is_too_slow) = (0, 0, false);
        self.end(slot);
    }

    /// Has the connection end when all that waits for it has been sent.
    pub fn end(&mut self, slot: u32) {
        self.boxes[slot as usize].when_empty = WhenEmpty::End;
        self.mark(slot);
    }

    /// Has the session told, once, when all that waits for it has been sent.
    pub fn tell_when_empty(&mut self, slot: u32) {
        if self.boxes[slot as usize].when_empty == WhenEmpty::Wait {
            self.boxes[slot as usize].when_empty = WhenEmpty::Tell;
            self.mark(slot);
        }
    }

    /// What has come to pass, to be asked after writing.
    pub fn event(&mut self, slot: u32) -> Option<OutboxEvent> {
        let is_empty = self.is_empty(slot);
        let outbox = &mut self.boxes[slot as usize];
        match outbox.when_empty {
            _ if outbox.is_too_slow => Some(OutboxEvent::TooSlow),
            WhenEmpty::End if is_empty => Some(OutboxEvent::Ended),
            WhenEmpty::Tell if is_empty => {
                outbox.when_empty = WhenEmpty::Wait;
                Some(OutboxEvent::Emptied)
            }
            WhenEmpty::Wait | WhenEmpty::End | WhenEmpty::Tell => None,
        }
    }

    pub fn is_empty(&self, slot: u32) -> bool {
        matches!(self.boxes[slot as usize].frames, Frames::Empty)
    }

    /// The only frame that waits, as most often there is one.
    pub fn only(&self, slot: u32) -> Option<&[u8]> {
        match &self.boxes[slot as usize].frames {
            Frames::One(frame) => Some(frame),
            Frames::Empty | Frames::Many(_) => None,
        }
    }

    /// The first frames that wait, as many as fit; answers how many there are.
    pub fn front<'o>(&'o self, slot: u32, slices: &mut [IoSlice<'o>]) -> usize {
        match &self.boxes[slot as usize].frames {
            Frames::Empty => 0,
            Frames::One(frame) => {
                slices[0] = IoSlice::new(frame);
                1
            }
            Frames::Many(queue) => {
                for (slice, frame) in slices.iter_mut().zip(queue.iter()) {
                    *slice = IoSlice::new(frame);
                }
                queue.len().min(slices.len())
            }
        }
    }

    /// The socket has taken so many bytes of what waits.
    pub fn taken(&mut self, slot: u32, mut bytes: usize) {
        let outbox = &mut self.boxes[slot as usize];
        outbox.frames = match std::mem::take(&mut outbox.frames) {
            Frames::Empty => Frames::Empty,
            Frames::One(frame) if bytes >= frame.len() => Frames::Empty,
            Frames::One(frame) => Frames::One(frame.slice(bytes..)),
            Frames::Many(mut queue) => {
                while let Some(first) = queue.pop_front() {
                    if bytes < first.len() {
                        queue.push_front(first.slice(bytes..));
                        break;
                    }
                    bytes -= first.len();
                    outbox.waiting_bytes = outbox.waiting_bytes.saturating_sub(queue.front().map_or(0, Bytes::len));
                }
                if queue.is_empty() { Frames::Empty } else { Frames::Many(queue) }
            }
        };
        if matches!(outbox.frames, Frames::Empty) {
            outbox.page_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { node: 0, shard: 0, slot, serial: slot + 100 }
    }

    fn outboxes(slots: u32, waiting_bytes_max: usize) -> Outboxes {
        let mut outboxes = Outboxes::new(waiting_bytes_max);
        (0..slots).for_each(|slot| outboxes.open(connection(slot)));
        outboxes
    }

    /// All that waits for a slot, taken `bytes_at_once` at a time.
    fn drain(outboxes: &mut Outboxes, slot: u32, bytes_at_once: usize) -> String {
        let mut text = Vec::new();
        while !outboxes.is_empty(slot) {
            let mut slices = [IoSlice::new(&[]); 2];
            let count = outboxes.front(slot, &mut slices);
            let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = bytes.len().min(bytes_at_once);
            text.extend_from_slice(&bytes[..taken]);
            outboxes.taken(slot, taken);
        }
        assert_eq!(outboxes.boxes[slot as usize].waiting_bytes, 0);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn frames_leave_in_order_however_the_socket_takes_them() {
        for bytes_at_once in 1..9 {
            let mut outboxes = outboxes(1, 1000);
            for frame in ["one", "two", "three", "4"] {
                outboxes.push(0, Bytes::from_static(frame.as_bytes()));
            }
            assert_eq!((outboxes.next_dirty(), outboxes.next_dirty()), (Some(0), None));
            assert_eq!(drain(&mut outboxes, 0, bytes_at_once), "onetwothree4");
        }
    }

    #[test]
    fn only_what_waits_behind_the_first_frame_counts_as_slow() {
        let mut outboxes = outboxes(2, 4);
        outboxes.push(0, Bytes::from_static(b"a first frame of any length"));
        outboxes.push(0, Bytes::from_static(b"1234"));
        assert_eq!(outboxes.event(0), None);
        outboxes.push(0, Bytes::from_static(b"5"));
        assert_eq!(outboxes.event(0), Some(OutboxEvent::TooSlow));
        assert_eq!(outboxes.boxes[0].waiting_bytes, 0);
        assert!(outboxes.only(0).is_some(), "what waited is let go at once, but for the first");
        outboxes.end_with(0, Bytes::from_static(b" and a last word"));
        assert_eq!((outboxes.event(0), outboxes.event(1)), (None, None));
        assert_eq!(drain(&mut outboxes, 0, 5), "a first frame of any length and a last word");
        assert_eq!(outboxes.event(0), Some(OutboxEvent::Ended));
        outboxes.close(0);
        outboxes.push(0, Bytes::from_static(b"nobody is there"));
        assert!(outboxes.is_empty(0));
        outboxes.open(connection(0));
        outboxes.push(0, Bytes::from_static(b"new"));
        assert_eq!(drain(&mut outboxes, 0, 100), "new");
    }

    #[test]
    fn a_page_is_no_slowness_and_gives_no_room_to_what_comes_later() {
        let mut outboxes = outboxes(1, 4);
        outboxes.push(0, Bytes::from_static(b"greeting"));
        outboxes.push_page(0, Bytes::from_static(b"a long page"));
        outboxes.push(0, Bytes::from_static(b"1234"));
        assert_eq!(outboxes.event(0), None);
        assert_eq!(drain(&mut outboxes, 0, 100), "greetinga long page1234");
        outboxes.push(0, Bytes::from_static(b"first"));
        outboxes.push(0, Bytes::from_static(b"12345"));
        assert_eq!(outboxes.event(0), Some(OutboxEvent::TooSlow));
    }

    #[test]
    fn a_session_is_told_once_when_its_outbox_is_empty() {
        let mut outboxes = outboxes(1, 1000);
        outboxes.push(0, Bytes::from_static(b"x"));
        outboxes.tell_when_empty(0);
        assert_eq!(outboxes.event(0), None);
        outboxes.taken(0, 1);
        assert_eq!((outboxes.event(0), outboxes.event(0)), (Some(OutboxEvent::Emptied), None));
        outboxes.end(0);
        outboxes.push(0, Bytes::from_static(b"behind the end"));
        outboxes.tell_when_empty(0);
        assert_eq!(outboxes.event(0), Some(OutboxEvent::Ended));
    }
}
