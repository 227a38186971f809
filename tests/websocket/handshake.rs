//! The first request, logins by token, and how connections end.

use super::browser::{Browser, masked, request};
use super::world::{DEADLINE, config, token, until, world};
use cometql::ws;

#[test]
fn a_token_logs_in_and_opens_private_pipes() {
    let world = world(config());
    let target = |user, token: &str| format!("/ws/sesion={token}&myid={user}&devid=0&v=4.08&uuid=u&api=js");
    let (mut browser, _) = Browser::upgrade(world.address, &target(7, &token(7)));
    let info = browser.frame().json();
    assert_eq!((&info["authorized"], info["data"].as_str()), (&true.into(), Some(token(7).as_str())));
    browser.subscribe(&["private_room"]);
    assert_eq!(world.listeners("private_room"), 1);
    for (user, key) in [(8, token(7)), (7, "wrong".to_owned()), (7, String::new())] {
        let (mut browser, _) = Browser::upgrade(world.address, &target(user, &key));
        let info = browser.frame().json();
        assert_eq!((&info["authorized"], info["data"].as_str()), (&false.into(), Some("")), "{key}");
    }
}

#[test]
fn frames_may_be_split_at_every_byte_or_come_together() {
    let world = world(config());
    let target = "/ws/sesion=&myid=0&devid=0&v=4.08&uuid=u&api=js";
    let mut all = request(target).into_bytes();
    all.extend(masked(0x81, b"subscription\nsplit"));
    all.extend(masked(0x89, b"1"));
    all.extend(masked(0x01, b"subscription\nsplit\n"));
    all.extend(masked(0x89, b"2"));
    all.extend(masked(0x80, b"more"));
    all.extend(masked(0x89, b"3"));
    // At once, and cut in two at places all over.
    for cut in (0..all.len()).step_by(7) {
        let mut browser = Browser::silent(world.address);
        browser.send_raw(&all[..cut]);
        std::thread::yield_now();
        browser.send_raw(&all[cut..]);
        assert!(browser.head().starts_with("HTTP/1.1 101"));
        assert_eq!(browser.frame().json()["event"], "serverInfo");
        for number in [b"1", b"2", b"3"] {
            assert_eq!(browser.frame().payload, number);
        }
    }
    let mut browser = Browser::silent(world.address);
    for byte in &all {
        browser.send_raw(&[*byte]);
    }
    assert!(browser.head().starts_with("HTTP/1.1 101"));
    assert_eq!(browser.frame().json()["event"], "serverInfo");
    assert_eq!(browser.frame().payload, b"1");
}

#[test]
fn the_original_client_is_closed_without_a_close_frame_and_a_newer_one_with() {
    let world = world(config());
    let mut browser = Browser::stranger(world.address);
    browser.send_raw(&masked(0x88, &1000u16.to_be_bytes()));
    assert_eq!(browser.frame_or_end(), None);
    let mut browser = Browser::newcomer(world.address);
    browser.send_raw(&masked(0x88, &1000u16.to_be_bytes()));
    assert_eq!(browser.frame().payload, 1000u16.to_be_bytes());
    assert_eq!(browser.frame_or_end(), None);
    let mut browser = Browser::newcomer(world.address);
    browser.send_raw(&masked(0x81, &[0xff]));
    assert_eq!(browser.closed(), (1007, "not UTF-8".to_owned()));
    until("nobody is left", || world.status.browsers_connected() == 0);
}

#[test]
fn refusals_are_said_in_a_frame_and_end_the_connection() {
    let world = world(config());
    for (target, code) in [("/ws/", 401), ("/ws/sesion=&myid=0&devid=0&v=3.25&uuid=u", 418)] {
        let (mut browser, head) = Browser::upgrade(world.address, target);
        assert!(head.starts_with("HTTP/1.1 101"));
        assert_eq!(browser.frame().json()["error"], code);
        assert_eq!(browser.frame_or_end(), None);
    }
}

#[test]
fn plain_requests_are_answered() {
    let world = world(config());
    for (request, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", "the page"),
        ("GET /info HTTP/1.1\r\n\r\n", "\"status\":\"ok\""),
        ("OPTIONS * HTTP/1.1\r\n\r\n", "+OK"),
        ("GET /nothing HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("GET /ws/x HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("not http at all\r\n\r\n", "400 Bad Request"),
    ] {
        let mut browser = Browser::silent(world.address);
        browser.send_raw(request.as_bytes());
        let answer = String::from_utf8(browser.rest()).unwrap();
        assert!(answer.contains(expected), "{request}: {answer}");
    }
}

#[test]
fn a_first_request_must_arrive_in_time_and_a_dead_browser_is_noticed() {
    let world = world(ws::Config { ping_seconds: 2, ..config() });
    let mut slow = Browser::silent(world.address);
    slow.send_raw(b"GET / HT");
    let mut deaf = Browser::subscriber(world.address, &["room"]);
    slow.socket.set_nonblocking(true).unwrap();
    until("the slow one is closed", || {
        // Its time begins when its shard has it.
        world.clock.forward(1_000);
        matches!(slow.socket.peek(&mut [0]), Ok(0))
    });
    world.clock.forward(60_000);
    while let Some(frame) = deaf.frame_or_end() {
        assert_eq!(frame.first_byte, 0x89, "a ping, which it does not answer");
    }
    until("nobody listens", || world.listeners("room") == 0);
}

#[test]
fn a_node_that_stops_lets_go_of_everybody() {
    let world = world(config());
    let mut browser = Browser::subscriber(world.address, &["hello"]);
    world.stop.send(true).unwrap();
    assert_eq!(browser.frame_or_end(), None);
    world.runtime.block_on(async { tokio::time::timeout(DEADLINE, world.served).await }).unwrap().unwrap().unwrap();
    assert!(std::net::TcpStream::connect(world.address).is_err());
}
