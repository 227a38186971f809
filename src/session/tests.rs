use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::node::{Listening, Page, Recovered, Since};
use crate::pipe::{Delivery, Message};

struct World {
    hub: Hub,
    outboxes: Outboxes,
}

impl World {
    fn new() -> World {
        World { hub: Hub::default(), outboxes: Outboxes::new(1_000_000) }
    }

    fn around(&mut self) -> Surroundings<'_> {
        Surroundings {
            hub: &mut self.hub,
            outboxes: &mut self.outboxes,
            now: UnixMillis(1_700_000_000_000),
            terms: five::Terms { ping_seconds: 25, message_bytes_max: 1_000, subscriptions_max: 3 },
        }
    }

    fn open(&mut self, credentials: Option<Credentials>, major_version: u32) -> (Session, Next) {
        let id = ConnectionId { node: 0, shard: 0, slot: 0, serial: 1 };
        self.outboxes.open(id);
        let nothing: Arc<str> = Arc::from("");
        let about = About {
            uuid: "u".into(),
            address: IpAddr::from([127, 0, 0, 1]),
            user_agent: Arc::clone(&nothing),
            origin: Arc::clone(&nothing),
            language: nothing,
        };
        let hello = Hello { tenant: TenantId(1), credentials, major_version, about };
        Session::open(id, EarId(0), hello, &mut self.around())
    }

    /// The frames in the outbox of slot 0, without their headers.
    fn frames(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        while !self.outboxes.is_empty(0) {
            let mut slices = [std::io::IoSlice::new(&[])];
            self.outboxes.front(0, &mut slices);
            bytes.extend_from_slice(&slices[0]);
            let taken = slices[0].len();
            self.outboxes.taken(0, taken);
        }
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (header, length) = match bytes[1] {
                126 => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
                length => (2, usize::from(length)),
            };
            let frame: Vec<u8> = bytes.drain(..header + length).skip(header).collect();
            frames.push(String::from_utf8_lossy(&frame).into_owned());
        }
        frames
    }

    fn sent(&mut self) -> String {
        self.frames().concat()
    }
}

fn credentials() -> Credentials {
    Credentials { tenant: TenantId(1), user: UserId::new(42).unwrap(), key: "key".into() }
}

fn at(index: u64) -> Position {
    Position { epoch: 1, index }
}

fn no_messages() -> Page {
    Page { messages: Vec::new(), up_to: at(0), more: false }
}

/// So many pipes are listened to, each stands at 5.
fn listening(count: usize) -> Answer {
    Answer::Listening(Ok(vec![Listening { position: at(5), listeners: 1, has_appeared: false }; count]))
}

/// Messages of the pipe `room` by their indexes.
fn page(indexes: std::ops::RangeInclusive<u64>, more: bool) -> Page {
    let pipe = Pipe::Named(TenantId(1), PipeName::for_publish("room").unwrap());
    let delivery = |index| {
        Arc::new(Delivery {
            pipe: pipe.clone(),
            position: at(index),
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new(format!("{index}"), 100).unwrap(),
            user: None,
            origin: None,
            sent_at: UnixMillis(0),
            encoded: Default::default(),
        })
    };
    Page { up_to: at(*indexes.end()), messages: indexes.map(delivery).collect(), more }
}

fn asked(next: Next) -> (Vec<String>, Vec<String>) {
    let Some(Ask::Listen { take, leave, .. }) = next.ask else { return Default::default() };
    let names = |pipes: Vec<Pipe>| pipes.iter().map(|pipe| pipe.shown_name().to_owned()).collect();
    (names(take), names(leave))
}

fn names(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_stranger_is_greeted_at_once_and_a_user_when_it_is_known() {
    let mut world = World::new();
    let (session, next) = world.open(None, 4);
    assert!(next.ask.is_none() && next.ending.is_none() && !session.is_waiting());
    assert!(world.sent().contains("\"authorized\":false"));

    let (mut session, next) = world.open(Some(credentials()), 4);
    assert!(matches!(next.ask, Some(Ask::Authorise(_))));
    assert!(session.is_waiting());
    assert_eq!(world.sent(), "");
    let next = session.answered(Answer::Authorised(Ok(true)), &mut world.around());
    assert_eq!(asked(next), (names(&["msg"]), names(&[])));
    let next = session.answered(listening(1), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Read { since: Since::Untaken, .. })));
    session.answered(Answer::Page(Ok(no_messages())), &mut world.around());
    assert!(!session.is_waiting());
    assert!(world.sent().starts_with("{\"authorized\":true,\"data\":\"key\""));
    assert_eq!(session.user().map(UserId::number), Some(42));
}

