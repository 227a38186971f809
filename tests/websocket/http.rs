//! Plain HTTP on the browsers' port: one answer a connection, whole, whatever else is sent.

use std::io::{Read, Write};
use std::net::Shutdown;

use cometql::ws::{self, health};

use super::browser::{Browser, request};
use super::world::{World, config, until, world};

struct Answer {
    head: String,
    body: Vec<u8>,
}

/// Sends all this and takes everything up to the end of the connection: exactly one answer.
fn asked(world: &World, request: &[u8]) -> Answer {
    let mut browser = Browser::silent(world.address);
    browser.send_raw(request);
    one_answer(browser)
}

fn one_answer(mut browser: Browser) -> Answer {
    let head = browser.head();
    Answer { head, body: browser.rest() }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn status(&self) -> &str {
        &self.head["HTTP/1.1 ".len().."HTTP/1.1 200".len()]
    }

    /// The length it promises is the length it has, and it says that the connection ends.
    fn check(&self, status: &str) {
        assert_eq!(self.status(), status, "{}", self.head);
        assert_eq!(self.header("Content-Length"), Some(self.body.len().to_string().as_str()), "{}", self.head);
        assert_eq!(self.header("Connection"), Some("close"), "{}", self.head);
        assert_eq!(self.header("Access-Control-Allow-Origin"), Some("*"), "{}", self.head);
    }
}

#[test]
fn every_answer_has_its_length_and_says_that_it_is_the_only_one() {
    let world = world(config());
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    let endless = format!("GET / HTTP/1.1\r\na: {}", "x".repeat(20_000));
    let no_key = request("/ws/x").replace("Sec-WebSocket-Key", "X-Key");
    let short_key = request("/ws/x").replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=");
    let old = request("/ws/x").replace("Version: 13", "Version: 8");
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", "200"),
        ("GET / HTTP/1.0\r\nConnection: close\r\n\r\n", "200"),
        ("GET /?query HTTP/1.1\r\n\r\n", "200"),
        ("GET /info HTTP/1.1\r\n\r\n", "200"),
        ("GET /comet-server/info HTTP/1.1\r\n\r\n", "200"),
        ("GET /favicon.ico HTTP/1.1\r\n\r\n", "200"),
        ("OPTIONS /x HTTP/1.1\r\nOrigin: http://x\r\nAccess-Control-Request-Method: POST\r\n\r\n", "200"),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "404"),
        ("PUT /info HTTP/1.1\r\n\r\n", "404"),
        ("GET /nothing HTTP/1.1\r\n\r\n", "404"),
        ("GET /../../etc/passwd HTTP/1.1\r\n\r\n", "404"),
        ("GET /ws HTTP/1.1\r\n\r\n", "404"),
        ("GET /ws/x HTTP/1.1\r\n\r\n", "400"),
        (&no_key, "400"),
        (&short_key, "400"),
        (&old, "426"),
        (&many_headers, "431"),
        (&long, "431"),
        (&endless, "431"),
        ("\r\n\r\n\u{1}\u{2}\r\n\r\n", "400"),
        ("{\"json\": 1}\r\n\r\n", "400"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}", "400"),
    ] {
        asked(&world, request.as_bytes()).check(status);
    }
    assert_eq!(asked(&world, old.as_bytes()).header("Sec-WebSocket-Version"), Some("13"));
    until("nobody is left", || world.status.browser_sockets() == 0);
}

