//! Who *here* wants what: the pipes this shard's connections subscribe to, and the fan-out. One hub a shard, no lock;
//! it knows nothing of sockets, sessions or stores.
//!
//! Each pipe that is heard here is followed once ([`Follower`]): what goes out to its subscribers is without holes. Who
//! still reads is held, and joins what goes by.

mod outboxes;
mod run;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;

pub use self::outboxes::{OutboxEvent, Outboxes};
pub use self::run::Run;
use self::run::Together;
use crate::fault::{Fault, is_planted};
use crate::history::{Arrival, Follower, Joined};
use crate::pipe::{Delivery, Pipe, Position};
use crate::user::Generation;

#[derive(Default)]
pub struct Hub {
    pipes: Slab<Heard>,
    numbers: HashMap<Pipe, u32>,
    subscriptions: Slab<Place>,
    /// Subscribers that still read, or have read further than what has gone by; few at a time.
    held: HashMap<SubscriptionId, Held>,
    /// What has to be read because it was missed.
    missing: VecDeque<Missing>,
    /// What was kept aside and arrives once more.
    again: VecDeque<Arc<Delivery>>,
}

/// A pipe that somebody here subscribes to.
struct Heard {
    pipe: Pipe,
    subscribers: Vec<Subscriber>,
    /// How many of them are held.
    held_count: u32,
    /// How far the pipe has gone by here. Before it is known where it begins, that is waited for.
    follower: Follower,
    /// Where that was.
    begins: Option<Position>,
    /// Behind which position what was missed is being read.
    missing_behind: Option<Position>,
}

/// Who still reads, or has read further than what has gone by.
struct Held {
    follower: Follower,
    /// What may be kept aside for it, in bytes.
    bytes_max: usize,
}

/// One line of the fan-out.
struct Subscriber {
    slot: u32,
    subscription: SubscriptionId,
    generation: Generation,
}

/// Where a subscription stands, so that it can be left without a search.
struct Place {
    pipe: u32,
    nth: u32,
}

/// One subscription of one connection, valid until it is left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SubscriptionId(u32);

/// What was published to a pipe behind a position has not arrived here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    pub pipe: Pipe,
    pub behind: Position,
}

impl Hub {
    /// The connection in `slot` takes `pipe`. It must not have it already.
    pub fn subscribe(&mut self, slot: u32, generation: Generation, pipe: &Pipe) -> SubscriptionId {
        let number = match self.numbers.get(pipe) {
            Some(number) => *number,
            None => {
                let number = self.pipes.insert(Heard::new(pipe)) as u32;
                self.numbers.insert(pipe.clone(), number);
                number
            }
        };
        let subscribers = &mut self.pipes[number as usize].subscribers;
        let place = Place { pipe: number, nth: subscribers.len() as u32 };
        let subscription = SubscriptionId(self.subscriptions.insert(place) as u32);
        subscribers.push(Subscriber { slot, subscription, generation });
        subscription
    }

    /// The store announces to this shard what is published to the pipe of `subscription` behind `position`. Answers
    /// whether all of that goes by here. When several begin at the same time, the one who is answered first may have
    /// been the last to be heard of by the store: the others have to read what stands before that.
    pub fn listening(&mut self, subscription: SubscriptionId, position: Position) -> bool {
        let heard = self.heard_mut(subscription);
        let begins = *heard.begins.get_or_insert(position);
        if heard.follower.has().is_none() && heard.missing_behind.is_none() {
            let number = self.subscriptions[subscription.0 as usize].pipe;
            self.go_on_from(number, position);
        }
        begins.epoch == position.epoch && begins.index <= position.index || is_planted(Fault::BeginningIgnored)
    }

    /// From now on what goes by is kept aside, up to so many bytes, until [`Hub::join`].
    pub fn hold(&mut self, subscription: SubscriptionId, bytes_max: usize) {
        let held = Held { follower: Follower::reading(), bytes_max };
        if self.held.insert(subscription, held).is_none() {
            self.heard_mut(subscription).held_count += 1;
        }
    }

    /// Everything up to `up_to` has been read. Answers what comes next, after which the subscription is live; or that
    /// reading must go on, because something that went by could not be kept aside. What goes by later and has been
    /// read is known, and not delivered again.
    pub fn join(&mut self, subscription: SubscriptionId, up_to: Position) -> Joined {
        let joined =
            self.held.get_mut(&subscription).map_or(Joined::Live(Vec::new()), |held| held.follower.join(up_to));
        self.release_level(subscription);
        joined
    }

