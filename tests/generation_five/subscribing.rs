//! Pipes are added and left.

use cometql::ws;
use serde_json::{Value, json};

use super::browser::{Browser, masked};
use super::world::{config, world};
use super::{at, is_error, moved, texts};

#[test]
fn each_pipe_begins_where_the_client_wants_it() {
    let world = world(config());
    world.keep("log", 100);
    let last = (0..5).map(|number| world.publish("log", &format!("\"{number}\"")).position).last().unwrap();
    let mut browser = Browser::newcomer(world.address);
    browser.say(&json!({"do": "subscribe", "id": 7, "pipes": [
        {"pipe": "news"},
        {"pipe": "log", "last": 2},
        {"pipe": "chat", "last": 3, "unknown": 1},
    ]}));
    let told = browser.hear_up_to_answer(7);
    let [news, of_log, log, of_chat, chat] = &told[..] else { panic!("{told:?}") };
    let subscribed = |pipe, position: &Value| json!({"is": "subscribed", "id": 7, "pipe": pipe, "position": position});
    assert_eq!((news, &news["position"][1]), (&subscribed("news", &news["position"]), &json!(0)));
    assert_eq!((&of_log["is"], &of_log["id"], &of_log["more"]), (&json!("history"), &json!(7), &json!(false)));
    assert_eq!(texts(of_log["messages"].as_array().unwrap()), ["3", "4"]);
    assert_eq!(*log, subscribed("log", &at(last)));
    assert_eq!((&of_chat["messages"], &of_chat["more"]), (&json!([]), &json!(false)));
    assert_eq!(*chat, subscribed("chat", &chat["position"]));

    let live = world.publish("log", "{\"k\":1}");
    let message = browser.hear();
    assert_eq!(live.position, moved(last, 1));
    let expected = json!({
        "is": "message", "pipe": "log", "event": "event", "data": {"k": 1}, "position": at(live.position),
        "uuid": message["uuid"], "time": 1_700_000_000_000_u64,
    });
    assert_eq!(message, expected);
}

#[test]
fn a_pipe_that_is_subscribed_already_stays_as_it_is() {
    let world = world(config());
    let mut browser = Browser::follower(world.address, &["room"]);
    let told = browser.follow(&json!({"pipe": "room", "last": 5, "position": [1, 2]}));
    assert_eq!(told, [json!({"is": "subscribed", "id": 1, "pipe": "room"})]);
    browser.say(&json!({"do": "subscribe", "id": 2, "pipes": [{"pipe": "hall"}, {"pipe": "hall"}]}));
    let told = browser.hear_up_to_answer(2);
    assert_eq!(told.iter().filter(|told| told.get("position").is_some()).count(), 1, "{told:?}");
    world.publish_all(vec![("room", "1"), ("hall", "2")]);
    assert_eq!((&browser.hear()["data"], &browser.hear()["data"]), (&json!(1), &json!(2)), "once");
    browser.say(&json!({"do": "subscribe", "id": 3, "pipes": []}));
    assert_eq!(browser.hear_up_to_answer(3), [Value::Null; 0]);
}

#[test]
fn a_pipe_that_cannot_be_subscribed_to_is_named_and_the_others_stand() {
    let world = world(config());
    let mut browser = Browser::newcomer(world.address);
    let long = "x".repeat(65);
    let names = ["x", "früh", &long, "private_room", "room"];
    let pipes: Vec<Value> = names.iter().map(|name| json!({"pipe": name})).collect();
    browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
    let told = browser.hear_up_to_answer(1);
    assert_eq!(told.len(), 5, "{told:?}");
    for (name, code) in [("x", 400), ("früh", 400), (&long[..64], 400), ("private_room", 403)] {
        assert!(told.iter().any(|told| is_error(told, 1, code) && told["pipe"] == name), "{name}: {told:?}");
    }
    world.publish("room", "\"the others stand\"");
    assert_eq!(browser.hear()["data"], "the others stand");
}

#[test]
fn a_connection_has_so_many_subscriptions_and_no_more() {
    let world = world(config());
    let mut browser = Browser::newcomer(world.address);
    let pipes: Vec<Value> = (0..1_024).map(|number| json!({"pipe": format!("pipe_{number}")})).collect();
    browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
    let told = browser.hear_up_to_answer(1);
    assert_eq!(told.iter().filter(|told| told["is"] == "subscribed").count(), 1_024);
    assert!(told.iter().zip(&pipes).all(|(told, pipe)| told["pipe"] == pipe["pipe"]), "in their order");
    let told = browser.follow(&json!({"pipe": "one_more"}));
    assert!(told.len() == 1 && is_error(&told[0], 1, 429) && told[0]["pipe"] == "one_more", "{told:?}");
    browser.say(&json!({"do": "unsubscribe", "id": 2, "pipes": ["pipe_7"]}));
    browser.hear_up_to_answer(2);
    assert_eq!(browser.follow(&json!({"pipe": "one_more"}))[0]["is"], "subscribed");
    for (id, count) in [(3, 1_025), (4, 50_000)] {
        let pipes: Vec<Value> = (0..count).map(|_| json!({"pipe": "p"})).collect();
        let refusal = browser.ask(&json!({"do": "subscribe", "id": id, "pipes": pipes}));
        assert!(is_error(&refusal, id, 429), "{refusal}");
        let names: Vec<&str> = (0..count).map(|_| "pipe_1").collect();
        let refusal = browser.ask(&json!({"do": "unsubscribe", "id": id, "pipes": names}));
        assert!(is_error(&refusal, id, 429), "{refusal}");
    }
    world.publish("pipe_1", "1");
    assert_eq!(browser.hear()["data"], 1, "a list that was refused changes nothing");
}

#[test]
fn many_refusals_are_no_slowness() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1_024, ..config() });
    let mut browser = Browser::newcomer(world.address);
    let name = "\u{1}".repeat(64);
    let pipes: Vec<Value> = (0..1_024).map(|_| json!({"pipe": name})).collect();
    let command = |id: u64| masked(0x81, json!({"do": "subscribe", "id": id, "pipes": pipes}).to_string().as_bytes());
    let commands: Vec<u8> = (1..=20).flat_map(command).collect();
    let mut sending = browser.socket.try_clone().unwrap();
    std::thread::scope(|scope| {
        // The node answers before it reads on.
        scope.spawn(|| std::io::Write::write_all(&mut sending, &commands).unwrap());
        for id in 1..=20 {
            assert_eq!(browser.hear_up_to_answer(id).len(), 1_024);
        }
    });
    assert_eq!(world.status.browsers_too_slow(), 0);
}

#[test]
fn who_has_left_hears_no_more_and_may_come_again() {
    let world = world(config());
    let mut browser = Browser::follower(world.address, &["room", "hall", "fence"]);
    for names in [json!(["room", "nowhere", "no name"]), json!(["room"]), json!([])] {
        let answer = browser.ask(&json!({"do": "unsubscribe", "id": 1, "pipes": names}));
        assert_eq!(answer, json!({"is": "answer", "id": 1}));
    }
    assert_eq!((world.listeners("room"), world.listeners("hall")), (0, 1));
    let left_at = world.publish("room", "1").position;
    world.publish("fence", "2");
    assert_eq!(browser.hear()["data"], 2);
    let told = browser.follow(&json!({"pipe": "room"}));
    assert_eq!(told[0]["position"], at(left_at));
    world.publish("room", "3");
    assert_eq!(browser.hear()["data"], 3);
}
