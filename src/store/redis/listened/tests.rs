use tokio::sync::watch;
use uuid::Uuid;

use super::super::address::Address;
use super::super::server::{Kept, Server};
use super::*;
use crate::clock::UnixMillis;
use crate::pipe::{Encoded, Message, PipeName};
use crate::user::TenantId;

const BASE: &str = "base";

fn pipe() -> Pipe {
    Pipe::Named(TenantId(1), PipeName::for_publish("room").unwrap())
}

const SERVER: ServerId = ServerId(0);

/// One server that has all slots.
fn servers() -> Arc<Servers> {
    let Ok(Address::One(place)) = Address::parse("redis://here") else { panic!("an address") };
    let server = Arc::new(Server::new(SERVER, watch::channel(place).1));
    let servers = Servers::new(false);
    servers.install(vec![Arc::new(Kept { server, tasks: Vec::new() })], Vec::new());
    Arc::new(servers)
}

fn listened() -> (Listened, Arc<Ear>) {
    let ear = Ear::new(1_000_000, Box::new(|| {}));
    (Listened::new(vec![Arc::clone(&ear)], servers()), ear)
}

fn changes(listened: &Listened) -> Changes {
    let server = listened.servers.owner(Slot::of(BASE)).unwrap();
    listened.changes(SERVER, server.take_changed(9))
}

fn at(epoch: u64, index: u64) -> Position {
    Position { epoch, index }
}

/// Where a pipe stands; the id of a message is its index.
fn newest(epoch: u64, index: u64) -> Newest {
    Newest { position: at(epoch, index), id: Some(MessageId(Uuid::from_u128(u128::from(index)))) }
}

fn delivery(position: Position, id: u64) -> Arc<Delivery> {
    Arc::new(Delivery {
        pipe: pipe(),
        position,
        id: MessageId(Uuid::from_u128(u128::from(id))),
        event: "event".parse().unwrap(),
        message: Message::new(String::new(), 0).unwrap(),
        user: None,
        origin: None,
        sent_at: UnixMillis(1),
        encoded: Encoded::default(),
    })
}

/// A pipe that stood at an index of epoch 1 when its one listener was registered.
fn registered(index: u64) -> (Listened, Arc<Ear>) {
    let (listened, ear) = listened();
    listened.listen(BASE, &pipe(), EarId(0)).expect("it is not subscribed yet");
    assert_eq!(changes(&listened).subscribe, [BASE]);
    listened.subscribed(SERVER, &[BASE.to_owned()]);
    let count = listened.count(BASE);
    listened.told(BASE, count, newest(1, index));
    assert!(listened.untold().is_empty());
    (listened, ear)
}

/// What the ear was told of, as indexes; 0 for something lost.
fn told(ear: &Ear) -> Vec<u64> {
    ear.take().iter().map(|news| news.delivery().map_or(0, |delivery| delivery.position.index)).collect()
}

#[test]
fn what_was_on_its_way_at_the_registration_is_no_gap() {
    let (listened, ear) = registered(10);
    for index in [9, 10, 11, 12] {
        assert_eq!(listened.heard(BASE, &delivery(at(1, index), index), Vec::new()), None);
    }
    assert_eq!(told(&ear), [9, 10, 11, 12]);
}

#[test]
fn a_jump_and_another_epoch_are_told_as_lost() {
    let (listened, ear) = registered(10);
    for (epoch, index) in [(1, 12), (1, 13), (2, 1), (2, 2), (2, 9)] {
        assert_eq!(listened.heard(BASE, &delivery(at(epoch, index), index), Vec::new()), None);
    }
    assert_eq!(told(&ear), [0, 12, 13, 0, 1, 2, 0, 9]);
}

#[test]
fn an_index_that_is_used_twice_is_noticed_and_a_message_that_comes_twice_is_heard_once() {
    let (listened, ear) = registered(10);
    assert_eq!(listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new()), None);
    assert_eq!(listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new()), None);
    assert_eq!(told(&ear), [11]);
    assert_eq!(listened.heard(BASE, &delivery(at(1, 11), 99), Vec::new()), Some(newest(1, 11)));
    assert_eq!(told(&ear), [0, 11]);
    assert!(listened.heard(BASE, &delivery(at(1, 3), 3), Vec::new()).is_some());
}

#[test]
fn a_publisher_waits_until_its_message_was_heard_or_may_have_been_lost() {
    let (listened, _ear) = registered(10);
    assert!(listened.hearing(BASE, at(1, 10)).is_none(), "it stood there already");
    assert!(listened.hearing("unknown", at(1, 11)).is_none());
    let mut waiting = [11, 12].map(|index| listened.hearing(BASE, at(1, index)).unwrap());
    listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new());
    assert!(waiting[0].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
    assert!(waiting[1].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Empty));
    listened.all_unsubscribed(SERVER);
    assert!(waiting[1].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
    assert!(listened.hearing(BASE, at(1, 13)).is_none(), "nothing is heard now");
}

#[test]
fn who_comes_while_the_last_one_leaves_is_subscribed_once_more() {
    let (listened, _ear) = registered(10);
    listened.unlisten(BASE, EarId(0));
    assert_eq!(changes(&listened).unsubscribe, [BASE]);
    let mut waiting = listened.listen(BASE, &pipe(), EarId(0)).expect("Redis was told to stop");
    assert_eq!(changes(&listened).subscribe, [BASE]);
    assert!(waiting.try_recv().is_err());
    listened.subscribed(SERVER, &[BASE.to_owned()]);
    assert_eq!(waiting.try_recv(), Ok(()));
}

#[test]
fn a_pipe_is_forgotten_when_redis_knows_that_nobody_listens() {
    let (listened, _ear) = registered(10);
    listened.unlisten(BASE, EarId(0));
    changes(&listened);
    assert_eq!(listened.untold().len(), 1, "Redis counts one yet");
    let count = listened.count(BASE);
    assert_eq!(count.connections, 0);
    listened.told(BASE, count, newest(1, 10));
    assert!(listened.untold().is_empty() && listened.newest().is_empty());
    listened.unlisten(BASE, EarId(0));
    assert!(listened.untold().is_empty(), "who was never there leaves nothing behind");
}

#[test]
fn an_older_count_that_happens_to_be_right_leaves_the_later_one_to_be_told() {
    let (listened, _ear) = registered(10);
    listened.listen(BASE, &pipe(), EarId(0));
    let two = listened.count(BASE);
    listened.unlisten(BASE, EarId(0));
    let one = listened.count(BASE);
    listened.listen(BASE, &pipe(), EarId(0));
    let two_again = listened.count(BASE);
    assert!(two.version < one.version && two.connections == two_again.connections);
    listened.told(BASE, two, newest(1, 10));
    assert_eq!(listened.untold().len(), 1, "the one between may reach Redis yet");
    listened.told(BASE, two_again, newest(1, 10));
    assert!(listened.untold().is_empty());
}
