//! Does a publish cost the same however many pipes are known? And is what the node remembers of them bounded?
//!
//!     cargo bench --bench flat
//!     cargo bench --bench flat -- heard 1000000     # one row of the first table, for a profiler
//!     cargo bench --bench flat -- memory            # the second table
//!     cargo bench --bench flat -- rest              # what is left of them after 13 minutes
//!
//! The first table: processor time of the node, user and system, a publish, over one SQL connection with 16 statements
//! in flight, to pipes that are drawn from all known ones at random. Beside it, in turns, the same with 10 pipes on a
//! node of its own; the middle round counts.
//!
//! * *pipes*: so many names have been published to before, each once.
//! * *who hears*: `nobody`; or `heard`, by 10 browsers who share the pipes among them, so that each message goes to one;
//!   20 for the last row. As many as the fewest pipes: with more, some of them would hear nothing in the column beside, and the messages for
//!   the others would go out together.
//! * *CPU µs*, *with 10*: what a publish costs here and on the node beside.
//! * *cold*: what cold memory costs at least, in µs: looking so many names up in a table, each in a box of its own and
//!   one after the other, costs so much more than looking up ten. No more than are remembered: of those whom nobody
//!   hears, 131,072.
//! * *ratio*: what a publish costs here without that, by what it costs on the node beside. Above 1 is what we add. The
//!   row of 10 pipes says how much the machine trembles.
//!
//! Of a million pipes that nobody hears not many more than 100,000 are remembered, so nearly each publish there goes to one
//! that is not, and that stays so.
//!
//! The second table: bytes that the node holds in memory more than at its start, after so many names were published to,
//! each once. Whoever is not heard and keeps nothing is remembered for a while, at most 100,000 of them for long, and so
//! the columns must stop to grow: *ratio*, the last by the one before, is 1, and would be 2 if they did not. In its second
//! row every publish has a `uuid` of its own, which is remembered as well (100,000 of them). In the third every pipe has
//! been heard for a moment, so that it has a recovery window, until `recovery_bytes_max` is used up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/world/browser.rs"]
#[allow(dead_code)]
mod browser;
#[path = "world/node.rs"]
#[allow(dead_code)]
mod node;
#[path = "world/publisher.rs"]
mod publisher;

use std::collections::HashMap;
use std::fmt::Write;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use browser::Browser;
use node::{Node, PASSWORD};
use publisher::Pipeline;

/// The last is for those whom nobody hears: more than are remembered.
const KNOWN: [usize; 5] = [10, 1_000, 100_000, 1_000_000, 4_000_000];
const HEARD_MAX: usize = 1_000_000;
const HEARERS: usize = 10;
/// Of one browser: a node's limit is 65,536 subscriptions a connection.
const HEARD_A_BROWSER: usize = 50_000;
/// Most pipes that are remembered although nobody hears them.
const UNHEARD_MAX: usize = 131_072;
const IN_FLIGHT: usize = 16;
const MESSAGE_BYTES: usize = 128;
const ROUNDS: usize = 5;
const PUBLISHES_A_ROUND: usize = 100_000;
const LOOK_UPS: usize = 500_000;
/// Names in one INSERT or one command of a browser, when it is not what is measured.
const TOGETHER: usize = 500;
const REST: std::time::Duration = std::time::Duration::from_secs(13 * 60);
/// When memory is looked at.
const NAMES: [usize; 4] = [200_000, 500_000, 1_000_000, 2_000_000];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    println!("one connection, {IN_FLIGHT} in flight, messages of {MESSAGE_BYTES} bytes, {ROUNDS} rounds\n");
    println!("{:<10} {:>10} {:>10} {:>10} {:>10} {:>10}", "who hears", "pipes", "CPU µs", "with 10", "cold", "ratio");
    for (name, is_heard) in [("nobody", false), ("heard", true)] {
        for known in KNOWN {
            if is_heard && known > HEARD_MAX {
                continue;
            }
            if arguments.is_empty() || arguments == [name, &known.to_string()] {
                compare(name, is_heard, known);
            }
        }
    }
    if arguments.is_empty() || arguments == ["memory"] {
        memory();
    }
    if arguments == ["rest"] {
        rest();
    }
}

