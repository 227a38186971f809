//! The engine of the store beside another one and beside no engine at all: acknowledged messages a second, in one run.
//!
//!     cargo run --release --manifest-path benches/engines/Cargo.toml -- DIRECTORY
//!
//! 32 publishers each wait for their message to be on disk before they send the next; one thread takes what has queued
//! up, writes it in one transaction and answers, as `src/store/embedded/committer.rs` does. A message is a record and
//! the head of its pipe, and beyond a window the oldest message goes. The *bare file* appends the same bytes and calls
//! fdatasync: what the disk can do. DIRECTORY should be on the disk that is meant.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const PUBLISHERS: usize = 32;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(2);
const GROUP_MAX: usize = 512;
const MESSAGE_BYTES: usize = 250;

/// The store's is `redb`: two phases and the free space written down, so that a file opens at once after a crash.
const ENGINES: [&str; 5] = ["bare file", "redb", "redb, 2 phases", "redb, 1 phase", "fjall"];

const LOG: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("log");
const HEADS: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("heads");

fn main() {
    let directory = PathBuf::from(std::env::args().nth(1).expect("a directory on the disk to be measured"));
    println!("{PUBLISHERS} publishers, messages of {MESSAGE_BYTES} bytes, {ROUNDS} rounds of {ROUND:?} each\n");
    println!(
        "{:<12} {:>6} {:>14} {:>18} {:>14} {:>13}",
        "", "pipes", "messages a s", "of the bare file", "messages a group", "bytes written"
    );
    for pipes in [8, 2_000] {
        // In turns, so that what else the machine does is shared.
        let rounds: Vec<Vec<Round>> =
            (0..ROUNDS).map(|_| ENGINES.iter().map(|name| measure(name, pipes, &directory)).collect()).collect();
        for (number, name) in ENGINES.iter().enumerate() {
            let mut of_engine: Vec<(f64, Round)> =
                rounds.iter().map(|round| (round[number].per_second / round[0].per_second, round[number])).collect();
            of_engine.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (ratio, Round { per_second, per_group, bytes }) = of_engine[ROUNDS / 2];
            println!("{name:<14} {pipes:>4} {per_second:>14.0} {ratio:>18.2} {per_group:>16.1} {bytes:>13.0}");
        }
    }
}

#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    /// Messages a transaction.
    per_group: f64,
    /// Bytes the kernel wrote for a message.
    bytes: f64,
}

/// A message on its way: pipe and text, and where its publisher waits.
struct Work {
    pipe: usize,
    text: [u8; MESSAGE_BYTES],
    publisher: usize,
}

fn measure(name: &str, pipes: usize, directory: &Path) -> Round {
    let directory = directory.join("engines");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let window = if pipes > 100 { 100 } else { 1_000 };
    let mut engine = Engine::open(name, &directory);
    let mut next = vec![0_u64; pipes];
    fill(&mut engine, &mut next, window);
    let (sender, queue) = channel();
    let (mut answers, mut publishers) = (Vec::new(), Vec::new());
    for publisher in 0..PUBLISHERS {
        let (answer, answered) = channel();
        answers.push(answer);
        let sender = sender.clone();
        publishers.push(std::thread::spawn(move || publish(publisher, pipes, &sender, &answered)));
    }
    drop(sender);
    let round = commit_all(&mut engine, &queue, answers, &mut next, window);
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    drop(engine);
    let _ = fs::remove_dir_all(&directory);
    round
}

/// Publishes until nobody answers any more.
fn publish(publisher: usize, pipes: usize, sender: &Sender<Work>, answered: &Receiver<()>) {
    let mut random = publisher as u64 * 7_919 + 13;
    loop {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut text = [0; MESSAGE_BYTES];
        for (letter, number) in text.iter_mut().zip(random..) {
            *letter = 48 + (number.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 58) as u8;
        }
        let pipe = random as usize % pipes;
        if sender.send(Work { pipe, text, publisher }).is_err() || answered.recv().is_err() {
            return;
        }
    }
}