    /// Whoever has just what has gone by needs to be held no longer.
    fn release_level(&mut self, subscription: SubscriptionId) {
        let has = self.held.get(&subscription).and_then(|held| held.follower.has());
        if has.is_some() && has == self.heard_mut(subscription).follower.has() {
            self.release(subscription);
        }
    }

    fn release(&mut self, subscription: SubscriptionId) {
        if self.held.remove(&subscription).is_some() {
            self.heard_mut(subscription).held_count -= 1;
        }
    }

    fn heard_mut(&mut self, subscription: SubscriptionId) -> &mut Heard {
        &mut self.pipes[self.subscriptions[subscription.0 as usize].pipe as usize]
    }

    /// Whether nobody is here and nothing is left of who was.
    pub fn is_empty(&self) -> bool {
        let Hub { pipes, numbers, subscriptions, held, missing: _, again } = self;
        pipes.is_empty() && numbers.is_empty() && subscriptions.is_empty() && held.is_empty() && again.is_empty()
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

    /// Up to where a subscription has its pipe, unless something of it is being read: whoever is held may have read further
    /// than has gone by here.
    pub fn position(&self, subscription: SubscriptionId) -> Option<Position> {
        let heard = &self.pipes[self.subscriptions[subscription.0 as usize].pipe as usize];
        self.held.get(&subscription).map_or(heard.follower.has(), |held| held.follower.has())
    }

    /// Finds the subscriptions of a connection by looking at all there are: for when its session has broken and
    /// cannot be asked.
    pub fn subscriptions_of(&self, slot: u32) -> Vec<SubscriptionId> {
        let subscribers = self.pipes.iter().flat_map(|(_, heard)| &heard.subscribers);
        subscribers.filter(|subscriber| subscriber.slot == slot).map(|subscriber| subscriber.subscription).collect()
    }

    /// Messages of one pipe arrive. Answers those that are next and go out now; what shows a hole has it read.
    pub fn arrive<'d>(
        &mut self,
        pipe: &Pipe,
        deliveries: &'d [Arc<Delivery>],
        bytes_max: usize,
    ) -> Cow<'d, [Arc<Delivery>]> {
        let Some(heard) = self.numbers.get(pipe).map(|number| &mut self.pipes[*number as usize]) else {
            return Cow::default();
        };
        if heard.follower.arrive_together(deliveries) {
            return Cow::Borrowed(deliveries);
        }
        let mut next = Vec::new();
        for delivery in deliveries {
            match heard.follower.arrive(delivery, bytes_max) {
                Arrival::Next => next.push(Arc::clone(delivery)),
                Arrival::Known | Arrival::Aside => {}
                Arrival::Hole(behind) => heard.misses(behind, &mut self.missing),
            }
        }
        Cow::Owned(next)
    }

    /// Something of this pipe may have been missed.
    pub fn doubt(&mut self, pipe: &Pipe) {
        if let Some(number) = self.numbers.get(pipe) {
            self.pipes[*number as usize].doubt(&mut self.missing);
        }
    }

    /// Something of any pipe may have been missed.
    pub fn doubt_all(&mut self) {
        for (_, heard) in &mut self.pipes {
            heard.doubt(&mut self.missing);
        }
    }

    /// The next that was missed and has to be read.
    pub fn next_missing(&mut self) -> Option<Missing> {
        self.missing.pop_front()
    }

    /// What was missed could not be read, and is to be asked for once more.
    pub fn misses_still(&mut self, missing: Missing) {
        self.missing.push_back(missing);
    }

    /// Whether what was missed is still wanted: the pipe may have been left since, or left and taken again.
    pub fn still_misses(&self, missing: &Missing) -> bool {
        let heard = self.numbers.get(&missing.pipe).map(|number| &self.pipes[*number as usize]);
        heard.is_some_and(|heard| {
            heard.missing_behind == Some(missing.behind) || is_planted(Fault::StaleRecoveryDelivered)
        })
    }

    /// What was missed has been delivered up to here; more of it is to be read, or the pipe goes on.
    pub fn has_read(&mut self, pipe: &Pipe, up_to: Position, more: bool) {
        let Some(number) = self.numbers.get(pipe).copied() else { return };
        if more {
            self.pipes[number as usize].misses(up_to, &mut self.missing);
        } else {
            self.go_on_from(number, up_to);
        }
    }

    /// The pipe is followed from here on. What was kept aside meanwhile arrives once more.
    fn go_on_from(&mut self, number: u32, position: Position) {
        let heard = &mut self.pipes[number as usize];
        match heard.follower.join_again(position) {
            Some(arrivals) => {
                heard.missing_behind = None;
                self.again.extend(arrivals);
            }
            None => heard.misses(position, &mut self.missing),
        }
        // Who has read further is held until the rest has gone by; who has read as far is not.
        if heard.held_count > 0 {
            let subscriptions: Vec<_> = heard.subscribers.iter().map(|subscriber| subscriber.subscription).collect();
            subscriptions.into_iter().for_each(|subscription| self.release_level(subscription));
        }
    }

    /// What was kept aside and arrives once more, oldest first.
    pub fn take_again(&mut self) -> Vec<Arc<Delivery>> {
        std::mem::take(&mut self.again).into()
    }

    /// What was missed is gone, up to `position`. Subscribers of generation 5 are told so by `frame`.
    pub fn gap(&mut self, pipe: &Pipe, position: Position, frame: &Bytes, outboxes: &mut Outboxes) {
        let Some(number) = self.numbers.get(pipe).copied() else { return };
        for subscriber in &self.pipes[number as usize].subscribers {
            if let Some(Held { follower: held, .. }) = self.held.get_mut(&subscriber.subscription) {
                match held.has() {
                    // Who still reads finds out by reading on.
                    None => drop(held.doubt()),
                    Some(has) if has.epoch == position.epoch && has.index >= position.index => continue,
                    Some(_) => *held = Follower::Live(position),
                }
                if held.has().is_none() || is_planted(Fault::GapNotToldToTheHeld) {
                    continue;
                }
            }
            if subscriber.generation == Generation::Five {
                outboxes.push(subscriber.slot, frame.clone());
            }
        }
    }

    /// Puts a run into the outbox of every subscriber; browsers of generation 4 do not get what they have sent
    /// themselves. Answers how many subscribers there were.
    pub fn deliver(&mut self, run: &Run<'_>, outboxes: &mut Outboxes) -> usize {
        let Some(number) = self.numbers.get(run.pipe).copied().filter(|_| !run.deliveries.is_empty()) else {
            return 0;
        };
        let Hub { pipes, held, .. } = self;
        let Heard { subscribers, held_count, follower, .. } = &pipes[number as usize];
        let has_origin = run.deliveries.iter().any(|delivery| delivery.origin.is_some());
        let mut together = Together::of(run);
        let mut level = Vec::new();
        for Subscriber { slot, subscription, generation } in subscribers {
            let (slot, generation) = (*slot, *generation);
            let is_own = |delivery: &Delivery| generation == Generation::Four && outboxes.is(slot, delivery.origin);
            if *held_count > 0
                && let Some(held) = held.get_mut(subscription)
            {
                run.pass(slot, generation, held, outboxes);
                if held.follower.has() == follower.has() {
                    level.push(*subscription);
                }
            } else if has_origin && run.deliveries.iter().any(|delivery| is_own(delivery)) {
                let others: Vec<_> = run.deliveries.iter().filter(|delivery| !is_own(delivery)).cloned().collect();
                run.push(slot, generation, &others, outboxes);
            } else {
                outboxes.push(slot, together.bytes(generation));
            }
        }
        let count = subscribers.len();
        level.into_iter().for_each(|subscription| self.release_level(subscription));
        count
    }
}

impl Heard {
    fn new(pipe: &Pipe) -> Heard {
        // Most pipes of a user's own have one subscriber.
        let subscribers = Vec::with_capacity(1);
        let (held_count, follower, begins, missing_behind) = (0, Follower::reading(), None, None);
        Heard { pipe: pipe.clone(), subscribers, held_count, follower, begins, missing_behind }
    }

    fn misses(&mut self, behind: Position, missing: &mut VecDeque<Missing>) {
        self.missing_behind = Some(behind);
        missing.push_back(Missing { pipe: self.pipe.clone(), behind });
    }

    fn doubt(&mut self, missing: &mut VecDeque<Missing>) {
        if let Some(behind) = self.follower.doubt() {
            self.misses(behind, missing);
        }
    }
}
