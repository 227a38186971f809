//! Deliveries a second to 1,000 subscribers, as a multiple of a bare `send()` loop measured in the same run.
//!
//!     cargo bench --bench fanout
//!
//! The loop is one thread of another process that does nothing but one `send()` a subscriber of the very bytes that
//! the node sends. Node and loop are driven by the same generator: one thread, one poll, 1,000 sockets. *In flight*
//! are messages whose INSERT has been sent and which not every subscriber has received whole. Rounds alternate, so
//! that a noisy machine disturbs all alike; the middle round counts.
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
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use browser::Browser;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use node::{Node, PASSWORD};

const SUBSCRIBERS: usize = 1_000;
const MESSAGE_BYTES: usize = 128;
const IN_FLIGHT: [usize; 4] = [1, 16, 32, 64];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1_500);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, frame] = arguments.as_slice()
        && role == "--bare-loop"
    {
        return bare_loop(frame.as_bytes());
    }
    println!("{SUBSCRIBERS} subscribers, messages of {MESSAGE_BYTES} bytes, {ROUNDS} rounds of {ROUND:?} each\n");
    // The generator has a core, as it has beside the loop. `SHARDS` says another number.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let shards = std::env::var("SHARDS").unwrap_or_else(|_| cores.saturating_sub(1).max(1).to_string());
    println!("shards: {shards}\n");
    // Pings would count as messages, and nobody here answers them.
    let node = Node::start(&["--ping-seconds", "3600", "--shards", &shards]);
    let frame = learn_frame(&node);
    let mut of_node = Generator::of_node(&node, frame.len());
    let mut loop_process = BareLoop::start(&frame);
    let bare_loop_id = loop_process.process.id();
    let mut of_loop = Generator::of_loop(&mut loop_process, frame.len());

    println!(
        "{:>10} {:>16} {:>16} {:>10} {:>22}",
        "in flight", "node, /s", "send() loop, /s", "ratio", "CPU µs: node, loop"
    );
    for in_flight in IN_FLIGHT {
        let mut rounds: Vec<(Measured, Measured)> = (0..ROUNDS)
            .map(|_| {
                let of_bare_loop = of_loop.measure(1, || node::cpu_micros(bare_loop_id));
                let of_the_node = of_node.measure(in_flight, || node.cpu_micros());
                (of_the_node, of_bare_loop)
            })
            .collect();
        let ratio = |(ours, bare): &(Measured, Measured)| ours.per_second() / bare.per_second();
        rounds.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let (ours, bare) = &rounds[ROUNDS / 2];
        println!(
            "{in_flight:>10} {:>12.0} {:>16.0} {:>7.2} {:>24.2}, {:.2}",
            ours.per_second(),
            bare.per_second(),
            ratio(&rounds[ROUNDS / 2]),
            ours.cpu_micros_each(),
            bare.cpu_micros_each(),
        );
    }
}

/// What the node sends for the message of this bench: every one has the same length.
fn learn_frame(node: &Node) -> Vec<u8> {
    let mut subscriber = Browser::subscriber(node.browsers, &["bench"]);
    let mut sql = publisher::connect(node.sql, PASSWORD);
    sql.write_all(&publisher::query(&insert())).unwrap();
    let payload = subscriber.frame().payload;
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    frame.extend_from_slice(&payload);
    frame
}

fn insert() -> String {
    format!(
        "INSERT INTO pipes_messages (name, event, message) VALUES ('bench', 'tick', '{}')",
        "x".repeat(MESSAGE_BYTES)
    )
}

/// One thread, one poll: publishes, and receives what the subscribers get.
struct Generator {
    poll: Poll,
    events: Events,
    subscribers: Vec<TcpStream>,
    received_bytes: Vec<usize>,
    frame_bytes: usize,
    /// How many subscribers have each message, from the oldest that not all have.
    having: std::collections::VecDeque<usize>,
    complete: usize,
    trigger: Trigger,
}

enum Trigger {
    /// Connections that each have at most one INSERT that is not answered.
    Sql { idle: Vec<usize>, sockets: Vec<TcpStream>, statement: Vec<u8> },
    /// A byte a message.
    Loop(TcpStream),
}

struct Measured {
    deliveries: usize,
    took: Duration,
    /// Of the process that sends.
    cpu_micros: u64,
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.took.as_secs_f64()
    }

    fn cpu_micros_each(&self) -> f64 {
        self.cpu_micros as f64 / self.deliveries as f64
    }
}

impl Generator {
    fn of_node(node: &Node, frame_bytes: usize) -> Generator {
        let subscribers = (0..SUBSCRIBERS).map(|_| Browser::subscriber(node.browsers, &["bench"]).socket).collect();
        let most = IN_FLIGHT.into_iter().max().unwrap();
        let sockets = (0..most).map(|_| from_std(publisher::connect(node.sql, PASSWORD))).collect();
        let statement = publisher::query(&insert());
        Generator::new(subscribers, Trigger::Sql { idle: (0..most).collect(), sockets, statement }, frame_bytes)
    }

