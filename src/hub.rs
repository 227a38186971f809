//! Who *here* wants what: the pipes this shard's connections subscribe to, and the fan-out. One hub a shard, no lock;
//! it knows nothing of sockets, sessions or stores.

mod outboxes;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;

pub use self::outboxes::{OutboxEvent, Outboxes};
use crate::history::{Held, Joined};
use crate::pipe::{Delivery, Pipe, Position};

#[derive(Default)]
pub struct Hub {
    pipes: Slab<Heard>,
    numbers: HashMap<Pipe, u32>,
    subscriptions: Slab<Place>,
    /// What is kept aside for subscribers that are still reading history; few at a time.
    held: HashMap<SubscriptionId, Held>,
}

/// A pipe that somebody here subscribes to.
struct Heard {
    pipe: Pipe,
    subscribers: Vec<Subscriber>,
    /// How many of them are held.
    held_count: u32,
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SubscriptionId(u32);

/// Messages of one pipe that go out together.
pub struct Run<'r> {
    pub pipe: &'r Pipe,
    pub deliveries: &'r [Arc<Delivery>],
    /// The wire bytes of all of them, and `behind`.
    pub together: Bytes,
    /// The wire bytes of one.
    pub encode: fn(&Delivery) -> Bytes,
    /// What goes out behind them.
    pub behind: Bytes,
}

