//! Joining what is remembered with what arrives. Whoever follows a pipe has everything up to a position; what arrives
//! and is not the next message shows that something was missed, and is kept aside until that has been read. Missed
//! first, then live, nothing between.

use std::sync::Arc;

use crate::fault::{Fault, is_planted};
use crate::pipe::{Delivery, Position};

/// What a message that is kept aside takes besides its text, in bytes.
const DELIVERY_BYTES: usize = 256;

/// How far somebody has followed a pipe.
#[derive(Debug)]
pub enum Follower {
    /// What was missed is being read; arrivals are kept aside.
    Reading(Box<Aside>),
    /// Has everything up to here.
    Live(Position),
}

/// What has arrived for somebody who is still reading.
#[derive(Default, Debug)]
pub struct Aside {
    arrivals: Vec<Arc<Delivery>>,
    bytes: usize,
    /// Something that arrived is not here: it must be read.
    has_dropped: bool,
}

/// What an arrival is to somebody who follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The next message.
    Next,
    /// One that is known.
    Known,
    /// It is kept aside, because reading is not done.
    Aside,
    /// Something is missing behind this position: it must be read, and this arrival with it.
    Hole(Position),
}

/// How a reading ends.
#[derive(Debug)]
pub enum Joined {
    /// These come next, and then whatever arrives.
    Live(Vec<Arc<Delivery>>),
    /// Some arrivals could not be kept aside: read on from where you are.
    ReadOn,
}

impl Follower {
    /// Reads from now on.
    pub fn reading() -> Follower {
        Follower::Reading(Box::default())
    }

    /// What it has, when it is live.
    pub fn has(&self) -> Option<Position> {
        match self {
            Follower::Reading(_) => None,
            Follower::Live(has) => Some(*has),
        }
    }

    /// A message has arrived, and must be the next.
    pub fn arrive(&mut self, delivery: &Arc<Delivery>, bytes_max: usize) -> Arrival {
        let Follower::Live(has) = self else {
            self.keep_aside(delivery, bytes_max);
            return Arrival::Aside;
        };
        let (has, position) = (*has, delivery.position);
        if position.epoch == has.epoch && position.index <= has.index {
            return Arrival::Known;
        }
        let is_next = position.index == has.index + 1 || is_planted(Fault::HolesUnnoticed);
        if position.epoch == has.epoch && is_next {
            *self = Follower::Live(position);
            return Arrival::Next;
        }
        // It was announced, so whoever reads from now on finds it. Were it kept, a late one of a former epoch would
        // have its pipe read for ever.
        *self = Follower::reading();
        Arrival::Hole(has)
    }

    /// Whether messages that arrive together are the next ones, as they nearly always are. Then it has them.
    pub fn arrive_together(&mut self, deliveries: &[Arc<Delivery>]) -> bool {
        let (Follower::Live(has), [first, .., last] | [first @ last]) = (&self, deliveries) else { return false };
        let is_next = first.position.epoch == has.epoch
            && first.position.index == has.index + 1
            && last.position.epoch == has.epoch
            && last.position.index == has.index + deliveries.len() as u64;
        if is_next {
            *self = Follower::Live(last.position);
        }
        is_next
    }

    /// A message goes by on a way without holes. Answers whether it is to go out, or `None` when it was kept aside.
    pub fn pass(&mut self, delivery: &Arc<Delivery>, bytes_max: usize) -> Option<bool> {
        let Follower::Live(has) = self else {
            self.keep_aside(delivery, bytes_max);
            return None;
        };
        let lacks = delivery.position.epoch != has.epoch || delivery.position.index > has.index;
        if lacks {
            *has = delivery.position;
        }
        Some(lacks)
    }

    /// Of more than `bytes_max` none is kept: all of them can be read.
    fn keep_aside(&mut self, delivery: &Arc<Delivery>, bytes_max: usize) {
        let Follower::Reading(aside) = self else { return };
        if is_planted(Fault::ArrivalsDroppedWhileHeld) {
            return;
        }
        aside.bytes += delivery.message.bytes() + DELIVERY_BYTES;
        if aside.has_dropped || aside.bytes > bytes_max {
            aside.drop_all();
        } else {
            aside.arrivals.push(Arc::clone(delivery));
        }
    }

    /// Something may have been missed. Answers behind which position, unless it is reading already, which will have
    /// to be done once more.
    pub fn doubt(&mut self) -> Option<Position> {
        match self {
            Follower::Reading(aside) => {
                if !is_planted(Fault::DoubtIgnoredWhileReading) {
                    aside.drop_all();
                }
                None
            }
            Follower::Live(has) => {
                let has = *has;
                *self = Follower::reading();
                Some(has)
            }
        }
    }

