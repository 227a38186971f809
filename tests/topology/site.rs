//! The services of docker-compose.yml as processes on this machine: a Redis, two nodes, nginx and the chat.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::clients;
use crate::compose::Compose;
use crate::node::{Home, Node};
use crate::redis::Redis;

/// Far longer than any of them takes to start or to answer.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// All of it. nginx and the chat end before what they use.
pub struct Site {
    nginx: Running,
    _chat: Running,
    /// In the order of docker-compose.yml. One that is away leaves its place empty.
    pub nodes: Vec<Option<Node>>,
    /// What nginx opens to browsers, and what to SQL clients.
    pub browsers: SocketAddr,
    pub sql: SocketAddr,
    pub password: String,
    _redis: Redis,
    _directory: TempDir,
}

impl Site {
    pub fn start() -> Site {
        let compose = Compose::read();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let redis = redis(&compose);
        let redis_at = format!("127.0.0.1:{}", redis.take_replicas());
        let secrets = directory.path().join("secrets");
        let nodes: Vec<Node> =
            ["node1", "node2"].map(|name| node(&compose, name, &secrets, &redis_at)).into_iter().collect();
        let password = std::fs::read_to_string(secrets.join("password")).expect("the first node makes one");
        // nginx must know where the chat is, and the chat where nginx will be.
        for _ in 0..10 {
            let (browsers, sql) = (free_port(), free_port());
            let (chat, chat_at) = chat(&compose, &secrets, browsers, sql);
            let places = [("node1", &nodes[0]), ("node2", &nodes[1])]
                .into_iter()
                .flat_map(|(name, node)| {
                    [
                        (format!("{name}:8087"), node.browsers.to_string()),
                        (format!("{name}:3307"), node.sql.to_string()),
                    ]
                })
                .chain([
                    ("chat:8000".to_owned(), chat_at.to_string()),
                    ("listen 8087".to_owned(), format!("listen {browsers}")),
                    ("listen 3307".to_owned(), format!("listen {sql}")),
                    ("/tmp/".to_owned(), format!("{}/", directory.path().display())),
                ]);
            let Some(nginx) = nginx(&compose, directory.path(), browsers, places) else { continue };
            let nodes = nodes.into_iter().map(Some).collect();
            let password = password.trim_end().to_owned();
            return Site { nginx, _chat: chat, nodes, browsers, sql, password, _redis: redis, _directory: directory };
        }
        panic!("no free ports");
    }

    /// How many of its browsers each node has now.
    pub fn browsers_of_nodes(&self) -> Vec<usize> {
        let connections = std::fs::read_to_string("/proc/net/tcp").expect("as Linux has it");
        let has = |address: SocketAddr, line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // The own address, and the state `established`.
            words[1].ends_with(&format!(":{:04X}", address.port())) && words[3] == "01"
        };
        let of_node = |node: &Option<Node>| {
            let address = node.as_ref().map(|node| node.browsers);
            address.map_or(0, |address| connections.lines().skip(1).filter(|line| has(address, line)).count())
        };
        self.nodes.iter().map(of_node).collect()
    }

    /// Whether nginx sends a newcomer to this node, which has fewer browsers than the other.
    pub fn is_served_by(&self, number: usize) -> bool {
        let before = self.browsers_of_nodes()[number];
        let (_newcomer, head) = Browser::upgrade(self.browsers, "/ws/v=5&devid=0");
        head.starts_with("HTTP/1.1 101 ") && self.browsers_of_nodes()[number] > before
    }

    /// Runs one statement with a stock client; answers what it printed.
    pub fn sql_at(&self, address: SocketAddr, statement: &str) -> Result<String, String> {
        let (host, port) = (format!("--host={}", address.ip()), format!("--port={}", address.port()));
        let password = format!("--password={}", self.password);
        let arguments =
            ["--no-defaults", "--protocol=tcp", "--user=root", &host, &port, &password, "-N", "-e", statement];
        clients::tried(&["mariadb"], &arguments, &clients::project())
    }

    /// What nginx has complained about.
    pub fn complaints(&self) -> String {
        std::fs::read_to_string(self.nginx.log.as_deref().expect("nginx has one")).unwrap_or_default()
    }
}

/// With the settings of the file. It is reached through a port, as there.
fn redis(compose: &Compose) -> Redis {
    let command = compose.command("redis");
    assert_eq!(command[0], "redis-server");
    let flags: Vec<&str> = command[1..].iter().map(String::as_str).collect();
    Redis::with(&flags)
}