fn commit_all(
    engine: &mut Engine,
    queue: &Receiver<Work>,
    answers: Vec<Sender<()>>,
    next: &mut [u64],
    window: u64,
) -> Round {
    let (began, written) = (Instant::now(), written_bytes());
    let (mut messages, mut groups) = (0_u64, 0_u64);
    while began.elapsed() < ROUND {
        let first = queue.recv().unwrap();
        let group: Vec<Work> = std::iter::once(first).chain(queue.try_iter().take(GROUP_MAX - 1)).collect();
        let rows: Vec<Row> = group.iter().map(|work| Row::of(work.pipe, &work.text, next, window)).collect();
        engine.commit(&rows);
        for work in &group {
            let _ = answers[work.publisher].send(());
        }
        messages += group.len() as u64;
        groups += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    Round {
        per_second: messages as f64 / seconds,
        per_group: messages as f64 / groups as f64,
        bytes: (written_bytes() - written) as f64 / messages as f64,
    }
}

/// As many messages as stay.
fn fill(engine: &mut Engine, next: &mut [u64], window: u64) {
    for _ in 0..window {
        let rows: Vec<Row> = (0..next.len()).map(|pipe| Row::of(pipe, &[b'x'; MESSAGE_BYTES], next, window)).collect();
        engine.commit(&rows);
    }
}

/// What is written for a message.
struct Row {
    key: [u8; 24],
    text: [u8; MESSAGE_BYTES],
    head: [u8; 44],
    /// The message that goes.
    oldest: Option<[u8; 24]>,
}

impl Row {
    fn of(pipe: usize, text: &[u8; MESSAGE_BYTES], next: &mut [u64], window: u64) -> Row {
        let index = next[pipe];
        next[pipe] += 1;
        let mut head = [7; 44];
        head[..8].copy_from_slice(&index.to_be_bytes());
        Row {
            key: key(pipe, index),
            text: *text,
            head,
            oldest: index.checked_sub(window).map(|index| key(pipe, index)),
        }
    }

    fn pipe(&self) -> &[u8] {
        &self.key[..16]
    }
}

fn key(pipe: usize, index: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(format!("pipe/name-{pipe:06}").as_bytes());
    key[16..].copy_from_slice(&index.to_be_bytes());
    key
}

enum Engine {
    Bare(File),
    Redb { database: redb::Database, quick_repair: bool, two_phases: bool },
    Fjall { database: fjall::Database, log: fjall::Keyspace, heads: fjall::Keyspace },
}

impl Engine {
    fn open(name: &str, directory: &Path) -> Engine {
        match name {
            "bare file" => {
                Engine::Bare(OpenOptions::new().append(true).create(true).open(directory.join("bare")).unwrap())
            }
            "fjall" => {
                let database = fjall::Database::builder(directory.join("fjall")).open().unwrap();
                let log = database.keyspace("log", fjall::KeyspaceCreateOptions::default).unwrap();
                let heads = database.keyspace("heads", fjall::KeyspaceCreateOptions::default).unwrap();
                Engine::Fjall { database, log, heads }
            }
            _ => {
                let database = redb::Builder::new().set_cache_size(256 << 20).create(directory.join("redb")).unwrap();
                Engine::Redb { database, quick_repair: name == "redb", two_phases: name != "redb, 1 phase" }
            }
        }
    }

    fn commit(&mut self, rows: &[Row]) {
        match self {
            Engine::Bare(file) => {
                let mut bytes = Vec::with_capacity(rows.len() * 350);
                for row in rows {
                    bytes.extend_from_slice(&row.key);
                    bytes.extend_from_slice(&row.text);
                    bytes.extend_from_slice(&row.head);
                    bytes.extend_from_slice(row.oldest.as_ref().map_or(&[], |oldest| oldest.as_slice()));
                }
                file.write_all(&bytes).unwrap();
                file.sync_data().unwrap();
            }
            Engine::Redb { database, quick_repair, two_phases } => {
                let mut transaction = database.begin_write().unwrap();
                transaction.set_quick_repair(*quick_repair);
                transaction.set_two_phase_commit(*two_phases);
                {
                    let mut log = transaction.open_table(LOG).unwrap();
                    let mut heads = transaction.open_table(HEADS).unwrap();
                    for row in rows {
                        log.insert(row.key.as_slice(), row.text.as_slice()).unwrap();
                        if let Some(oldest) = &row.oldest {
                            log.remove(oldest.as_slice()).unwrap();
                        }
                        heads.insert(row.pipe(), row.head.as_slice()).unwrap();
                    }
                }
                transaction.commit().unwrap();
            }
            Engine::Fjall { database, log, heads } => {
                let mut batch = database.batch().durability(Some(fjall::PersistMode::SyncData));
                for row in rows {
                    batch.insert(log, row.key.as_slice(), row.text.as_slice());
                    if let Some(oldest) = &row.oldest {
                        batch.remove(log, oldest.as_slice());
                    }
                    batch.insert(heads, row.pipe(), row.head.as_slice());
                }
                batch.commit().unwrap();
            }
        }
    }
}

/// What the kernel has written to disk for this process so far.
fn written_bytes() -> u64 {
    let counters = fs::read_to_string("/proc/self/io").unwrap();
    let line = counters.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}
