//! Who does not read, and who reads as fast as he can.

use cometql::ws;

use super::browser::{Browser, masked};
use super::world::{config, until, world};

#[test]
fn a_stalled_reader_is_sent_away_and_the_others_get_everything() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    let stalled: Vec<Browser> = (0..2).map(|_| Browser::subscriber(world.address, &["room"])).collect();
    let mut browser = Browser::subscriber(world.address, &["room"]);
    let text = "x".repeat(50_000);
    let mut sent = 0;
    // The kernel's buffers take a few megabytes before the outbox has to.
    while world.listeners("room") > 1 {
        assert!(sent < 2_000, "100 MB wait for a stalled reader");
        world.publish("room", &format!("{sent} {text}"));
        assert!(browser.frame().json()["data"].as_str().unwrap().starts_with(&format!("{sent} ")));
        sent += 1;
    }
    drop(stalled);
}

#[test]
fn a_publisher_waits_for_a_busy_shard_and_nothing_is_lost() {
    let world = world(ws::Config { ear_bytes_max: 4 * 1024, outbox_bytes_max: 16 * 1024 * 1024, ..config() });
    let mut browser = Browser::subscriber(world.address, &["room"]);
    let texts: Vec<String> = (0..2_000).map(|number| format!("{number} {}", "x".repeat(500))).collect();
    for chunk in texts.chunks(20) {
        world.publish_all(chunk.iter().map(|text| ("room", text.as_str())).collect());
    }
    for text in &texts {
        assert_eq!(&browser.frame().json()["data"], text);
    }
}

#[test]
fn who_reads_gets_a_burst_that_is_longer_than_his_outbox() {
    let world = world(ws::Config { outbox_bytes_max: 256 * 1024, ..config() });
    let texts: Vec<String> = (0..200).map(|number| format!("{number} {}", "x".repeat(10_000))).collect();
    let mut browsers: Vec<Browser> = (0..4).map(|_| Browser::subscriber(world.address, &["room"])).collect();
    std::thread::scope(|scope| {
        for browser in &mut browsers {
            scope.spawn(|| texts.iter().for_each(|text| assert_eq!(&browser.frame().json()["data"], text)));
        }
        world.publish_all(texts.iter().map(|text| ("room", text.as_str())).collect());
    });
    assert_eq!(world.status.browsers_too_slow(), 0);
}

#[test]
fn who_asks_much_at_once_gets_every_answer() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    let _other = Browser::subscriber(world.address, &["web_room"]);
    let mut browser = Browser::stranger(world.address);
    let questions: Vec<u8> =
        (0..20_000).flat_map(|number| masked(0x81, format!("pipe_count\nweb_room\n{number}").as_bytes())).collect();
    let mut sending = browser.socket.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| std::io::Write::write_all(&mut sending, &questions).unwrap());
        for number in 0..20_000 {
            assert_eq!(browser.frame().json()["marker"], number.to_string());
        }
    });
    // And a list of bad names is answered briefly.
    browser.send_text(&format!("subscription{}", "\nx\nprivate_x".repeat(5_000)));
    let first = browser.frame().json();
    assert_eq!(first["data"]["code"], "400");
    browser.send_raw(&masked(0x89, b"end"));
    let answers = std::iter::from_fn(|| Some(browser.frame()).filter(|frame| frame.first_byte == 0x81)).count();
    assert!(answers < 50, "{answers} errors for one list");
    assert_eq!(world.status.browsers_too_slow(), 0);
}

#[test]
fn who_is_too_slow_is_told_why_if_it_can_understand() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    let mut old = Browser::subscriber(world.address, &["room"]);
    let mut new = Browser::follower(world.address, &["room"]);
    let text = "x".repeat(50_000);
    for sent in 0.. {
        assert!(sent < 2_000, "100 MB wait for a stalled reader");
        if world.status.browsers_too_slow() == 2 {
            break;
        }
        world.publish("room", &text);
    }
    // What the kernel had already is theirs, each message whole.
    let mut last = None;
    while let Some(frame) = new.frame_or_end() {
        assert!(last.is_none_or(|first_byte| first_byte == 0x81), "nothing comes behind a close");
        last = Some(frame.first_byte);
        if frame.first_byte == 0x88 {
            assert_eq!(frame.payload, [&4100u16.to_be_bytes()[..], b"too slow, come back"].concat());
        }
    }
    assert_eq!(last, Some(0x88));
    assert!(old.last_frame().is_none_or(|frame| frame.first_byte == 0x81));
    until("nobody listens", || world.listeners("room") == 0);
    assert_eq!(world.status.browsers_too_slow(), 2);
}
