//! What Redis and the nodes hold and do for pipes and users.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::house::{House, MESSAGE_BYTES};

const PIPES: usize = 10_000;
/// Of one browser.
const TOGETHER: usize = 100;
const USERS: usize = 5_000;
/// So many that the records of a bucket are stored as those of millions are.
const KEYS: usize = 50_000;
/// Rows of an INSERT.
const ROWS: usize = 500;
const IDLE: Duration = Duration::from_secs(5);

/// Redis and a node at one moment.
struct Moment {
    redis_bytes: u64,
    redis_micros: u64,
    node_bytes: u64,
    node_micros: u64,
}

pub fn table() {
    for nodes in [1, 3] {
        idle(nodes);
    }
    println!("\n{:<46} {:>12} {:>10} {:>10} {:>10}", "for each", "Redis bytes", "Redis µs", "node bytes", "node µs");
    let house = House::over_redis(2);
    // As the listings of a bucket are when there are millions of pipes.
    ask(&house, "CONFIG SET zset-max-listpack-entries 0");
    pipes(&house);
    messages(&house);
    users(&house);
}

fn idle(nodes: usize) {
    let house = House::over_redis(nodes);
    let commands = || info(&house, "total_commands_processed:");
    let (before, used, began) = (commands(), house.used(), Instant::now());
    std::thread::sleep(IDLE);
    let (seconds, used) = (began.elapsed().as_secs_f64(), house.used().since(&used));
    let (commands, micros) = ((commands() - before) as f64 / seconds, used.redis as f64 / seconds);
    println!("idle, {nodes} nodes: {commands:.1} commands/s, Redis {micros:.0} µs/s");
}

fn pipes(house: &House) {
    let empty = moment(house, 0);
    let first = step(house, 0, "pipe that one node listens to", PIPES, || listen(house, 0));
    let same = step(house, 0, "browser more on such a pipe, same node", PIPES, || listen(house, 0));
    let second = step(house, 1, "node more that listens to such a pipe", PIPES, || listen(house, 1));
    step(house, 1, "pipe that a node leaves, another stays", PIPES, || leave(second));
    step(house, 0, "browser that leaves a pipe, another stays", PIPES, || leave(first));
    step(house, 0, "pipe that the last node leaves", PIPES, || leave(same));
    let left = (moment(house, 0).redis_bytes - empty.redis_bytes) / PIPES as u64;
    println!("{:<46} {left:>12}", "pipe that nobody hears, for ten minutes");
    let again = listen(house, 0);
    step(house, 0, "first message of a pipe in its window", PIPES, || publish(house, "pipe", PIPES, 1));
    step(house, 0, "the next ones", PIPES * 4, || publish(house, "pipe", PIPES, 4));
    leave(again);
}

fn messages(house: &House) {
    let pipes = 100;
    let rows: Vec<String> = (0..pipes).map(|number| format!("('kept_{number}', 100)")).collect();
    house.publisher(0).say(&format!("INSERT INTO pipes_settings (name, length) VALUES {}", rows.join(", ")));
    step(house, 0, "message that is kept", pipes * 100, || publish(house, "kept", pipes, 100));
}

fn users(house: &House) {
    let mut publisher = house.publisher(0);
    step(house, 0, "user with a key", KEYS, || {
        for first in (1..=KEYS).step_by(ROWS) {
            let rows: Vec<String> = (first..first + ROWS).map(|user| format!("({user}, 'key')")).collect();
            publisher.say(&format!("INSERT INTO users_auth (id, hash) VALUES {}", rows.join(", ")));
        }
    });
    let login = |user: usize| {
        let mut browser = Browser::five(house.nodes[0].browsers);
        let welcome = browser.ask(&json!({"do": "hello", "user": user, "key": "key"}));
        assert_eq!(welcome["user"], user);
        browser
    };
    let here: Vec<Browser> =
        step(house, 0, "user who logs in, and is here", USERS, || (1..=USERS).map(login).collect());
    drop(here);
}

/// Does something so many times; says what each of them took and left.
fn step<T>(house: &House, node: usize, name: &str, count: usize, work: impl FnOnce() -> T) -> T {
    let before = moment(house, node);
    let outcome = work();
    let after = moment(house, node);
    let bytes = |after: u64, before: u64| (after as i64 - before as i64) / count as i64;
    let micros = |after: u64, before: u64| (after - before) as f64 / count as f64;
    println!(
        "{name:<46} {:>12} {:>10.1} {:>10} {:>10.1}",
        bytes(after.redis_bytes, before.redis_bytes),
        micros(after.redis_micros, before.redis_micros),
        bytes(after.node_bytes, before.node_bytes),
        micros(after.node_micros, before.node_micros),
    );
    outcome
}

fn moment(house: &House, node: usize) -> Moment {
    let used = house.used();
    Moment {
        redis_bytes: info(house, "used_memory:"),
        redis_micros: used.redis,
        node_bytes: house.nodes[node].resident_bytes(),
        node_micros: used.nodes[node],
    }
}

/// Browsers that listen to every pipe.
fn listen(house: &House, node: usize) -> Vec<Browser> {
    (0..PIPES)
        .step_by(TOGETHER)
        .map(|first| {
            let mut browser = Browser::newcomer(house.nodes[node].browsers);
            let pipes: Vec<Value> = names(first).map(|name| json!({"pipe": name})).collect();
            browser.say(&json!({"do": "subscribe", "id": 1, "pipes": pipes}));
            assert_eq!(browser.hear_up_to_answer(1).len(), TOGETHER);
            browser
        })
        .collect()
}

fn names(first: usize) -> impl Iterator<Item = String> {
    (first..first + TOGETHER).map(|number| format!("pipe_{number}"))
}

/// They leave every pipe and stay connected no longer.
fn leave(browsers: Vec<Browser>) {
    for (mut browser, first) in browsers.into_iter().zip((0..PIPES).step_by(TOGETHER)) {
        browser.say(&json!({"do": "unsubscribe", "id": 2, "pipes": names(first).collect::<Vec<_>>()}));
        browser.hear_up_to_answer(2);
    }
}

/// So many messages to each of so many pipes.
fn publish(house: &House, name: &str, pipes: usize, each: usize) {
    let (text, mut publisher) = ("x".repeat(MESSAGE_BYTES), house.publisher(0));
    let rows: Vec<String> =
        (0..pipes * each).map(|row| format!("('{name}_{}', 'tick', '{text}')", row % pipes)).collect();
    for rows in rows.chunks(ROWS) {
        publisher.say(&format!("INSERT INTO pipes_messages (name, event, message) VALUES {}", rows.join(", ")));
    }
}

/// A number of INFO.
fn info(house: &House, name: &str) -> u64 {
    let mut socket = ask(house, "INFO").1;
    let mut text = String::new();
    while !text.starts_with(name) {
        text.clear();
        socket.read_line(&mut text).expect("as Redis has it");
    }
    text[name.len()..].trim().parse().expect("a number")
}

/// The first line of an answer, and what follows.
pub fn ask(house: &House, command: &str) -> (String, BufReader<TcpStream>) {
    let address = house.servers[0].address();
    let address = address.trim_start_matches("redis://").trim_end_matches("/0");
    let mut socket = BufReader::new(TcpStream::connect(address).expect("Redis listens"));
    socket.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("it reads");
    let mut head = String::new();
    socket.read_line(&mut head).expect("it answers");
    assert!(!head.starts_with('-'), "{command}: {head}");
    (head, socket)
}
