//! The page at `/` in a real browser: what a newcomer does first, and what an operator does with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;
#[path = "world/restarts.rs"]
mod restarts;

use node::{Home, Node};

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
    let node = Node::start();
    let place = place_of(&node);
    let script = ["tests/browser/console.mjs", "restart"];
    let arguments: Vec<&str> = script.into_iter().chain(place.iter().map(String::as_str)).collect();
    let publish = "INSERT INTO pipes_messages (name, event, message) VALUES ('kept', 'while_away', 'missed')";
    restarts::run(node, &arguments, publish);
}
