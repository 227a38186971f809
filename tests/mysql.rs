//! Stock clients publish to the binary and read back, and a browser hears it: every payload of
//! `tests/clients/payloads.json`, byte for byte, with each client in each of its styles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "world/browser.rs"]
mod browser;
#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Duration;

use browser::Browser;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};
use node::Node;
use sha1::{Digest, Sha1};

const DEADLINE: Duration = Duration::from_secs(60);

struct Payload {
    name: String,
    text: String,
}

fn payloads() -> Vec<Payload> {
    let listed: Vec<serde_json::Value> = serde_json::from_str(include_str!("clients/payloads.json")).unwrap();
    let text_of = |payload: &serde_json::Value, key: &str| payload[key].as_str().unwrap().to_owned();
    listed
        .iter()
        .map(|payload| Payload {
            name: text_of(payload, "name"),
            text: text_of(payload, "text").repeat(payload["times"].as_u64().unwrap_or(1) as usize),
        })
        .collect()
}

/// Runs a script of `tests/clients`, which publishes to the pipe `{client}_{style}` for each of its styles.
fn shows(client: &str, command: &[&str], styles: &[&str]) {
    clients::install();
    let node = Node::start();
    let hearers: Vec<_> = styles.iter().map(|style| hear(&node, client, style)).collect();
    let (host, port) = (node.sql.ip().to_string(), node.sql.port().to_string());
    let printed = clients::run(command, &[&host, &port, &node.password], &clients::project());
    let payloads = payloads();
    for (style, hearer) in styles.iter().zip(hearers) {
        for Payload { name, .. } in &payloads {
            let line = format!("ok {style}: {name}");
            assert!(printed.lines().any(|printed| printed == line), "{client} has not said {line:?}: {printed}");
        }
        hearer.join().unwrap();
        println!("{client:9}  {style:14}  {} payloads kept and heard", payloads.len());
    }
}

/// Has the pipe keep what it gets, and listens to it until all payloads have come.
fn hear(node: &Node, client: &str, style: &str) -> JoinHandle<()> {
    let pipe = format!("{client}_{style}");
    let mut sql = Raw::login(node);
    assert_eq!(sql.ask(&format!("INSERT INTO pipes_settings (name, length) VALUES ('{pipe}', 1000)"))[0], OK);
    let mut browser = Browser::subscriber(node.browsers, &[&pipe]);
    std::thread::spawn(move || {
        for Payload { name, text } in payloads() {
            let heard = message(&mut browser);
            assert_eq!(heard["pipe"], pipe.as_str());
            assert_eq!(heard["event"], "client");
            is_heard(&text, heard["data"].as_str().expect("data is always a text"), &name);
        }
    })
}

/// The next message, whatever pings come before it.
fn message(browser: &mut Browser) -> serde_json::Value {
    loop {
        let frame = browser.frame();
        if frame.first_byte != PING {
            return frame.json();
        }
    }
}

/// JSON must mean the same; a text must be the same, but for one more encoding as JSON, which keeps the original
/// client from eating backslashes and from taking the text for something else.
fn is_heard(published: &str, heard: &str, name: &str) {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    if let Ok(published) = json(published) {
        assert_eq!(json(heard).ok(), Some(published), "{name}");
    } else if heard != published {
        assert_eq!(json(heard).ok(), Some(published.into()), "{name}");
    }
}

#[test]
fn the_mariadb_command_publishes_what_it_was_given() {
    shows("mariadb", &[&clients::python(), "tests/clients/mariadb_cli.py"], &["escaped", "doubled", "flag"]);
}

#[test]
fn mysqli_publishes_what_it_was_given() {
    shows("mysqli", &["php", "tests/clients/mysqli.php"], &["prepared", "escaped", "bound"]);
}

#[test]
fn pdo_publishes_what_it_was_given() {
    shows("pdo", &["php", "tests/clients/pdo.php"], &["emulated", "native", "quoted"]);
}

#[test]
fn pymysql_publishes_what_it_was_given() {
    shows("pymysql", &[&clients::python(), "tests/clients/pymysql_client.py"], &["one", "many"]);
}

#[test]
fn mysql_connector_python_publishes_what_it_was_given() {
    let styles = ["pure", "pure_prepared", "c", "c_prepared"];
    shows("connector", &[&clients::python(), "tests/clients/mysql_connector.py"], &styles);
}

#[test]
fn mysql2_publishes_what_it_was_given() {
    let styles = ["query", "execute", "object", "bulk"];
    shows("mysql2", &["node", "tests/clients/node/mysql2_client.mjs"], &styles);
}

fn options(node: &Node, password: &str) -> OptsBuilder {
    let options = OptsBuilder::default().ip_or_hostname(node.sql.ip().to_string()).tcp_port(node.sql.port());
    options.user(Some("root")).pass(Some(password)).prefer_socket(false)
}

