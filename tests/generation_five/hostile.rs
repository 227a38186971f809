//! Frames that are nearly commands, or not at all.

use std::io::Write;

use serde_json::json;

use super::browser::{Browser, masked, request};
use super::randomness::Random;
use super::world::{config, until, world};

const FRAMES: usize = 50_000;
/// Most frames of one connection.
const FRAMES_MAX: usize = 60;

const COMMANDS: [&str; 16] = [
    r#"{"do":"hello","uuid":"u","user":7,"key":"x","position":[1,2]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"web_stranger"},{"pipe":"x"},{"pipe":"private_stranger"}]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"web_stranger","position":[1,2],"last":5}]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"kept","position":[9007199254740991,18446744073709551615]}]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"track_stranger","last":18446744073709551615}]}"#,
    r#"{"do":"unsubscribe","id":2,"pipes":["web_stranger","track_stranger"]}"#,
    r#"{"do":"publish","id":3,"pipe":"web_stranger","event":"e","data":{"a":[1,"\u0001"]},"anonymous":true}"#,
    r#"{"do":"publish","id":3,"pipe":"web_stranger","data":1,"uuid":"00000000-0000-0000-0000-000000000001"}"#,
    r#"{"do":"history","id":4,"pipe":"kept","last":20}"#,
    r#"{"do":"count","id":5,"pipe":"web_stranger"}"#,
    r#"{"do":"users","id":6,"pipe":"track_stranger"}"#,
    r#"{"do":"user_data","id":7,"user":7}"#,
    r#"{"do":"seen","id":8,"user":2147483647}"#,
    r#"{"do":"taken","position":[1,18446744073709551615]}"#,
    r#"{"do":"ping","id":18446744073709551615}"#,
    r#"[[[[{"do":{"do":"ping"}}]]]]"#,
];

fn frame(random: &mut Random) -> Vec<u8> {
    let mut payload = COMMANDS[random.below(COMMANDS.len())].as_bytes().to_vec();
    match random.below(4) {
        0 => {}
        1 => payload = (0..random.below(300)).map(|_| random.next() as u8).collect(),
        _ => {
            for _ in 0..=random.below(4) {
                let at = random.below(payload.len().max(1));
                match random.below(5) {
                    0 if at < payload.len() => payload[at] = random.next() as u8,
                    // Of its own letters, so that it stays near JSON.
                    1 if at < payload.len() => payload[at] = payload[random.below(payload.len())],
                    2 => payload.truncate(at),
                    3 => payload.insert(at, b"{}[]\",:0\\"[random.below(9)]),
                    _ => payload.extend_from_within(at..),
                }
            }
        }
    }
    let first_byte = match random.below(20) {
        0 => random.next() as u8,
        1 => 0x89,
        _ => 0x81,
    };
    masked(first_byte, &payload)
}

#[test]
fn nobody_dies_of_frames_that_make_no_sense_and_nothing_stays_of_them() {
    let world = world(config());
    world.keep("kept", 100);
    let mut witness = Browser::follower(world.address, &["kept"]);
    let mut random = Random::new("hostile frames");
    let mut sent = 0;
    while sent < FRAMES {
        let mut bytes = request("/ws/v=5&devid=0").into_bytes();
        if random.below(10) > 0 {
            bytes.extend(masked(0x81, b"{\"do\":\"hello\"}"));
        }
        let frames = 1 + random.below(FRAMES_MAX);
        (0..frames).for_each(|_| bytes.extend(frame(&mut random)));
        sent += frames;
        let mut browser = Browser::silent(world.address);
        // In pieces of any size; it may be closed while it is still sending.
        let piece = 1 + random.below(bytes.len());
        let _ = bytes.chunks(piece).try_for_each(|piece| browser.socket.write_all(piece));
        if sent % 10 == 0 {
            assert_eq!(witness.ask(&json!({"do": "ping", "id": 1}))["is"], "answer");
        }
    }
    until("they are gone", || world.status.browser_sockets() == 1 && world.status.browsers_connected() == 1);
    for pipe in ["web_stranger", "track_stranger", "private_stranger"] {
        assert_eq!(world.listeners(pipe), 0, "{pipe}");
    }
    assert_eq!((world.listeners("kept"), world.publish("kept", "\"still here\"").receivers), (1, 1));
    assert_eq!(witness.hear()["data"], "still here");
}
