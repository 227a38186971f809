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

fn encode(deliveries: &[Arc<Delivery>], _: Generation) -> Bytes {
    let texts: Vec<&str> = deliveries.iter().map(|delivery| delivery.message.as_str()).collect();
    Bytes::from(texts.concat())
}

/// They arrive, and what is next goes out.
fn deliver(hub: &mut Hub, outboxes: &mut Outboxes, deliveries: &[Arc<Delivery>]) -> usize {
    let next = hub.arrive(&deliveries[0].pipe, deliveries, 1_000);
    hub.deliver(&Run { pipe: &deliveries[0].pipe, deliveries: &next, encode }, outboxes)
}

fn at(index: u64) -> Position {
    Position { epoch: 1, index }
}

/// Subscribes, and is told that the pipe stands at `index`.
fn subscribe(hub: &mut Hub, slot: u32, pipe: &Pipe, index: u64) -> SubscriptionId {
    let subscription = hub.subscribe(slot, Generation::Five, pipe);
    hub.listening(subscription, at(index));
    subscription
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
    let taken: Vec<SubscriptionId> = (0..3).map(|slot| subscribe(&mut hub, slot, &room, 0)).collect();
    subscribe(&mut hub, 1, &hall, 0);
    assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 1, "a", None)]), 3);
    assert_eq!(hub.unsubscribe(taken[0]), room);
    assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 2, "b", None)]), 2);
    assert_eq!(hub.unsubscribe(taken[2]), room);
    assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 3, "c", None)]), 1);
    assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&hall, 1, "d", None)]), 1);
    assert_eq!(hub.unsubscribe(taken[1]), room);
    assert_eq!(deliver(&mut hub, &mut outboxes, &[delivery(&room, 4, "e", None)]), 0);
    let got: Vec<String> = (0..3).map(|slot| drain(&mut outboxes, slot)).collect();
    assert_eq!(got, ["a", "abcd", "ab"]);
    assert_eq!((hub.pipes.len(), hub.numbers.len(), hub.subscriptions.len()), (1, 1, 1));
    assert_eq!(hub.subscriptions_of(1).len(), 1);
}

#[test]
fn a_connection_of_the_original_does_not_get_its_own_messages() {
    let (mut hub, mut outboxes) = (Hub::default(), outboxes(3, 1000));
    let room = pipe("room");
    for (slot, generation) in [(0, Generation::Four), (1, Generation::Four), (2, Generation::Five)] {
        let subscription = hub.subscribe(slot, generation, &room);
        hub.listening(subscription, at(0));
    }
    let run = |index, first: &str, second: &str, sender| {
        [delivery(&room, index, first, None), delivery(&room, index + 1, second, Some(sender))]
    };
    deliver(&mut hub, &mut outboxes, &run(1, "x", "y", connection(0)));
    deliver(&mut hub, &mut outboxes, &run(3, "X", "Y", ConnectionId { serial: 0, ..connection(0) }));
    deliver(&mut hub, &mut outboxes, &run(5, "a", "b", connection(2)));
    assert_eq!(drain(&mut outboxes, 0), "xXYab", "the slot had another tenant when it sent the second");
    assert_eq!(drain(&mut outboxes, 1), "xyXYab");
    assert_eq!(drain(&mut outboxes, 2), "xyXYab", "positions have no holes");
}

#[test]
fn arrivals_wait_for_a_subscriber_that_reads_history() {
    let (mut hub, mut outboxes) = (Hub::default(), outboxes(2, 1000));
    let room = pipe("room");
    subscribe(&mut hub, 1, &room, 3);
    let reading = subscribe(&mut hub, 0, &room, 3);
    hub.hold(reading, outboxes.waiting_bytes_max());
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 4, "d", None), delivery(&room, 5, "e", None)]);
    assert!(outboxes.is_empty(0));
    let Joined::Live(arrivals) = hub.join(reading, at(4)) else { panic!("all was held") };
    assert_eq!(arrivals.len(), 1, "the fourth was read");
    assert!(hub.held.is_empty(), "it has what has gone by");
    // It reads further than what has gone by, which it then does not get again.
    hub.hold(reading, outboxes.waiting_bytes_max());
    assert!(matches!(hub.join(reading, at(7)), Joined::Live(_)));
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 4, "d", None), delivery(&room, 6, "f", None)]);
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 7, "g", None)]);
    assert!(hub.held.is_empty());
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 8, "h", None)]);
    assert_eq!([drain(&mut outboxes, 0), drain(&mut outboxes, 1)], ["h", "defgh"]);
    hub.hold(reading, outboxes.waiting_bytes_max());
    hub.unsubscribe(reading);
    assert_eq!(hub.subscribers(&room), [1]);
}