#[tokio::test]
async fn mysql_async_sends_batches_is_reset_and_hears_refusals() {
    let node = Node::in_memory();
    let mut client = Conn::new(options(&node, &node.password)).await.unwrap();
    client.query_drop("INSERT INTO pipes_settings (name, length) VALUES ('batch', 100)").await.unwrap();
    let rows: Vec<(&str, String)> = (0..50).map(|number| ("batch", number.to_string())).collect();
    let insert = "INSERT INTO pipes_messages (name, event, message) VALUES (?, 'client', ?)";
    client.exec_batch(insert, &rows).await.unwrap();
    assert!(client.reset().await.unwrap(), "the connection stays");
    let count: Option<u64> =
        client.query_first("SELECT COUNT(*) FROM pipes_messages WHERE name = 'batch'").await.unwrap();
    assert_eq!(count, Some(50));
    let refusals = [
        ("SELECT * FROM nothing", 15),
        ("INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'client', 'x')", 12),
        ("nonsense", 3),
    ];
    for (statement, code) in refusals {
        let Err(mysql_async::Error::Server(error)) = client.query_drop(statement).await else { panic!("{statement}") };
        assert_eq!(error.code, code, "{statement}: {error}");
    }
    let Err(mysql_async::Error::Server(error)) = Conn::new(options(&node, "wrong")).await else { panic!("let in") };
    assert_eq!((error.code, error.state.as_str()), (1045, "28000"));
}

#[tokio::test]
async fn mysql_async_publishes_what_it_was_given() {
    let node = Node::start();
    let mut client = Conn::new(options(&node, &node.password)).await.unwrap();
    for style in ["text", "prepared"] {
        let hearer = hear(&node, "async", style);
        let pipe = format!("async_{style}");
        for Payload { text, .. } in payloads() {
            let insert = "INSERT INTO pipes_messages (name, event, message) VALUES";
            match style {
                "text" => {
                    let literal = Value::from(&text).as_sql(false);
                    client.query_drop(format!("{insert} ('{pipe}', 'client', {literal})")).await.unwrap();
                }
                _ => client.exec_drop(format!("{insert} (?, ?, ?)"), (&pipe, "client", &text)).await.unwrap(),
            }
            assert_eq!(client.affected_rows(), 1);
        }
        let kept: Vec<String> = match style {
            "text" => client.query(format!("SELECT message FROM pipes_messages WHERE name = '{pipe}'")).await.unwrap(),
            _ => client.exec("SELECT message FROM pipes_messages WHERE name = ?", (&pipe,)).await.unwrap(),
        };
        assert_eq!(kept, payloads().into_iter().map(|payload| payload.text).collect::<Vec<_>>());
        hearer.join().unwrap();
        println!("async      {style:14}  {} payloads kept and heard", kept.len());
    }
}

#[test]
fn statements_that_come_in_one_segment_are_answered_one_by_one() {
    let node = Node::in_memory();
    let mut browser = Browser::subscriber(node.browsers, &["together"]);
    let mut sql = Raw::login(&node);
    let statement = |text: &str| {
        format!("INSERT INTO pipes_messages (name, event, message) VALUES ('together', 'client', '{text}')")
    };
    let both = [query(&statement("one")), query("nonsense"), query(&statement("two"))].concat();
    sql.socket.write_all(&both).unwrap();
    let heads: Vec<u8> = (0..3).map(|_| sql.packet()[0]).collect();
    assert_eq!(heads, [OK, ERROR, OK]);
    assert_eq!(message(&mut browser)["data"], "one");
    assert_eq!(message(&mut browser)["data"], "two");
}

const PING: u8 = 0x89;
const OK: u8 = 0x00;
const ERROR: u8 = 0xff;

/// A client of raw bytes: logged in, without anything special.
struct Raw {
    socket: TcpStream,
}

impl Raw {
    fn login(node: &Node) -> Raw {
        let socket = TcpStream::connect(node.sql).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut raw = Raw { socket };
        let greeting = raw.packet();
        let version_end = greeting.iter().position(|byte| *byte == 0).unwrap();
        let salt =
            [&greeting[version_end + 5..version_end + 13], &greeting[version_end + 32..version_end + 44]].concat();
        // PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH, no longest packet, utf8mb4, and 23 bytes of nothing.
        let mut login = vec![0x00, 0x82, 0x08, 0x00, 0, 0, 0, 0, 45];
        login.extend([0; 23]);
        login.extend(b"root\0\x14");
        login.extend(proof(&node.password, &salt));
        login.extend(b"mysql_native_password\0");
        raw.socket.write_all(&framed(1, &login)).unwrap();
        let answer = raw.packet();
        assert_eq!(answer[0], OK, "{:?}", String::from_utf8_lossy(&answer));
        raw
    }

    /// The first packet of the answer to a statement.
    fn ask(&mut self, statement: &str) -> Vec<u8> {
        self.socket.write_all(&query(statement)).unwrap();
        self.packet()
    }

    fn packet(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.socket.read_exact(&mut head).unwrap();
        let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
        self.socket.read_exact(&mut payload).unwrap();
        payload
    }
}

fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[sequence], payload].concat()
}

fn query(statement: &str) -> Vec<u8> {
    framed(0, &[b"\x03", statement.as_bytes()].concat())
}

/// SHA1(password) XOR SHA1(salt, SHA1(SHA1(password))).
fn proof(password: &str, salt: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password);
    let twice = Sha1::digest(once);
    let salted = Sha1::new().chain_update(salt).chain_update(twice).finalize();
    once.iter().zip(salted).map(|(left, right)| left ^ right).collect()
}
