//! Each command of the browser with its answer, however its bytes arrive.

use serde_json::{Value, json};

use super::browser::{Browser, masked};
use super::world::{World, config, user, world};

/// What a stranger whose pipe `web_room` has one more subscriber says, and what it is told, as far as that matters.
fn conversations() -> Vec<(String, Vec<Value>)> {
    [publishing(), asking()].concat()
}

fn refused() -> Value {
    json!({"data": {"number_messages": -1}, "event": "error", "pipe": "sys"})
}

fn publishing() -> Vec<(String, Vec<Value>)> {
    let report = |text: &str| json!({"data": {"message": text, "number_messages": 1}, "event": "answer", "pipe": "_answer_to_web_room"});
    let long = "x".repeat(70_000);
    vec![
        ("web_pipe2\nweb_room\nsay\n*\n\"hi\"".into(), vec![report("\"hi\"")]),
        ("web_pipe2\n@web_room\n\n*\ntwo\nlines".into(), vec![report("two\nlines")]),
        (format!("web_pipe2\nweb_room\nsay\n*\n{long}"), vec![report(&long)]),
        ("web_pipe2\nplain\nsay\n*\nx".into(), vec![refused()]),
        ("web_pipe2\nprivate_x\nsay\n*\nx".into(), vec![refused()]),
        ("web_pipe2\ntrack_hall\nsay\n*\nx".into(), vec![refused()]),
        ("web_pipe2\nwebauth_x\nsay\n*\nx".into(), vec![refused()]),
        ("web_pipe2\n@webauth_x\nsay\n*\nx".into(), vec![refused()]),
        ("web_pipe2\nweb_room\nsay".into(), vec![refused()]),
        ("web_pipe2\nweb room\nsay\n*\nx".into(), vec![refused()]),
        (format!("web_pipe2\nweb_room\n{}\n*\nx", "e".repeat(65)), vec![refused()]),
        (format!("web_pipe2\nweb_{}\nsay\n*\nx", "n".repeat(65)), vec![refused()]),
    ]
}

fn asking() -> Vec<(String, Vec<Value>)> {
    let refused_user = || json!({"data": {"user_data": "", "user_id": -1}, "event": "error", "pipe": "sys"});
    let not_subscribed = |code: &str| json!({"data": {"code": code}, "event": "error", "pipe": "sys"});
    let history = |text: &str| json!({"data": text, "event": "event", "fromQueue": true, "history": true, "pipe": "kept", "user_id": 0});
    let count = |marker: &str| {
        json!({"data": {"0": "user_in_pipe", "1": 1, "user_in_pipe": 1}, "event": "user_in_pipe", "marker": marker,
               "pipe": "_answer_pipe_count"})
    };
    let seen = |user: u32, seconds: i64| {
        json!({"data": {"last_online_time": seconds}, "event": format!("user_status_{user}"),
               "pipe": "_answer_user_status"})
    };
    vec![
        ("pipe_log\nkept\n48\n".into(), vec![history("m1"), history("m2")]),
        ("pipe_log\nnothing\n48\n".into(), vec![]),
        ("pipe_log\nprivate_x\n48\n".into(), vec![refused()]),
        ("pipe_log\nx\n48\n".into(), vec![refused()]),
        ("pipe_count\nweb_room\n4821930576\n".into(), vec![count("4821930576")]),
        ("pipe_count\nweb_room".into(), vec![count("")]),
        ("pipe_count\nkept\n48\n".into(), vec![refused()]),
        ("pipe_count\nwebauth_x\n48\n".into(), vec![refused()]),
        (
            "track_pipe_users\ntrack_hall\n48".into(),
            vec![json!({"data": [{"user_id": 0, "uuid": "witness"}], "event": "answer", "marker": "48",
                        "pipe": "_answer"})],
        ),
        ("track_pipe_users\nweb_room\n48".into(), vec![refused_user()]),
        (
            "user_data\n48\n42".into(),
            vec![json!({"data": {"user_data": "{\"n\":\"it's\"}", "user_id": 42}, "event": "answer",
                        "marker": "48", "pipe": "_answer"})],
        ),
        (
            "user_data\n48\n7".into(),
            vec![json!({"data": {"user_data": "", "user_id": 7}, "marker": "48", "pipe": "_answer"})],
        ),
        ("user_data\n48\nx".into(), vec![refused_user()]),
        ("user_status\n42".into(), vec![seen(42, 17)]),
        ("user_status\n7".into(), vec![json!({"event": "user_status_7", "pipe": "_answer_user_status"})]),
        ("user_status\n0".into(), vec![refused_user()]),
        ("statistics\n{\"url\":\"x\"}".into(), vec![]),
        ("cgi_call\nx".into(), vec![]),
        ("CometQL_call\n48\nx".into(), vec![]),
        ("dance".into(), vec![refused()]),
        ("".into(), vec![refused()]),
        ("subscription\nprivate_x\nx".into(), vec![not_subscribed("400"), not_subscribed("403")]),
        ("subscription\n".into(), vec![]),
    ]
}

