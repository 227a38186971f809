use tokio::sync::watch;
use uuid::Uuid;

use super::super::address::Address;
use super::super::call::Slot;
use super::super::server::{Kept, Server};
use super::subscriptions::Changes;
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

/// What a publisher is answered who says nothing twice.
fn published(position: Position) -> Published {
    Published { position, receivers: 1, is_repeat: false }
}

/// Nobody was ever dismissed.
fn at_rest(newest: Newest) -> Told {
    Told { newest, dismissed_at: 0 }
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
    let count = listened.count(BASE, Mark::Leave);
    listened.told(BASE, count, at_rest(newest(1, index)));
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
fn of_each_pipe_that_has_messages_the_newest_is_compared_or_those_of_two_epochs() {
    assert_eq!(registered(0).0.newest(), []);
    let (listened, _) = registered(10);
    let known = |of: &[Newest]| of.iter().map(|newest| (BASE.to_owned(), newest.clone())).collect::<Vec<_>>();
    assert_eq!(listened.newest(), known(&[newest(1, 10)]));
    listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new());
    assert_eq!(listened.newest(), known(&[newest(1, 11)]));
    let count = listened.count(BASE, Mark::Leave);
    listened.told(BASE, count, at_rest(newest(1, 12)));
    assert_eq!(listened.newest(), known(&[newest(1, 12)]));
    listened.heard(BASE, &delivery(at(2, 1), 1), Vec::new());
    assert_eq!(listened.newest(), known(&[newest(2, 1), newest(1, 12)]));
}

#[test]
fn a_lost_announcement_is_not_passed_over_by_whoever_is_registered_behind_it() {
    let (listened, ear) = registered(5);
    let register = |index| {
        let count = listened.count(BASE, Mark::Leave);
        listened.told(BASE, count, at_rest(newest(1, index)));
    };
    register(6);
    assert!(listened.is_behind(BASE, at(1, 6)));
    listened.heard(BASE, &delivery(at(1, 7), 7), Vec::new());
    assert_eq!(told(&ear), [0, 7]);
    // The ears have looked for themselves.
    register(9);
    listened.lost_all_but(&HashSet::new());
    assert!(!listened.is_behind(BASE, at(1, 9)) && listened.is_behind(BASE, at(1, 10)));
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
    assert!(listened.hearing(BASE, published(at(1, 10))).is_none(), "it stood there already");
    assert!(listened.hearing("unknown", published(at(1, 11))).is_none());
    assert!(listened.hearing(BASE, published(at(2, 1))).is_some(), "a new epoch, of which nothing has come yet");
    let repeat = |position| Published { is_repeat: true, ..published(position) };
    assert!(listened.hearing(BASE, repeat(at(2, 1))).is_none(), "one that is over");
    assert!(listened.hearing(BASE, repeat(at(1, 11))).is_some());
    let mut waiting = [11, 12].map(|index| listened.hearing(BASE, published(at(1, index))).unwrap());
    listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new());
    assert!(waiting[0].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
    assert!(waiting[1].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Empty));
    listened.all_unsubscribed(SERVER);
    assert!(waiting[1].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
    assert!(listened.hearing(BASE, published(at(1, 13))).is_none(), "nothing is heard now");
}

/// The pipe is subscribed to again, and stands there when Redis is told anew who listens.
fn told_again(listened: &Listened, stands: Newest) {
    listened.all_unsubscribed(SERVER);
    assert_eq!(changes(listened).subscribe, [BASE]);
    listened.subscribed(SERVER, &[BASE.to_owned()]);
    listened.told(BASE, listened.count(BASE, Mark::Leave), at_rest(stands));
}

