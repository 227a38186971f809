//! What no client would send, at every stage of a connection, to the real binary: it neither panics nor grows, and
//! the next client is served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "hostile_packets/mutation.rs"]
mod mutation;
#[path = "world/node.rs"]
mod node;
#[allow(dead_code)]
#[path = "mysql_wire/raw_client.rs"]
mod raw_client;
#[path = "hostile_packets/stages.rs"]
mod stages;

/// What the client of the tests of the wire logs in with.
mod server {
    pub const PASSWORD: &str = "correct horse";
}

use mutation::Random;
use node::{Home, Node};
use raw_client::{RawClient, Reply};
use rustix::process::Signal;
use server::PASSWORD;
use stages::STAGES;

/// What allocator and store may take beside what a leak would: a packet has some 100 bytes, and so has what is
/// remembered of a pipe.
const GROWTH_BYTES_MAX: u64 = 24 * 1024 * 1024;

fn packets() -> usize {
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") { 100_000 } else { 10_000 }
}

fn start() -> Node {
    Home::new(&["--log", "warn", "--memory", "--password", PASSWORD]).start()
}

/// The next client is served, and nobody has panicked.
fn end_well(node: Node) {
    let mut client = RawClient::logged_in(node.sql);
    assert!(matches!(client.query("SELECT 1"), Reply::Rows(..)));
    drop(client);
    let (end, _) = node.stop(Signal::TERM);
    assert!(end.status.success(), "{:?}\n{}", end.status, end.stderr);
    for printed in [&end.stdout, &end.stderr] {
        assert!(!printed.contains("panicked"), "{printed}");
    }
}

#[test]
fn hostile_packets_hurt_nobody() {
    let seed = match std::env::var("COMETQL_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed,
        None if packets() > 10_000 => std::process::id().into(),
        None => 20_262,
    };
    println!("COMETQL_SEED={seed}");
    let mut random = Random::new(seed);
    let node = start();
    let (mut sent, mut warm) = (0, None);
    for round in 0.. {
        let (name, stage) = STAGES[round % STAGES.len()];
        sent += stage(node.sql, &mut random).unwrap_or_else(|error| panic!("{name}, round {round}: {error}"));
        if round % 64 == 0 {
            let mut client = RawClient::logged_in(node.sql);
            assert!(matches!(client.query("SELECT 1"), Reply::Rows(..)), "after {name}, round {round}");
        }
        if sent >= packets() {
            break;
        }
        if sent >= packets() / 3 && warm.is_none() {
            warm = Some(node.resident_bytes());
        }
    }
    let (warm, end) = (warm.expect("a third comes before the whole"), node.resident_bytes());
    println!("{sent} packets, {} KiB after a third of them, {} KiB at their end", warm / 1024, end / 1024);
    assert!(end < warm + GROWTH_BYTES_MAX, "from {warm} to {end} bytes");
    end_well(node);
}

#[test]
fn many_values_and_ten_megabytes_of_brackets_are_answered() {
    let node = start();
    let mut client = RawClient::logged_in(node.sql);
    let row = "('chat', 'say', 'x')";
    let rows = vec![row; 500].join(",");
    let reply = client.query(&format!("INSERT INTO pipes_messages (name, event, message) VALUES {rows}"));
    assert!(matches!(&reply, Reply::Ok { .. }), "{reply:?}");
    let values = vec!["?"; 500].join(",");
    assert_eq!(client.prepare(&format!("SELECT 1 IN ({values})")).2, 500);
    assert!(matches!(client.query(&format!("SELECT 1 IN ({})", vec!["0"; 500].join(","))), Reply::Rows(..)));
    assert_eq!(client.query(&format!("INSERT INTO pipes_messages VALUES ({values})")).code(), 1210);
    for deep in ["(", "not ", "case when ", "(select 1 from ", "1 in (", "- ", "binary "] {
        let text = format!("SELECT {}", deep.repeat(10 * 1024 * 1024 / deep.len()));
        assert_eq!(client.query(&text).code(), 3, "{deep}");
        client.send(0, &[b"\x16", text.as_bytes()].concat());
        assert_eq!(client.reply().code(), 3, "{deep}");
    }
    drop(client);
    end_well(node);
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_wherever_they_stand() {
    let node = start();
    let mut client = RawClient::logged_in(node.sql);
    for (command, code) in [
        (&b"\x03SELECT '\xff'"[..], 1300),
        (b"\x03\xff", 1300),
        (b"\x16SELECT \xc3", 1300),
        (b"\x02\xed\xa0\x80", 1300),
        (b"\x04\xff\0", 1300),
    ] {
        assert_eq!(client.command(command).code(), code, "{command:?}");
    }
    let (id, _, _) = client.prepare("SELECT ?");
    let execute = |value: &[u8]| {
        let head = [b"\x17", &id.to_le_bytes()[..], b"\0\x01\0\0\0", b"\0\x01\xfd\0"].concat();
        [&head[..], &[value.len() as u8], value].concat()
    };
    assert_eq!(client.command(&execute(b"a\xff")).code(), 1300);
    let long_data = [b"\x18", &id.to_le_bytes()[..], b"\0\0", b"\xf0\x9f"].concat();
    client.send(0, &long_data);
    assert_eq!(client.command(&execute(b"")).code(), 1300);
    // The piece has been forgotten with the run that failed.
    assert!(matches!(client.command(&execute("п".as_bytes())), Reply::Rows(..)));
    for user in [&b"\xff\xfe"[..], b"root\xff"] {
        let mut stranger = RawClient::connect(node.sql);
        let mut login = raw_client::login_packet(0, "", b"01234567890123456789", None);
        login.splice(32..32, user.iter().copied());
        stranger.send(1, &login);
        assert!(matches!(stranger.reply().code(), 1043 | 1045 | 1300));
    }
    drop(client);
    end_well(node);
}