fn compare(name: &str, is_heard: bool, known: usize) {
    let (mut ten, mut many) = (Case::new(KNOWN[0], is_heard), Case::new(known, is_heard));
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (many.round(), ten.round())).collect();
    rounds.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
    let (ours, with_ten) = rounds[ROUNDS / 2];
    let cold = cold(if is_heard { known } else { known.min(UNHEARD_MAX) });
    let ratio = (ours - cold) / with_ten;
    println!("{name:<10} {known:>10} {ours:>10.2} {with_ten:>10.2} {cold:>10.2} {ratio:>10.2}");
}

/// How much longer it takes to look up one of so many names than one of ten, in microseconds.
fn cold(known: usize) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| look_up(known) - look_up(KNOWN[0])).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2].max(0.0)
}

/// How long it takes to look up a name in a table of this size, in microseconds of processor time. What is found says
/// which is next.
fn look_up(known: usize) -> f64 {
    let mut table: HashMap<Arc<str>, Box<[u64; 18]>> = HashMap::new();
    table.extend((0..known).map(|number| (name_of(number).into(), Box::new([0; 18]))));
    let mut drawn = 88_172_645_463_325_252;
    let mut name = name_of(0);
    let before = node::cpu_micros(std::process::id());
    for _ in 0..LOOK_UPS {
        let found = table.get_mut(name.as_str()).expect("a known name");
        found[0] += 1;
        name.clear();
        let next = (draw(&mut drawn) as usize).wrapping_add(found[1] as usize) % known;
        write!(name, "pipe_{next:07}").expect("a text");
    }
    (node::cpu_micros(std::process::id()) - before) as f64 / LOOK_UPS as f64
}

/// A node that knows so many pipes.
struct Case {
    node: Node,
    sql: Pipeline,
    known: usize,
    drawn: u64,
}

impl Case {
    fn new(known: usize, is_heard: bool) -> Case {
        let node = Node::start(&["--subscriptions-max", "65536", "--ping-seconds", "3600"]);
        let mut sql = Pipeline::connect(node.sql, PASSWORD);
        if is_heard {
            let hearers = HEARERS.max(known / HEARD_A_BROWSER);
            for hearer in 0..hearers {
                let numbers: Vec<usize> = (hearer..known).step_by(hearers).collect();
                let mut browser = greeted(&node);
                numbers.chunks(TOGETHER).for_each(|numbers| subscribe(&mut browser, numbers));
                // It reads until the node ends.
                std::thread::spawn(move || drain(browser.socket));
            }
        }
        sql.run(first_publishes(0..known, false), IN_FLIGHT);
        Case { node, sql, known, drawn: 88_172_645_463_325_252 }
    }

    /// Processor time a publish, in microseconds.
    fn round(&mut self) -> f64 {
        let text = "x".repeat(MESSAGE_BYTES);
        let before = self.node.cpu_micros();
        let (drawn, known) = (&mut self.drawn, self.known);
        let statements = (0..PUBLISHES_A_ROUND).map(|_| {
            let pipe = name_of(draw(drawn) as usize % known);
            format!("INSERT INTO pipes_messages (name, event, message) VALUES ('{pipe}', 'event', '{text}')")
        });
        self.sql.run(statements, IN_FLIGHT);
        (self.node.cpu_micros() - before) as f64 / PUBLISHES_A_ROUND as f64
    }
}

/// The same numbers in every run, in no order (xorshift).
fn draw(number: &mut u64) -> u64 {
    *number ^= *number << 13;
    *number ^= *number >> 7;
    *number ^= *number << 17;
    *number
}

fn name_of(number: usize) -> String {
    format!("pipe_{number:07}")
}

/// A message to each of these pipes, many in one INSERT.
fn first_publishes(numbers: std::ops::Range<usize>, has_uuid: bool) -> impl Iterator<Item = String> {
    let text = "x".repeat(MESSAGE_BYTES);
    let column = if has_uuid { ", uuid" } else { "" };
    numbers.clone().step_by(TOGETHER).map(move |from| {
        let rows: Vec<String> = (from..numbers.end.min(from + TOGETHER))
            .map(|number| {
                let uuid = if has_uuid { format!(", '018c29f4-9b32-7c1e-8a55-{number:012x}'") } else { String::new() };
                format!("('{}', 'event', '{text}'{uuid})", name_of(number))
            })
            .collect();
        format!("INSERT INTO pipes_messages (name, event, message{column}) VALUES {}", rows.join(", "))
    })
}

