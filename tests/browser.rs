//! The page at `/` in a real browser: what a newcomer does first, and what an operator does with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use node::{Home, Node};
use rustix::process::Signal;

#[test]
fn the_page_shows_what_the_mysql_client_inserts() {
    clients::install();
    let node = Node::start();
    let screenshot = clients::project().join("target/first_insert.png").display().to_string();
    let arguments = [place_of(&node).as_slice(), &[screenshot]].concat();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    print!("{}", clients::run(&["node", "tests/browser/first_insert.mjs"], &arguments, &clients::project()));
}

#[test]
fn pages_subscribe_publish_and_read_what_is_kept() {
    in_the_console("pipes");
}

#[test]
fn users_log_in_and_are_seen_to_come_and_go() {
    in_the_console("people");
}

#[test]
fn another_tenant_has_pipes_of_its_own() {
    in_the_console("tenant");
}

/// What the scripts are told about a node: a URL, and what a SQL client needs.
fn place_of(node: &Node) -> [String; 4] {
    let (host, port) = (node.sql.ip().to_string(), node.sql.port().to_string());
    [format!("http://{}/", node.browsers), host, port, node.password.clone()]
}

/// Runs a part of `tests/browser/console.mjs`.
fn in_the_console(part: &str) {
    clients::install();
    let node = Home::new(&["--log", "warn", "--presence-grace-seconds", "0"]).start();
    let place = place_of(&node);
    let arguments: Vec<&str> = [part].into_iter().chain(place.iter().map(String::as_str)).collect();
    print!("{}", clients::run(&["node", "tests/browser/console.mjs"], &arguments, &clients::project()));
}

#[test]
fn a_page_whose_node_restarts_shows_what_it_missed() {
    clients::install();
    let mut node = Node::start();
    let mut script = Command::new("node")
        .args(["tests/browser/console.mjs", "restart"])
        .args(place_of(&node))
        .current_dir(clients::project())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut answers = script.stdin.take().expect("it is piped");
    for line in BufReader::new(script.stdout.take().expect("it is piped")).lines().map_while(Result::ok) {
        if line == "restart the node" {
            node = restarted_with_a_message(node);
            writeln!(answers, "done").expect("it waits for this");
        }
    }
    assert!(script.wait().expect("our own child").success(), "it has said why");
}

/// While the page looks for the node where it was, it is elsewhere and publishes; then it is back.
fn restarted_with_a_message(node: Node) -> Node {
    let (sql, browsers) = (node.sql.to_string(), node.browsers.to_string());
    let elsewhere = node.stop(Signal::TERM).1.start();
    let publish = "INSERT INTO pipes_messages (name, event, message) VALUES ('kept', 'while_away', 'missed')";
    let [_, host, port, password] = place_of(&elsewhere);
    let login = [format!("--host={host}"), format!("--port={port}"), format!("--password={password}")];
    let arguments = ["--no-defaults", "--protocol=tcp", "--user=root", &login[0], &login[1], &login[2], "-e", publish];
    clients::run(&["mariadb"], &arguments, &clients::project());
    elsewhere.stop(Signal::TERM).1.start_at(&sql, &browsers)
}
