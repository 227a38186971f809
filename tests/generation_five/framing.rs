//! However the bytes arrive, and however many commands at once.

use serde_json::{Value, json};

use super::browser::{Browser, masked, request};
use super::world::{config, world};
use super::{login, with_user};

/// A command of each kind, numbered from 1, and the kinds of frames that answer each.
fn conversation() -> Vec<(Value, &'static [&'static str])> {
    let commands = [
        (
            json!({"do": "subscribe", "pipes": [{"pipe": "room", "last": 3}, {"pipe": "x"}]}),
            &["error", "history", "subscribed", "answer"][..],
        ),
        (json!({"do": "unsubscribe", "pipes": ["room"]}), &["answer"]),
        (json!({"do": "publish", "pipe": "web_room", "data": {"é": 1}}), &["answer"]),
        (json!({"do": "publish", "pipe": "room", "data": {"é": 1}}), &["error"]),
        (json!({"do": "history", "pipe": "room"}), &["history"]),
        (json!({"do": "count", "pipe": "web_room"}), &["answer"]),
        (json!({"do": "users", "pipe": "track_room"}), &["answer"]),
        (json!({"do": "user_data", "user": 42}), &["answer"]),
        (json!({"do": "seen", "user": 42}), &["answer"]),
        (json!({"do": "taken", "position": [1, 1]}), &[]),
        (json!({"do": "ping"}), &["answer"]),
        (json!({"do": "dance"}), &["error"]),
    ];
    let numbered = |(mut command, answers): (Value, _), id: usize| {
        command["id"] = json!(id);
        (command, answers)
    };
    commands.into_iter().zip(1..).map(|(command, id)| numbered(command, id)).collect()
}

fn expect(browser: &mut Browser, id: &Value, answers: &[&str]) {
    for is in answers {
        let heard = browser.hear();
        assert_eq!((heard["is"].as_str(), &heard["id"]), (Some(*is), id), "{heard}");
    }
}

#[test]
fn each_command_may_be_split_at_every_byte() {
    let world = with_user(world(config()));
    let (mut browser, _) = login(&world, 42, "h4sh", None);
    for (command, answers) in conversation() {
        let frame = masked(0x81, command.to_string().as_bytes());
        for cut in 1..frame.len() {
            browser.send_raw(&frame[..cut]);
            std::thread::yield_now();
            browser.send_raw(&frame[cut..]);
            // What is there already is told ahead of what is new.
            let is_there = command["do"] == "subscribe" && cut > 1;
            let answers = if is_there { &["subscribed", "error", "answer"] } else { answers };
            expect(&mut browser, &command["id"], answers);
        }
    }
}

#[test]
fn all_of_it_may_come_in_one_segment_or_byte_by_byte() {
    let world = world(config());
    let mut all = request("/ws/v=5&devid=0").into_bytes();
    all.extend(masked(0x81, b"{\"do\":\"hello\"}"));
    let conversation = conversation();
    for (command, _) in &conversation {
        all.extend(masked(0x81, command.to_string().as_bytes()));
    }
    for piece in [all.len(), 1, 7, 100] {
        let mut browser = Browser::silent(world.address);
        all.chunks(piece).for_each(|piece| browser.send_raw(piece));
        assert!(browser.head().starts_with("HTTP/1.1 101"));
        assert_eq!(browser.hear()["is"], "welcome");
        for (command, answers) in &conversation {
            expect(&mut browser, &command["id"], answers);
        }
    }
}

#[test]
fn a_burst_of_a_thousand_is_answered_in_order() {
    let world = world(config());
    world.keep("room", 50);
    world.publish_all(vec![("room", "\"text\""); 50]);
    let mut browser = Browser::newcomer(world.address);
    for (mut command, answers) in conversation() {
        if command["do"] == "subscribe" {
            continue;
        }
        let mut burst = Vec::new();
        for id in 0..1_000 {
            command["id"] = json!(id);
            burst.extend(masked(0x81, command.to_string().as_bytes()));
        }
        let mut sending = browser.socket.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| std::io::Write::write_all(&mut sending, &burst).unwrap());
            (0..1_000).for_each(|id| expect(&mut browser, &json!(id), answers));
        });
    }
    // One that comes and goes a thousand times in one breath.
    let mut burst = Vec::new();
    for id in 0..1_000 {
        let come = json!({"do": "subscribe", "id": id, "pipes": [{"pipe": "room", "last": 2}]});
        let go = json!({"do": "unsubscribe", "id": id, "pipes": ["room"]});
        [come, go].iter().for_each(|command| burst.extend(masked(0x81, command.to_string().as_bytes())));
    }
    let mut sending = browser.socket.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| std::io::Write::write_all(&mut sending, &burst).unwrap());
        for id in 0..1_000 {
            expect(&mut browser, &json!(id), &["history", "subscribed", "answer", "answer"]);
        }
    });
    assert_eq!((world.listeners("room"), world.status.browsers_too_slow()), (0, 0));
}
