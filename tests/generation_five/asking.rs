//! Commands that ask for something, and what is no command.

use cometql::ws;
use serde_json::{Value, json};

use super::browser::Browser;
use super::world::{config, user, world};
use super::{is_error, login, texts, with_user};

/// All pages that answer `history`.
fn pages(browser: &mut Browser, command: &Value) -> Vec<Value> {
    browser.say(command);
    let mut pages = Vec::new();
    loop {
        let page = browser.hear();
        assert_eq!((&page["is"], &page["id"]), (&json!("history"), &command["id"]), "{page}");
        pages.push(page);
        if pages.last().unwrap()["more"] == false {
            return pages;
        }
    }
}

#[test]
fn a_history_comes_in_pages_and_the_last_says_so() {
    let world = world(ws::Config { outbox_bytes_max: 512 * 1_024, ..config() });
    world.keep("long", 200);
    let text = |number| format!("\"{number:03}{}\"", "x".repeat(20_000));
    for number in 0..200 {
        world.publish("long", &text(number));
    }
    let mut browser = Browser::newcomer(world.address);
    let all = pages(&mut browser, &json!({"do": "history", "id": 4, "pipe": "long"}));
    assert!(all.len() >= 4_000_000 / (256 * 1_024), "{} pages", all.len());
    let messages: Vec<Value> = all.iter().flat_map(|page| page["messages"].as_array().unwrap().clone()).collect();
    let numbers: Vec<usize> = texts(&messages).iter().map(|text| text[..3].parse().unwrap()).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    let keys: Vec<&String> = messages[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["data", "event", "position", "time", "uuid"]);
    for last in [0, 1, 5, 1_000_000] {
        let all = pages(&mut browser, &json!({"do": "history", "id": 5, "pipe": "long", "last": last}));
        let count: usize = all.iter().map(|page| page["messages"].as_array().unwrap().len()).sum();
        assert_eq!(count, last.min(200));
    }
    assert_eq!(world.status.browsers_too_slow(), 0);
}

#[test]
fn a_history_may_be_empty_or_private() {
    let world = with_user(world(config()));
    let mut stranger = Browser::newcomer(world.address);
    let empty = json!({"is": "history", "id": 1, "pipe": "room", "messages": [], "more": false});
    assert_eq!(stranger.ask(&json!({"do": "history", "id": 1, "pipe": "room"})), empty);
    let of_private = json!({"do": "history", "id": 2, "pipe": "private_room"});
    assert!(is_error(&stranger.ask(&of_private), 2, 403));
    let (mut member, _) = login(&world, 42, "h4sh", None);
    assert_eq!(member.ask(&of_private)["messages"], json!([]));
}

#[test]
fn questions_are_answered() {
    let world = with_user(world(config()));
    world.set_data(user(42), "it's {\"data\"}");
    world.set_seen(user(7), 1_600_000_000);
    let (mut member, _) = login(&world, 42, "h4sh", None);
    member.follow(&json!({"pipe": "track_hall"}));
    let mut browser = Browser::five(world.address);
    browser.ask(&json!({"do": "hello", "uuid": "me \"there\""}));
    browser.follow(&json!({"pipe": "track_hall"}));
    let cases = [
        (json!({"do": "count", "id": 5, "pipe": "track_hall"}), json!({"count": 2})),
        (json!({"do": "count", "id": 5, "pipe": "web_nobody"}), json!({"count": 0})),
        (json!({"do": "user_data", "id": 7, "user": 42}), json!({"data": "it's {\"data\"}"})),
        (json!({"do": "user_data", "id": 7, "user": 8}), json!({"data": ""})),
        (json!({"do": "seen", "id": 8, "user": 42}), json!({"status": "online"})),
        (json!({"do": "seen", "id": 8, "user": 7}), json!({"status": "offline", "seen_at": 1_600_000_000})),
        (json!({"do": "seen", "id": 8, "user": 8}), json!({"status": "unknown"})),
        (json!({"do": "ping", "id": 9}), json!({})),
        (json!({"do": "ping", "id": u64::MAX, "data": [1], "pipe": "x", "unknown": {"a": []}}), json!({})),
    ];
    for (command, rest) in cases {
        let mut expected = rest;
        (expected["is"], expected["id"]) = (json!("answer"), command["id"].clone());
        assert_eq!(browser.ask(&command), expected, "{command}");
    }
    let answer = browser.ask(&json!({"do": "users", "id": 6, "pipe": "track_hall"}));
    let mut users = answer["users"].as_array().unwrap().clone();
    users.sort_by_key(|present| present["user"].as_u64());
    assert_eq!(users, [json!({"user": null, "uuid": "me \"there\""}), json!({"user": 42, "uuid": ""})]);
}