/// With a witness who hears `web_room` and `track_hall`.
fn stage() -> (World, Browser) {
    let world = world(config());
    world.keep("kept", 2);
    world.publish_all(vec![("kept", "m0"), ("kept", "m1"), ("kept", "m2")]);
    world.set_data(user(42), "{\"n\":\"it's\"}");
    world.set_seen(user(42), 1_700_000_000 - 17);
    let target = "/ws/sesion=&myid=0&devid=0&v=4.08&uuid=witness&api=js";
    let (mut witness, _) = Browser::upgrade(world.address, target);
    witness.frame();
    witness.subscribe(&["web_room", "track_hall"]);
    (world, witness)
}

/// Whether everything in `expected` is in `actual`.
fn has(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| actual.get(name).is_some_and(|actual| has(actual, value)))
        }
        _ => actual == expected,
    }
}

fn expect(browser: &mut Browser, command: &str, answers: &[Value], how: &str) {
    let begin = &command[..command.len().min(60)];
    for answer in answers {
        let frame = browser.frame().json();
        assert!(has(&frame, answer), "{begin:?} {how}: {frame} is not {answer}");
        assert_eq!(frame["message_send_time"], 1_700_000_000, "{begin:?}");
        assert!(frame.get("uuid").is_none(), "an answer is no message");
    }
}

fn expect_pong(browser: &mut Browser, command: &str, payload: &[u8]) {
    let frame = browser.frame();
    assert_eq!((frame.first_byte, &*frame.payload), (0x8A, payload), "behind {:?}", &command[..command.len().min(60)]);
}

#[test]
fn every_command_has_its_answer_alone_in_bursts_and_in_one_segment_with_others() {
    let (world, _witness) = stage();
    for (command, answers) in conversations() {
        let mut browser = Browser::stranger(world.address);
        let frame = masked(0x81, command.as_bytes());
        browser.send_raw(&frame);
        expect(&mut browser, &command, &answers, "alone");
        for times in [2, 20] {
            browser.send_raw(&[frame.repeat(times), masked(0x89, b"end")].concat());
            (0..times).for_each(|_| expect(&mut browser, &command, &answers, "in a burst"));
            expect_pong(&mut browser, &command, b"end");
        }
    }
    let mut browser = Browser::stranger(world.address);
    let all: Vec<u8> = conversations().iter().flat_map(|(command, _)| masked(0x81, command.as_bytes())).collect();
    browser.send_raw(&all);
    for (command, answers) in conversations() {
        expect(&mut browser, &command, &answers, "among all others");
    }
    assert_eq!(world.listeners("web_room"), 1);
}

