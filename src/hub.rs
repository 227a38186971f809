//! Who *here* wants what: the pipes this shard's connections subscribe to, the fan-out, and what waits for each
//! socket. One hub a shard, no lock; it knows nothing of sockets, sessions or stores.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use slab::Slab;

use crate::pipe::{ConnectionId, Pipe};

#[derive(Default)]
pub struct Hub {
    pipes: Slab<Heard>,
    numbers: HashMap<Pipe, u32>,
    subscriptions: Slab<Place>,
}

/// A pipe that somebody here subscribes to.
struct Heard {
    pipe: Pipe,
    subscribers: Vec<Subscriber>,
}

/// One line of the fan-out.
struct Subscriber {
    slot: u32,
    subscription: SubscriptionId,
}

/// Where a subscription stands, so that it can be left without a search.
struct Place {
    pipe: u32,
    nth: u32,
}

/// One subscription of one connection, valid until it is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionId(u32);

/// Messages of one pipe that go out together.
pub struct Run<'r> {
    pub pipe: &'r Pipe,
    /// The wire bytes of all of them.
    pub together: Bytes,
    /// Each alone with the connection that sent it, if any message was sent from this shard: a connection never
    /// gets its own message back.
    pub alone: Vec<(Option<ConnectionId>, Bytes)>,
}

impl Hub {
    /// The connection in `slot` takes `pipe`. It must not have it already.
    pub fn subscribe(&mut self, slot: u32, pipe: &Pipe) -> SubscriptionId {
        let number = match self.numbers.get(pipe) {
            Some(number) => *number,
            None => {
                let number = self.pipes.insert(Heard { pipe: pipe.clone(), subscribers: Vec::new() }) as u32;
                self.numbers.insert(pipe.clone(), number);
                number
            }
        };
        let subscribers = &mut self.pipes[number as usize].subscribers;
        let place = Place { pipe: number, nth: subscribers.len() as u32 };
        let subscription = SubscriptionId(self.subscriptions.insert(place) as u32);
        subscribers.push(Subscriber { slot, subscription });
        subscription
    }

    /// Leaves, and answers which pipe it was.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) -> Pipe {
        let Place { pipe: number, nth } = self.subscriptions.remove(subscription.0 as usize);
        let heard = &mut self.pipes[number as usize];
        heard.subscribers.swap_remove(nth as usize);
        if let Some(moved) = heard.subscribers.get(nth as usize) {
            self.subscriptions[moved.subscription.0 as usize].nth = nth;
        }
        if !heard.subscribers.is_empty() {
            return heard.pipe.clone();
        }
        let heard = self.pipes.remove(number as usize);
        self.numbers.remove(&heard.pipe);
        heard.pipe
    }

    /// The pipe of a subscription.
    pub fn pipe(&self, subscription: SubscriptionId) -> &Pipe {
        &self.pipes[self.subscriptions[subscription.0 as usize].pipe as usize].pipe
    }

    /// Finds the subscriptions of a connection by looking at all there are: for when its session has broken and
    /// cannot be asked.
    pub fn subscriptions_of(&self, slot: u32) -> Vec<SubscriptionId> {
        let subscribers = self.pipes.iter().flat_map(|(_, heard)| &heard.subscribers);
        subscribers.filter(|subscriber| subscriber.slot == slot).map(|subscriber| subscriber.subscription).collect()
    }

    /// Puts a run into the outbox of every subscriber. Answers how many there were.
    pub fn deliver(&self, run: &Run<'_>, outboxes: &mut Outboxes) -> usize {
        let Some(number) = self.numbers.get(run.pipe) else {
            return 0;
        };
        let subscribers = &self.pipes[*number as usize].subscribers;
        for subscriber in subscribers {
            if run.alone.is_empty() || !run.alone.iter().any(|(origin, _)| outboxes.is(subscriber.slot, *origin)) {
                outboxes.push(subscriber.slot, run.together.clone());
                continue;
            }
            for (origin, frame) in &run.alone {
                if !outboxes.is(subscriber.slot, *origin) {
                    outboxes.push(subscriber.slot, frame.clone());
                }
            }
        }
        subscribers.len()
    }
}

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
    owner: Option<ConnectionId>,
    is_dirty: bool,
    is_too_slow: bool,
    ends_when_empty: bool,
}

/// Why a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// More waits than may.
    TooSlow,
    /// It was to end, and all has been sent.
    Sent,
}

/// A connection that waits owns no queue, and one that is sent one frame now and then never makes one.
#[derive(Default)]
enum Frames {
    #[default]
    Empty,
    One(Bytes),
    Many(VecDeque<Bytes>),
}

