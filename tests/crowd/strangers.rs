//! Requests and frames that are nearly right, or not at all.

use std::io::Write;

use super::browser::{Browser, masked, request};
use super::node::Node;
use super::random::Random;

/// Most frames of one connection.
const FRAMES_MAX: usize = 40;

const TEXTS: [&str; 26] = [
    "subscription\nweb_stranger\ntrack_stranger\nuser_status_1",
    "subscription\n",
    "web_pipe2\nweb_stranger\nevent\n*\n\"text\"",
    "web_pipe2\n@web_stranger\n\n*\n{\"a\":\"it's\"}",
    "pipe_log\nweb_stranger\n48\n",
    "pipe_count\nweb_stranger\n48\n",
    "track_pipe_users\ntrack_stranger\n48",
    "user_data\n48\n7",
    "user_status\n7",
    "statistics\n{}",
    "CometQL_call\n48\nx.y.z",
    "\u{0}\u{7f}é😀",
    r#"{"do":"hello","uuid":"u","user":7,"key":"x","position":[1,2]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"web_stranger"},{"pipe":"x"},{"pipe":"private_stranger"}]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"web_stranger","position":[1,2],"last":5}]}"#,
    r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"track_stranger","last":9}]}"#,
    r#"{"do":"unsubscribe","id":2,"pipes":["web_stranger","track_stranger"]}"#,
    r#"{"do":"publish","id":3,"pipe":"web_stranger","event":"e","data":{"a":[1,"\u0001"]}}"#,
    r#"{"do":"publish","id":3,"pipe":"web_stranger","data":1,"uuid":"00000000-0000-0000-0000-000000000001"}"#,
    r#"{"do":"history","id":4,"pipe":"web_stranger","last":20}"#,
    r#"{"do":"count","id":5,"pipe":"web_stranger"}"#,
    r#"{"do":"users","id":6,"pipe":"track_stranger"}"#,
    r#"{"do":"user_data","id":7,"user":7}"#,
    r#"{"do":"seen","id":8,"user":7}"#,
    r#"{"do":"taken","position":[1,9007199254740991]}"#,
    r#"{"do":"ping","id":18446744073709551615}"#,
];

/// Sends so many, over as many connections as it takes.
pub fn send(node: &Node, inputs: usize, random: &mut Random) {
    let mut sent = 0;
    while sent < inputs {
        let mut bytes = opening(random);
        let frames = 1 + random.below(FRAMES_MAX);
        for _ in 0..frames {
            bytes.extend(frame(random));
        }
        sent += 1 + frames;
        let mut browser = Browser::silent(node.browsers);
        // In pieces of any size; it may be closed while it is still sending.
        let piece = 1 + random.below(bytes.len());
        let _ = bytes.chunks(piece).try_for_each(|piece| browser.socket.write_all(piece));
    }
}

/// A first request, and the first frame of generation 5: often right, so that the others get their turn.
fn opening(random: &mut Random) -> Vec<u8> {
    let is_five = random.below(2) == 0;
    let version = if is_five { "5" } else { "4.08" };
    let mut bytes = request(&format!("/ws/sesion=x&myid=7&devid=0&v={version}&uuid=u&api=js")).into_bytes();
    if is_five {
        bytes.extend(masked(0x81, br#"{"do":"hello"}"#));
    }
    if random.below(4) == 0 {
        mutate(&mut bytes, random);
    }
    bytes
}

fn frame(random: &mut Random) -> Vec<u8> {
    let mut payload = TEXTS[random.below(TEXTS.len())].as_bytes().to_vec();
    if random.below(3) == 0 {
        mutate(&mut payload, random);
    }
    let first_byte = match random.below(12) {
        0 => random.next() as u8,
        1 => 0x01,
        2 => 0x00,
        3 => 0x80,
        4 => 0x89,
        5 => 0x8A,
        _ => 0x81,
    };
    if first_byte & 0x08 != 0 {
        payload.truncate(random.below(130));
    }
    let mut frame = masked(first_byte, &payload);
    if random.below(30) == 0 {
        mutate(&mut frame, random);
    }
    frame
}

/// A few bytes are others, are missing, or are there twice.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] = random.next() as u8,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, random.next() as u8),
            _ => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
        }
    }
}