/// With the variables of the file and of the image; its ports are free ones.
fn node(compose: &Compose, name: &str, secrets: &Path, redis_at: &str) -> Node {
    let mut home = Home::new(&["--log", "warn"]);
    // Here nginx has the address that processes of one machine have among each other.
    let nginx = compose.service("nginx")["networks"]["front"]["ipv4_address"].as_str().expect("one of its own");
    let secrets = secrets.display().to_string();
    let places = [("redis:6379", redis_at), ("/var/lib/cometql", secrets.as_str()), (nginx, "127.0.0.1")];
    for (name, value) in placed(compose.environment(name), &places) {
        home = home.with_variable(&name, &value);
    }
    home.start()
}

/// PHP's own server on a free port, and that port.
fn chat(compose: &Compose, secrets: &Path, browsers: SocketAddr, sql: SocketAddr) -> (Running, SocketAddr) {
    let command = compose.command("chat");
    let words = command.iter().map(|word| word.replace("0.0.0.0:8000", "127.0.0.1:0"));
    let words: Vec<String> = words.collect();
    let (browsers, sql) = (browsers.to_string(), sql.to_string());
    let places =
        [("nginx:3307", sql.as_str()), ("127.0.0.1:8087", &browsers), ("/run/cometql", &secrets.display().to_string())];
    let child = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(clients::project())
        .env_remove("COMETQL_PASSWORD")
        .envs(placed(compose.environment("chat"), &places))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("php starts; tests/run installs it");
    let mut chat = Running { child, log: None };
    let mut said = BufReader::new(chat.child.stderr.take().expect("it is piped"));
    let mut first = String::new();
    said.read_line(&mut first).expect("its first line");
    // Reads on to the end, so that it is never kept by a full pipe.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let address = first.split_once("http://").unwrap_or_else(|| panic!("no address: {first}")).1;
    let address = address.split(')').next().and_then(|address| address.parse().ok());
    (chat, address.unwrap_or_else(|| panic!("no address: {first}")))
}

/// nginx with the project's file and these places in it, or none, when somebody has its ports.
fn nginx(
    compose: &Compose,
    directory: &Path,
    browsers: SocketAddr,
    places: impl Iterator<Item = (String, String)>,
) -> Option<Running> {
    let text = include_str!("../../deploy/nginx-two-nodes.conf").to_owned();
    let text = places.fold(text, |text, (from, to)| {
        assert!(text.contains(&from), "{from:?} is gone from the file");
        text.replace(&from, &to)
    });
    let (file, log) = (directory.join("nginx.conf"), directory.join("nginx.log"));
    std::fs::write(&file, text).expect("it can be written");
    let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
    let child = Command::new("nginx")
        .arg("-c")
        .arg(&file)
        .args(compose.command("nginx"))
        .env("PATH", path)
        .stdin(Stdio::null())
        .stderr(File::create(&log).expect("it can be written"))
        .spawn()
        .expect("nginx starts; tests/run installs it");
    let mut nginx = Running { child, log: Some(log) };
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if nginx.child.try_wait().expect("our own child").is_some() {
            let said = std::fs::read_to_string(nginx.log.as_deref()?).unwrap_or_default();
            assert!(said.contains("Address already in use"), "no nginx: {said}");
            return None;
        }
        if ask(browsers, "GET /info", "", None).is_ok_and(|answer| answer.body.contains("\"cometql\"")) {
            return Some(nginx);
        }
        std::thread::yield_now();
    }
    panic!("nginx does not answer: {}", std::fs::read_to_string(nginx.log.as_deref()?).unwrap_or_default());
}

fn placed(variables: BTreeMap<String, String>, places: &[(&str, &str)]) -> Vec<(String, String)> {
    let put = |value: String| places.iter().fold(value, |value, (from, to)| value.replace(from, to));
    variables.into_iter().map(|(name, value)| (name, put(value))).collect()
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// A program of ours, which is asked to end when this is dropped, and takes its own processes with it.
struct Running {
    child: Child,
    log: Option<std::path::PathBuf>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Asks over HTTP 1.0, whose answers come in one piece; a body is JSON.
pub fn ask(address: SocketAddr, what: &str, headers: &str, body: Option<&Value>) -> std::io::Result<Answer> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{what} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