#[test]
fn nobody_waits_for_what_was_announced_before_the_pipe_was_subscribed_to_again() {
    let lost_of = |listened: &Listened| listened.lost_of(&listened.doubted(SERVER));
    let losses: [fn(&Listened); 2] = [|listened| listened.lost_all_but(&HashSet::new()), lost_of];
    for lost in losses {
        let (listened, ear) = registered(10);
        listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new());
        told_again(&listened, newest(1, 12));
        let mut waiting = listened.hearing(BASE, published(at(1, 12))).unwrap();
        lost(&listened);
        assert!(waiting.try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
        assert!(listened.hearing(BASE, published(at(1, 12))).is_none(), "it stood there already");
        told_again(&listened, newest(1, 12));
        listened.heard(BASE, &delivery(at(1, 13), 13), Vec::new());
        lost(&listened);
        assert!(listened.hearing(BASE, published(at(1, 13))).is_none(), "it was heard since");
        listened.heard(BASE, &delivery(at(1, 14), 14), Vec::new());
        assert_eq!(told(&ear), [11, 0, 13, 0, 14], "nothing is lost behind it");
    }
}

#[test]
fn what_comes_too_late_from_a_server_that_was_left_is_not_taken_for_what_the_next_one_says() {
    let (listened, ear) = registered(10);
    told_again(&listened, newest(1, 10));
    listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new());
    listened.lost_all_but(&HashSet::new());
    assert_eq!(listened.heard(BASE, &delivery(at(1, 11), 99), Vec::new()), Some(newest(1, 11)));
    assert_eq!(told(&ear), [11, 0, 0, 11]);
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
    let count = listened.count(BASE, Mark::Leave);
    assert_eq!(count.connections, 0);
    listened.told(BASE, count, at_rest(newest(1, 10)));
    assert!(listened.untold().is_empty() && listened.newest().is_empty());
    listened.unlisten(BASE, EarId(0));
    assert!(listened.untold().is_empty(), "who was never there leaves nothing behind");
}

#[test]
fn an_older_count_that_happens_to_be_right_leaves_the_later_one_to_be_told() {
    let (listened, _ear) = registered(10);
    listened.listen(BASE, &pipe(), EarId(0));
    let two = listened.count(BASE, Mark::Leave);
    listened.unlisten(BASE, EarId(0));
    let one = listened.count(BASE, Mark::Leave);
    listened.listen(BASE, &pipe(), EarId(0));
    let two_again = listened.count(BASE, Mark::Leave);
    assert!(two.version < one.version && two.connections == two_again.connections);
    listened.told(BASE, two, at_rest(newest(1, 10)));
    assert_eq!(listened.untold().len(), 1, "the one between may reach Redis yet");
    listened.told(BASE, two_again, at_rest(newest(1, 10)));
    assert!(listened.untold().is_empty());
}

/// Dismissals among the news.
fn dismissals(ear: &Ear) -> usize {
    ear.take().iter().filter(|news| matches!(news, News::Dismissed(_))).count()
}

#[test]
fn a_dismissal_is_told_once_whether_it_is_heard_or_found_at_the_next_registration() {
    let (listened, ear) = registered(10);
    let tell = |dismissed_at| {
        let count = listened.count(BASE, Mark::Leave);
        listened.told(BASE, count, Told { newest: newest(1, 10), dismissed_at });
    };
    listened.dismissed(BASE, 500);
    assert_eq!(dismissals(&ear), 1);
    tell(500);
    assert_eq!(dismissals(&ear), 0, "it is known");
    tell(600);
    assert_eq!(dismissals(&ear), 1, "it was not heard");
    listened.dismissed(BASE, 600);
    tell(0);
    assert_eq!(dismissals(&ear), 0, "a Redis that has forgotten says nothing");
    listened.dismissed(BASE, 700);
    assert_eq!(dismissals(&ear), 1);
}

#[test]
fn who_comes_after_a_dismissal_is_not_dismissed_and_who_came_before_is() {
    for (registered_at, expected) in [(500, 0), (400, 1)] {
        let (listened, ear) = listened();
        listened.listen(BASE, &pipe(), EarId(0));
        let count = listened.count(BASE, Mark::Tell);
        // Heard while the registration is on its way.
        listened.dismissed(BASE, 500);
        assert_eq!(dismissals(&ear), 0);
        listened.told(BASE, count, Told { newest: newest(1, 10), dismissed_at: registered_at });
        assert_eq!(dismissals(&ear), expected, "registered at {registered_at}");
    }
}

