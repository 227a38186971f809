//! The programs of `examples/`, each behind PHP's own server, in real browsers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use node::{Home, Node};
use tempfile::TempDir;

/// Far longer than PHP takes to start.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn two_pages_chat_and_a_third_has_the_history() {
    in_browsers("chat");
}

#[test]
fn a_private_message_to_a_closed_page_arrives_when_it_opens() {
    in_browsers("private-messages");
}

#[test]
fn a_second_browser_is_seen_to_come_and_go() {
    in_browsers("who-is-online");
}

/// Drives an example by the part of `tests/browser/examples.mjs` that has its name.
fn in_browsers(name: &str) {
    clients::install();
    let node = Home::new(&["--log", "warn", "--presence-grace-seconds", "0"]).start();
    let php = Php::start(name, &node);
    let screenshot = clients::project().join(format!("target/example-{name}.png")).display().to_string();
    let arguments = [name, &php.url, &screenshot];
    print!("{}", clients::run(&["node", "tests/browser/examples.mjs"], &arguments, &clients::project()));
    let said = php.stop();
    assert!(!said.iter().any(|line| line.contains("PHP ")), "PHP complained:\n{}", said.join("\n"));
}

/// PHP's own server on a free port, with one example. It is killed when this is dropped.
struct Php {
    url: String,
    child: Child,
    /// What it says, line by line.
    said: Receiver<String>,
    _sessions: TempDir,
}

impl Php {
    fn start(name: &str, node: &Node) -> Php {
        let sessions = tempfile::tempdir().expect("a temporary directory");
        let save_path = format!("session.save_path={}", sessions.path().display());
        let mut child = Command::new("php")
            .args(["-d", &save_path, "-d", "error_reporting=-1", "-d", "log_errors=1", "-d", "display_errors=0"])
            .args(["-S", "127.0.0.1:0", "-t", &format!("examples/{name}")])
            .current_dir(clients::project())
            .env("COMETQL_MYSQL_LISTEN", node.sql.to_string())
            .env("COMETQL_WS_LISTEN", node.browsers.to_string())
            .env("COMETQL_PASSWORD_FILE", node.home.data().join("password"))
            .env_remove("COMETQL_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("php starts");
        let (sender, said) = channel();
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut php = Php { url: String::new(), child, said, _sessions: sessions };
        let first = php.said.recv_timeout(DEADLINE).expect("its first line");
        let after = first.split_once("http://").unwrap_or_else(|| panic!("no address: {first}")).1;
        php.url = format!("http://{}/", after.split_once(')').expect("it ends").0);
        php
    }

    /// Ends it; answers what it has said since its first line.
    fn stop(mut self) -> Vec<String> {
        let _ = self.child.kill();
        let mut lines = Vec::new();
        // The pipe closes when the process ends.
        while let Ok(line) = self.said.recv_timeout(DEADLINE) {
            lines.push(line);
        }
        lines
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