    fn of_loop(bare_loop: &mut BareLoop, frame_bytes: usize) -> Generator {
        let connect = |_| std::net::TcpStream::connect(bare_loop.address).unwrap();
        let subscribers = (0..SUBSCRIBERS).map(connect).collect();
        let trigger = from_std(std::net::TcpStream::connect(bare_loop.address).unwrap());
        Generator::new(subscribers, Trigger::Loop(trigger), frame_bytes)
    }

    fn new(subscribers: Vec<std::net::TcpStream>, mut trigger: Trigger, frame_bytes: usize) -> Generator {
        let poll = Poll::new().unwrap();
        let mut subscribers: Vec<TcpStream> = subscribers.into_iter().map(from_std).collect();
        for (number, socket) in subscribers.iter_mut().enumerate() {
            poll.registry().register(socket, Token(number), Interest::READABLE).unwrap();
        }
        if let Trigger::Sql { sockets, .. } = &mut trigger {
            for (number, socket) in sockets.iter_mut().enumerate() {
                poll.registry().register(socket, Token(SUBSCRIBERS + number), Interest::READABLE).unwrap();
            }
        }
        Generator {
            poll,
            events: Events::with_capacity(2_048),
            received_bytes: vec![0; subscribers.len()],
            subscribers,
            frame_bytes,
            having: Default::default(),
            complete: 0,
            trigger,
        }
    }

    /// Keeps so many messages in flight for a round, then waits until all are received.
    fn measure(&mut self, in_flight: usize, cpu_micros: impl Fn() -> u64) -> Measured {
        let (began, complete_before, cpu_before) = (Instant::now(), self.complete, cpu_micros());
        loop {
            while began.elapsed() < ROUND && self.having.len() < in_flight && self.trigger.publish() {
                self.having.push_back(0);
            }
            if self.having.is_empty() {
                break;
            }
            self.turn();
        }
        let deliveries = (self.complete - complete_before) * SUBSCRIBERS;
        Measured { deliveries, took: began.elapsed(), cpu_micros: cpu_micros() - cpu_before }
    }

    fn turn(&mut self) {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        self.poll.poll(&mut events, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "nothing has been received for 20 s");
        for event in &events {
            match event.token().0 {
                number if number < SUBSCRIBERS => self.receive(number),
                number => self.trigger.answered(number - SUBSCRIBERS),
            }
        }
        self.events = events;
        while self.having.front() == Some(&SUBSCRIBERS) {
            self.having.pop_front();
            self.complete += 1;
        }
    }

    fn receive(&mut self, number: usize) {
        let mut buffer = [0; 65_536];
        loop {
            match self.subscribers[number].read(&mut buffer) {
                Ok(0) => panic!("a subscriber was closed"),
                Ok(length) => {
                    let before = self.received_bytes[number] / self.frame_bytes;
                    self.received_bytes[number] += length;
                    let after = self.received_bytes[number] / self.frame_bytes;
                    for message in before..after {
                        self.having[message - self.complete] += 1;
                    }
                    if length < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("a subscriber: {error}"),
            }
        }
    }
}

impl Trigger {
    /// Sends one message on its way, if anybody is free to.
    fn publish(&mut self) -> bool {
        match self {
            Trigger::Sql { idle, sockets, statement } => match idle.pop() {
                Some(number) => {
                    sockets[number].write_all(statement).unwrap();
                    true
                }
                None => false,
            },
            Trigger::Loop(socket) => {
                socket.write_all(b"!").unwrap();
                true
            }
        }
    }

    fn answered(&mut self, number: usize) {
        let Trigger::Sql { idle, sockets, .. } = self else { return };
        let mut buffer = [0; 1_024];
        match sockets[number].read(&mut buffer) {
            Ok(length) => {
                assert!(length > 4 && buffer[4] == 0, "the INSERT was refused");
                idle.push(number);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

fn from_std(socket: std::net::TcpStream) -> TcpStream {
    socket.set_nonblocking(true).unwrap();
    socket.set_nodelay(true).unwrap();
    TcpStream::from_std(socket)
}

/// The process that does nothing but `send()`.
struct BareLoop {
    process: Child,
    address: SocketAddr,
}

impl BareLoop {
    fn start(frame: &[u8]) -> BareLoop {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--bare-loop", &"x".repeat(frame.len())])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(process.stdout.take().unwrap()), &mut line).unwrap();
        BareLoop { process, address: line.trim().parse().unwrap() }
    }
}

impl Drop for BareLoop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn bare_loop(frame: &[u8]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let accept = |_| {
        let socket = listener.accept().unwrap().0;
        socket.set_nodelay(true).unwrap();
        socket
    };
    let mut subscribers: Vec<std::net::TcpStream> = (0..SUBSCRIBERS).map(accept).collect();
    let mut trigger = accept(0);
    let mut byte = [0];
    while trigger.read_exact(&mut byte).is_ok() {
        for subscriber in &mut subscribers {
            subscriber.write_all(frame).unwrap();
        }
    }
}
