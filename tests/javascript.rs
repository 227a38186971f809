//! The JavaScript client: its own tests, and what it does in a real browser against a real node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;

#[test]
fn its_own_tests_pass_and_what_is_committed_is_what_they_tested() {
    let folder = clients::project().join("web/client");
    clients::run(&["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], &[], &folder);
    print!("{}", clients::run(&["npm", "test", "--silent"], &[], &folder));
}

#[test]
fn every_method_works_in_a_page() {
    in_a_browser("methods");
}

#[test]
fn the_tab_with_the_connection_is_closed_in_mid_stream_and_the_others_miss_nothing() {
    in_a_browser("tabs");
}

#[test]
fn a_node_is_killed_and_what_was_kept_meanwhile_arrives() {
    in_a_browser("restart");
}

#[test]
fn a_thousand_messages_a_second_arrive_in_order() {
    in_a_browser("stream");
}

#[test]
fn every_method_works_in_node() {
    in_node("methods");
}

fn in_a_browser(part: &str) {
    run(&["node"], &[part, env!("CARGO_BIN_EXE_cometql")]);
}

/// Node 20 has a WebSocket when it is asked for one, as the newer ones have unasked.
fn in_node(part: &str) {
    run(&["node", "--no-warnings", "--experimental-websocket"], &[part, env!("CARGO_BIN_EXE_cometql"), "in-node"]);
}

fn run(node: &[&str], arguments: &[&str]) {
    clients::install();
    let command = [node, &["tests/browser/javascript.mjs"]].concat();
    print!("{}", clients::run(&command, arguments, &clients::project()));
}
