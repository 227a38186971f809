//! A node that restarts while a script in a browser looks at it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::clients;
use crate::node::Node;

/// Runs a script. When it asks for it, the node goes away, and is back with the message that the statement publishes.
pub fn run(mut node: Node, arguments: &[&str], publish: &str) {
    clients::install();
    let mut script = Command::new("node")
        .args(arguments)
        .current_dir(clients::project())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut answers = script.stdin.take().expect("it is piped");
    for line in BufReader::new(script.stdout.take().expect("it is piped")).lines().map_while(Result::ok) {
        if line == "restart the node" {
            node = restarted(node, publish);
            writeln!(answers, "done").expect("it waits for this");
        }
    }
    assert!(script.wait().expect("our own child").success(), "it has said why");
}

/// While the page looks for the node where it was, it is elsewhere and publishes; then it is back.
fn restarted(node: Node, publish: &str) -> Node {
    let (sql, browsers) = (node.sql.to_string(), node.browsers.to_string());
    let elsewhere = node.stop(Signal::TERM).1.start();
    let (host, port) = (elsewhere.sql.ip(), elsewhere.sql.port());
    let login = [format!("--host={host}"), format!("--port={port}"), format!("--password={}", elsewhere.password)];
    let arguments = ["--no-defaults", "--protocol=tcp", "--user=root", &login[0], &login[1], &login[2], "-e", publish];
    clients::run(&["mariadb"], &arguments, &clients::project());
    elsewhere.stop(Signal::TERM).1.start_at(&sql, &browsers)
}
