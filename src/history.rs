//! Joining what is remembered with what arrives: while a connection reads what a pipe keeps, arrivals are held, and
//! afterwards those go out that were not among what it has read. Missed first, then live, nothing between.

use std::sync::Arc;

use crate::pipe::Delivery;

/// What a held message takes besides its text, in bytes.
const DELIVERY_BYTES: usize = 256;

/// What has arrived for a connection that is still reading.
#[derive(Default)]
pub struct Held {
    arrivals: Vec<Arc<Delivery>>,
    bytes: usize,
    /// More arrived than may be held: the rest must be read as well.
    has_dropped: bool,
}

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

    /// Everything up to `index` has been read.
    pub fn join(&mut self, index: u64) -> Joined {
        let held = std::mem::take(self);
        if held.has_dropped {
            return Joined::ReadOn;
        }
        let is_new = |delivery: &Arc<Delivery>| delivery.position.index > index;
        Joined::Live(held.arrivals.into_iter().filter(is_new).collect())
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
            assert_eq!(indexes(held.join(read_up_to)), Some(expected));
        }
    }

    #[test]
    fn what_cannot_be_held_is_read() {
        let mut held = Held::default();
        (3..=6).for_each(|index| held.arrive(&delivery(index), 600));
        assert_eq!(indexes(held.join(2)), None);
        held.arrive(&delivery(7), 600);
        assert_eq!(indexes(held.join(6)), Some(vec![7]));
    }
}
