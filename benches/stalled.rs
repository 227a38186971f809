//! What slow readers cost the others: 10,000 subscribers of which 1,000 stop reading.
//!
//!     cargo bench --bench stalled
//!
//! A message goes out again and again; its latency is from the INSERT's first byte to a subscriber's last, at 200
//! subscribers who are spread over all. Rounds alternate: nobody stalls, then the thousand do, from the first message
//! that fills their sockets to the last of them being sent away, and so on with a thousand others. Half of those who
//! stall are of generation 4, half of generation 5, which is told why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/world/browser.rs"]
#[allow(dead_code)]
mod browser;
#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;
#[path = "world/publisher.rs"]
mod publisher;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use browser::Browser;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use node::{Node, PASSWORD};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SUBSCRIBERS: usize = 10_000;
const STALLED: usize = 1_000;
const WATCHED: usize = 200;
const MESSAGE_BYTES: usize = 16 * 1024;
/// Small, so that what is measured is the cap and not the patience of the kernel.
const OUTBOX_BYTES_MAX: usize = 256 * 1024;
const MESSAGES: usize = 120;
const ROUNDS: usize = 3;

fn main() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let cap = OUTBOX_BYTES_MAX.to_string();
    let node = Node::start(&["--ping-seconds", "3600", "--outbox-bytes-max", &cap]);
    println!(
        "{SUBSCRIBERS} subscribers, {STALLED} of them stall; {MESSAGES} messages of {MESSAGE_BYTES} bytes a round\n"
    );
    let mut readers = Readers::connect(&node, SUBSCRIBERS - STALLED);
    let mut sql = publisher::connect(node.sql, PASSWORD);
    println!("{:>14} {:>12} {:>12} {:>22}", "", "median, ms", "p99, ms", "bytes over the calm");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let calm = reading_round(&node, &mut sql, &mut readers, false);
        let with_stalled = reading_round(&node, &mut sql, &mut readers, true);
        ratios.push((with_stalled.median / calm.median, with_stalled.p99 / calm.p99));
    }
    ratios.sort_by(|one, other| one.1.total_cmp(&other.1));
    let (median, p99) = ratios[ROUNDS / 2];
    println!("\nwith stalled readers over without, middle round: median {median:.2}, p99 {p99:.2}");
    println!("the cap: {} bytes for {STALLED} stalled readers", OUTBOX_BYTES_MAX * STALLED);
}

struct Measured {
    median: f64,
    p99: f64,
}

/// A round with the thousand, who read or do not.
fn reading_round(node: &Node, sql: &mut std::net::TcpStream, readers: &mut Readers, is_stalled: bool) -> Measured {
    let mut others = if is_stalled { stalled(node) } else { Vec::new() };
    let mut reading = if is_stalled { Readers::none() } else { Readers::connect(node, STALLED) };
    let before = node.resident_bytes();
    let (mut most, mut latencies) = (0, Vec::new());
    for _ in 0..MESSAGES {
        let began = Instant::now();
        sql.write_all(&publisher::query(&insert())).unwrap();
        readers.receive(began, &mut latencies);
        reading.receive(began, &mut Vec::new());
        answered(sql);
        most = most.max(node.resident_bytes());
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1_000.0;
    let measured = Measured { median: at(0.5), p99: at(0.99) };
    let name = if is_stalled { "1,000 stall" } else { "nobody stalls" };
    println!("{name:>14} {:>12.2} {:>12.2} {:>22}", measured.median, measured.p99, most.saturating_sub(before));
    if is_stalled {
        ended(&mut others);
    }
    measured
}

fn insert() -> String {
    format!(
        "INSERT INTO pipes_messages (name, event, message) VALUES ('bench', 'tick', '{}')",
        "x".repeat(MESSAGE_BYTES)
    )
}

fn answered(sql: &mut std::net::TcpStream) {
    let mut buffer = [0; 1_024];
    let length = sql.read(&mut buffer).unwrap();
    assert!(length > 4 && buffer[4] == 0, "the INSERT was refused");
}

fn stalled(node: &Node) -> Vec<Browser> {
    let connect = |number: usize| {
        let browser = if number.is_multiple_of(2) { Browser::subscriber } else { Browser::follower };
        browser(node.browsers, &["bench"])
    };
    (0..STALLED).map(connect).collect()
}

/// Every one of them was closed, and who can understand it was told why.
fn ended(stalled: &mut [Browser]) {
    let too_slow = [&4100u16.to_be_bytes()[..], b"too slow, come back"].concat();
    // Who begins to read more than a minute after is closed within a frame.
    let told = stalled.iter_mut().filter_map(Browser::last_frame).filter(|frame| frame.payload == too_slow).count();
    println!("{:>14} all {STALLED} were closed, {told} of {} still read 4100 and the reason", "", STALLED / 2);
}

/// One poll for all who read.
struct Readers {
    poll: Poll,
    events: Events,
    sockets: Vec<TcpStream>,
    /// What each has still to receive of this message.
    missing: Vec<usize>,
    frame_bytes: usize,
}

impl Readers {
    fn none() -> Readers {
        let (poll, events) = (Poll::new().unwrap(), Events::with_capacity(4_096));
        Readers { poll, events, sockets: Vec::new(), missing: Vec::new(), frame_bytes: 0 }
    }

    fn connect(node: &Node, count: usize) -> Readers {
        let mut readers = Readers::none();
        for number in 0..count {
            let socket = Browser::subscriber(node.browsers, &["bench"]).socket;
            socket.set_nonblocking(true).unwrap();
            let mut socket = TcpStream::from_std(socket);
            readers.poll.registry().register(&mut socket, Token(number), Interest::READABLE).unwrap();
            readers.sockets.push(socket);
        }
        let envelope = r#"{"data":"","event":"tick","message_send_time":1700000000,"pipe":"bench","uuid":""}"#;
        readers.frame_bytes = 4 + envelope.len() + 36 + MESSAGE_BYTES;
        readers
    }

    /// Waits until all have this message.
    fn receive(&mut self, began: Instant, latencies: &mut Vec<Duration>) {
        self.missing = vec![self.frame_bytes; self.sockets.len()];
        let mut lacking = self.sockets.len();
        let mut buffer = [0; 65_536];
        while lacking > 0 {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(30))).unwrap();
            assert!(!self.events.is_empty(), "{lacking} have not got the message for 30 s");
            for event in &self.events {
                let number = event.token().0;
                while let Some(length) = read(&mut self.sockets[number], &mut buffer) {
                    let missing = self.missing[number];
                    // A ping now and then ends a message two bytes early.
                    self.missing[number] = missing.saturating_sub(length);
                    if missing > 0 && self.missing[number] == 0 {
                        lacking -= 1;
                        if number % (SUBSCRIBERS / WATCHED) == 0 {
                            latencies.push(began.elapsed());
                        }
                    }
                }
            }
        }
    }
}

fn read(socket: &mut TcpStream, buffer: &mut [u8]) -> Option<usize> {
    match socket.read(buffer) {
        Ok(0) => panic!("somebody who reads was closed"),
        Ok(length) => Some(length),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("a subscriber: {error}"),
    }
}
