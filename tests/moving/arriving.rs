//! What has become of messages is known when the last page of them is there.

use std::sync::Arc;

use cometql::clock::{SystemClock, UnixMillis};
use cometql::moving::Arrival;
use cometql::pipe::{Delivery, Encoded, Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::{PageMax, Publish, Since, Standing, Store, embedded};
use cometql::user::TenantId;

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
