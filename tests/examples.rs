//! The programs of `examples/`, behind PHP's own server, and the chat behind Python's, too, in real browsers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;
#[path = "world/restarts.rs"]
mod restarts;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use node::{Home, Node};
use tempfile::TempDir;

/// Far longer than PHP or Python take to start.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn people_chat_in_rooms_behind_php() {
    in_browsers("chat", "chat-php", || php(&["examples/chat/chat.php"]));
}

#[test]
fn people_chat_in_rooms_behind_python() {
    in_browsers("chat", "chat-python", python);
}

#[test]
fn a_chat_whose_node_restarts_shows_what_was_missed() {
    clients::install();
    let node = Node::start();
    let backend = Backend::start(python(), &node);
    let arguments = ["tests/browser/examples.mjs", "chat-restart", &backend.url, &node.browsers.to_string()];
    let publish = "INSERT INTO pipes_messages (name, event, message) VALUES \
                   ('private_room_lobby', 'said', '{\"from\": 1, \"name\": \"Eve\", \"text\": \"missed\"}')";
    restarts::run(node, &arguments, publish);
}

#[test]
fn a_private_message_to_a_closed_page_arrives_when_it_opens() {
    in_browsers("private-messages", "private-messages", || php(&["-t", "examples/private-messages"]));
}

#[test]
fn a_second_browser_is_seen_to_come_and_go() {
    in_browsers("who-is-online", "who-is-online", || php(&["-t", "examples/who-is-online"]));
}

/// Drives an example by a part of `tests/browser/examples.mjs`.
fn in_browsers(part: &str, picture: &str, backend: impl FnOnce() -> Command) {
    clients::install();
    let node = Home::new(&["--log", "warn", "--presence-grace-seconds", "0"]).start();
    let backend = Backend::start(backend(), &node);
    let screenshot = clients::project().join(format!("target/example-{picture}.png")).display().to_string();
    let arguments = [part, &backend.url, &node.browsers.to_string(), &screenshot];
    print!("{}", clients::run(&["node", "tests/browser/examples.mjs"], &arguments, &clients::project()));
    let said = backend.stop();
    let complaints = ["PHP ", "Traceback"];
    let is_well = !said.iter().any(|line| complaints.iter().any(|complaint| line.contains(complaint)));
    assert!(is_well, "the backend complained:\n{}", said.join("\n"));
}

/// PHP's own server, on a free port.
fn php(arguments: &[&str]) -> Command {
    let mut php = Command::new("php");
    php.args(["-d", "session.save_path=${TMPDIR}"]);
    php.args(["-d", "error_reporting=-1", "-d", "log_errors=1", "-d", "display_errors=0", "-S", "127.0.0.1:0"]);
    php.args(arguments);
    php
}

/// The server of the chat, on a free port.
fn python() -> Command {
    let mut python = Command::new(clients::python());
    python.args(["examples/chat/chat.py", "0"]);
    python
}

/// The server of an example. It is killed when this is dropped.
struct Backend {
    url: String,
    child: Child,
    /// What it says, line by line.
    said: Receiver<String>,
    _sessions: TempDir,
}

impl Backend {
    fn start(mut command: Command, node: &Node) -> Backend {
        let sessions = tempfile::tempdir().expect("a temporary directory");
        command.env("TMPDIR", sessions.path());
        let mut child = command
            .current_dir(clients::project())
            .env("COMETQL_MYSQL_LISTEN", node.sql.to_string())
            .env("COMETQL_WS_LISTEN", node.browsers.to_string())
            .env("COMETQL_PASSWORD_FILE", node.home.data().join("password"))
            .env_remove("COMETQL_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (sender, said) = channel();
        read(child.stdout.take().expect("it is piped"), sender.clone());
        read(child.stderr.take().expect("it is piped"), sender);
        let mut backend = Backend { url: String::new(), child, said, _sessions: sessions };
        let first = backend.said.recv_timeout(DEADLINE).expect("its first line");
        let address = first.split_once("http://").unwrap_or_else(|| panic!("no address: {first}")).1;
        let end = address.find([')', '/']).expect("it ends");
        backend.url = format!("http://{}/", &address[..end]);
        backend
    }

    /// Ends it; answers what it has said since its first line.
    fn stop(mut self) -> Vec<String> {
        let _ = self.child.kill();
        let mut lines = Vec::new();
        // The pipes close when the process ends.
        while let Ok(line) = self.said.recv_timeout(DEADLINE) {
            lines.push(line);
        }
        lines
    }
}

fn read(stream: impl Read + Send + 'static, sender: Sender<String>) {
    let lines = BufReader::new(stream).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
