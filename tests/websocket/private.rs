//! Private messages: live on every device, kept for who is away, taken when a device says so.

use cometql::ws;

use super::browser::{Browser, Frame, masked};
use super::world::{World, config, until, user, world};

const PING: u8 = 0x89;

/// A device that never answers a ping.
struct Deaf(Browser);

impl Deaf {
    fn text(&mut self) -> serde_json::Value {
        loop {
            let frame = self.0.frame_or_end().expect("a frame");
            if frame.first_byte != PING {
                return frame.json();
            }
        }
    }
}

fn with_user() -> World {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    world
}

fn text(browser: &mut Browser) -> (String, bool) {
    let message = browser.frame().json();
    assert_eq!((&message["pipe"], &message["event"]), (&"msg".into(), &"event".into()), "{message}");
    assert!(message["uuid"].is_string() && message.get("marker").is_none() && message.get("user_id").is_none());
    assert_eq!(message["message_send_time"], 1_700_000_000);
    (message["data"].as_str().unwrap().to_owned(), message.get("fromQueue").is_some_and(|is| *is == true))
}

/// Everything sent before has been looked at by the server, and nothing more has come.
fn expect_no_more(browser: &mut Browser) {
    browser.send_raw(&masked(0x89, b"no more?"));
    assert_eq!(browser.frame(), Frame { first_byte: 0x8A, payload: b"no more?".to_vec() });
}

#[test]
fn a_private_message_reaches_every_device_of_its_user_and_nobody_else() {
    let world = with_user();
    world.set_key(user(7), "other");
    let mut devices: Vec<Browser> = (0..20).map(|_| world.login(42, "h4sh")).collect();
    let mut other = world.login(7, "other");
    let mut stranger = Browser::subscriber(world.address, &["msg"]);
    until("all are there", || world.devices(user(42)) == 20);
    for number in 0..10 {
        assert_eq!(world.tell(user(42), &format!("m{number}")).receivers, 20);
    }
    for device in &mut devices {
        (0..10).for_each(|number| assert_eq!(text(device), (format!("m{number}"), false)));
        expect_no_more(device);
    }
    expect_no_more(&mut other);
    expect_no_more(&mut stranger);
}

#[test]
fn sixty_messages_wait_for_their_user_and_come_in_order_until_they_have_arrived() {
    let world = with_user();
    // All lengths, among them those the original damaged.
    let texts: Vec<String> = (1..=60).map(|length| "x".repeat(length)).collect();
    texts.iter().for_each(|text| assert_eq!(world.tell(user(42), text).receivers, 0));
    // One that does not answer the ping has not got them, whatever was sent.
    for _ in 0..2 {
        let mut deaf = Deaf(world.login(42, "h4sh"));
        for text in &texts {
            let message = deaf.text();
            assert_eq!((&message["data"], &message["fromQueue"]), (&text.as_str().into(), &true.into()));
        }
    }
    let mut device = world.login(42, "h4sh");
    texts.iter().for_each(|expected| assert_eq!(text(&mut device), (expected.clone(), true)));
    // Answers the ping behind them.
    expect_no_more(&mut device);
    until("they are taken", || {
        let mut next = world.login(42, "h4sh");
        next.send_raw(&masked(0x89, b"end"));
        next.frame().first_byte == 0x8A
    });
    world.tell(user(42), "new");
    assert_eq!(text(&mut device), ("new".to_owned(), false));
}

#[test]
fn what_arrives_live_is_not_queued_once_a_device_has_said_that_it_is_there() {
    let world = with_user();
    let mut device = world.login(42, "h4sh");
    until("it is there", || world.devices(user(42)) == 1);
    world.tell(user(42), "live");
    assert_eq!(text(&mut device), ("live".to_owned(), false));
    expect_no_more(&mut device);
    until("it is taken", || {
        let mut next = world.login(42, "h4sh");
        next.send_raw(&masked(0x89, b"end"));
        next.frame().first_byte == 0x8A
    });
    let mut deaf = Deaf(world.login(42, "h4sh"));
    drop(device);
    until("the deaf one is alone", || world.devices(user(42)) == 1);
    world.tell(user(42), "to a deaf one");
    assert_eq!(deaf.text()["data"], "to a deaf one");
    drop(deaf);
    assert_eq!(text(&mut world.login(42, "h4sh")), ("to a deaf one".to_owned(), true));
}

#[test]
fn a_message_published_while_a_log_is_read_comes_once_and_behind() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    world.set_key(user(42), "h4sh");
    let long = "x".repeat(10_000);
    // Several pages, so that reading takes its time.
    let queued: Vec<String> = (0..150).map(|number| format!("{number} {long}")).collect();
    queued.iter().for_each(|text| {
        world.tell(user(42), text);
    });
    let mut devices: Vec<Browser> = (0..3).map(|_| world.login(42, "h4sh")).collect();
    // More than may be held, too.
    let live: Vec<String> = (150..170).map(|number| format!("{number} {long}")).collect();
    for text in &live {
        world.tell(user(42), text);
    }
    for device in &mut devices {
        for (number, expected) in queued.iter().chain(&live).enumerate() {
            assert_eq!(&text(device).0, expected, "{number}");
        }
        expect_no_more(device);
    }
    assert_eq!(world.status.browsers_too_slow(), 0);
}

#[test]
fn a_message_as_long_as_may_be_does_not_keep_its_user_out() {
    let world = with_user();
    let long = "\"".repeat(1024 * 1024);
    world.tell(user(42), &long);
    world.tell(user(42), "short");
    let mut device = world.login(42, "h4sh");
    assert_eq!(text(&mut device), (long, true));
    assert_eq!(text(&mut device), ("short".to_owned(), true));
    expect_no_more(&mut device);
}

#[test]
fn strange_pongs_change_nothing() {
    let world = with_user();
    let mut device = Deaf(world.login(42, "h4sh"));
    let mut stranger = Browser::stranger(world.address);
    for payload in [&[][..], &[0; 7], &[0; 9], &[0; 125], b"12345678", &[0xff; 8], &[0; 8]] {
        stranger.send_raw(&masked(0x8A, payload).repeat(1_000));
    }
    for payload in [&[][..], &[0; 7], &[0; 9], &[0; 125], &[0; 8]] {
        device.0.send_raw(&masked(0x8A, payload).repeat(1_000));
    }
    expect_no_more(&mut stranger);
    world.tell(user(42), "still waits");
    drop(device);
    assert_eq!(text(&mut world.login(42, "h4sh")), ("still waits".to_owned(), true));
}

#[test]
fn who_goes_while_his_log_is_read_is_no_longer_there() {
    let world = with_user();
    let long = "x".repeat(10_000);
    (0..900).for_each(|_| {
        world.tell(user(42), &long);
    });
    for _ in 0..10 {
        let mut device = world.login(42, "h4sh");
        device.frame();
    }
    until("nobody is there", || world.devices(user(42)) == 0);
    until("he was seen", || matches!(world.seen(user(42)), cometql::node::Seen::At(1_700_000_000)));
}