#[test]
fn a_library_that_is_too_old_is_told_and_sent_away() {
    let mut world = World::new();
    let (_, next) = world.open(None, 3);
    assert_eq!(next.ending, Some(Ending::UnknownGeneration));
    assert!(world.sent().contains("\"error\":418"));
}

#[test]
fn a_new_list_replaces_the_old_and_asks_only_for_the_difference() {
    let mut world = World::new();
    let (mut session, _) = world.open(None, 4);
    let next = session.received("subscription\nbb\naa", &mut world.around());
    assert_eq!(asked(next), (names(&["aa", "bb"]), names(&[])));
    session.answered(listening(2), &mut world.around());
    let next = session.received("subscription\ncc\nbb", &mut world.around());
    assert_eq!(asked(next), (names(&["cc"]), names(&["aa"])));
    session.answered(listening(2), &mut world.around());
    assert!(session.received("subscription\nbb\ncc", &mut world.around()).ask.is_none());
    let departure = session.closed(&mut world.around());
    assert_eq!(asked(Next { ask: departure, ending: None }).1, names(&["bb", "cc"]));
    assert!(session.closed(&mut world.around()).is_none());
}

#[test]
fn what_is_not_allowed_is_skipped_and_said_and_the_rest_stands() {
    let mut world = World::new();
    let (mut session, _) = world.open(None, 4);
    world.sent();
    let next = session.received("subscription\nprivate_x\nx\naa", &mut world.around());
    assert_eq!(asked(next), (names(&["aa"]), names(&[])));
    let sent = world.sent();
    assert!(sent.contains("private pipes need a login") && sent.contains("a name that is too short"), "{sent}");
    session.answered(listening(2), &mut world.around());
    let next = session.received("subscription\naa\nbb\ncc\ndd\nee", &mut world.around());
    assert_eq!(asked(next), (names(&["bb", "cc"]), names(&[])));
    assert!(world.sent().contains("subscriptions_max = 3"));
}

#[test]
fn a_user_may_have_private_pipes() {
    let mut world = World::new();
    let (mut session, _) = world.open(Some(credentials()), 4);
    session.answered(Answer::Authorised(Ok(true)), &mut world.around());
    session.answered(listening(1), &mut world.around());
    session.answered(Answer::Page(Ok(no_messages())), &mut world.around());
    let next = session.received("subscription\nprivate_x", &mut world.around());
    assert_eq!(asked(next).0, names(&["private_x"]));
}

