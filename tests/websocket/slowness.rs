//! Who does not read, and who reads as fast as he can.

use cometql::ws;

use super::browser::Browser;
use super::world::{config, world};

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
    let world = world(ws::Config { ear_bytes_max: 4 * 1024, ..config() });
    let mut browser = Browser::subscriber(world.address, &["room"]);
    let texts: Vec<String> = (0..2_000).map(|number| format!("{number} {}", "x".repeat(500))).collect();
    for chunk in texts.chunks(20) {
        world.publish_all(chunk.iter().map(|text| ("room", text.as_str())).collect());
    }
    for text in &texts {
        assert_eq!(&browser.frame().json()["data"], text);
    }
}