#[test]
fn a_head_is_what_the_page_has_without_the_page() {
    let world = world(config());
    for path in ["/", "/info", "/favicon.ico", "/nothing"] {
        let page = asked(&world, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
        let head = asked(&world, format!("HEAD {path} HTTP/1.1\r\n\r\n").as_bytes());
        assert_eq!((head.head, head.body.len()), (page.head, 0));
    }
}

#[test]
fn info_is_clean_json_with_status_and_node() {
    let world = world(config());
    let info = asked(&world, b"GET /info HTTP/1.1\r\n\r\n");
    assert_eq!(info.header("Content-Type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
    assert_eq!(json["status"], "ok");
    let node = json["node"].as_str().unwrap();
    assert!(!node.is_empty() && !node.contains('_'), "{node}");
}

#[test]
fn a_preflight_may_do_what_the_page_will_do() {
    let world = world(config());
    let answer = asked(&world, b"OPTIONS /ws/ HTTP/1.1\r\nOrigin: http://x\r\n\r\n");
    answer.check("200");
    assert_eq!(answer.body, b"+OK\r\n");
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some("POST, GET"));
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("origin, content-type, accept"));
}

#[test]
fn what_follows_a_request_does_not_cost_its_answer() {
    let world = world(config());
    for body_bytes in [1, 1_000, 100_000, 3_000_000] {
        let body = vec![b'x'; body_bytes];
        let post = format!("POST /x HTTP/1.1\r\nContent-Length: {body_bytes}\r\n\r\n");
        let mut browser = Browser::silent(world.address);
        browser.send_raw(post.as_bytes());
        // All of it, before anything is read.
        browser.socket.write_all(&body).expect("the server reads and drops it");
        one_answer(browser).check("404");
    }
    // One that sends its body when it has been answered already can do so, and sees a clean end.
    let mut late = Browser::silent(world.address);
    late.send_raw(b"POST /x HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n");
    late.head();
    for _ in 0..30 {
        late.socket.write_all(&[b'x'; 100_000]).expect("the server reads and drops it");
    }
    late.socket.shutdown(Shutdown::Write).unwrap();
    late.socket.read_to_end(&mut Vec::new()).expect("no reset");
    let garbage = [0xff; 70_000];
    asked(&world, &[b"GET / HTTP/1.1\r\n\r\n".as_slice(), &garbage].concat()).check("200");
    let twice = "GET /info HTTP/1.1\r\n\r\n".repeat(100);
    asked(&world, twice.as_bytes()).check("200");
    // A refusal is read as well, though its client has said more.
    let mut browser = Browser::silent(world.address);
    browser.send_raw(&[request("/ws/").as_bytes(), &garbage].concat());
    assert!(browser.head().starts_with("HTTP/1.1 101"));
    assert_eq!(browser.frame().json()["error"], 401);
    assert_eq!(browser.frame_or_end(), None);
}

#[test]
fn a_request_may_come_byte_by_byte_or_with_its_end() {
    let world = world(config());
    let mut slow = Browser::silent(world.address);
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".iter().for_each(|byte| slow.send_raw(&[*byte]));
    one_answer(slow).check("200");
    let mut one_way = Browser::silent(world.address);
    one_way.send_raw(b"GET / HTTP/1.1\r\n\r\n");
    one_way.socket.shutdown(Shutdown::Write).unwrap();
    one_answer(one_way).check("200");
}

#[test]
fn pages_are_no_browsers_and_silent_connections_count_as_connections() {
    let world = world(ws::Config { connections_max: 5, ..config() });
    let _browser = Browser::subscriber(world.address, &["room"]);
    for _ in 0..50 {
        asked(&world, b"GET / HTTP/1.1\r\n\r\n").check("200");
        until("it is gone", || world.status.browser_sockets() == 1);
    }
    assert_eq!(world.status.browsers_connected(), 1);
    let silent: Vec<Browser> = (0..4).map(|_| Browser::silent(world.address)).collect();
    until("all are counted", || world.status.browser_sockets() == 5);
    // One too many is told so, and asks in vain for nothing else.
    for _ in 0..2 * ws::BEYOND_MAX {
        asked(&world, b"GET /info HTTP/1.1\r\n\r\n").check("200");
        until("it is gone", || world.status.browser_sockets() == 5);
    }
    for target in ["/ws/v=5&devid=0", "/ws/sesion=k&myid=1&devid=0&v=4.08", "/ws/"] {
        let refused = asked(&world, request(target).as_bytes());
        refused.check("503");
        assert_eq!(refused.header("Retry-After"), Some("5"));
        until("it is gone", || world.status.browser_sockets() == 5);
    }
    assert_eq!(health::ask(world.address).map(|said| said.contains("ok")), Ok(true));
    until("it is gone", || world.status.browser_sockets() == 5);
    let beyond: Vec<Browser> = (0..ws::BEYOND_MAX).map(|_| Browser::silent(world.address)).collect();
    until("all are counted", || world.status.browser_sockets() == 5 + ws::BEYOND_MAX as u64);
    assert_eq!(Browser::silent(world.address).rest(), b"", "far too many");
    drop((silent, beyond));
    until("there is room again", || world.status.browser_sockets() == 1);
    Browser::stranger(world.address);
}
