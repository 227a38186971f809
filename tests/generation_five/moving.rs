//! A node goes away.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use cometql::ws;
use rustix::process::Signal;
use serde_json::json;

use super::browser::Browser;
use super::node::Home;
use super::world::{DEADLINE, World, config, until, world};

fn is_over(world: World) {
    let served = async { tokio::time::timeout(DEADLINE, world.served).await };
    world.runtime.block_on(served).unwrap().unwrap().unwrap();
}

#[test]
fn who_is_asked_to_move_still_hears_and_says_until_the_time_is_up() {
    let world = world(ws::Config { drain_seconds_max: 5, ..config() });
    let mut four = Browser::subscriber(world.address, &["web_room"]);
    let mut silent = Browser::five(world.address);
    let mut five = Browser::follower(world.address, &["web_room"]);
    let mut moves = Browser::follower(world.address, &["web_room"]);
    world.stop.send(true).unwrap();
    assert_eq!(four.frame_or_end(), None, "generation 4 is closed at once, without a word");
    let moving = json!({"is": "move", "within_seconds": 5});
    assert_eq!((five.hear(), moves.hear(), silent.hear()), (moving.clone(), moving.clone(), moving));
    until("nobody is let in", || TcpStream::connect(world.address).is_err());
    moves.send_raw(&super::browser::masked(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(moves.closed().0, 1000);
    five.say(&json!({"do": "publish", "id": 1, "pipe": "web_room", "data": "still here"}));
    let (one, other) = (five.hear(), five.hear());
    assert!([&one, &other].iter().any(|heard| heard["data"] == "still here"), "{one} {other}");
    assert!([&one, &other].iter().any(|heard| heard["is"] == "answer"), "{one} {other}");
    world.clock.forward(4_999);
    assert_eq!(five.ask(&json!({"do": "ping", "id": 2}))["is"], "answer");
    world.clock.forward(1);
    assert_eq!(five.closed(), (4000, "the node is going away".to_owned()));
    assert_eq!(silent.closed().0, 4000);
    is_over(world);
}

#[test]
fn a_node_stops_as_soon_as_all_have_moved() {
    let world = world(ws::Config { drain_seconds_max: 3_600, ..config() });
    let _silent = Browser::silent(world.address);
    let _four = Browser::subscriber(world.address, &["room"]);
    let mut five = Browser::newcomer(world.address);
    world.stop.send(true).unwrap();
    assert_eq!(five.hear()["is"], "move");
    five.socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(five.frame_or_end(), None);
    // The clock stands still: nobody was waited for.
    is_over(world);
}

#[test]
fn without_time_to_move_all_are_sent_away() {
    let world = world(config());
    let mut five = Browser::newcomer(world.address);
    world.stop.send(true).unwrap();
    assert_eq!(five.closed().0, 4000);
    is_over(world);
}

#[test]
fn the_binary_asks_to_move_and_ends_when_the_last_has() {
    let flags = ["--log", "warn", "--memory", "--drain-seconds-max", "600"];
    let node = Home::new(&flags).start();
    let mut five = Browser::follower(node.browsers, &["web_room"]);
    let stopping = std::thread::spawn(move || node.stop(Signal::TERM));
    assert_eq!(five.hear(), json!({"is": "move", "within_seconds": 600}));
    assert_eq!(five.ask(&json!({"do": "ping", "id": 1}))["is"], "answer");
    assert!(!stopping.is_finished());
    five.socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    five.socket.shutdown(Shutdown::Write).unwrap();
    let (end, _) = stopping.join().unwrap();
    assert!(end.status.success(), "{}", end.stderr);
    let node = Home::new(&flags).start();
    let (end, _) = node.stop(Signal::TERM);
    assert!(end.status.success() && end.stderr.is_empty(), "with nobody there: {}", end.stderr);
}