impl Hub {
    /// The connection in `slot` takes `pipe`. It must not have it already.
    pub fn subscribe(&mut self, slot: u32, pipe: &Pipe) -> SubscriptionId {
        let number = match self.numbers.get(pipe) {
            Some(number) => *number,
            None => {
                // Most pipes of a user's own have one subscriber.
                let heard = Heard { pipe: pipe.clone(), subscribers: Vec::with_capacity(1), held_count: 0 };
                let number = self.pipes.insert(heard) as u32;
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

    /// From now on arrivals are kept aside, until [`Hub::join`].
    pub fn hold(&mut self, subscription: SubscriptionId) {
        if self.held.insert(subscription, Held::default()).is_none() {
            self.heard_mut(subscription).held_count += 1;
        }
    }

    /// History has been read up to `last`. Answers the arrivals that come next, after which the subscription is
    /// live; or that reading must go on, because more arrived than could be kept aside. News of what was read that
    /// come later are known, and not delivered again.
    pub fn join(&mut self, subscription: SubscriptionId, last: Option<Position>) -> Joined {
        self.held.get_mut(&subscription).map_or(Joined::Live(Vec::new()), |held| held.join(last))
    }

    /// To be called once a second: forgets readings that ended a while ago.
    pub fn settle(&mut self) {
        let settled: Vec<SubscriptionId> =
            self.held.iter_mut().filter_map(|(subscription, held)| held.settle().then_some(*subscription)).collect();
        settled.into_iter().for_each(|subscription| self.release(subscription));
    }

    fn release(&mut self, subscription: SubscriptionId) {
        if self.held.remove(&subscription).is_some() {
            self.heard_mut(subscription).held_count -= 1;
        }
    }

    fn heard_mut(&mut self, subscription: SubscriptionId) -> &mut Heard {
        &mut self.pipes[self.subscriptions[subscription.0 as usize].pipe as usize]
    }

    /// The connections that subscribe to a pipe.
    pub fn subscribers(&self, pipe: &Pipe) -> Vec<u32> {
        self.numbers.get(pipe).map_or_else(Vec::new, |number| {
            self.pipes[*number as usize].subscribers.iter().map(|subscriber| subscriber.slot).collect()
        })
    }

    /// Leaves, and answers which pipe it was.
    pub fn unsubscribe(&mut self, subscription: SubscriptionId) -> Pipe {
        self.release(subscription);
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

    /// Puts a run into the outbox of every subscriber, but for the messages it has sent itself. Answers how many
    /// subscribers there were.
    pub fn deliver(&mut self, run: &Run<'_>, outboxes: &mut Outboxes) -> usize {
        let Some(number) = self.numbers.get(run.pipe) else {
            return 0;
        };
        let Hub { pipes, held, .. } = self;
        let Heard { subscribers, held_count, .. } = &pipes[*number as usize];
        let has_origin = run.deliveries.iter().any(|delivery| delivery.origin.is_some());
        for subscriber in subscribers.iter() {
            let slot = subscriber.slot;
            if *held_count > 0
                && let Some(held) = held.get_mut(&subscriber.subscription)
            {
                run.arrive(slot, held, outboxes);
            } else if has_origin && run.deliveries.iter().any(|delivery| outboxes.is(slot, delivery.origin)) {
                for delivery in run.deliveries {
                    if !outboxes.is(slot, delivery.origin) {
                        outboxes.push(slot, (run.encode)(delivery));
                    }
                }
            } else {
                outboxes.push(slot, run.together.clone());
            }
        }
        subscribers.len()
    }
}

impl Run<'_> {
    /// Arrives for a subscriber that reads, or has read a moment ago.
    fn arrive(&self, slot: u32, held: &mut Held, outboxes: &mut Outboxes) {
        let bytes_max = outboxes.waiting_bytes_max();
        let mut is_behind = false;
        for delivery in self.deliveries {
            match held.lacks(delivery) {
                None => held.arrive(delivery, bytes_max),
                Some(true) => {
                    outboxes.push(slot, (self.encode)(delivery));
                    is_behind = true;
                }
                Some(false) => {}
            }
        }
        if is_behind && !self.behind.is_empty() {
            outboxes.push(slot, self.behind.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use crate::pipe::{ConnectionId, Message, MessageId, PipeName, Position};
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

    fn delivery(pipe: &Pipe, index: u64, text: &str, origin: Option<ConnectionId>) -> Arc<Delivery> {
        Arc::new(Delivery {
            pipe: pipe.clone(),
            position: Position { epoch: 1, index },
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new(text.to_owned(), 100).unwrap(),
            user: None,
            origin,
            sent_at: UnixMillis(0),
            encoded: Default::default(),
        })
    }

    fn encode(delivery: &Delivery) -> Bytes {
        Bytes::copy_from_slice(delivery.message.as_str().as_bytes())
    }

    fn deliver(hub: &mut Hub, outboxes: &mut Outboxes, deliveries: &[Arc<Delivery>]) -> usize {
        let together = Bytes::from(deliveries.iter().map(|delivery| encode(delivery)).collect::<Vec<_>>().concat());
        hub.deliver(&Run { pipe: &deliveries[0].pipe, deliveries, together, encode, behind: Bytes::new() }, outboxes)
    }

    /// All that waits for a slot.
    fn drain(outboxes: &mut Outboxes, slot: u32) -> String {
        let mut text = Vec::new();
        while !outboxes.is_empty(slot) {
            let mut slices = [std::io::IoSlice::new(&[])];
            outboxes.front(slot, &mut slices);
            let frame = slices[0].to_vec();
            outboxes.taken(slot, frame.len());
            text.extend(frame);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn each_subscriber_gets_each_run_once_until_it_leaves() {
        let (mut hub, mut outboxes) = (Hub::default(), outboxes(3, 1000));
        let (room, hall) = (pipe("room"), pipe("hall"));
        let taken: Vec<SubscriptionId> = (0..3).map(|slot| hub.subscribe(slot, &room)).collect();
        hub.subscribe(1, &hall);
        assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 1, "a", None)]), 3);
        assert_eq!(hub.unsubscribe(taken[0]), room);
        assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 1, "b", None)]), 2);
        assert_eq!(hub.unsubscribe(taken[2]), room);
        assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 1, "c", None)]), 1);
        assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&hall, 1, "d", None)]), 1);
        assert_eq!(hub.unsubscribe(taken[1]), room);
        assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 1, "e", None)]), 0);
        let got: Vec<String> = (0..3).map(|slot| drain(&mut outboxes, slot)).collect();
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
        let run = |first: &str, second: &str, sender| {
            [delivery(&room, 1, first, None), delivery(&room, 2, second, Some(sender))]
        };
        deliver(&mut hub, &mut outboxes, &run("x", "y", connection(0)));
        deliver(&mut hub, &mut outboxes, &run("X", "Y", ConnectionId { serial: 0, ..connection(0) }));
        assert_eq!(drain(&mut outboxes, 0), "xXY", "the slot had another tenant when it sent the second");
        assert_eq!(drain(&mut outboxes, 1), "xyXY");
    }

    #[test]
    fn arrivals_wait_for_a_subscriber_that_reads_history() {
        let (mut hub, mut outboxes) = (Hub::default(), outboxes(2, 1000));
        let room = pipe("room");
        let reading = hub.subscribe(0, &room);
        hub.subscribe(1, &room);
        hub.hold(reading);
        deliver(&mut hub, &mut outboxes, &[delivery(&room, 4, "d", None), delivery(&room, 5, "e", None)]);
        assert!(outboxes.is_empty(0));
        let Joined::Live(arrivals) = hub.join(reading, Some(Position { epoch: 1, index: 4 })) else {
            panic!("all was held")
        };
        assert_eq!(arrivals.len(), 1, "the fourth was read");
        // News of the fourth are late.
        deliver(&mut hub, &mut outboxes, &[delivery(&room, 4, "d", None), delivery(&room, 6, "f", None)]);
        assert_eq!([drain(&mut outboxes, 0), drain(&mut outboxes, 1)], ["f", "dedf"]);
        hub.hold(reading);
        hub.unsubscribe(reading);
        assert_eq!(hub.subscribers(&room), [1]);
    }
}
