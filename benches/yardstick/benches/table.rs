//! Both servers in one run, in turns: what they answer a second, what it costs, and what a connection keeps.
//! How to run it is said in `src/main.rs`. Ours runs each statement, down to the store; the other's shim only answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../world/publisher.rs"]
mod publisher;
#[path = "../src/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use server::{SIDES, Server};

const CLIENTS: usize = 8;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 500;

fn main() {
    let servers = SIDES.map(Server::start);
    fill(&servers[0]);
    let insert = |bytes: usize| {
        let message = "x".repeat(bytes);
        publisher::query(&format!(
            "INSERT INTO pipes_messages (name, event, message) VALUES ('a_pipe', 'say', '{message}')"
        ))
    };
    println!("{CLIENTS} clients, the middle of {ROUNDS} rounds of {ROUND:?}: a second (CPU µs each)\n");
    println!("{:<34} {:>24} {:>24}", "", SIDES[0], SIDES[1]);
    for (name, request, in_flight) in [
        ("SELECT 1", publisher::query("SELECT 1"), 1),
        ("SELECT 1, 16 in flight", publisher::query("SELECT 1"), 16),
        ("INSERT of 128 B", insert(128), 1),
        ("INSERT of 1 MB", insert(1_000_000), 1),
        ("SELECT of 10,000 rows of 100 B", publisher::query("SELECT name, message FROM pipes_messages"), 1),
    ] {
        // Only ours can be sent commands before it has answered: see tests/limits.rs.
        let told = servers.each_ref().map(|server| match (in_flight, server.address == servers[1].address) {
            (2.., true) => "not measured".to_owned(),
            _ => throughput(server, &request, in_flight),
        });
        println!("{name:<34} {:>24} {:>24}", told[0], told[1]);
    }
    let [ours, theirs] = SIDES.map(memory);
    println!("\n{:<34} {:>24} {:>24}", "bytes a connection, logged in", ours.0, theirs.0);
    println!("{:<34} {:>24} {:>24}", "… after one query of 8 KiB", ours.1, theirs.1);
}

/// 10,000 messages for the large SELECT, in ten pipes.
fn fill(server: &Server) {
    let mut socket = server.connect();
    let row = format!(", ('NAME', 'say', '{}')", "x".repeat(100)).repeat(1_000);
    for pipe in 0..10 {
        let name = format!("chat{pipe}");
        let keep = format!("INSERT INTO pipes_settings (name, length) VALUES ('{name}', 1000)");
        let rows = format!("INSERT INTO pipes_messages (name, event, message) VALUES {}", &row[2..]);
        for text in [keep, rows.replace("NAME", &name)] {
            socket.write_all(&publisher::query(&text)).expect("it reads");
            let answer = publisher::packet(&mut socket);
            assert_eq!(answer[0], 0, "{}", String::from_utf8_lossy(&answer));
        }
    }
}

fn throughput(server: &Server, request: &[u8], in_flight: usize) -> String {
    let mut sockets: Vec<TcpStream> = (0..CLIENTS).map(|_| server.connect()).collect();
    let requests = request.repeat(in_flight);
    // Answers are as long as the first one but for numbers that grow: their packets are counted.
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let (cpu, began) = (server.cpu_micros(), Instant::now());
            let answered: usize = std::thread::scope(|scope| {
                let work = sockets.iter_mut().map(|socket| {
                    let requests = &requests;
                    scope.spawn(move || {
                        let mut answered = 0;
                        let mut reader = Answers { socket, bytes: vec![0; 256 * 1024], from: 0, to: 0 };
                        while began.elapsed() < ROUND {
                            reader.socket.write_all(requests).expect("it reads");
                            (0..in_flight).for_each(|_| reader.answer());
                            answered += in_flight;
                        }
                        answered
                    })
                });
                work.collect::<Vec<_>>().into_iter().map(|work| work.join().expect("no panic")).sum()
            });
            let seconds = began.elapsed().as_secs_f64();
            (answered as f64 / seconds, (server.cpu_micros() - cpu) as f64 / answered as f64)
        })
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (per_second, cpu) = rounds[ROUNDS / 2];
    format!("{per_second:.0} ({cpu:.1})")
}

/// Reads whole answers with few calls.
struct Answers<'s> {
    socket: &'s mut TcpStream,
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Answers<'_> {
    /// An OK, or columns and rows with an EOF behind each.
    fn answer(&mut self) {
        let first = self.packet();
        assert_ne!(first.1, 0xFF, "an error");
        if first.1 == 0 {
            return;
        }
        let mut ends = 0;
        while ends < 2 {
            let (length, first) = self.packet();
            ends += usize::from(first == 0xFE && length < 9);
        }
    }

    /// Length and first byte of the next packet.
    fn packet(&mut self) -> (usize, u8) {
        self.have(4);
        let header = &self.bytes[self.from..];
        let length = usize::from(header[0]) + (usize::from(header[1]) << 8) + (usize::from(header[2]) << 16);
        self.have(4 + length);
        let first = self.bytes[self.from + 4];
        self.from += 4 + length;
        (length, first)
    }

    fn have(&mut self, count: usize) {
        while self.to - self.from < count {
            self.bytes.copy_within(self.from..self.to, 0);
            (self.to, self.from) = (self.to - self.from, 0);
            let received = self.socket.read(&mut self.bytes[self.to..]).expect("it answers");
            assert!(received > 0, "it has closed");
            self.to += received;
        }
    }
}

/// What a connection keeps that is logged in, and what one keeps that has sent a query; in bytes.
fn memory(side: &str) -> (u64, u64) {
    let server = Server::start(side);
    drop((0..20).map(|_| server.connect()).collect::<Vec<_>>());
    let before = server.resident_bytes();
    let mut sockets: Vec<TcpStream> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    let idle = server.resident_bytes();
    let query = publisher::query(&format!("SELECT 1{}", " ".repeat(8 * 1024)));
    for socket in &mut sockets {
        socket.write_all(&query).expect("it reads");
        Answers { socket, bytes: vec![0; 4_096], from: 0, to: 0 }.answer();
    }
    let used = server.resident_bytes();
    let each = |bytes: u64| bytes.saturating_sub(before) / CONNECTIONS as u64;
    (each(idle), each(used))
}
