//! Publishes a second to pipes that keep their messages, over 32 SQL connections that each wait for their OK: with the
//! message on disk, and with it in memory and soon on disk.
//!
//!     cargo bench --bench durable
//!     cargo bench --bench durable -- DIRECTORY            # on the disk that is meant
//!     cargo bench --bench durable -- DIRECTORY disk 8     # one row, for a profiler
//!
//! Beside it, in turns, the *bare file*: 32 threads whose records one thread appends in groups and brings to disk with
//! fdatasync. The wish is 20,000 a second on disk.
//!
//! * *CPU µs*: processor time of the node, user and system, a publish.
//! * *bytes*: what the node made the kernel write or want to write to the disk, a publish.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;
#[path = "world/publisher.rs"]
mod publisher;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use node::{Node, PASSWORD};

const CONNECTIONS: usize = 32;
/// What each pipe keeps.
const LENGTH: usize = 100;
const MESSAGE_BYTES: usize = 128;
/// A record of such a message and the head of its pipe, as they are on disk.
const RECORD_BYTES: usize = 270;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(2);
const GROUP_MAX: usize = 512;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let directory = arguments.next().map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let only: Vec<String> = arguments.collect();
    println!("{CONNECTIONS} connections, messages of {MESSAGE_BYTES} bytes, {ROUNDS} rounds of {ROUND:?} each\n");
    println!(
        "{:<12} {:>6} {:>14} {:>14} {:>18} {:>8} {:>8}",
        "durability", "pipes", "publishes a s", "bare file", "of the bare file", "CPU µs", "bytes"
    );
    for durability in ["disk", "memory"] {
        for pipes in [8, 2_000] {
            if only.is_empty() || only == [durability, &pipes.to_string()] {
                measure(durability, pipes, &directory);
            }
        }
    }
}

fn measure(durability: &str, pipes: usize, directory: &Path) {
    let data = tempfile::tempdir_in(directory).expect("a directory on the disk");
    let node = Node::on_disk(data.path(), &["--durability", durability]);
    let mut sockets: Vec<TcpStream> = (0..CONNECTIONS).map(|_| publisher::connect(node.sql, PASSWORD)).collect();
    for pipe in 0..pipes {
        let set = format!("INSERT INTO pipes_settings (name, length) VALUES ('pipe_{pipe}', {LENGTH})");
        sockets[0].write_all(&publisher::query(&set)).expect("the node reads");
        assert_ok(&publisher::packet(&mut sockets[0]));
    }
    // Until the pipes are full, nothing has to go.
    (0..pipes).for_each(|pipe| fill(&mut sockets[0], pipe));
    run(&mut sockets, pipes, Duration::from_secs(1));
    let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| round(&node, &mut sockets, pipes, data.path())).collect();
    rounds.sort_by(|a, b| (a.per_second / a.bare).total_cmp(&(b.per_second / b.bare)));
    let Round { per_second, bare, micros, bytes } = rounds[ROUNDS / 2];
    let ratio = per_second / bare;
    println!("{durability:<12} {pipes:>6} {per_second:>14.0} {bare:>14.0} {ratio:>18.2} {micros:>8.1} {bytes:>8.0}");
}

/// As many messages as the pipe keeps, in one INSERT.
fn fill(socket: &mut TcpStream, pipe: usize) {
    let row = format!("('pipe_{pipe}', 'event', '{}')", "x".repeat(MESSAGE_BYTES));
    let rows = vec![row; LENGTH].join(", ");
    let insert = format!("INSERT INTO pipes_messages (name, event, message) VALUES {rows}");
    socket.write_all(&publisher::query(&insert)).expect("the node reads");
    assert_ok(&publisher::packet(socket));
}

#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    bare: f64,
    /// Processor time of the node, a publish.
    micros: f64,
    /// For the disk, a publish.
    bytes: f64,
}

fn round(node: &Node, sockets: &mut [TcpStream], pipes: usize, directory: &Path) -> Round {
    let (cpu, written) = (node.cpu_micros(), node.written_bytes());
    let (count, per_second) = run(sockets, pipes, ROUND);
    let of_each = |sum: u64| sum as f64 / count as f64;
    let (micros, bytes) = (of_each(node.cpu_micros() - cpu), of_each(node.written_bytes() - written));
    Round { per_second, bare: bare(&directory.join("bare")), micros, bytes }
}

fn assert_ok(answer: &[u8]) {
    assert_eq!(answer[0], 0, "{}", String::from_utf8_lossy(answer));
}

/// Publishes, all of them and a second.
fn run(sockets: &mut [TcpStream], pipes: usize, time: Duration) -> (usize, f64) {
    let began = Instant::now();
    let text = "x".repeat(MESSAGE_BYTES);
    let count: usize = std::thread::scope(|scope| {
        let work: Vec<_> = sockets
            .iter_mut()
            .zip(1_u64..)
            .map(|(socket, seed)| {
                let text = &text;
                scope.spawn(move || {
                    let (mut count, mut random) = (0, seed * 0x9E37_79B9_7F4A_7C15);
                    while began.elapsed() < time {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let pipe = random as usize % pipes;
                        let insert = format!(
                            "INSERT INTO pipes_messages (name, event, message) VALUES ('pipe_{pipe}', 'event', '{text}')"
                        );
                        socket.write_all(&publisher::query(&insert)).expect("the node reads");
                        assert_ok(&publisher::packet(socket));
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        work.into_iter().map(|work| work.join().expect("no panic")).sum()
    });
    (count, count as f64 / began.elapsed().as_secs_f64())
}

/// Records a second that a bare file takes from as many threads.
fn bare(path: &Path) -> f64 {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
    let (sender, queue) = channel();
    let mut answers = Vec::new();
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (answer, answered) = channel();
            answers.push(answer);
            let sender = sender.clone();
            std::thread::spawn(move || append(number, &sender, &answered))
        })
        .collect();
    drop(sender);
    let per_second = bring_to_disk(&mut file, &queue, &answers);
    drop((queue, answers));
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    per_second
}

/// Wants one record after the other on disk, until nobody answers any more.
fn append(number: usize, sender: &Sender<usize>, answered: &Receiver<()>) {
    while sender.send(number).is_ok() && answered.recv().is_ok() {}
}

fn bring_to_disk(file: &mut File, queue: &Receiver<usize>, answers: &[Sender<()>]) -> f64 {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        let first = queue.recv().expect("they go on");
        let group: Vec<usize> = std::iter::once(first).chain(queue.try_iter().take(GROUP_MAX - 1)).collect();
        file.write_all(&vec![b'x'; group.len() * RECORD_BYTES]).expect("space");
        file.sync_data().expect("a disk");
        for number in &group {
            let _ = answers[*number].send(());
        }
        count += group.len();
    }
    count as f64 / began.elapsed().as_secs_f64()
}
