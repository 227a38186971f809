//! `pipe_log`: what a pipe keeps, read by a browser.

use cometql::ws;
use serde_json::Value;

use super::browser::{Browser, masked};
use super::world::{config, world};

fn texts(browser: &mut Browser, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| {
            let item = browser.frame().json();
            assert_eq!((&item["history"], &item["fromQueue"]), (&true.into(), &true.into()), "{item}");
            assert!(item.get("uuid").is_none() && item.get("marker").is_none(), "{item}");
            item["data"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// Nothing is on its way any more.
fn expect_no_more(browser: &mut Browser) {
    browser.send_raw(&masked(0x89, b"no more?"));
    assert_eq!(browser.frame().payload, b"no more?");
}

#[test]
fn the_newest_come_oldest_first_and_twice_when_they_are_asked_for_twice() {
    let world = world(config());
    world.keep("room", 200);
    let all: Vec<String> = (0..500).map(|number| format!("m{number}")).collect();
    for hundred in all.chunks(100) {
        world.publish_all(hundred.iter().map(|text| ("room", text.as_str())).collect());
    }
    let mut browser = Browser::subscriber(world.address, &["room"]);
    for _ in 0..3 {
        browser.send_text("pipe_log\nroom\n48\n");
    }
    for _ in 0..3 {
        assert_eq!(texts(&mut browser, 200), all[300..]);
    }
    expect_no_more(&mut browser);
    // The same message live has its number, and is no history.
    world.publish("room", "live");
    let live = browser.frame().json();
    assert!(live.get("history").is_none() && live.get("fromQueue").is_none() && live["uuid"].is_string());
}

#[test]
fn a_history_names_who_sent_its_messages() {
    let world = world(config());
    world.keep("web_room", 10);
    world.set_key(super::world::user(42), "h4sh");
    let mut user = world.login(42, "h4sh");
    for pipe in ["web_room", "@web_room"] {
        user.send_text(&format!("web_pipe2\n{pipe}\nsay\n*\nx"));
        assert_eq!(user.frame().json()["event"], "answer");
    }
    world.publish("web_room", "of a backend");
    user.send_text("pipe_log\nweb_room\n");
    let senders: Vec<Value> = (0..3).map(|_| user.frame().json()["user_id"].clone()).collect();
    assert_eq!(senders, [42, 0, 0].map(Value::from));
}

#[test]
fn a_long_history_arrives_whole_through_a_small_outbox_and_is_no_slowness() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    world.keep("room", 1_000);
    let all: Vec<String> = (0..1_000).map(|number| format!("{number} {}", "x".repeat(6_000))).collect();
    for fifty in all.chunks(50) {
        world.publish_all(fifty.iter().map(|text| ("room", text.as_str())).collect());
    }
    let mut browser = Browser::stranger(world.address);
    let mut others: Vec<Browser> = (0..2).map(|_| Browser::stranger(world.address)).collect();
    for other in &mut others {
        other.send_text("pipe_log\nroom\n48\n");
    }
    browser.send_text("pipe_log\nroom\n48\n");
    browser.send_text("pipe_log\nroom\n49\n");
    assert_eq!(texts(&mut browser, 1_000), all);
    assert_eq!(texts(&mut browser, 1_000), all);
    expect_no_more(&mut browser);
    for other in &mut others {
        assert_eq!(texts(other, 1_000), all, "also when it is read late");
    }
    assert_eq!(world.status.browsers_too_slow(), 0);
}

#[test]
fn messages_longer_than_a_page_and_longer_than_the_outbox_come_one_by_one() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    world.keep("room", 10);
    let all: Vec<String> = (0..3).map(|number| format!("{number}{}", "\"".repeat(600_000))).collect();
    all.iter().for_each(|text| {
        world.publish("room", text);
    });
    let mut browser = Browser::stranger(world.address);
    browser.send_text("pipe_log\nroom\n48\n");
    browser.send_text("pipe_log\nroom\n48\n");
    for _ in 0..2 {
        assert_eq!(texts(&mut browser, 3), all);
    }
}

#[test]
fn who_goes_in_the_middle_of_a_history_leaves_nothing_behind() {
    let world = world(config());
    world.keep("room", 1_000);
    let text = "x".repeat(10_000);
    for _ in 0..10 {
        world.publish_all(vec![("room", text.as_str()); 100]);
    }
    for _ in 0..10 {
        let mut browser = Browser::subscriber(world.address, &["web_room"]);
        browser.send_text("pipe_log\nroom\n48\n");
        // The second page waits for the first to be read.
        browser.frame();
        drop(browser);
    }
    super::world::until("nobody listens", || world.listeners("web_room") == 0);
}

#[test]
fn a_message_is_the_same_live_and_in_the_history() {
    let world = world(config());
    world.keep("web_room", 100);
    let mut browser = Browser::subscriber(world.address, &["web_room"]);
    let mut sender = Browser::stranger(world.address);
    let all = ["it's", "\"it's\"", r"a\b", r#"{"a":"\u0027\\'"}"#, "123", "\n\t\r", "😀", "A::1;x", ""];
    for text in all {
        world.publish("web_room", text);
        sender.send_text(&format!("web_pipe2\nweb_room\nevent\n*\n{text}"));
    }
    let live: Vec<Value> = (0..2 * all.len()).map(|_| browser.frame().json()["data"].clone()).collect();
    browser.send_text("pipe_log\nweb_room\n");
    let kept: Vec<Value> = texts(&mut browser, live.len()).into_iter().map(Value::from).collect();
    assert_eq!(live, kept);
}
