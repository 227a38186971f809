//! What docker-compose.yml starts, as processes of this machine, with the same commands, variables and configuration:
//! browsers and backends come through nginx, and do not mind which node is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
#[path = "../world/clients.rs"]
mod clients;
#[path = "../world/compose.rs"]
mod compose;
mod follower;
#[path = "../world/node.rs"]
mod node;
#[path = "../world/redis.rs"]
mod redis;
mod site;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use browser::Browser;
use follower::Follower;
use node::{Home, Node};
use rustix::process::Signal;
use serde_json::{Value, json};
use site::{DEADLINE, Site, ask};

const PIPE: &str = "private_room_lobby";
/// A room of the chat keeps 50 messages, and nobody is to miss more than that.
const AHEAD_MAX: usize = 20;

/// Somebody who is logged in at the chat.
struct Person {
    cookie: String,
    /// What their browsers say in `hello`.
    login: Value,
}

impl Person {
    fn log_in(site: &Site, name: &str) -> Person {
        let answer = ask(site.browsers, "POST /login", "", Some(&json!({"name": name}))).unwrap();
        assert_eq!(answer.status, 200, "{}\n{}\n{}", answer.head, answer.body, site.complaints());
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).expect("a cookie");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let about: Value = serde_json::from_str(answer.body.trim()).unwrap_or_else(|_| panic!("{}", answer.body));
        Person { cookie, login: json!({"user": about["user"], "key": about["key"]}) }
    }

    fn browsers(&self, site: &Site, count: usize) -> Vec<Follower> {
        (0..count).map(|_| Follower::come(site.browsers, self.login.clone(), PIPE)).collect()
    }
}

/// Says it in the chat, again and again with the same UUID until that is acknowledged, as the chat's page does.
fn say(address: SocketAddr, cookie: &str, text: &str, number: usize) {
    let said = json!({"room": "lobby", "text": text, "uuid": format!("00000000-0000-4000-8000-{number:012x}")});
    let began = Instant::now();
    let mut refused = String::new();
    while began.elapsed() < DEADLINE {
        match ask(address, "POST /say", &format!("Cookie: {cookie}\r\n"), Some(&said)) {
            Ok(answer) if answer.status == 204 => return,
            Ok(answer) => refused = format!("{}\n{}", answer.head, answer.body),
            Err(error) => refused = error.to_string(),
        }
    }
    panic!("{text} is not acknowledged: {refused}");
}

#[test]
fn what_is_published_through_any_door_reaches_the_browsers_of_both_nodes() {
    let site = Site::start();
    let page = ask(site.browsers, "GET /", "", None).unwrap();
    assert!(page.status == 200 && page.body.contains("<title>Chat</title>"), "{}{}", page.head, page.body);
    let script = ask(site.browsers, "GET /CometServerApi.js", "", None).unwrap();
    assert!(script.status == 200 && script.body.contains("cometApi"), "{}", script.head);
    let own = ask(site.browsers, "GET /comet-server/", "", None).unwrap();
    assert!(own.status == 200 && own.body.contains("<!doctype html>"), "{}", own.head);

    let person = Person::log_in(&site, "Ann");
    let mut browsers = person.browsers(&site, 4);
    until(|| site.browsers_of_nodes() == [2, 2], "nginx counts connections");
    let nodes: Vec<SocketAddr> = site.nodes.iter().flatten().map(|node| node.sql).collect();
    for (door, text) in [(nodes[0], "one"), (nodes[1], "other"), (site.sql, "nginx")] {
        let message = format!(
            "INSERT INTO pipes_messages (name, event, message) VALUES ('{PIPE}', 'said', '{{\"text\": \"{text}\"}}')"
        );
        site.sql_at(door, &message).unwrap();
    }
    say(site.browsers, &person.cookie, "chat", 0);
    for browser in &mut browsers {
        browser.hear_until("chat");
        assert_eq!(browser.texts, ["one", "other", "nginx", "chat"]);
        assert_eq!((browser.gaps, browser.connections), (0, 1));
    }
}