#[test]
fn what_is_told_all_anew_is_not_taken_for_told_by_an_answer_to_what_was_said_before() {
    let (listened, _ear) = registered(10);
    let before = listened.count(BASE, Mark::Tell);
    listened.tell_all();
    listened.told(BASE, before, at_rest(newest(1, 10)));
    assert_eq!(listened.untold().len(), 1);
    let again = listened.count(BASE, Mark::Tell);
    listened.told(BASE, again, at_rest(newest(1, 10)));
    assert!(listened.untold().is_empty());
}

#[test]
fn others_are_told_once_that_a_user_is_here_whatever_redis_forgets() {
    let (listened, _ear) = registered(10);
    let tell = || {
        let count = listened.count(BASE, Mark::Tell);
        listened.told(BASE, count, at_rest(newest(1, 10)));
        count.mark
    };
    assert_eq!([tell(), tell()], [Mark::Tell, Mark::Again]);
    listened.tell_all();
    assert_eq!(tell(), Mark::Again);
    listened.unmark_all();
    let left = listened.count(BASE, Mark::Leave);
    assert_eq!(left.mark, Mark::Tell, "they took the user for gone");
    listened.told(BASE, left, at_rest(newest(1, 10)));
    assert_eq!(tell(), Mark::Again);
    listened.unlisten(BASE, EarId(0));
    listened.listen(BASE, &pipe(), EarId(0));
    assert_eq!(tell(), Mark::Tell, "the others may have been told that the user has gone");
}

#[test]
fn letters_are_subscribed_to_and_follow_a_new_number() {
    let (listened, _ear) = listened();
    listened.open_letters("one".into());
    assert_eq!(changes(&listened).subscribe, ["one"]);
    listened.subscribed(SERVER, &["one".to_owned()]);
    listened.open_letters("two".to_owned());
    let both = changes(&listened);
    assert_eq!((both.subscribe, both.unsubscribe), (vec!["two".to_owned()], vec!["one".to_owned()]));
    listened.subscribed(SERVER, &["two".to_owned()]);
    assert!(changes(&listened).subscribe.is_empty() && listened.is_letters("two") && !listened.is_letters("one"));
    listened.all_unsubscribed(SERVER);
    assert_eq!(changes(&listened).subscribe, ["two"]);
}

#[test]
fn what_redis_has_and_was_not_heard_is_told_as_lost_once() {
    let (listened, ear) = registered(10);
    for head in [at(1, 9), at(1, 10), at(0, 0)] {
        assert!(!listened.is_behind(BASE, head), "{head:?}");
    }
    for head in [at(1, 11), at(2, 3)] {
        assert!(listened.is_behind(BASE, head), "{head:?}");
    }
    let mut waiting = [11, 12].map(|index| listened.hearing(BASE, published(at(1, index))).unwrap());
    listened.missing(BASE, at(1, 11));
    listened.missing(BASE, at(1, 11));
    assert_eq!(told(&ear), [0]);
    assert!(waiting[0].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
    assert!(waiting[1].try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Empty));
    listened.heard(BASE, &delivery(at(1, 11), 11), Vec::new());
    listened.missing(BASE, at(1, 11));
    assert_eq!(told(&ear), [11], "it came after all");
    listened.all_unsubscribed(SERVER);
    assert!(!listened.is_behind(BASE, at(1, 20)), "then all is lost");
}

#[test]
fn a_count_that_redis_does_not_have_is_told_again() {
    let (listened, _ear) = registered(10);
    let version = listened.count(BASE, Mark::Leave).version;
    assert!(!listened.is_told_again(BASE, version));
    assert!(listened.untold().is_empty());
    assert!(listened.is_told_again(BASE, 0));
    assert_eq!(listened.untold().len(), 1);
}
