//! What a publish costs the node that nobody listens to: processor time of the process, user and system, an INSERT,
//! over 16 SQL connections.
//!
//!     cargo bench --bench publish
//!     cargo bench --bench publish -- text 16     # one row of the table, for a profiler
//!
//! Beside it the floor, measured in turns with it: another process that reads the same bytes from 16 sockets with one
//! poll and answers 11 bytes a request, as an OK has them. *In flight* are the requests that a connection sends
//! before it reads an answer. The mark to beat is nchan's 8.7 µs a publish.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;
#[path = "world/publisher.rs"]
mod publisher;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use node::{Node, PASSWORD, cpu_micros};
use publisher::framed;

const CONNECTIONS: usize = 16;
const MESSAGE_BYTES: usize = 128;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1_000);
const ANSWER_BYTES: usize = 11;

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    if let ["--floor", request_bytes] = arguments[..] {
        return floor(request_bytes.parse().expect("a number of bytes"));
    }
    println!("{CONNECTIONS} connections, messages of {MESSAGE_BYTES} bytes, {ROUNDS} rounds of {ROUND:?} each\n");
    println!(
        "{:<10} {:>10} {:>18} {:>14} {:>8} {:>16}",
        "statement", "in flight", "CPU µs a publish", "of the floor", "ratio", "publishes a s"
    );
    for (name, shape) in [("text", Shape::Text), ("prepared", Shape::Prepared)] {
        for in_flight in [1, 16] {
            let wanted = [name, &in_flight.to_string()];
            if arguments.is_empty() || arguments == wanted {
                measure(name, shape, in_flight);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Text,
    Prepared,
}

impl Shape {
    fn request(self) -> Vec<u8> {
        let message = "x".repeat(MESSAGE_BYTES);
        match self {
            Shape::Text => publisher::query(&format!(
                "INSERT INTO pipes_messages (name, event, message) VALUES ('bench', 'event', '{message}')"
            )),
            Shape::Prepared => {
                // Statement 1, no cursor, run once, no NULL, three texts (VAR_STRING).
                let mut payload = b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfd\0\xfd\0\xfd\0".to_vec();
                for value in ["bench", "event", &message] {
                    payload.push(u8::try_from(value.len()).expect("short"));
                    payload.extend_from_slice(value.as_bytes());
                }
                framed(0, &payload)
            }
        }
    }

    fn connect(self, address: SocketAddr) -> TcpStream {
        let mut socket = publisher::connect(address, PASSWORD);
        if let Shape::Prepared = self {
            let text = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)";
            socket.write_all(&framed(0, &[b"\x16", text.as_bytes()].concat())).expect("the node reads");
            // The head, three parameters, and their end.
            for _ in 0..5 {
                publisher::packet(&mut socket);
            }
        }
        socket
    }
}

fn measure(name: &str, shape: Shape, in_flight: usize) {
    let request = shape.request();
    let node = Node::start(&[]);
    let mut floor = Floor::start(request.len());
    let mut of_node: Vec<TcpStream> = (0..CONNECTIONS).map(|_| shape.connect(node.sql)).collect();
    let mut of_floor: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(floor.address).unwrap()).collect();
    of_floor.iter().for_each(|socket| socket.set_nodelay(true).unwrap());
    let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let floor_id = floor.process.id();
            let (bare, _) = run(&mut of_floor, &request, in_flight, || cpu_micros(floor_id), false);
            let (ours, per_second) = run(&mut of_node, &request, in_flight, || node.cpu_micros(), true);
            (ours, bare, per_second)
        })
        .collect();
    rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (ours, bare, per_second) = rounds[ROUNDS / 2];
    println!("{name:<10} {in_flight:>10} {ours:>18.2} {bare:>14.2} {:>8.2} {per_second:>16.0}", ours / bare);
    drop(of_floor);
    let _ = floor.process.wait();
}

/// Processor time a request, and requests a second.
fn run(sockets: &mut [TcpStream], request: &[u8], in_flight: usize, cpu: impl Fn() -> u64, framed: bool) -> (f64, f64) {
    let (cpu_before, began) = (cpu(), Instant::now());
    let requests = request.repeat(in_flight);
    let answered: usize = std::thread::scope(|scope| {
        let work = sockets.iter_mut().map(|socket| {
            let requests = &requests;
            scope.spawn(move || {
                let mut answered = 0;
                while began.elapsed() < ROUND {
                    socket.write_all(requests).expect("it reads");
                    read_answers(socket, in_flight, framed);
                    answered += in_flight;
                }
                answered
            })
        });
        let work: Vec<_> = work.collect();
        work.into_iter().map(|work| work.join().expect("no panic")).sum()
    });
    let micros = (cpu() - cpu_before) as f64;
    (micros / answered as f64, answered as f64 / began.elapsed().as_secs_f64())
}

/// Takes as many answers as there were requests; an OK grows with the numbers in it.
fn read_answers(socket: &mut TcpStream, count: usize, framed: bool) {
    let (mut buffer, mut have, mut at, mut answers) = ([0; 16 * 1_024], 0, 0, 0);
    while answers < count {
        if !framed && have >= count * ANSWER_BYTES {
            return;
        }
        let received = socket.read(&mut buffer[have..]).expect("it answers");
        assert!(received > 0, "it has closed");
        have += received;
        while framed && have >= at + 4 {
            let end = at + 4 + usize::from(buffer[at]) + 256 * usize::from(buffer[at + 1]);
            if have < end {
                break;
            }
            assert_eq!(buffer[at + 4], 0, "{}", String::from_utf8_lossy(&buffer[at + 4..end]));
            (at, answers) = (end, answers + 1);
        }
    }
}

/// The other process.
struct Floor {
    process: Child,
    address: SocketAddr,
}

impl Floor {
    fn start(request_bytes: usize) -> Floor {
        let mut process = Command::new(std::env::current_exe().expect("a path"))
            .args(["--floor", &request_bytes.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Floor { process, address: line.trim().parse().expect("an address") }
    }
}

/// Reads requests of one size from whoever connects, and answers each; ends when all have gone.
fn floor(request_bytes: usize) {
    let mut listener = mio::net::TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("port 0 is free");
    println!("{}", listener.local_addr().expect("it is bound"));
    let mut poll = Poll::new().expect("a poll");
    poll.registry().register(&mut listener, Token(usize::MAX), Interest::READABLE).expect("a listener");
    let mut events = Events::with_capacity(64);
    let (mut sockets, mut open) = (Vec::<(mio::net::TcpStream, usize)>::new(), 0);
    let (mut buffer, answers) = (vec![0; 64 * 1_024], vec![0; 64 * 1_024]);
    loop {
        poll.poll(&mut events, None).expect("events");
        for event in &events {
            if event.token() == Token(usize::MAX) {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true).expect("a socket");
                    poll.registry().register(&mut socket, Token(sockets.len()), Interest::READABLE).expect("a socket");
                    sockets.push((socket, 0));
                    open += 1;
                }
                continue;
            }
            let (socket, unanswered) = &mut sockets[event.token().0];
            loop {
                match socket.read(&mut buffer) {
                    Ok(0) => {
                        open -= 1;
                        break;
                    }
                    Ok(received) => {
                        *unanswered += received;
                        let whole = *unanswered / request_bytes;
                        *unanswered %= request_bytes;
                        // 16 answers fit into any socket's buffer.
                        let _ = socket.write(&answers[..whole * ANSWER_BYTES]);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        break;
                    }
                }
            }
            if open == 0 {
                return;
            }
        }
    }
}
