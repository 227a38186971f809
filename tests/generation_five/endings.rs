//! Close codes, and who is told which.

use cometql::node::{self, AllowedOrigins, End, Others, Record};
use cometql::user::TenantId;
use cometql::ws;
use serde_json::json;

use super::browser::{Browser, masked};
use super::world::{config, until, user, world, world_of};
use super::{login, with_user};

#[test]
fn an_operator_ends_a_connection() {
    let world = world(config());
    let mut browser = Browser::newcomer(world.address);
    let mut nobody = Others::default();
    let mut browsers = world.node.all_browsers(TenantId::ROOT, &nobody);
    let (_, connected) = world.runtime.block_on(browsers.next(&mut nobody)).unwrap();
    assert_eq!(connected.len(), 1);
    assert!(world.runtime.block_on(world.node.end_here(TenantId::ROOT, connected[0].number(), End::Connection)));
    assert_eq!(browser.closed(), (4102, "ended by an operator".to_owned()));
    until("it has gone", || world.status.browsers_connected() == 0);
}

#[test]
fn a_deleted_hash_ends_every_device_of_its_user() {
    let world = with_user(world(config()));
    world.set_key(user(7), "other");
    let mut devices: Vec<Browser> = (0..5).map(|_| login(&world, 42, "h4sh", None).0).collect();
    let (mut other, _) = login(&world, 7, "other", None);
    world.runtime.block_on(world.node.remove_record(TenantId(0), &Record::Key(user(42)))).unwrap();
    for device in &mut devices {
        assert_eq!(device.closed().0, 4203);
    }
    assert_eq!(other.ask(&json!({"do": "ping", "id": 1}))["is"], "answer");
}

#[test]
fn pages_of_other_origins_and_other_generations_are_told_so() {
    let origins = AllowedOrigins { everybody: vec!["a.com".parse().unwrap()], tenants: Default::default() };
    let world = world_of(config(), node::Config { origins, ..node::Config::with_password("pw") });
    let (mut browser, head) = Browser::upgrade(world.address, "/ws/v=5");
    assert!(head.starts_with("HTTP/1.1 101"));
    assert_eq!(browser.closed().0, 4202);
    let world = super::world::world(config());
    for version in ["6", "6.0", "99"] {
        let (mut browser, _) = Browser::upgrade(world.address, &format!("/ws/v={version}&devid=0"));
        assert_eq!(browser.closed().0, 4201, "{version}");
    }
    until("nobody is left", || world.status.browser_sockets() == 0);
}

#[test]
fn who_breaks_a_rule_is_told_which_and_who_closes_is_answered() {
    let world = world(config());
    for (bytes, code) in [
        (vec![0x81, 1, b'x'], 1002),
        (masked(0x82, b"x"), 1003),
        (masked(0x81, &[0xff]), 1007),
        (masked(0x88, &1000_u16.to_be_bytes()), 1000),
        (masked(0x88, &4999_u16.to_be_bytes()), 4999),
    ] {
        let mut browser = Browser::newcomer(world.address);
        browser.send_raw(&bytes);
        assert_eq!(browser.closed().0, code);
    }
}

#[test]
fn who_is_too_slow_has_left_while_it_still_reads_why() {
    let world = world(ws::Config { outbox_bytes_max: 64 * 1024, ..config() });
    let mut browser = Browser::follower(world.address, &["room"]);
    let text = format!("\"{}\"", "x".repeat(50_000));
    for sent in 0.. {
        assert!(sent < 2_000, "100 MB wait for a stalled reader");
        if world.status.browsers_too_slow() == 1 {
            break;
        }
        world.publish("room", &text);
    }
    until("it has left", || world.listeners("room") == 0 && world.status.browsers_connected() == 0);
    world.clock.forward(50_000);
    assert_eq!(world.status.browser_sockets(), 1);
    let mut last = 0;
    loop {
        let frame = browser.frame();
        if frame.first_byte == 0x88 {
            assert_eq!(frame.payload, [&4100_u16.to_be_bytes()[..], b"too slow, come back"].concat());
            break;
        }
        let index = frame.json()["position"][1].as_u64().unwrap();
        assert_eq!(index, last + 1, "what it still gets has no holes");
        last = index;
    }
    assert_eq!(browser.frame_or_end(), None);
}
