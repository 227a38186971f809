//! RFC 6455, case by case, in the spirit of the public conformance suites: what is sent to a server that is really
//! there, and what it has to say. The client announces generation 5, which gets close frames.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
mod cases;
#[allow(dead_code)]
#[path = "../world/clock.rs"]
mod clock;
mod framing;
mod judge;
mod text;
#[allow(dead_code)]
#[path = "../websocket/world.rs"]
mod world;

use browser::{Browser, masked};
use cases::{Case, Seen};
use cometql::node::{PageMax, Since};
use world::{World, config, world};

const TARGET: &str = "/ws/v=5&devid=0";
const HELLO: &str = r#"{"do":"hello"}"#;

fn see(world: &World, browser: &mut Browser, case: &Case, how: &str) -> Option<Seen> {
    let frame = browser.frame_or_end()?;
    Some(match frame.first_byte {
        0x81 => {
            let json = frame.json();
            let index = json["position"][1].as_u64().unwrap_or_else(|| panic!("{} {how}: {json}", case.name));
            Seen::Text(published(world, index))
        }
        0x8A => Seen::Pong(frame.payload),
        0x88 => {
            let (code, reason) = frame.payload.split_at(frame.payload.len().min(2));
            assert!(frame.payload.len() <= 125 && str::from_utf8(reason).is_ok(), "{} {how}", case.name);
            Seen::Close(code.to_vec())
        }
        other => panic!("{} {how}: a frame that begins with {other:#x}", case.name),
    })
}

/// The text of a message that was published.
fn published(world: &World, index: u64) -> String {
    let (pipe, max) = (world.pipe("web_e"), PageMax { messages: 1, bytes: 1 });
    let page = world.runtime.block_on(world.node.history(&pipe, Since::After(index - 1), max)).unwrap();
    serde_json::from_str(page.messages[0].message.as_str()).unwrap()
}

fn run(world: &World, case: &Case, how: &str, pieces: impl Iterator<Item = Vec<u8>>) {
    let mut browser = Browser::newcomer(world.address);
    for piece in pieces {
        // A server that has refused the beginning may have closed before the end is sent.
        if std::io::Write::write_all(&mut browser.socket, &piece).is_err() {
            break;
        }
    }
    for expected in &case.seen {
        let seen = see(world, &mut browser, case, how);
        assert_eq!(seen.as_ref(), Some(expected), "{} {how}", case.name);
    }
    if matches!(case.seen.last(), Some(Seen::Close(_))) {
        assert_eq!(browser.frame_or_end(), None, "{} {how}: nothing comes behind a close", case.name);
    } else {
        browser.send_raw(&masked(0x89, b"alive?"));
        assert_eq!(see(world, &mut browser, case, how), Some(Seen::Pong(b"alive?".to_vec())), "{} {how}", case.name);
    }
}

fn run_all(cases: &[Case]) {
    let world = world(config());
    world.keep("web_e", 100);
    for case in cases {
        run(&world, case, "at once", std::iter::once(case.sent.clone()));
        if case.sent.len() < 600 {
            run(&world, case, "byte by byte", case.sent.iter().map(|byte| vec![*byte]));
        } else {
            run(&world, case, "in pieces", case.sent.chunks(997).map(<[u8]>::to_vec));
        }
    }
    println!("{} cases", cases.len());
}

#[test]
fn lengths_masks_and_opcodes() {
    run_all(&[framing::lengths(), framing::headers(), framing::controls()].concat());
}

#[test]
fn fragments() {
    run_all(&framing::fragments());
}

#[test]
fn closes() {
    run_all(&framing::closes());
}

#[test]
fn utf8() {
    run_all(&text::cases());
}

#[test]
fn there_are_many_cases() {
    let groups = [
        framing::lengths(),
        framing::headers(),
        framing::controls(),
        framing::fragments(),
        framing::closes(),
        text::cases(),
    ];
    let count: usize = groups.iter().map(Vec::len).sum();
    assert!(count >= 250, "{count}");
    let mut names: Vec<&str> = groups.iter().flatten().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "each has a name of its own");
}
