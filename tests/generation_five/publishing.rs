//! Browsers publish.

use cometql::pipe::Position;
use serde_json::{Value, json};

use super::browser::Browser;
use super::world::{config, world};
use super::{is_error, login, with_user};

#[test]
fn a_message_goes_to_all_who_hear_and_to_its_sender() {
    let world = with_user(world(config()));
    let mut hearer = Browser::follower(world.address, &["web_chat", "webauth_chat"]);
    let (mut sender, _) = login(&world, 42, "h4sh", None);
    sender.follow(&json!({"pipe": "web_chat"}));
    let uuid = "0192f4a0-0000-7000-8000-000000000001";
    let data = json!({"text": "it's \u{1} é 😀", "list": [1, null, 1e300]});
    let publish = json!({"do": "publish", "id": 3, "pipe": "web_chat", "event": "say", "data": data, "uuid": uuid});
    sender.say(&publish);
    let (one, other) = (sender.hear(), sender.hear());
    let (answer, own) = if one["is"] == "answer" { (one, other) } else { (other, one) };
    let position = &answer["position"];
    assert_eq!(answer, json!({"is": "answer", "id": 3, "position": position, "receivers": 1, "uuid": uuid}));
    let expected = json!({
        "is": "message", "pipe": "web_chat", "event": "say", "data": data, "position": position, "uuid": uuid,
        "time": 1_700_000_000_000_u64, "user": 42,
    });
    assert_eq!((&own, &hearer.hear()), (&expected, &expected));

    let hidden = sender.ask(&json!({"do": "publish", "id": 4, "pipe": "webauth_chat", "data": 1}));
    assert_eq!(hidden["receivers"], 1);
    assert_eq!(hearer.hear()["user"], 42);
    sender.say(&json!({"do": "publish", "id": 5, "pipe": "web_chat", "data": null, "anonymous": true}));
    let message = hearer.hear();
    assert_eq!((message.get("user"), &message["event"], &message["data"]), (None, &json!(""), &Value::Null));
    let mut stranger = Browser::newcomer(world.address);
    stranger.ask(&json!({"do": "publish", "id": 1, "pipe": "web_chat", "data": "x"}));
    assert_eq!(hearer.hear().get("user"), None);
}

#[test]
fn where_browsers_may_not_publish_they_are_told() {
    let world = with_user(world(config()));
    let (mut member, _) = login(&world, 42, "h4sh", None);
    let mut stranger = Browser::newcomer(world.address);
    for pipe in ["room", "private_room", "trust_room", "track_room", "user_status_1", "msg"] {
        for browser in [&mut member, &mut stranger] {
            let refusal = browser.ask(&json!({"do": "publish", "id": 9, "pipe": pipe, "data": 1}));
            assert!(is_error(&refusal, 9, 403), "{refusal}");
        }
    }
    let publish = |anonymous| json!({"do": "publish", "id": 9, "pipe": "webauth_x", "data": 1, "anonymous": anonymous});
    let refusal = stranger.ask(&publish(false));
    assert!(is_error(&refusal, 9, 403), "{refusal}");
    let refusal = member.ask(&publish(true));
    assert!(is_error(&refusal, 9, 403), "{refusal}");
    assert_eq!(world.publish("room", "x").position.index, 1, "nothing was published");
}

#[test]
fn a_chosen_uuid_said_twice_is_one_message() {
    let world = world(config());
    for pipe in ["web_kept", "web_unkept"] {
        if pipe == "web_kept" {
            world.keep(pipe, 10);
        }
        let mut hearer = Browser::follower(world.address, &[pipe]);
        let publish = json!({
            "do": "publish", "id": 1, "pipe": pipe, "data": "once", "uuid": "0192F4A0-0000-7000-8000-00000000000A",
        });
        let first = Browser::newcomer(world.address).ask(&publish);
        assert_eq!((&first["is"], &first["uuid"]), (&json!("answer"), &json!("0192f4a0-0000-7000-8000-00000000000a")));
        let again = Browser::newcomer(world.address).ask(&publish);
        assert_eq!(again, first);
        let other = Browser::newcomer(world.address).ask(&json!({"do": "publish", "id": 1, "pipe": pipe, "data": 2}));
        assert_eq!((&hearer.hear()["data"], &hearer.hear()["data"]), (&json!("once"), &json!(2)), "{pipe}");
        assert_eq!(other["position"][1], first["position"][1].as_u64().unwrap() + 1);
        world.clock.forward(301_000);
        let later = Browser::newcomer(world.address).ask(&publish);
        assert_ne!(later["position"], first["position"], "five minutes later it is another");
        assert_eq!(hearer.hear()["data"], "once");
    }
}

#[test]
fn data_arrives_as_it_was_written() {
    let world = world(config());
    let mut browser = Browser::follower(world.address, &["web_room"]);
    let mut sender = Browser::newcomer(world.address);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in ["1e400", "-0.0", "123456789012345678901234567890", "{\"a\":1,\"a\":2}", "\"\\u0000\\ud83d\"", &deep] {
        sender.send_text(&format!("{{\"do\":\"publish\",\"id\":1,\"pipe\":\"web_room\",\"data\": {text} }}"));
        assert_eq!(sender.hear()["is"], "answer", "{}", &text[..text.len().min(40)]);
        let frame = browser.frame();
        let heard = std::str::from_utf8(&frame.payload).unwrap();
        assert!(heard.contains(&format!("\"data\":{text},\"position\"")), "{}", &heard[..heard.len().min(100)]);
    }
    let position = world.publish("web_room", "no json").position;
    assert_eq!(position, Position { index: 7, ..position });
    assert_eq!(browser.hear()["data"], "no json");
}
