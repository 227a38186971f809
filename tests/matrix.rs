//! Clients of many kinds against one node: each publishes, reads, publishes a batch, is reset, and is refused what is
//! wrong, with scripts of `tests/clients`; a browser hears what it has published. A table of what was checked is
//! printed in any case, and is in `target/clients/` afterwards.
//!
//! The large ones, whose compilers and packages take minutes to install, run with `tests/run --all`. One alone, or
//! some: `COMETQL_CLIENTS=django,peewee cargo test --test matrix`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "world/browser.rs"]
mod browser;
#[path = "world/clients.rs"]
mod clients;
#[path = "matrix/list.rs"]
mod list;
#[path = "world/node.rs"]
mod node;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;

use browser::Browser;
use list::{Client, LARGE, QUICK};
use node::Node;

/// What each client does; one with something missing says so in `list.rs`.
const DUTIES: [&str; 6] = ["publish", "query", "batch", "reset", "refuse", "more"];
/// What each client publishes first.
const TEXT: &str = r#"{"text":"it's \"quoted\", a \\ and 😀"}"#;
/// How many run at the same time.
const TOGETHER: usize = 2;

#[test]
fn the_clients_that_install_quickly_do_what_is_asked_of_them() {
    clients::install();
    all_do_what_is_asked("quick", QUICK);
}

#[test]
fn the_large_clients_do_what_is_asked_of_them() {
    if std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all") {
        clients::run(&["tests/clients/install", "--all"], &[], &clients::project());
        all_do_what_is_asked("large", LARGE);
    }
}

/// What came of a client: how often it did each of its duties, or why not.
type Outcome = Result<BTreeMap<String, usize>, String>;

fn all_do_what_is_asked(kind: &str, clients: &[Client]) {
    let node = Node::start();
    let (sql, browsers, password) = (node.sql, node.browsers, node.password.as_str());
    let mut waiting: Vec<&Client> = clients.iter().filter(|client| is_wanted(client)).collect();
    waiting.reverse();
    let (waiting, outcomes) = (Mutex::new(waiting), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                // The lock is not held while a client works.
                while let Some(client) = { waiting.lock().unwrap().pop() } {
                    let outcome = Asked { sql, browsers, password, client }.outcome();
                    outcomes.lock().unwrap().insert(client.name, outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let table = table(clients, &outcomes);
    // Past the harness, which keeps what a test that passes prints to itself.
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    std::fs::write(clients::project().join(format!("target/clients/matrix-{kind}.txt")), &table).unwrap();
    let failed: Vec<_> = outcomes.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().err()?))).collect();
    let reasons: Vec<String> = failed.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    assert!(reasons.is_empty(), "{} clients fail\n\n{}", reasons.len(), reasons.join("\n\n"));
}

fn is_wanted(client: &Client) -> bool {
    std::env::var("COMETQL_CLIENTS").map_or(true, |names| names.split(',').any(|name| name == client.name))
}

/// A client, and the node that it is to work with.
struct Asked<'a> {
    sql: SocketAddr,
    browsers: SocketAddr,
    password: &'a str,
    client: &'a Client,
}

impl Asked<'_> {
    fn outcome(&self) -> Outcome {
        let pipe = self.client.pipe();
        self.keep(&pipe)?;
        let mut browser = Browser::subscriber(self.browsers, &[&pipe]);
        let (host, port) = (self.sql.ip().to_string(), self.sql.port().to_string());
        let given = [&host, &port, self.password, &pipe];
        let arguments: Vec<&str> = given.into_iter().chain(self.client.arguments.iter().copied()).collect();
        let command = self.client.command();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let printed = clients::tried(&command, &arguments, &clients::project())?;
        let heard = browser.frame().json();
        if [&heard["event"], &heard["data"]] != [&serde_json::Value::from("published"), &TEXT.into()] {
            return Err(format!("a browser has heard {heard}"));
        }
        let mut done = BTreeMap::new();
        // Libraries print lines of their own.
        for line in printed.lines().filter_map(|line| line.strip_prefix("ok ")) {
            let (duty, _) = line.split_once(": ").ok_or_else(|| format!("it says {line:?}"))?;
            *done.entry(duty.to_owned()).or_insert(0) += 1;
        }
        match DUTIES.iter().find(|duty| !done.contains_key(**duty) && !self.client.without.contains(duty)) {
            Some(missing) => Err(format!("it says nothing of its duty {missing:?}: {printed}")),
            None => Ok(done),
        }
    }

    /// Has the pipe keep what it gets.
    fn keep(&self, pipe: &str) -> Result<String, String> {
        let statement = format!("INSERT INTO pipes_settings (name, length) VALUES ('{pipe}', 1000)");
        let (host, port, password) = (self.sql.ip().to_string(), self.sql.port().to_string(), self.password);
        let flags =
            ["--no-defaults", "-h", &host, "-P", &port, "-u", "root", &format!("-p{password}"), "-e", &statement];
        clients::tried(&["mariadb"], &flags, &clients::project())
    }
}

/// A line a client: how many checks of each duty it passed.
fn table(clients: &[Client], outcomes: &BTreeMap<&str, Outcome>) -> String {
    let mut table = format!("\n{:34}", "client");
    for duty in DUTIES {
        let _ = write!(table, "{duty:>9}");
    }
    table.push('\n');
    for client in clients {
        let Some(outcome) = outcomes.get(client.name) else { continue };
        let _ = write!(table, "{:34}", client.title);
        match outcome {
            Err(_) => table.push_str("  FAILED"),
            Ok(done) => {
                for duty in DUTIES {
                    let count = done.get(duty).map_or("-".to_owned(), usize::to_string);
                    let _ = write!(table, "{count:>9}");
                }
            }
        }
        table.push('\n');
    }
    table
}