#[test]
fn what_may_not_be_asked_is_refused() {
    let world = world(config());
    let mut browser = Browser::newcomer(world.address);
    for (what, pipe, code) in [
        ("count", "room", 403),
        ("count", "private_room", 403),
        ("users", "room", 403),
        ("users", "web_room", 403),
        ("count", "x", 400),
        ("users", "no name", 400),
        ("history", "", 400),
    ] {
        let refusal = browser.ask(&json!({"do": what, "id": 5, "pipe": pipe}));
        assert!(is_error(&refusal, 5, code), "{what} {pipe}: {refusal}");
    }
}

#[test]
fn what_is_no_command_is_told_with_its_number_and_the_connection_goes_on() {
    let world = world(config());
    let mut browser = Browser::newcomer(world.address);
    let deep = format!("{{\"do\":\"ping\",\"id\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases = [
        ("", None),
        ("[1,2]", None),
        ("{\"do\":7,\"id\":1}", None),
        ("{\"do\":\"ping\",\"id\":1", None),
        ("{\"do\":\"ping\"}", None),
        ("{\"do\":\"ping\",\"id\":-1}", None),
        ("{\"do\":\"ping\",\"id\":1.5}", None),
        ("{\"do\":\"ping\",\"id\":18446744073709551616}", None),
        ("{\"do\":\"ping\",\"id\":1,\"id\":2}", None),
        ("{\"do\":\"dance\",\"id\":1}", Some(1)),
        ("{\"do\":\"publish\",\"id\":1,\"pipe\":\"web_room\"}", Some(1)),
        ("{\"do\":\"publish\",\"id\":1,\"data\":1}", Some(1)),
        ("{\"do\":\"publish\",\"id\":1,\"pipe\":\"web_room\",\"data\":1,\"event\":\"a b\"}", Some(1)),
        ("{\"do\":\"publish\",\"id\":1,\"pipe\":\"web_room\",\"data\":1,\"uuid\":\"1\"}", Some(1)),
        ("{\"do\":\"subscribe\",\"id\":1,\"pipes\":\"room\"}", Some(1)),
        ("{\"do\":\"subscribe\",\"id\":1,\"pipes\":[{\"pipe\":\"room\",\"position\":[1,-2]}]}", Some(1)),
        ("{\"do\":\"seen\",\"id\":1,\"user\":2147483648}", Some(1)),
        ("{\"do\":\"user_data\",\"id\":1,\"user\":0}", Some(1)),
        ("{\"do\":\"taken\",\"id\":1}", Some(1)),
        (&deep, None),
        ("{\"do\":\"ping\",\"id\":1,\"unknown\":", None),
    ];
    for (text, id) in cases {
        browser.send_text(text);
        let refusal = browser.hear();
        assert!(is_error(&refusal, id, 400), "{}: {refusal}", &text[..text.len().min(80)]);
        assert_eq!(refusal.get("id").is_some(), id.is_some(), "{refusal}");
    }
    let unknown = format!("{{\"unknown\":{}1{},\"do\":\"ping\",\"id\":2}}", "[".repeat(100_000), "]".repeat(100_000));
    browser.send_text(&unknown);
    assert_eq!(browser.hear(), json!({"is": "answer", "id": 2}));
}

#[test]
fn a_frame_that_is_too_long_ends_the_connection() {
    let world = world(ws::Config { message_bytes_max: 1_000, ..config() });
    let mut browser = Browser::newcomer(world.address);
    let command = |bytes: usize| json!({"do": "ping", "id": 1, "unknown": "x".repeat(bytes)});
    let overhead = command(0).to_string().len();
    assert_eq!(browser.ask(&command(1_000 - overhead))["is"], "answer");
    browser.say(&command(1_001 - overhead));
    assert_eq!(browser.closed(), (1009, "too long".to_owned()));
}
