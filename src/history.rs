//! Joining what is remembered with what arrives: while a connection reads what a pipe keeps, arrivals are held, and
//! afterwards those go out that were not among what it has read. Missed first, then live, nothing between.

use std::sync::Arc;

use crate::pipe::{Delivery, Position};

/// What a held message takes besides its text, in bytes.
const DELIVERY_BYTES: usize = 256;

/// What has arrived for a connection that is still reading.
#[derive(Default)]
pub struct Held {
    arrivals: Vec<Arc<Delivery>>,
    bytes: usize,
    /// More arrived than may be held: the rest must be read as well.
    has_dropped: bool,
    /// It is live, and this is what it had by then: news of what was read may still be on their way.
    has: Option<Position>,
    /// How often it was settled since.
    settled: u8,
}

/// So often, with a second between, a reading that has ended is asked whether its end may be forgotten. News are
/// never that late.
const SETTLED_MAX: u8 = 10;

/// How a reading ends.
#[derive(Debug)]
pub enum Joined {
    /// These come next, and then whatever arrives.
    Live(Vec<Arc<Delivery>>),
    /// Some arrivals could not be held: read on from where you are.
    ReadOn,
}

impl Held {
    /// A message has arrived. Of more than `bytes_max` none is kept: all of them can be read.
    pub fn arrive(&mut self, delivery: &Arc<Delivery>, bytes_max: usize) {
        self.bytes += delivery.message.bytes() + DELIVERY_BYTES;
        if self.has_dropped || self.bytes > bytes_max {
            self.has_dropped = true;
            self.arrivals = Vec::new();
            return;
        }
        self.arrivals.push(Arc::clone(delivery));
    }

    /// Everything up to `last` has been read; `None` if there was nothing.
    pub fn join(&mut self, last: Option<Position>) -> Joined {
        let held = std::mem::take(self);
        if held.has_dropped {
            return Joined::ReadOn;
        }
        self.has = Some(last.unwrap_or(Position { epoch: 0, index: 0 }));
        let arrivals: Vec<_> =
            held.arrivals.into_iter().filter(|delivery| self.lacks(delivery) == Some(true)).collect();
        if let Some(last) = arrivals.last() {
            self.has = Some(last.position);
        }
        Joined::Live(arrivals)
    }

    /// Whether a message that arrives is to go out: when it was not among what was read. `None` while reading.
    pub fn lacks(&self, delivery: &Delivery) -> Option<bool> {
        let Position { epoch, index } = delivery.position;
        self.has.map(|has| epoch != has.epoch || index > has.index)
    }

    /// Called once a second. Answers whether nothing needs to be known of this reading any more.
    pub fn settle(&mut self) -> bool {
        self.settled += u8::from(self.has.is_some());
        self.settled >= SETTLED_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use crate::pipe::{Message, MessageId, Pipe, Position};
    use crate::user::{TenantId, UserId};

    fn delivery(index: u64) -> Arc<Delivery> {
        Arc::new(Delivery {
            pipe: Pipe::Log(TenantId(0), UserId::FIRST),
            position: Position { epoch: 1, index },
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new("12345".into(), 100).unwrap(),
            user: None,
            origin: None,
            sent_at: UnixMillis(0),
            encoded: Default::default(),
        })
    }

    fn at(index: u64) -> Option<Position> {
        Some(Position { epoch: 1, index })
    }

    fn indexes(joined: Joined) -> Option<Vec<u64>> {
        match joined {
            Joined::Live(deliveries) => Some(deliveries.iter().map(|delivery| delivery.position.index).collect()),
            Joined::ReadOn => None,
        }
    }

    #[test]
    fn what_was_read_is_not_told_again_and_nothing_is_left_out() {
        for read_up_to in 0..=6 {
            let mut held = Held::default();
            (3..=6).for_each(|index| held.arrive(&delivery(index), 2_000));
            let expected: Vec<u64> = (3..=6).filter(|index| *index > read_up_to).collect();
            assert_eq!(indexes(held.join(at(read_up_to))), Some(expected));
        }
    }

    #[test]
    fn news_of_what_was_read_may_be_late() {
        let mut held = Held::default();
        held.arrive(&delivery(5), 2_000);
        assert_eq!(held.lacks(&delivery(6)), None);
        assert_eq!(indexes(held.join(at(4))), Some(vec![5]));
        let lacking: Vec<u64> = (1..=8).filter(|index| held.lacks(&delivery(*index)) == Some(true)).collect();
        assert_eq!(lacking, [6, 7, 8]);
        let settled = (0..20).take_while(|_| !held.settle()).count();
        assert_eq!(settled, 9);
    }

    #[test]
    fn what_cannot_be_held_is_read() {
        let mut held = Held::default();
        (3..=6).for_each(|index| held.arrive(&delivery(index), 600));
        assert_eq!(indexes(held.join(at(2))), None);
        held.arrive(&delivery(7), 600);
        assert_eq!(indexes(held.join(at(6))), Some(vec![7]));
    }
}
