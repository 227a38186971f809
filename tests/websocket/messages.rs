//! What is published reaches who subscribes.

use bytes::Bytes;

use super::browser::{Browser, masked, request};
use super::world::{config, until, world};

#[test]
fn a_subscriber_hears_what_is_published_in_the_envelope_of_the_original() {
    let world = world(config());
    let mut browser = Browser::subscriber(world.address, &["hello"]);
    let mut other = Browser::subscriber(world.address, &["elsewhere"]);
    assert_eq!(world.publish("hello", "{\"k\":\"it's\"}").receivers, 1);
    let message = browser.frame().json();
    assert_eq!(message["data"], "{\"k\":\"it's\"}");
    assert_eq!((&message["event"], &message["pipe"]), (&"event".into(), &"hello".into()));
    assert_eq!(message["message_send_time"], 1_700_000_000);
    assert_eq!(message["uuid"].as_str().unwrap().len(), 36);
    assert!(message.get("user_id").is_none() && message.get("marker").is_none());
    world.publish("elsewhere", "for the other");
    assert_eq!(other.frame().json()["data"], "for the other");
}

#[test]
fn every_length_arrives_whole() {
    let world = world(config());
    let mut browser = Browser::subscriber(world.address, &["lengths"]);
    for length in (0..300).chain([65_300, 65_500, 65_535, 65_536, 70_000, 1_000_000]) {
        let text = "x".repeat(length);
        world.publish("lengths", &text);
        assert_eq!(browser.frame().json()["data"], text, "{length}");
    }
}

#[test]
fn messages_arrive_in_order_and_once_over_both_shards() {
    let world = world(config());
    let mut browsers: Vec<Browser> = (0..8).map(|_| Browser::subscriber(world.address, &["one", "two"])).collect();
    for first in (0..1_000).step_by(10) {
        let texts: Vec<String> = (first..first + 10).map(|number| number.to_string()).collect();
        let pipe = if first % 30 == 0 { "one" } else { "two" };
        assert_eq!(world.publish_all(texts.iter().map(|text| (pipe, text.as_str())).collect())[0].receivers, 8);
    }
    for browser in &mut browsers {
        for number in 0..1_000 {
            assert_eq!(browser.frame().json()["data"], number.to_string());
        }
    }
}

#[test]
fn a_new_list_replaces_the_old() {
    let world = world(config());
    let mut browser = Browser::subscriber(world.address, &["aaa", "bbb"]);
    browser.subscribe(&["bbb", "ccc", "ccc"]);
    assert_eq!([world.listeners("aaa"), world.listeners("bbb"), world.listeners("ccc")], [0, 1, 1]);
    for pipe in ["aaa", "bbb", "ccc"] {
        world.publish(pipe, pipe);
    }
    assert_eq!(browser.frame().json()["pipe"], "bbb");
    assert_eq!(browser.frame().json()["pipe"], "ccc");
    browser.subscribe(&[]);
    assert_eq!(world.listeners("bbb"), 0);
}

#[test]
fn a_refused_name_does_not_spoil_the_list() {
    let world = world(config());
    let mut browser = Browser::stranger(world.address);
    browser.send_text(&format!("subscription\nprivate_x\n{}\nx\nfine", "y".repeat(65)));
    let mut errors: Vec<String> =
        (0..3).map(|_| browser.frame().json()["data"]["code"].as_str().unwrap().to_owned()).collect();
    errors.sort();
    assert_eq!(errors, ["400", "400", "403"]);
    until("the rest stands", || world.listeners("fine") == 1);
    world.publish("fine", "x");
    assert_eq!(browser.frame().json()["pipe"], "fine");
}

#[test]
fn unknown_commands_are_told_so_and_harm_nothing() {
    let world = world(config());
    let mut browser = Browser::subscriber(world.address, &["hello"]);
    browser.send_text("dance\nnow");
    assert_eq!(browser.frame().json()["data"]["number_messages"], -1);
    browser.send_text("statistics\n{}");
    world.publish("hello", "still here");
    assert_eq!(browser.frame().json()["data"], "still here");
}

#[test]
fn who_leaves_is_no_longer_counted_however_it_leaves() {
    let world = world(config());
    let mut browsers: Vec<Browser> = (0..30).map(|_| Browser::subscriber(world.address, &["room"])).collect();
    assert_eq!(world.listeners("room"), 30);
    assert_eq!(world.status.browsers_connected(), 30);
    for (number, browser) in browsers.drain(..20).enumerate() {
        let mut browser = browser;
        match number % 3 {
            0 => browser.send_raw(&masked(0x88, b"")),
            1 => browser.send_raw(&[0xff, 0xff]),
            _ => drop(browser),
        }
    }
    until("ten are left", || world.listeners("room") == 10 && world.status.browsers_connected() == 10);
    assert_eq!(world.publish("room", "x").receivers, 10);
}

#[test]
fn an_independent_client_is_content() {
    let world = world(config());
    let url = format!("ws://{}/ws/v=5", world.address);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    for (said, heard) in [
        (r#"{"do":"hello"}"#, &["welcome"][..]),
        (r#"{"do":"subscribe","id":1,"pipes":[{"pipe":"hello"}]}"#, &["subscribed", "answer"]),
    ] {
        socket.send(tungstenite::Message::text(said)).unwrap();
        for is in heard {
            assert!(socket.read().unwrap().into_text().unwrap().contains(&format!("\"is\":\"{is}\"")));
        }
    }
    socket.send(tungstenite::Message::Ping(Bytes::from_static(b"x"))).unwrap();
    assert_eq!(socket.read().unwrap(), tungstenite::Message::Pong(Bytes::from_static(b"x")));
    world.publish("hello", "😀");
    assert!(socket.read().unwrap().into_text().unwrap().contains("😀"));
    socket.close(None).unwrap();
    assert!(matches!(socket.read(), Ok(tungstenite::Message::Close(_))));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn who_says_something_and_goes_at_once_is_gone() {
    let world = world(config());
    let target = "/ws/sesion=&myid=0&devid=0&v=4.08&uuid=u&api=js";
    let all = [request(target).into_bytes(), masked(0x81, b"subscription\nroom")].concat();
    for _ in 0..500 {
        let mut browser = Browser::silent(world.address);
        browser.send_raw(&all);
        browser.socket.shutdown(std::net::Shutdown::Write).unwrap();
        // What it said and that it says no more may be told to the server together.
        browser.rest();
    }
    until("nobody is left", || world.listeners("room") == 0 && world.status.browser_sockets() == 0);
}
