//! 10,000 browsers lose their connections, 20 messages are published to each of their 100 pipes, and all come back at
//! once with their positions, until each has its 20 messages, in order.
//!
//!     cargo bench --bench recovery
//!     cargo bench --bench recovery -- window     # one store, for a profiler
//!
//! Beside it, in turns, the same return when nothing was missed; of each the middle round counts. Browsers, of
//! generation 5, hear one pipe each, and the node has noticed that they are gone before they come back.
//!
//! * *store*: `window`: nothing is kept, all comes from the recovery windows. `kept`: the pipes keep 100 messages on
//!   disk, and have windows, as is the default. `history`: the same without windows, so that all is read from disk.
//!   `redis-window` and `redis-kept`: the first two with Redis, if there is a `redis-server` to start.
//! * *missed*: messages each browser has missed, or the ratio of both rows.
//! * *last, s* and *half, s*: from the first connection attempt until the last has everything, and until half of them
//!   have. The machine is shared with the browsers, who are one thread.
//! * *CPU µs*: processor time of the node, user and system, a browser, from the first attempt to the last answer: the
//!   connection, its upgrade, the subscription and what was missed.
//! * *Redis µs*: the same of Redis.
//! * *bytes*: received by a browser, from the head of the response on.
//! * *resident*: bytes the node holds in memory when all are back.
//! * *gaps*: `gaps_declared` at the end, which must be 0.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/world/browser.rs"]
#[allow(dead_code)]
mod browser;
#[path = "world/crowd.rs"]
mod crowd;
#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;
#[path = "world/publisher.rs"]
mod publisher;
#[path = "world/redis.rs"]
#[allow(dead_code)]
mod redis;

use std::time::{Duration, Instant};

use crowd::Crowd;
use node::{Node, PASSWORD};
use publisher::Pipeline;
use redis::Redis;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const BROWSERS: usize = 10_000;
const PIPES: usize = 100;
const MISSED: usize = 20;
const MESSAGE_BYTES: usize = 128;
const ROUNDS: usize = 3;
/// Far longer than a node takes to notice that browsers have gone.
const DEADLINE: Duration = Duration::from_secs(60);

struct Shape {
    name: &'static str,
    has_redis: bool,
    keeps: bool,
    flags: &'static [&'static str],
}

const SHAPES: [Shape; 5] = [
    Shape { name: "window", has_redis: false, keeps: false, flags: &[] },
    Shape { name: "kept", has_redis: false, keeps: true, flags: &[] },
    Shape { name: "history", has_redis: false, keeps: true, flags: &["--recovery-bytes-max", "0"] },
    Shape { name: "redis-window", has_redis: true, keeps: false, flags: &[] },
    Shape { name: "redis-kept", has_redis: true, keeps: true, flags: &[] },
];

fn main() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("{BROWSERS} browsers on {PIPES} pipes come back at once; messages of {MESSAGE_BYTES} bytes\n");
    println!(
        "{:<14} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12} {:>6}",
        "store", "missed", "last, s", "half, s", "CPU µs", "Redis µs", "bytes", "resident", "gaps"
    );
    for shape in SHAPES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == shape.name) {
            measure(&shape);
        }
    }
}

/// One return of all.
#[derive(Clone, Copy)]
struct Return {
    last: f64,
    half: f64,
    /// A browser.
    node_micros: f64,
    redis_micros: f64,
    bytes: f64,
    resident: u64,
}

fn measure(shape: &Shape) {
    let redis = if shape.has_redis { Redis::start() } else { None };
    if shape.has_redis && redis.is_none() {
        return println!("{:<14} there is no redis-server to start", shape.name);
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let address = redis.as_ref().map(Redis::address);
    let mut flags = vec!["--ping-seconds", "3600"];
    flags.extend(shape.flags);
    flags.extend(address.iter().flat_map(|address| ["--store", address.as_str()]));
    let node = Node::on_disk(home.path(), &flags);
    let mut sql = Pipeline::connect(node.sql, PASSWORD);
    let pipes: Vec<String> = (0..PIPES).map(|number| format!("pipe_{number}")).collect();
    if shape.keeps {
        let rows: Vec<String> = pipes.iter().map(|pipe| format!("('{pipe}', 100)")).collect();
        sql.run([format!("INSERT INTO pipes_settings (name, length) VALUES {}", rows.join(", "))], 1);
    }
    let mut crowd = Crowd::new(node.browsers, BROWSERS, &pipes);
    // The first time they learn where they are.
    crowd.come(0);
    let (mut nothing, mut missed) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        all_go(&mut crowd, &mut sql);
        nothing.push(all_return(&node, redis.as_ref(), &mut crowd, 0));
        all_go(&mut crowd, &mut sql);
        publish(&mut sql, &pipes);
        missed.push(all_return(&node, redis.as_ref(), &mut crowd, MISSED));
    }
    let gaps = sql.status("gaps_declared");
    let (nothing, missed) = (middle(nothing), middle(missed));
    for (count, of) in [(0, nothing), (MISSED, missed)] {
        let Return { last, half, node_micros, redis_micros, bytes, resident } = of;
        print!(
            "{:<14} {count:>8} {last:>9.2} {half:>9.2} {node_micros:>9.1} {redis_micros:>9.1} {bytes:>9.0}",
            shape.name
        );
        println!(" {resident:>12} {gaps:>6}");
    }
    let (last, half) = (missed.last / nothing.last, missed.half / nothing.half);
    let (cpu, bytes) = (missed.node_micros / nothing.node_micros, missed.bytes / nothing.bytes);
    println!("{:<14} {:>8} {last:>9.2} {half:>9.2} {cpu:>9.2} {:>9} {bytes:>9.2}", "", "ratio", "");
    assert_eq!(gaps, 0, "somebody was told that something is lost");
}

fn middle(mut rounds: Vec<Return>) -> Return {
    rounds.sort_by(|one, other| one.node_micros.total_cmp(&other.node_micros));
    rounds[ROUNDS / 2]
}

fn all_go(crowd: &mut Crowd, sql: &mut Pipeline) {
    crowd.cut();
    let began = Instant::now();
    while sql.status("frontend_online") > 0 {
        assert!(began.elapsed() < DEADLINE, "the node has not noticed that browsers have gone");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn publish(sql: &mut Pipeline, pipes: &[String]) {
    let text = "x".repeat(MESSAGE_BYTES);
    let rows_of = |pipe: &String| vec![format!("('{pipe}', 'event', '{text}')"); MISSED].join(", ");
    let insert = |pipe| format!("INSERT INTO pipes_messages (name, event, message) VALUES {}", rows_of(pipe));
    sql.run(pipes.iter().map(insert), 16);
}

fn all_return(node: &Node, redis: Option<&Redis>, crowd: &mut Crowd, missed: usize) -> Return {
    let cpu = || (node.cpu_micros(), redis.map_or(0, Redis::cpu_micros));
    let before = cpu();
    let coming = crowd.come(missed as u64);
    let after = cpu();
    let a_browser = |sum: u64| sum as f64 / BROWSERS as f64;
    Return {
        last: coming.seconds,
        half: coming.seconds_of_half,
        node_micros: a_browser(after.0 - before.0),
        redis_micros: a_browser(after.1 - before.1),
        bytes: a_browser(coming.bytes),
        resident: node.resident_bytes(),
    }
}