fn greeted(node: &Node) -> Browser {
    let (mut browser, _) = Browser::upgrade(node.browsers, "/ws/v=5");
    browser.send_text(r#"{"do":"hello"}"#);
    assert_eq!(browser.frame().json()["is"], "welcome");
    browser
}

fn subscribe(browser: &mut Browser, numbers: &[usize]) {
    let pipes: Vec<String> = numbers.iter().map(|number| format!("{{\"pipe\":\"{}\"}}", name_of(*number))).collect();
    browser.send_text(&format!("{{\"do\":\"subscribe\",\"id\":1,\"pipes\":[{}]}}", pipes.join(",")));
    for _ in numbers {
        assert_eq!(browser.frame().json()["is"], "subscribed");
    }
    assert_eq!(browser.frame().json()["is"], "answer");
}

fn drain(mut socket: TcpStream) {
    let mut buffer = [0; 65_536];
    socket.set_read_timeout(None).expect("a socket");
    while socket.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

fn memory() {
    println!("\nbytes in memory, over those at the start, after so many names\n");
    let [first, second, third, fourth] = NAMES;
    println!("{:<24} {:>12} {first:>12} {second:>12} {third:>12} {fourth:>12} {:>8}", "", "at the start", "ratio");
    for (name, publish) in [
        ("published to once", publish_once as fn(&Node, &mut Pipeline, std::ops::Range<usize>)),
        ("each with a uuid", |_, sql, numbers| sql.run(first_publishes(numbers, true), IN_FLIGHT)),
        ("heard for a moment", publish_and_hear),
    ] {
        let node = Node::start(&["--ping-seconds", "3600"]);
        let mut sql = Pipeline::connect(node.sql, PASSWORD);
        // What the first publishes bring into being once.
        publish(&node, &mut sql, 0..TOGETHER);
        let start = node.resident_bytes();
        let mut published = TOGETHER;
        let bytes = NAMES.map(|names| {
            publish(&node, &mut sql, published..names);
            published = names;
            node.resident_bytes().saturating_sub(start)
        });
        print!("{name:<24} {start:>12}");
        bytes.iter().for_each(|bytes| print!(" {bytes:>12}"));
        println!(" {:>8.2}", bytes[NAMES.len() - 1] as f64 / bytes[NAMES.len() - 2] as f64);
    }
}

/// Every pipe is forgotten after ten minutes, and within some two more its memory is given back.
fn rest() {
    println!("\nbytes in memory, over those at the start");
    let node = Node::start(&[]);
    let mut sql = Pipeline::connect(node.sql, PASSWORD);
    publish_once(&node, &mut sql, 0..TOGETHER);
    let start = node.resident_bytes();
    for names in [1_000_000, 2_000_000] {
        publish_once(&node, &mut sql, names - 1_000_000..names);
        println!("{:<40} {:>12}", format!("a million names, to {names}"), node.resident_bytes().saturating_sub(start));
        std::thread::sleep(REST);
        println!("{:<40} {:>12}", "and 13 minutes later", node.resident_bytes().saturating_sub(start));
    }
}

fn publish_once(_: &Node, sql: &mut Pipeline, numbers: std::ops::Range<usize>) {
    sql.run(first_publishes(numbers, false), IN_FLIGHT);
}

/// Somebody subscribes to each pipe, gets a message, and leaves.
fn publish_and_hear(node: &Node, sql: &mut Pipeline, numbers: std::ops::Range<usize>) {
    let mut browser = greeted(node);
    for from in numbers.clone().step_by(TOGETHER) {
        let some: Vec<usize> = (from..numbers.end.min(from + TOGETHER)).collect();
        subscribe(&mut browser, &some);
        sql.run(first_publishes(from..from + some.len(), false), IN_FLIGHT);
        for _ in &some {
            assert_eq!(browser.frame().json()["is"], "message");
        }
        let names: Vec<String> = some.iter().map(|number| format!("\"{}\"", name_of(*number))).collect();
        browser.send_text(&format!("{{\"do\":\"unsubscribe\",\"id\":2,\"pipes\":[{}]}}", names.join(",")));
        assert_eq!(browser.frame().json()["is"], "answer");
    }
}