    /// Everything up to `up_to` has been read. Live again, or what arrived so far must be read as well.
    pub fn join(&mut self, up_to: Position) -> Joined {
        let Follower::Reading(aside) = self else { return Joined::Live(Vec::new()) };
        let aside = std::mem::take(&mut **aside);
        // What arrived in another epoch was announced before this reading ends: reading on tells which one stands.
        let is_elsewhere = |delivery: &Arc<Delivery>| delivery.position.epoch != up_to.epoch;
        if aside.has_dropped || aside.arrivals.iter().any(is_elsewhere) && !is_planted(Fault::EpochsJoined) {
            return Joined::ReadOn;
        }
        let is_behind =
            |delivery: &Arc<Delivery>| delivery.position.index > up_to.index || is_planted(Fault::DuplicatesKept);
        let arrivals: Vec<_> = aside.arrivals.into_iter().filter(is_behind).collect();
        *self = Follower::Live(arrivals.last().map_or(up_to, |last| last.position));
        Joined::Live(arrivals)
    }

    /// Everything up to `up_to` has been read: it is live there, and what was kept aside arrives once more.
    /// `None` when something could not be kept aside.
    pub fn join_again(&mut self, up_to: Position) -> Option<Vec<Arc<Delivery>>> {
        let Follower::Reading(aside) = self else { return Some(Vec::new()) };
        let aside = std::mem::take(&mut **aside);
        if aside.has_dropped {
            return None;
        }
        *self = Follower::Live(up_to);
        Some(aside.arrivals)
    }
}

impl Aside {
    fn drop_all(&mut self) {
        self.has_dropped = !is_planted(Fault::OverflowForgotten);
        self.arrivals = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use crate::pipe::{Message, MessageId, Pipe};
    use crate::user::{TenantId, UserId};

    fn delivery(epoch: u64, index: u64) -> Arc<Delivery> {
        Arc::new(Delivery {
            pipe: Pipe::Log(TenantId(0), UserId::FIRST),
            position: Position { epoch, index },
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new("12345".into(), 100).unwrap(),
            user: None,
            origin: None,
            sent_at: UnixMillis(0),
            encoded: Default::default(),
        })
    }

    fn at(index: u64) -> Position {
        Position { epoch: 1, index }
    }

    fn indexes(joined: Joined) -> Option<Vec<u64>> {
        match joined {
            Joined::Live(deliveries) => Some(deliveries.iter().map(|delivery| delivery.position.index).collect()),
            Joined::ReadOn => None,
        }
    }

    #[test]
    fn what_was_read_is_not_told_again_and_nothing_is_left_out() {
        for read_up_to in 2..=6 {
            let mut follower = Follower::reading();
            for index in 3..=6 {
                assert_eq!(follower.pass(&delivery(1, index), 2_000), None);
            }
            let expected: Vec<u64> = (3..=6).filter(|index| *index > read_up_to).collect();
            assert_eq!(indexes(follower.join(at(read_up_to))), Some(expected));
            assert_eq!(follower.has(), Some(at(6)));
            let passed: Vec<bool> = (5..=8).filter_map(|index| follower.pass(&delivery(1, index), 2_000)).collect();
            assert_eq!(passed, [false, false, true, true]);
        }
    }

    #[test]
    fn what_cannot_be_kept_aside_is_read() {
        let mut follower = Follower::reading();
        for index in 3..=6 {
            assert_eq!(follower.pass(&delivery(1, index), 600), None);
        }
        assert_eq!(indexes(follower.join(at(2))), None);
        assert_eq!(follower.pass(&delivery(1, 7), 600), None);
        assert_eq!(indexes(follower.join(at(6))), Some(vec![7]));
        // Of another epoch than what was read: reading on tells which one stands.
        let mut follower = Follower::reading();
        follower.pass(&delivery(2, 1), 600);
        assert_eq!(indexes(follower.join(at(2))), None);
        assert_eq!(indexes(follower.join(Position { epoch: 2, index: 1 })), Some(vec![]));
    }

    #[test]
    fn only_the_next_message_is_next() {
        let mut follower = Follower::Live(at(4));
        let cases = [
            (delivery(1, 4), Arrival::Known),
            (delivery(1, 5), Arrival::Next),
            (delivery(1, 5), Arrival::Known),
            (delivery(1, 7), Arrival::Hole(at(5))),
            (delivery(1, 8), Arrival::Aside),
        ];
        for (arriving, expected) in cases {
            assert_eq!(follower.arrive(&arriving, 1_000), expected, "{arriving:?}");
        }
        let again = follower.join_again(at(7)).unwrap();
        assert_eq!(again.iter().map(|delivery| delivery.position.index).collect::<Vec<_>>(), [8]);
        assert_eq!(follower.arrive(&delivery(2, 8), 1_000), Arrival::Hole(at(7)), "another epoch");
        let run: Vec<_> = (3..=5).map(|index| delivery(1, index)).collect();
        for (has, is_next) in [(at(2), true), (at(1), false), (at(3), false), (Position { epoch: 2, index: 2 }, false)]
        {
            assert_eq!(Follower::Live(has).arrive_together(&run), is_next, "{has:?}");
        }
        assert!(!Follower::reading().arrive_together(&run));
        let holed = [delivery(1, 3), delivery(1, 5)];
        assert!(!Follower::Live(at(2)).arrive_together(&holed));
    }
}