#[test]
fn every_command_may_be_split_at_every_byte_and_come_in_fragments() {
    let (world, _witness) = stage();
    for (command, answers) in conversations().into_iter().filter(|(command, _)| command.len() < 200) {
        let mut browser = Browser::stranger(world.address);
        for byte in masked(0x81, command.as_bytes()) {
            browser.send_raw(&[byte]);
        }
        expect(&mut browser, &command, &answers, "byte by byte");
        let frame = masked(0x81, command.as_bytes());
        for cut in 1..frame.len() {
            browser.send_raw(&frame[..cut]);
            browser.send_raw(&frame[cut..]);
            expect(&mut browser, &command, &answers, "in two segments");
        }
        for cut in 0..=command.len() {
            let (first, rest) = command.as_bytes().split_at(cut);
            browser.send_raw(&[masked(0x01, first), masked(0x89, b"between"), masked(0x80, rest)].concat());
            expect_pong(&mut browser, &command, b"between");
            expect(&mut browser, &command, &answers, "in two fragments");
        }
    }
}

#[test]
fn what_browsers_publish_reaches_the_others_by_name_and_not_the_sender() {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    let mut sender = world.login(42, "h4sh");
    sender.subscribe(&["web_room", "webauth_room"]);
    let mut stranger = Browser::subscriber(world.address, &["web_room", "webauth_room"]);
    let others: Vec<Browser> = (0..3).map(|_| Browser::subscriber(world.address, &["web_room"])).collect();
    for text in ["\"short\"".to_owned(), format!("\"{}\"", "x".repeat(200_000))] {
        for (pipe, sender_id, receivers) in [("web_room", 42, 4), ("@web_room", 0, 4), ("webauth_room", 42, 1)] {
            sender.send_text(&format!("web_pipe2\n{pipe}\nsay\n*\n{text}"));
            let report = sender.frame().json();
            let name = pipe.trim_start_matches('@');
            assert_eq!(report["pipe"], format!("_answer_to_{name}"), "its own message does not come back");
            assert_eq!(report["data"], json!({"message": text, "number_messages": receivers}), "{pipe}");
            let message = stranger.frame().json();
            assert_eq!((&message["data"], &message["event"]), (&json!(text), &json!("say")));
            assert_eq!((&message["pipe"], &message["user_id"]), (&json!(name), &json!(sender_id)), "{pipe}");
            assert!(message.get("marker").is_none() && message["uuid"].is_string());
        }
    }
    stranger.send_text("web_pipe2\nweb_room\nsay\n*\nfrom a stranger");
    assert_eq!(stranger.frame().json()["data"]["number_messages"], 4);
    assert_eq!(sender.frame().json()["user_id"], 0);
    for mut other in others {
        let senders: Vec<Value> = (0..5).map(|_| other.frame().json()["user_id"].clone()).collect();
        assert_eq!(senders, [42, 0, 42, 0, 0].map(Value::from));
    }
    stranger.send_text("web_pipe2\nweb_nobody\nsay\n*\nx");
    assert_eq!(stranger.frame().json()["data"]["number_messages"], 0);
}

#[test]
fn apostrophes_and_backslashes_arrive_as_they_were_sent() {
    let world = world(config());
    let mut other = Browser::subscriber(world.address, &["web_room"]);
    let mut sender = Browser::stranger(world.address);
    for text in [r#""it's""#, r#""a \\' b""#, r#"{"a":"it's \\"}"#, "A::7;x", "C:\\dir\\'", "\u{0}\u{1}", "😀"] {
        sender.send_text(&format!("web_pipe2\nweb_room\nsay\n*\n{text}"));
        for frame in [sender.frame(), other.frame()] {
            assert!(!frame.payload.contains(&b'\'') && !frame.payload.contains(&b'\n'), "{text}");
            let json = frame.json();
            let data = json["data"].get("message").unwrap_or(&json["data"]).as_str().unwrap().to_owned();
            // As the original client reads it: JSON if it can, text if not.
            let shown = serde_json::from_str::<Value>(&data).unwrap_or_else(|_| data.replace('\\', "").into());
            let sent = serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
            assert_eq!(shown, sent);
        }
    }
}
