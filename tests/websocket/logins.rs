//! Who is let in, and who is put out.

use cometql::node::Record;
use cometql::user::TenantId;

use super::browser::Browser;
use super::world::{World, config, token, until, user, world};

fn refuse(world: &World, number: u32, key: &str) {
    let (mut browser, info) = world.try_login(number, key);
    assert_eq!((&info["authorized"], &info["data"]), (&false.into(), &"".into()), "{key:?}");
    browser.send_text("web_pipe2\nwebauth_x\ne\n*\nx");
    assert_eq!(browser.frame().json()["event"], "error", "a stranger like any other");
    assert_eq!(world.devices(user(42)), 0);
}

fn remove(world: &World, record: &Record) {
    world.runtime.block_on(world.node.remove_record(TenantId(0), record)).unwrap();
}

#[test]
fn a_hash_logs_in_and_nothing_near_it_does() {
    let world = world(config());
    refuse(&world, 42, "h4sh");
    world.set_key(user(42), "h4sh");
    world.login(42, "h4sh");
    until("it has gone", || world.devices(user(42)) == 0);
    for key in ["h4s", "h4shh", "H4SH", "", "undefined", " h4sh"] {
        // A blank ends the address.
        if !key.contains(' ') {
            refuse(&world, 42, key);
        }
    }
    refuse(&world, 43, "h4sh");
    world.set_key(user(42), "new");
    refuse(&world, 42, "h4sh");
    world.login(42, "new");
}

#[test]
fn an_empty_hash_logs_in_nobody() {
    let world = world(config());
    world.set_key(user(42), "");
    refuse(&world, 42, "");
    refuse(&world, 42, "undefined");
    refuse(&world, 0, "");
}

#[test]
fn a_token_plants_no_hash_and_logs_in_its_user_only() {
    let world = world(config());
    let token = token(42);
    let _device = world.login(42, &token);
    let record = world.runtime.block_on(world.node.record(TenantId(0), &Record::Key(user(42))));
    assert_eq!(record.unwrap(), None);
    drop(_device);
    until("it has gone", || world.devices(user(42)) == 0);
    refuse(&world, 42, &token[..32]);
    refuse(&world, 43, &token);
    refuse(&world, 42, &token[..token.len() - 1]);
    world.clock.forward(200_000_000_000);
    refuse(&world, 42, &token);
}

#[test]
fn a_revoked_token_is_refused_and_cuts_every_device_without_a_close_frame() {
    let world = world(config());
    let token = token(42);
    let mut devices: Vec<Browser> = (0..20).map(|_| world.login(42, &token)).collect();
    let mut other = Browser::subscriber(world.address, &["room"]);
    until("all are there", || world.devices(user(42)) == 20);
    assert!(world.runtime.block_on(world.node.revoke(TenantId(0), &token)).unwrap());
    for device in &mut devices {
        assert_eq!(device.frame_or_end(), None);
    }
    until("nobody is there", || world.devices(user(42)) == 0);
    refuse(&world, 42, &token);
    world.publish("room", "the others stay");
    assert_eq!(other.frame().json()["data"], "the others stay");
}

#[test]
fn a_deleted_hash_cuts_every_device_and_another_does_not() {
    let world = world(config());
    world.set_key(user(42), "h4sh");
    world.set_key(user(7), "other");
    let mut devices: Vec<Browser> = (0..20).map(|_| world.login(42, "h4sh")).collect();
    let mut other = world.login(7, "other");
    until("all are there", || world.devices(user(42)) == 20);
    world.set_key(user(42), "new");
    remove(&world, &Record::Data(user(42)));
    world.tell(user(42), "a new hash cuts nobody");
    devices.iter_mut().for_each(|device| assert_eq!(device.frame().json()["pipe"], "msg"));
    remove(&world, &Record::Key(user(42)));
    for mut device in devices {
        // A ping for the receipt of the message above may still come.
        while let Some(frame) = device.frame_or_end() {
            assert_eq!(frame.first_byte, 0x89);
        }
    }
    refuse(&world, 42, "h4sh");
    world.tell(user(7), "still here");
    assert_eq!(other.frame().json()["data"], "still here");
}

#[test]
fn keys_of_any_length_harm_nobody() {
    let world = world(config());
    for length in [599, 600, 601, 700, 1_000, 8_000] {
        refuse(&world, 42, &"k".repeat(length));
    }
    let long = "h".repeat(700);
    world.set_key(user(42), &long);
    world.login(42, &long);
    let too_long = format!("/ws/sesion={}&myid=1&devid=0&v=4.08&uuid=u", "k".repeat(20_000));
    let (_, head) = Browser::upgrade(world.address, &too_long);
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
}