impl Outboxes {
    pub fn new(waiting_bytes_max: usize) -> Outboxes {
        Outboxes { boxes: Vec::new(), dirty: VecDeque::new(), waiting_bytes_max }
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

    fn is(&self, slot: u32, connection: Option<ConnectionId>) -> bool {
        connection.is_some() && self.boxes[slot as usize].owner == connection
    }

    /// Puts a frame behind what waits. When more than the most waits behind the first, the frame is dropped and
    /// the outbox is too slow from then on: its connection is to be closed.
    pub fn push(&mut self, slot: u32, frame: Bytes) {
        let outbox = &mut self.boxes[slot as usize];
        if outbox.owner.is_none() || outbox.is_too_slow {
            return;
        }
        outbox.frames = match std::mem::take(&mut outbox.frames) {
            Frames::Empty => Frames::One(frame),
            _ if outbox.waiting_bytes + frame.len() > self.waiting_bytes_max => {
                outbox.is_too_slow = true;
                Frames::Empty
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

    /// Has the connection end when all that waits for it has been sent.
    pub fn end(&mut self, slot: u32) {
        self.boxes[slot as usize].ends_when_empty = true;
        self.mark(slot);
    }

    /// Why the connection must end now, if it must.
    pub fn end_of(&self, slot: u32) -> Option<End> {
        let outbox = &self.boxes[slot as usize];
        if outbox.is_too_slow {
            Some(End::TooSlow)
        } else if outbox.ends_when_empty && self.is_empty(slot) {
            Some(End::Sent)
        } else {
            None
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
    pub fn front<'o>(&'o self, slot: u32, slices: &mut [std::io::IoSlice<'o>]) -> usize {
        match &self.boxes[slot as usize].frames {
            Frames::Empty => 0,
            Frames::One(frame) => {
                slices[0] = std::io::IoSlice::new(frame);
                1
            }
            Frames::Many(queue) => {
                for (slice, frame) in slices.iter_mut().zip(queue.iter()) {
                    *slice = std::io::IoSlice::new(frame);
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
                    outbox.waiting_bytes -= queue.front().map_or(0, Bytes::len);
                }
                if queue.is_empty() { Frames::Empty } else { Frames::Many(queue) }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::PipeName;
    use crate::user::TenantId;

    fn pipe(name: &str) -> Pipe {
        Pipe::Named(TenantId(0), PipeName::for_publish(name).unwrap())
    }

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { node: 0, shard: 0, slot, serial: slot + 100 }
    }

    fn outboxes(slots: u32, waiting_bytes_max: usize) -> Outboxes {
        let mut outboxes = Outboxes::new(waiting_bytes_max);
        (0..slots).for_each(|slot| outboxes.open(connection(slot)));
        outboxes
    }

    fn run<'r>(pipe: &'r Pipe, text: &'static str) -> Run<'r> {
        Run { pipe, together: Bytes::from_static(text.as_bytes()), alone: Vec::new() }
    }

    /// All that waits for a slot, taken `bytes_at_once` at a time.
    fn drain(outboxes: &mut Outboxes, slot: u32, bytes_at_once: usize) -> String {
        let mut text = Vec::new();
        while !outboxes.is_empty(slot) {
            let mut slices = [std::io::IoSlice::new(&[]); 2];
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
    fn each_subscriber_gets_each_run_once_until_it_leaves() {
        let (mut hub, mut outboxes) = (Hub::default(), outboxes(3, 1000));
        let (room, hall) = (pipe("room"), pipe("hall"));
        let taken: Vec<SubscriptionId> = (0..3).map(|slot| hub.subscribe(slot, &room)).collect();
        hub.subscribe(1, &hall);
        assert_eq!(hub.deliver(&run(&room, "a"), &mut outboxes), 3);
        assert_eq!(hub.unsubscribe(taken[0]), room);
        assert_eq!(hub.deliver(&run(&room, "b"), &mut outboxes), 2);
        assert_eq!(hub.unsubscribe(taken[2]), room);
        assert_eq!(hub.deliver(&run(&room, "c"), &mut outboxes), 1);
        assert_eq!(hub.deliver(&run(&hall, "d"), &mut outboxes), 1);
        assert_eq!(hub.unsubscribe(taken[1]), room);
        assert_eq!(hub.deliver(&run(&room, "e"), &mut outboxes), 0);
        let got: Vec<String> = (0..3).map(|slot| drain(&mut outboxes, slot, 100)).collect();
        assert_eq!(got, ["a", "abcd", "ab"]);
        assert_eq!((hub.pipes.len(), hub.numbers.len(), hub.subscriptions.len()), (1, 1, 1));
        assert_eq!(hub.subscriptions_of(1).len(), 1);
    }

    #[test]
    fn a_connection_does_not_get_its_own_messages() {
        let (mut hub, mut outboxes) = (Hub::default(), outboxes(2, 1000));
        let room = pipe("room");
        hub.subscribe(0, &room);
        hub.subscribe(1, &room);
        let frames = |sender| vec![(None, Bytes::from_static(b"x")), (Some(sender), Bytes::from_static(b"y"))];
        let own = Run { alone: frames(connection(0)), ..run(&room, "xy") };
        hub.deliver(&own, &mut outboxes);
        let stranger = Run { alone: frames(ConnectionId { serial: 0, ..connection(0) }), ..run(&room, "XY") };
        hub.deliver(&stranger, &mut outboxes);
        assert_eq!(drain(&mut outboxes, 0, 100), "xXY", "the slot had another tenant when it sent the second");
        assert_eq!(drain(&mut outboxes, 1, 100), "xyXY");
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
        assert_eq!(outboxes.end_of(0), None);
        outboxes.push(0, Bytes::from_static(b"5"));
        assert_eq!(outboxes.end_of(0), Some(End::TooSlow));
        assert!(outboxes.is_empty(0), "what waited is let go at once");
        assert_eq!(outboxes.end_of(1), None);
        outboxes.close(0);
        outboxes.push(0, Bytes::from_static(b"nobody is there"));
        assert!(outboxes.is_empty(0));
        outboxes.open(connection(0));
        outboxes.push(0, Bytes::from_static(b"new"));
        assert_eq!(drain(&mut outboxes, 0, 100), "new");
    }
}