#[test]
fn a_browser_is_seen_with_its_own_address_whichever_node_it_is_with_and_whatever_it_says() {
    let site = Site::start();
    let came_from = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
    let forged = "X-Forwarded-For: 6.6.6.6, 127.0.0.1\r\nX-Forwarded-For: 7.7.7.7\r\n";
    let mut browsers = Vec::new();
    for own in came_from {
        let (mut browser, head) = Browser::upgrade_from(own, site.browsers, "/ws/v=5&devid=0", forged);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(browser.ask(&json!({"do": "hello"}))["is"], "welcome");
        browser.follow(&json!({"pipe": "room"}));
        browsers.push(browser);
    }
    until(|| site.browsers_of_nodes() == [1, 1], "each node has one");
    let nodes = site.nodes.iter().flatten();
    for door in nodes.clone().map(|node| node.sql).chain([site.sql]) {
        let seen = site.sql_at(door, "SELECT ip FROM users_in_pipes WHERE name = 'room' ORDER BY ip").unwrap();
        assert_eq!(seen, "127.0.0.2\n127.0.0.3\n");
        let listed = site.sql_at(door, "SHOW PROCESSLIST WHERE Command = 'Browser'").unwrap();
        let mut hosts: Vec<&str> = listed.lines().map(|row| row.split('\t').nth(2).unwrap()).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["127.0.0.2", "127.0.0.3"], "{listed}");
    }
    // Who goes around nginx is not believed.
    for (node, pipe) in nodes.zip(["around_one", "around_other"]) {
        let (mut browser, _) = Browser::upgrade_from(came_from[0], node.browsers, "/ws/v=5&devid=0", forged);
        assert_eq!(browser.ask(&json!({"do": "hello"}))["is"], "welcome");
        browser.follow(&json!({"pipe": pipe}));
        let select = format!("SELECT ip FROM users_in_pipes WHERE name = '{pipe}'");
        let seen = site.sql_at(node.sql, &select).unwrap();
        assert_eq!(seen, "127.0.0.2\n");
    }
}

#[test]
fn people_chat_in_real_browsers_whichever_node_they_are_with() {
    clients::install();
    let site = Site::start();
    let (url, node) = (format!("http://{}/", site.browsers), site.browsers.to_string());
    let screenshot = clients::project().join("target/topology-chat.png").display().to_string();
    let arguments = ["chat", &url, &node, &screenshot];
    clients::tried(&["node", "tests/browser/examples.mjs"], &arguments, &clients::project())
        .unwrap_or_else(|why| panic!("{why}\n{}", site.complaints()));
}

#[test]
fn nodes_are_replaced_one_after_the_other_and_nobody_misses_anything() {
    while_the_chat_goes_on(|node| {
        let (end, home) = node.stop(Signal::TERM);
        assert!(end.status.success(), "{}", end.stderr);
        home
    });
}

#[test]
fn nodes_are_killed_one_after_the_other_and_nobody_misses_anything() {
    while_the_chat_goes_on(Node::kill);
}

/// Each node ends in this way, and comes back, while people talk.
fn while_the_chat_goes_on(end: impl Fn(Node) -> Home) {
    let mut site = Site::start();
    let person = Person::log_in(&site, "Ann");
    let browsers = person.browsers(&site, 4);
    until(|| site.browsers_of_nodes() == [2, 2], "nginx counts connections");
    let counts: Vec<Arc<AtomicUsize>> = browsers.iter().map(|browser| Arc::clone(&browser.count)).collect();
    let listening: Vec<_> = browsers
        .into_iter()
        .map(|mut browser| {
            std::thread::spawn(move || {
                browser.hear_until("end");
                browser
            })
        })
        .collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let speaking = {
        let (address, cookie, is_over) = (site.browsers, person.cookie, Arc::clone(&is_over));
        std::thread::spawn(move || speak(address, &cookie, &counts, &is_over))
    };
    for number in 0..2 {
        let node = site.nodes[number].take().expect("it runs");
        let (sql, browsers) = (node.sql.to_string(), node.browsers.to_string());
        let home = end(node);
        until(|| site.browsers_of_nodes()[1 - number] == 4, "all browsers are with the other node");
        until(|| site.sql_at(site.sql, "SELECT 1").is_ok(), "SQL clients are with the other node");
        site.nodes[number] = Some(home.start_at(&sql, &browsers));
        until(|| site.is_served_by(number), "nginx has seen that the node is back");
    }
    is_over.store(true, Ordering::SeqCst);
    let said = speaking.join().unwrap();
    let mut connections = 0;
    for browser in listening {
        let browser = browser.join().unwrap();
        assert_eq!(browser.texts, said, "each message once, in order");
        assert_eq!(browser.gaps, 0, "Redis has lost nothing");
        connections += browser.connections;
    }
    // Four came, two left the first node, four the second.
    assert!(connections >= 10, "{connections}");
}

/// Says one thing after the other until it is over; answers all that was acknowledged.
fn speak(address: SocketAddr, cookie: &str, counts: &[Arc<AtomicUsize>], is_over: &AtomicBool) -> Vec<String> {
    let mut said = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let slowest = || counts.iter().map(|count| count.load(Ordering::SeqCst)).min().unwrap_or(0);
        let number = said.len();
        until(|| slowest() + AHEAD_MAX > number, "everybody has heard what was said a while ago");
        let text = format!("text {number}");
        say(address, cookie, &text, number);
        said.push(text);
    }
    say(address, cookie, "end", said.len());
    said.push("end".to_owned());
    said
}

fn until(holds: impl Fn() -> bool, what: &str) {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if holds() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("not so: {what}");
}
