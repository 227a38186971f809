//! The browsers' wire, tried by raw frames against a node with a store in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/browser.rs"]
mod browser;
#[path = "world/clock.rs"]
mod clock;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use browser::{Browser, masked, request};
use bytes::Bytes;
use clock::StillClock;
use cometql::node::{self, AllowedOrigins, Node};
use cometql::pipe::{Message, MessageId, Pipe, PipeName};
use cometql::status::Status;
use cometql::store::{Publish, Published, embedded};
use cometql::user::TenantId;
use cometql::ws::{self, Posts, http::Site};
use hmac::{KeyInit, Mac};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const DEADLINE: Duration = Duration::from_secs(20);

struct World {
    runtime: Runtime,
    address: SocketAddr,
    node: Arc<Node>,
    status: Arc<Status>,
    clock: Arc<StillClock>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

fn config() -> ws::Config {
    ws::Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        shards: 2,
        handshake_seconds_max: 10,
        request_bytes_max: 16 * 1024,
        message_bytes_max: 1024 * 1024,
        ping_seconds: 25,
        outbox_bytes_max: 1024 * 1024,
        subscriptions_max: 1024,
        connections_max: 10_000,
        ear_bytes_max: 8 * 1024 * 1024,
    }
}

fn world(config: ws::Config) -> World {
    world_of(config, node::Config { presence_grace_seconds: 0, ..node::Config::with_password("pw") })
}

fn world_of(config: ws::Config, of_node: node::Config) -> World {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let clock = Arc::new(StillClock::at(1_700_000_000_000));
    let status = Arc::new(Status::new());
    let posts = Posts::new(&config).unwrap();
    let in_memory = embedded::Config { directory: None, history_bytes_max_per_pipe: 1024 * 1024 };
    let store = embedded::open(&in_memory, posts.ears(), clock.clone()).unwrap();
    let node = Node::new(store, clock.clone(), posts.shards(), of_node, Arc::clone(&status));
    let listener = runtime.block_on(TcpListener::bind(config.listen)).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let site = Site { page: Bytes::from_static(b"<!doctype html>the page"), origins: node.config().origins.clone() };
    let (of_serve, status_of_serve) = (Arc::clone(&node), Arc::clone(&status));
    let served = runtime
        .spawn(async move { ws::serve(listener, posts, site, of_serve, status_of_serve, &config, stopped).await });
    World { runtime, address, node, status, clock, stop, served }
}

impl World {
    fn publish(&self, pipe: &str, text: &str) -> Published {
        self.publish_all(vec![(pipe, text)])[0]
    }

    fn publish_all(&self, messages: Vec<(&str, &str)>) -> Vec<Published> {
        let batch = messages.into_iter().map(|(pipe, text)| Publish {
            pipe: Pipe::Named(TenantId(0), PipeName::for_publish(pipe).unwrap()),
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new(text.to_owned(), usize::MAX).unwrap(),
            user: None,
            origin: None,
            sender_listens: false,
        });
        self.runtime.block_on(self.node.publish(batch.collect())).unwrap()
    }

    fn listeners(&self, pipe: &str) -> u64 {
        let pipe = Pipe::Named(TenantId(0), PipeName::for_publish(pipe).unwrap());
        self.runtime.block_on(self.node.listeners(&pipe)).unwrap()
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "it did not come true that {what}");
        std::thread::yield_now();
    }
}