#[test]
fn nothing_goes_out_before_it_is_known_where_a_pipe_begins() {
    let (mut hub, mut outboxes) = (Hub::default(), outboxes(1, 1000));
    let room = pipe("room");
    let subscription = hub.subscribe(0, Generation::Four, &room);
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 5, "e", None), delivery(&room, 6, "f", None)]);
    assert!(outboxes.is_empty(0));
    hub.listening(subscription, at(4));
    let again = hub.take_again();
    assert_eq!(again.len(), 2);
    deliver(&mut hub, &mut outboxes, &again);
    assert_eq!(drain(&mut outboxes, 0), "ef");
    hub.listening(subscription, at(4));
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 6, "f", None)]);
    assert!(outboxes.is_empty(0), "what is known is not told again");
}

#[test]
fn a_hole_is_read_before_anything_behind_it_goes_out() {
    let (mut hub, mut outboxes) = (Hub::default(), outboxes(2, 1000));
    let room = pipe("room");
    subscribe(&mut hub, 0, &room, 1);
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 2, "b", None), delivery(&room, 4, "d", None)]);
    let missing = hub.next_missing().unwrap();
    assert_eq!((missing.behind, hub.still_misses(&missing)), (at(2), true));
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 5, "e", None), delivery(&room, 6, "f", None)]);
    assert_eq!(drain(&mut outboxes, 0), "b");
    // The third was deleted meanwhile; the fifth is read and has arrived as well.
    let page = [delivery(&room, 4, "d", None), delivery(&room, 5, "e", None)];
    hub.deliver(&Run { pipe: &room, deliveries: &page, encode }, &mut outboxes);
    hub.has_read(&room, at(5), false);
    assert!(!hub.still_misses(&missing));
    let again = hub.take_again();
    deliver(&mut hub, &mut outboxes, &again);
    assert_eq!((drain(&mut outboxes, 0), hub.next_missing()), ("def".to_owned(), None));
}

#[test]
fn doubt_has_every_pipe_read_and_what_is_gone_is_a_gap() {
    let (mut hub, mut outboxes) = (Hub::default(), outboxes(3, 1000));
    let room = pipe("room");
    let old = hub.subscribe(0, Generation::Four, &room);
    hub.listening(old, at(3));
    subscribe(&mut hub, 1, &room, 3);
    let reading = subscribe(&mut hub, 2, &room, 3);
    hub.hold(reading, outboxes.waiting_bytes_max());
    hub.doubt_all();
    hub.doubt(&room);
    assert_eq!(hub.next_missing().map(|missing| missing.behind), Some(at(3)));
    let now = Position { epoch: 2, index: 9 };
    hub.gap(&room, now, &Bytes::from_static(b"gap"), &mut outboxes);
    hub.has_read(&room, now, false);
    // It was doubted twice: it is read once more, from where it is now.
    assert_eq!(hub.next_missing().map(|missing| missing.behind), Some(now));
    hub.has_read(&room, now, false);
    assert_eq!(hub.next_missing(), None);
    let got: Vec<String> = (0..3).map(|slot| drain(&mut outboxes, slot)).collect();
    assert_eq!(got, ["", "gap", ""]);
    assert!(matches!(hub.join(reading, at(3)), Joined::ReadOn), "who reads finds out by reading");
    // A late arrival of the former epoch has the pipe read once, and not for ever.
    deliver(&mut hub, &mut outboxes, &[delivery(&room, 4, "late", None)]);
    assert_eq!(hub.next_missing().map(|missing| missing.behind), Some(now));
    hub.has_read(&room, now, false);
    assert!(hub.take_again().is_empty() && hub.next_missing().is_none());
    assert!((0..3).all(|slot| outboxes.is_empty(slot)));
}
