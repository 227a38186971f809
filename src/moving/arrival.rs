//! Messages that arrive in a pipe page by page, and what has become of them when the last page is there.

use std::sync::Arc;

use crate::pipe::{Delivery, Pipe};
use crate::store::{PageMax, Since, Standing, Store, StoreError};

pub const TRIMMED: &str = "there are more, or older ones, than the pipe keeps";
pub const OVERTAKEN: &str = "somebody has published to the pipe there, and nothing comes before that";

const ONE: PageMax = PageMax { messages: 1, bytes: 1 };

/// Counts what the store has said of each page, which a later page may trim.
pub struct Arrival<'s> {
    into: &'s dyn Store,
    pipe: &'s Pipe,
    /// Indexes of what the pipe has kept, as far as was said.
    kept: Vec<u64>,
    /// The same of what was there before.
    there: Vec<u64>,
    trimmed: u64,
    overtaken: u64,
}

/// What became of everything.
pub struct Arrived {
    /// The indexes of what came and is there.
    pub came: Vec<u64>,
    pub there: u64,
    pub trimmed: u64,
    pub overtaken: u64,
}

impl<'s> Arrival<'s> {
    pub fn new(into: &'s dyn Store, pipe: &'s Pipe) -> Arrival<'s> {
        Arrival { into, pipe, kept: Vec::new(), there: Vec::new(), trimmed: 0, overtaken: 0 }
    }

    /// The message with this index came before.
    pub fn was_there(&mut self, index: u64) {
        self.there.push(index);
    }

    /// One more page, behind the last.
    pub async fn put(&mut self, page: Vec<Arc<Delivery>>, stands: Standing) -> Result<(), StoreError> {
        let indexes: Vec<u64> = page.iter().map(|message| message.position.index).collect();
        let adopted = self.into.adopt(self.pipe, page, stands).await?;
        // What is trimmed is the oldest, and what was passed over was to stand before the newest that was there.
        let lost = indexes.len().saturating_sub(usize::try_from(adopted.kept).unwrap_or(usize::MAX));
        self.kept.extend_from_slice(&indexes[lost..]);
        self.trimmed += adopted.trimmed;
        self.overtaken += (lost as u64).saturating_sub(adopted.trimmed);
        Ok(())
    }

    pub async fn end(self) -> Result<Arrived, StoreError> {
        let Arrival { into, pipe, mut kept, mut there, mut trimmed, overtaken } = self;
        if !kept.is_empty() || !there.is_empty() {
            let oldest = into.history(pipe, Since::Beginning, ONE).await?;
            let oldest = oldest.messages.first().map_or(u64::MAX, |message| message.position.index);
            let count = kept.len() + there.len();
            kept.retain(|index| *index >= oldest);
            there.retain(|index| *index >= oldest);
            trimmed += (count - kept.len() - there.len()) as u64;
        }
        Ok(Arrived { came: kept, there: there.len() as u64, trimmed, overtaken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, UnixMillis};
    use crate::pipe::{Encoded, Message, MessageId, PipeName, Position, Retention};
    use crate::store::{Publish, embedded};
    use crate::user::TenantId;

    fn message(pipe: &Pipe, index: u64) -> Delivery {
        Delivery {
            pipe: pipe.clone(),
            position: Position { epoch: 7, index },
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new("x".repeat(100), 100).unwrap(),
            user: None,
            origin: None,
            sent_at: UnixMillis(1_700_000_000_000),
            encoded: Encoded::default(),
        }
    }

    fn page(pipe: &Pipe, indexes: std::ops::RangeInclusive<u64>) -> (Vec<Arc<Delivery>>, Standing) {
        let position = Position { epoch: 7, index: *indexes.end() };
        (indexes.map(|index| Arc::new(message(pipe, index))).collect(), Standing { position, taken: 0, floor: 0 })
    }

    async fn publish(store: &dyn Store, pipe: &Pipe) {
        let Delivery { pipe, id, event, message, user, origin, .. } = message(pipe, 0);
        let one = Publish { pipe, id, id_is_chosen: false, event, message, user, origin, sender_listens: false };
        store.publish(vec![one]).await.unwrap();
    }

    fn store() -> Arc<dyn Store> {
        let config = embedded::Config {
            directory: None,
            durability: embedded::Durability::Memory,
            history_bytes_max_per_pipe: 4_096,
            recovery_bytes_max: 0,
        };
        embedded::open(&config, Vec::new(), Arc::new(SystemClock)).unwrap()
    }

    #[tokio::test]
    async fn what_somebody_publishes_between_the_pages_has_its_place_and_what_was_to_stand_there_did_not_come() {
        let (store, pipe) = (store(), Pipe::Named(TenantId(1), PipeName::for_publish("room").unwrap()));
        store.set_retention(&pipe, Retention::of_length(100)).await.unwrap();
        let mut arrival = Arrival::new(&*store, &pipe);
        for (count, indexes) in [(0, 1..=3), (2, 4..=7), (4, 8..=9)] {
            for _ in 0..count {
                publish(&*store, &pipe).await;
            }
            let (messages, stands) = page(&pipe, indexes);
            arrival.put(messages, stands).await.unwrap();
        }
        let arrived = arrival.end().await.unwrap();
        // The pipe stood at 5 and then at 11.
        assert_eq!(arrived.came, [1, 2, 3, 6, 7]);
        assert_eq!((arrived.overtaken, arrived.trimmed), (4, 0));
    }

    #[tokio::test]
    async fn what_a_later_page_trims_has_not_come() {
        let (store, pipe) = (store(), Pipe::Named(TenantId(1), PipeName::for_publish("room").unwrap()));
        store.set_retention(&pipe, Retention::of_length(1_000)).await.unwrap();
        let (before, stands) = page(&pipe, 1..=4);
        store.adopt(&pipe, before, stands).await.unwrap();
        let mut arrival = Arrival::new(&*store, &pipe);
        (1..=4).for_each(|index| arrival.was_there(index));
        for indexes in [5..=10, 11..=100] {
            let (messages, stands) = page(&pipe, indexes);
            arrival.put(messages, stands).await.unwrap();
        }
        let arrived = arrival.end().await.unwrap();
        let there = store.history(&pipe, Since::Beginning, PageMax { messages: 100, bytes: usize::MAX }).await.unwrap();
        let there: Vec<u64> = there.messages.iter().map(|message| message.position.index).collect();
        assert!(there.len() < 90 && arrived.came == there, "{there:?} {:?}", arrived.came);
        assert_eq!((arrived.there, arrived.trimmed, arrived.overtaken), (0, 100 - there.len() as u64, 0));
    }
}
