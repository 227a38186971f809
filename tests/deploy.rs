//! What is in `deploy/` works: each file is read by the program it is for, or by one that knows it as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;
#[path = "world/compose.rs"]
mod compose;
#[path = "deploy/containers.rs"]
mod containers;
#[path = "world/node.rs"]
mod node;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use node::{Home, Node};

/// Far longer than a proxy takes to start and to look after its servers.
const DEADLINE: Duration = Duration::from_secs(60);

/// The text with each of these replaced, all of which are there.
fn with(text: &str, replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is gone from the file");
        text.replace(from, to)
    })
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn haproxy_finds_the_node_healthy_and_passes_clients_on() {
    let node = Node::in_memory();
    let _haproxy = haproxy(&node);
    // Half of them are for the node that is away, first.
    for _ in 0..6 {
        assert_eq!(sql(&node, "SELECT USER()").trim(), "root@127.0.0.1");
        let mut browser = UnixStream::connect(node.home.path().join("web.sock")).unwrap();
        let request = "PROXY TCP4 127.0.0.2 127.0.0.1 40000 443\r\nGET /info HTTP/1.1\r\nHost: push.example.org\r\n\
                       Connection: close\r\n\r\n";
        browser.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        browser.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[test]
fn haproxy_tells_a_node_that_believes_it_where_browsers_come_from() {
    let node = Home::new(&["--log", "warn", "--memory", "--trusted-proxies", "127.0.0.1"]).start();
    let _haproxy = haproxy(&node);
    let mut browser = UnixStream::connect(node.home.path().join("web.sock")).unwrap();
    // Where it comes from, for HAProxy, and what it forges, which HAProxy passes on in a line of its own.
    let request = "PROXY TCP4 127.0.0.2 127.0.0.1 40000 443\r\nGET /ws/v=5&devid=0 HTTP/1.1\r\nHost: push.example.org\r\n\
                   Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n";
    browser.write_all(request.as_bytes()).unwrap();
    let mut head = String::new();
    BufReader::new(&browser).read_line(&mut head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let listed = sql(&node, "SHOW PROCESSLIST WHERE Command = 'Browser'");
    assert_eq!(listed.split('\t').nth(2), Some("127.0.0.2"), "{listed}");
}

/// With the project's file, in front of this node: sockets in its directory are the doors.
fn haproxy(node: &Node) -> Running {
    let home = node.home.path();
    let at = |name: &str| home.join(name).display().to_string();
    let (sql, browsers) = (node.sql.to_string(), node.browsers.to_string());
    let config = with(
        include_str!("../deploy/haproxy.cfg"),
        &[
            ("127.0.0.1:3306", &at("sql.sock")),
            (":443 ssl crt /etc/ssl/push.example.org/both.pem", &format!("{} accept-proxy", at("web.sock"))),
            ("127.0.0.1:3307", &sql),
            ("127.0.0.1:8087", &browsers),
            // A second node that is away, of which no check says so.
            ("# server node2 10.0.0.12:3307 check", "server node2 127.0.0.1:1"),
            ("# server node2 10.0.0.12:8087 check", "server node2 127.0.0.1:1"),
            ("global\n", &format!("global\n    stats socket {}\n", at("stats.sock"))),
            ("maxconn 200000", "maxconn 100"),
        ],
    );
    std::fs::write(home.join("haproxy.cfg"), config).unwrap();
    let mut haproxy = Command::new("haproxy");
    haproxy.args(["-db", "-f", "haproxy.cfg"]).env("PATH", path()).current_dir(home);
    let haproxy = Running(haproxy.spawn().expect("haproxy is installed; tests/run does it"));
    until_checked(&home.join("stats.sock"), "cometql_sql");
    until_checked(&home.join("stats.sock"), "cometql_browsers");
    haproxy
}

/// What a stock client prints that comes through HAProxy.
fn sql(node: &Node, statement: &str) -> String {
    let home = node.home.path();
    let socket = format!("--socket={}", home.join("sql.sock").display());
    let client = ["mariadb", &socket, "-u", "root", &format!("-p{}", node.password), "-N", "-e", statement];
    clients::run(&client, &[], home)
}

/// Waits until a health check has passed on the level of the protocol.
fn until_checked(stats: &Path, proxy: &str) {
    let began = Instant::now();
    let mut seen = String::new();
    while began.elapsed() < DEADLINE {
        if let Ok(mut socket) = UnixStream::connect(stats) {
            seen.clear();
            socket.write_all(b"show stat\n").unwrap();
            socket.read_to_string(&mut seen).unwrap();
            if seen.lines().any(|line| line.starts_with(&format!("{proxy},node1,")) && line.contains(",L7OK,")) {
                return;
            }
        }
        std::thread::yield_now();
    }
    panic!("{proxy} is not found healthy: {seen}");
}

#[test]
fn nginx_reads_its_configuration() {
    let home = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["push.example.org".to_owned()]).unwrap();
    std::fs::write(home.path().join("fullchain.pem"), made.cert.pem()).unwrap();
    std::fs::write(home.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let here = home.path().display().to_string();
    let site = with(include_str!("../deploy/nginx.conf"), &[("/etc/ssl/push.example.org", &here)]);
    std::fs::write(home.path().join("site.conf"), site).unwrap();
    let main = format!("pid {here}/pid; error_log stderr; events {{}} http {{ include {here}/site.conf; }}");
    std::fs::write(home.path().join("nginx.conf"), main).unwrap();
    nginx_reads(&home.path().join("nginx.conf"));
    let places =
        ["node1:8087", "node2:8087", "node1:3307", "node2:3307", "chat:8000"].map(|place| (place, "127.0.0.1:1"));
    let writable = format!("{here}/");
    let places = [&places[..], &[("/tmp/", &writable)]].concat();
    std::fs::write(home.path().join("two.conf"), with(include_str!("../deploy/nginx-two-nodes.conf"), &places))
        .unwrap();
    nginx_reads(&home.path().join("two.conf"));
}

fn nginx_reads(file: &Path) {
    let read = Command::new("nginx").args(["-t", "-c"]).arg(file).env("PATH", path()).output();
    let read = read.expect("nginx is installed; tests/run does it");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

/// Otherwise what browsers say of themselves is passed on. A block with headers of its own has none of those around it.
#[test]
fn nginx_appends_the_address_wherever_it_passes_browsers_on() {
    const APPEND: &str = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    for (name, text) in [
        ("README.md", include_str!("../README.md").split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0),
        ("deploy/nginx.conf", include_str!("../deploy/nginx.conf")),
        ("deploy/nginx-two-nodes.conf", include_str!("../deploy/nginx-two-nodes.conf")),
    ] {
        // From each opening brace to the next brace.
        let blocks: Vec<&str> = text.split('{').skip(1).filter_map(|block| block.split('}').next()).collect();
        let is_around = blocks.iter().any(|block| !block.contains("proxy_pass") && block.contains(APPEND));
        let passing: Vec<_> = blocks.iter().filter(|block| block.contains("proxy_pass http:")).collect();
        assert!(passing.len() >= 2, "{name}: {blocks:?}");
        for block in passing {
            let inherits = is_around && !block.contains("proxy_set_header");
            assert!(inherits || block.contains(APPEND), "{name}: {block}");
        }
    }
}

/// nginx asks the system for 511 places, whatever net.core.somaxconn is.
#[test]
fn as_many_may_wait_at_the_doors_of_nginx_as_at_those_of_a_node() {
    for text in [include_str!("../deploy/nginx.conf"), include_str!("../deploy/nginx-two-nodes.conf")] {
        let doors: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("listen ")).collect();
        assert_eq!(doors.len(), 2, "{doors:?}");
        for door in doors {
            let mut words = door.trim_end_matches(';').split(' ');
            let backlog = words.find_map(|word| word.strip_prefix("backlog="));
            assert_eq!(backlog, Some(cometql::ws::UNACCEPTED_MAX.to_string().as_str()), "{door}");
        }
    }
}

#[test]
fn systemd_reads_its_unit() {
    let home = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(clients::project().join("deploy/cometql.service")).unwrap();
    // A running node answers `cometql backup` at a socket.
    let families = text.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies=")).unwrap();
    assert!(families.split(' ').any(|family| family == "AF_UNIX"), "{families}");
    verify(home.path(), "cometql.service", "cometql.service", &text);
}

#[test]
fn systemd_reads_the_unit_of_many_nodes_that_the_page_makes() {
    let home = tempfile::tempdir().unwrap();
    let page = include_str!("../docs/DEPLOYING.md");
    let command = page.split_once("\nsed ").unwrap().1.split_once(" > ").unwrap().0;
    let text = clients::run(&["sh", "-c", &format!("sed {command}")], &[], &clients::project());
    for changed in ["--config /etc/cometql/%i.toml", "COMETQL_DATA_DIR=%S/cometql/%i", "StateDirectory=cometql/%i"] {
        assert!(text.contains(changed), "{changed} in {text}");
    }
    verify(home.path(), "cometql@.service", "cometql@1.service", &text);
}

/// Has systemd read a file of units, by the name of one of them.
fn verify(home: &Path, file: &str, unit: &str, text: &str) {
    let binary = format!("{} ", env!("CARGO_BIN_EXE_cometql"));
    std::fs::write(home.join(file), with(text, &[("/usr/local/bin/cometql ", &binary)])).unwrap();
    let read = Command::new("systemd-analyze").arg("verify").arg(home.join(unit)).output();
    let read = read.expect("systemd-analyze is installed; tests/run does it");
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success() && !said.contains(file), "{said}");
}

/// Debian keeps servers where only root looks.
fn path() -> String {
    format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default())
}