fn token(user: u32) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"user_id\":{user},\"exp\":1800000000}}"));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"pw0").unwrap();
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

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
    let (mut browser, _) = Browser::upgrade(world.address, "/ws/sesion=&myid=0&devid=0&v=5.0&uuid=u");
    browser.frame();
    browser.send_raw(&masked(0x88, &1000u16.to_be_bytes()));
    assert_eq!(browser.frame().payload, 1000u16.to_be_bytes());
    assert_eq!(browser.frame_or_end(), None);
    let (mut browser, _) = Browser::upgrade(world.address, "/ws/sesion=&myid=0&devid=0&v=5.0&uuid=u");
    browser.frame();
    browser.send_raw(&masked(0x81, &[0xff]));
    assert_eq!(browser.frame().payload, 1007u16.to_be_bytes());
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
fn a_tenant_with_a_list_lets_in_its_pages_alone() {
    let own = [(TenantId(5), vec!["a.com".parse().unwrap()])].into();
    let origins = AllowedOrigins { everybody: Vec::new(), tenants: own };
    let world = world_of(config(), node::Config { origins, ..node::Config::with_password("pw") });
    for (tenant, said, is_let_in) in [
        (5, "Origin: https://a.com\r\n", true),
        (5, "origin: http://A.com:81\r\n", true),
        (5, "Origin: https://a.com.evil.org\r\n", false),
        (5, "Origin: null\r\n", false),
        (5, "", false),
        (6, "Origin: https://a.com.evil.org\r\n", true),
        (6, "", true),
    ] {
        let target = format!("/ws/sesion=&myid=0&devid={tenant}&v=4.08&uuid=u&api=js");
        let mut browser = Browser::silent(world.address);
        browser.send_raw(request(&target).replace("Host:", &format!("{said}Host:")).as_bytes());
        assert!(browser.head().starts_with("HTTP/1.1 101"));
        let first = browser.frame().json();
        if is_let_in {
            assert_eq!(first["event"], "serverInfo", "{tenant} {said}");
        } else {
            assert_eq!((&first["error"], &first["event"]), (&423.into(), &"error".into()), "{tenant} {said}");
            assert_eq!(browser.frame_or_end(), None);
        }
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
fn a_first_request_must_arrive_in_time_and_a_dead_browser_is_noticed() {
    let world = world(ws::Config { ping_seconds: 2, ..config() });
    let mut slow = Browser::silent(world.address);
    slow.send_raw(b"GET / HT");
    let mut deaf = Browser::subscriber(world.address, &["room"]);
    world.clock.forward(11_000);
    assert_eq!(slow.rest(), b"");
    world.clock.forward(60_000);
    while let Some(frame) = deaf.frame_or_end() {
        assert_eq!(frame.first_byte, 0x89, "a ping, which it does not answer");
    }
    until("nobody listens", || world.listeners("room") == 0);
}

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

#[test]
fn random_bytes_end_only_their_own_connection() {
    let world = world(config());
    let mut witness = Browser::subscriber(world.address, &["hello"]);
    let seed = 0x5EED_u64;
    println!("seed {seed:#x}");
    let mut state = seed;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let target = "/ws/sesion=&myid=0&devid=0&v=4.08&uuid=u&api=js";
    for round in 0..400 {
        let mut bytes = request(target).into_bytes();
        if round % 2 == 0 {
            for _ in 0..3 {
                let payload: Vec<u8> = (0..random() % 200).map(|_| random() as u8).collect();
                bytes.extend(masked(random() as u8, &payload));
            }
        }
        for _ in 0..random() % 8 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() as usize % bytes.len() + 1);
        let mut browser = Browser::silent(world.address);
        // It may be closed while it is still sending.
        let _ = std::io::Write::write_all(&mut browser.socket, &bytes);
    }
    until("they are gone", || world.status.browsers_connected() == 1);
    world.publish("hello", "still here");
    assert_eq!(witness.frame().json()["data"], "still here");
}

#[test]
fn an_independent_client_is_content() {
    let world = world(config());
    let url = format!("ws://{}/ws/sesion=&myid=0&devid=0&v=5.0&uuid=u&api=js", world.address);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    assert!(socket.read().unwrap().into_text().unwrap().contains("serverInfo"));
    socket.send(tungstenite::Message::text("subscription\nhello")).unwrap();
    socket.send(tungstenite::Message::Ping(Bytes::from_static(b"x"))).unwrap();
    assert_eq!(socket.read().unwrap(), tungstenite::Message::Pong(Bytes::from_static(b"x")));
    world.publish("hello", "😀");
    assert!(socket.read().unwrap().into_text().unwrap().contains("😀"));
    socket.close(None).unwrap();
    assert!(matches!(socket.read(), Ok(tungstenite::Message::Close(_))));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
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