#[test]
fn a_login_that_was_taken_back_before_the_log_was_heard_ends() {
    for version in [4, 5] {
        let mut world = World::new();
        let (mut session, _) = world.open(Some(credentials()), version);
        if version == 5 {
            session.received(r#"{"do":"hello","user":42,"key":"key"}"#, &mut world.around());
        }
        let next = session.answered(Answer::Authorised(Ok(true)), &mut world.around());
        let Some(Ask::Listen { login, .. }) = next.ask else { panic!("it listens to the log") };
        assert_eq!(login.map(|login| login.key), Some("key".to_owned()), "which is shown once more");
        let next = session.answered(Answer::Authorised(Ok(false)), &mut world.around());
        assert_eq!((next.ask.is_none(), next.ending), (true, Some(Ending::Revoked)));
        let leaves = session.closed(&mut world.around());
        assert_eq!(asked(Next { ask: leaves, ending: None }).1, names(&["msg"]));
    }
}

#[test]
fn a_browser_whose_pipes_cannot_be_heard_is_sent_back() {
    let mut world = World::new();
    let (mut session, _) = world.open(None, 4);
    session.received("subscription\naa", &mut world.around());
    let failed = Answer::Listening(Err(StoreError::Unavailable("x".into())));
    assert_eq!(session.answered(failed, &mut world.around()).ending, Some(Ending::NoStore));
}

#[test]
fn who_publishes_and_may_have_published_is_told_so() {
    let mut world = World::new();
    let (mut session, _) = world.open(None, 5);
    session.received(r#"{"do":"hello"}"#, &mut world.around());
    session.received(r#"{"do":"publish","id":1,"pipe":"web_room","data":2}"#, &mut world.around());
    world.frames();
    let unknown = Answer::Published(Err(StoreError::Unknown("it broke".into())));
    session.answered(unknown, &mut world.around());
    let said = world.frames().join(" ");
    assert!(said.contains("503") && said.contains("may have been published") && said.contains("same uuid"), "{said}");
}

/// Frames of generation 5, each as its kind and what matters of it.
fn told(world: &mut World) -> Vec<String> {
    let words = world.frames().into_iter().map(|frame| {
        let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
        let word = |key: &str| frame.get(key).map(|value| format!(" {}", value.to_string().replace('"', "")));
        let keys = ["pipe", "data", "position", "recovered", "code"];
        let rest: String = keys.iter().filter_map(|key| word(key)).collect();
        let messages = frame.get("messages").map_or(String::new(), |all| format!(" {}", all.as_array().unwrap().len()));
        format!("{}{rest}{messages}", frame["is"].as_str().unwrap())
    });
    words.collect()
}

/// A stranger of generation 5, greeted.
fn stranger(world: &mut World) -> Session {
    let (mut session, next) = world.open(None, 5);
    assert!(next.ask.is_none() && next.ending.is_none() && world.sent().is_empty(), "it speaks first");
    let next = session.received(r#"{"do":"hello","uuid":"u"}"#, &mut world.around());
    assert!(next.ask.is_none() && next.ending.is_none());
    assert!(world.sent().contains(r#""user":null"#));
    session
}

#[test]
fn the_first_frame_and_no_other_is_a_hello() {
    let mut world = World::new();
    let mut session = stranger(&mut world);
    let next = session.received(r#"{"do":"hello"}"#, &mut world.around());
    assert_eq!(next.ending, Some(Ending::NoHello));
    for first in [r#"{"do":"ping","id":1}"#, "subscription\nroom", ""] {
        let (mut session, _) = world.open(None, 5);
        let next = session.received(first, &mut world.around());
        assert_eq!(next.ending, Some(Ending::NoHello), "{first}");
    }
    assert_eq!(world.open(None, 6).1.ending, Some(Ending::UnknownGeneration));
}

#[test]
fn who_was_away_is_sent_what_it_missed_and_then_what_is_live() {
    let mut world = World::new();
    let mut session = stranger(&mut world);
    let subscribe = r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"room","position":[1,2]},{"pipe":"hall","position":[1,5]},{"pipe":"x"}]}"#;
    let next = session.received(subscribe, &mut world.around());
    assert_eq!(asked(next).0, names(&["room", "hall"]));
    let next = session.answered(listening(2), &mut world.around());
    let Some(Ask::Recover { after, .. }) = next.ask else { panic!() };
    assert_eq!(after, at(2));
    // More arrives before what was missed has been read; some of that is read as well.
    let arrived = page(6..=8, false);
    let pipe = arrived.messages[0].pipe.clone();
    let next = world.hub.arrive(&pipe, &arrived.messages, 1_000).into_owned();
    let run = crate::hub::Run { pipe: &pipe, deliveries: &next, encode: frame::of_run };
    world.hub.deliver(&run, &mut world.outboxes);
    let recovered = Answer::Recovered(Ok(Recovered::Page(page(3..=7, false))));
    assert!(session.answered(recovered, &mut world.around()).ask.is_none());
    let mut expected = vec!["error x 400".to_owned(), "subscribed room [1,2] true".to_owned()];
    expected.extend((3..=8).map(|index| format!("message room {index} [1,{index}]")));
    expected.extend(["subscribed hall [1,5] true", "answer"].map(str::to_owned));
    assert_eq!(told(&mut world), expected);
    assert!(!session.is_waiting());
}

#[test]
fn who_was_away_for_too_long_is_told_so() {
    let mut world = World::new();
    let mut session = stranger(&mut world);
    let subscribe = r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"room","position":[9,2]},{"pipe":"hall","position":[1,3],"last":10}]}"#;
    session.received(subscribe, &mut world.around());
    session.answered(listening(2), &mut world.around());
    let next = session.answered(Answer::Recovered(Ok(Recovered::Lost(at(6)))), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Recover { .. })), "the other pipe has its turn");
    let next = session.answered(Answer::Recovered(Ok(Recovered::Lost(at(5)))), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Read { since: Since::Newest(10), .. })));
    session.answered(Answer::Page(Ok(page(4..=5, false))), &mut world.around());
    assert_eq!(
        told(&mut world),
        ["subscribed room [1,6] false", "history hall 2", "subscribed hall [1,5] false", "answer"]
    );
}

