//! Who is here: `user_status_N`, its grace, and when somebody was last seen.

use cometql::node::Seen;

use super::browser::{Browser, masked};
use super::world::{World, config, until, user, world, world_with_grace};

const NOW: u64 = 1_700_000_000;

fn watched(world: &World) -> Browser {
    world.set_key(user(42), "h4sh");
    Browser::subscriber(world.address, &["user_status_42"])
}

fn expect_status(watcher: &mut Browser, status: &str) {
    let event = watcher.frame().json();
    assert_eq!((&event["data"], &event["event"]), (&status.into(), &status.into()));
    assert_eq!(event["pipe"], "user_status_42");
    assert!(event.get("user_id").is_none(), "{event}");
}

fn expect_no_more(watcher: &mut Browser) {
    watcher.send_raw(&masked(0x89, b"no more?"));
    assert_eq!(watcher.frame().payload, b"no more?");
}

/// What `user_status` answers: seconds since he was seen.
fn asked(world: &World, number: u32) -> serde_json::Value {
    let mut browser = Browser::stranger(world.address);
    browser.send_text(&format!("user_status\n{number}"));
    let answer = browser.frame().json();
    assert_eq!(answer["event"], format!("user_status_{number}"));
    answer["data"]["last_online_time"].clone()
}

#[test]
fn the_first_device_brings_a_user_online_and_the_last_takes_him_off() {
    let world = world(config());
    let mut watcher = watched(&world);
    assert_eq!((world.seen(user(42)), asked(&world, 42)), (Seen::Never, (NOW + 1).into()));
    for _ in 0..3 {
        let mut devices: Vec<Browser> = (0..5).map(|_| world.login(42, "h4sh")).collect();
        expect_status(&mut watcher, "online");
        until("all are there", || world.devices(user(42)) == 5);
        assert_eq!((world.seen(user(42)), asked(&world, 42)), (Seen::Now, NOW.into()));
        devices.truncate(1);
        until("one is left", || world.devices(user(42)) == 1);
        expect_no_more(&mut watcher);
        drop(devices);
        expect_status(&mut watcher, "offline");
        assert_eq!((world.seen(user(42)), asked(&world, 42)), (Seen::At(NOW), 0.into()));
    }
    world.clock.forward(17_000);
    assert_eq!((world.seen(user(42)), asked(&world, 42)), (Seen::At(NOW), 17.into()));
}

#[test]
fn who_is_back_within_the_grace_was_never_away() {
    let world = world_with_grace(config(), 1);
    let mut watcher = watched(&world);
    let mut device = world.login(42, "h4sh");
    expect_status(&mut watcher, "online");
    // A page that reloads, again and again.
    for _ in 0..20 {
        device.send_raw(&masked(0x88, b""));
        drop(device);
        until("it has gone", || world.devices(user(42)) == 0);
        device = world.login(42, "h4sh");
        until("it is back", || world.devices(user(42)) == 1);
    }
    drop(device);
    // One word only, and that after the last departure.
    expect_status(&mut watcher, "offline");
    expect_no_more(&mut watcher);
    assert_eq!(world.seen(user(42)), Seen::At(NOW));
}

#[test]
fn a_login_that_fails_is_no_presence() {
    let world = world(config());
    let mut watcher = watched(&world);
    for key in ["wrong", "", "undefined"] {
        let (_browser, info) = world.try_login(42, key);
        assert_eq!(info["authorized"], false);
    }
    expect_no_more(&mut watcher);
    assert_eq!((world.devices(user(42)), world.seen(user(42))), (0, Seen::Never));
}

#[test]
fn counting_ends_right_when_devices_come_and_go_crosswise() {
    let world = world(config());
    let mut watcher = watched(&world);
    let came_and_went = |rounds: usize| {
        (0..rounds).for_each(|round| {
            let mut device = world.login(42, "h4sh");
            if round % 2 == 0 {
                device.send_raw(&masked(0x88, b""));
            }
        });
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|_| {
            scope.spawn(|| came_and_went(25));
        });
    });
    until("nobody is there", || world.devices(user(42)) == 0);
    until("he was seen", || world.seen(user(42)) == Seen::At(NOW));
    let _device = world.login(42, "h4sh");
    until("he is here", || world.seen(user(42)) == Seen::Now);
    // However many there were, they alternate, and the last says that he is here. Who comes while it is being said that he
    // has gone is said to be here by both: by who said that, for it may have been on another node, and by his own coming.
    world.publish("user_status_42", "end");
    let mut words: Vec<String> = Vec::new();
    loop {
        let word = watcher.frame().json()["data"].as_str().unwrap().to_owned();
        if word == "end" {
            break;
        }
        words.push(word);
    }
    words.dedup_by(|next, before| next == "online" && before == "online");
    assert!(
        words.iter().zip(["online", "offline"].iter().cycle()).all(|(word, expected)| word == expected),
        "{words:?}"
    );
    assert_eq!(words.last().map(String::as_str), Some("online"));
}