#[test]
fn what_is_lost_while_it_is_read_is_a_gap() {
    let mut world = World::new();
    let mut session = stranger(&mut world);
    let subscribe = r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"room","position":[1,1]}]}"#;
    session.received(subscribe, &mut world.around());
    session.answered(listening(1), &mut world.around());
    let next = session.answered(Answer::Recovered(Ok(Recovered::Page(page(2..=3, true)))), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Recover { after: Position { index: 3, .. }, .. })));
    session.answered(Answer::Recovered(Ok(Recovered::Lost(at(9)))), &mut world.around());
    let expected =
        ["subscribed room [1,1] true", "message room 2 [1,2]", "message room 3 [1,3]", "gap room [1,9]", "answer"];
    assert_eq!(told(&mut world), expected);
}

#[test]
fn pipes_are_added_and_left_one_by_one() {
    let mut world = World::new();
    let mut session = stranger(&mut world);
    session.received(r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"aa"},{"pipe":"private_b"}]}"#, &mut world.around());
    session.answered(listening(1), &mut world.around());
    assert_eq!(told(&mut world), ["error private_b 403", "subscribed aa [1,5]", "answer"]);
    let subscribe = r#"{"do":"subscribe","id":2,"pipes":[{"pipe":"aa"},{"pipe":"bb"},{"pipe":"bb"}]}"#;
    let next = session.received(subscribe, &mut world.around());
    assert_eq!(asked(next).0, names(&["bb"]));
    session.answered(listening(1), &mut world.around());
    assert_eq!(told(&mut world), ["subscribed aa", "subscribed bb", "subscribed bb [1,5]", "answer"]);
    session.received(r#"{"do":"subscribe","id":3,"pipes":[{"pipe":"cc"},{"pipe":"dd"}]}"#, &mut world.around());
    session.answered(listening(1), &mut world.around());
    assert_eq!(told(&mut world), ["error dd 429", "subscribed cc [1,5]", "answer"]);
    let next = session.received(r#"{"do":"unsubscribe","id":4,"pipes":["aa","zz","cc"]}"#, &mut world.around());
    assert_eq!(asked(next).1, names(&["aa", "cc"]));
    session.answered(listening(0), &mut world.around());
    assert_eq!((told(&mut world), session.subscription_count()), (vec!["answer".to_owned()], 1));
    let next = session.received(r#"{"do":"unsubscribe","id":4,"pipes":["aa"]}"#, &mut world.around());
    assert!(next.ask.is_none() && told(&mut world) == ["answer"]);
}

#[test]
fn a_device_is_sent_what_it_missed_of_its_users_log_and_says_what_it_has_taken() {
    let mut world = World::new();
    let (mut session, _) = world.open(None, 5);
    let hello = r#"{"do":"hello","uuid":"u","user":42,"key":"key","position":[1,4]}"#;
    assert!(matches!(session.received(hello, &mut world.around()).ask, Some(Ask::Authorise(_))));
    session.answered(Answer::Authorised(Ok(true)), &mut world.around());
    let next = session.answered(listening(1), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Recover { after: Position { index: 4, .. }, .. })));
    // The log is too far on: it begins with what nobody has taken.
    let next = session.answered(Answer::Recovered(Ok(Recovered::Lost(at(5)))), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Read { since: Since::Untaken, .. })));
    session.answered(Answer::Page(Ok(page(5..=5, false))), &mut world.around());
    let told = told(&mut world);
    assert!(told[0].starts_with("welcome"));
    assert_eq!(told[1..], ["subscribed msg [1,4] false", "message room 5 [1,5]"]);
    for (taken, expected) in [("[2,5]", None), ("[1,6]", None), ("[1,5]", Some(5)), ("[1,5]", None), ("[1,2]", None)] {
        let next = session.received(&format!(r#"{{"do":"taken","position":{taken}}}"#), &mut world.around());
        let asked = next.ask.map(|ask| match ask {
            Ask::Take { index, .. } => index,
            _ => panic!(),
        });
        assert_eq!(asked, expected, "{taken}");
        session.answered(Answer::Taken(Ok(())), &mut world.around());
    }
}

#[test]
fn what_has_waited_for_a_user_since_an_epoch_that_is_over_is_read_and_the_rest_recovered() {
    let mut world = World::new();
    let (mut session, _) = world.open(Some(credentials()), 4);
    session.answered(Answer::Authorised(Ok(true)), &mut world.around());
    session.answered(listening(1), &mut world.around());
    let old = page(1..=2, true);
    let old = Page { up_to: Position { epoch: 2, ..old.up_to }, ..old };
    let next = session.answered(Answer::Page(Ok(old)), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Read { since: Since::After(2), .. })));
    let next = session.answered(Answer::Page(Ok(page(3..=4, true))), &mut world.around());
    assert!(matches!(next.ask, Some(Ask::Recover { after: Position { index: 4, .. }, .. })));
}
