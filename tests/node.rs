//! The binary as its operator meets it: what it says, what it refuses, how it ends, and what is still there after
//! it was killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "world/browser.rs"]
mod browser;
#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;

use browser::Browser;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::{End, Home, Node};
use rustix::process::Signal;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

async fn connect(address: SocketAddr, password: &str) -> mysql_async::Result<Conn> {
    connect_as("root", address, password).await
}

async fn connect_as(user: &str, address: SocketAddr, password: &str) -> mysql_async::Result<Conn> {
    let options = OptsBuilder::default().ip_or_hostname(address.ip().to_string()).tcp_port(address.port());
    Conn::new(options.user(Some(user)).pass(Some(password)).prefer_socket(false)).await
}

/// The one line in which a start was refused.
fn refusal(end: &End) -> &str {
    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    assert_eq!(end.stdout, "");
    let line = end.stderr.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "more than one line: {line}");
    line.strip_prefix("cometql: ").unwrap()
}

fn is_there(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn the_first_lines_say_what_listens_where() {
    let node = Node::start();
    let (sql, browsers, lines) = (node.sql, node.browsers, &node.first_lines);
    assert!(lines[0].starts_with(concat!("cometql ", env!("CARGO_PKG_VERSION"), ":")), "{lines:?}");
    let data = node.home.data();
    let kept = data.join("password");
    let pasted = format!("mysql -h {} -P {} -u root -p\"$(cat {})\"", sql.ip(), sql.port(), kept.display());
    is_there(&lines[1], &["SQL", &sql.to_string(), &pasted]);
    is_there(&lines[2], &["browsers", &format!("http://{browsers}/")]);
    is_there(&lines[3], &["data", &data.display().to_string()]);
    is_there(&lines[4], &["password", &node.password, "new; kept in", &kept.display().to_string()]);

    let mut page = Browser::silent(browsers);
    page.send_raw(b"GET / HTTP/1.1\r\nHost: node.example\r\nConnection: close\r\n\r\n");
    let page = String::from_utf8(page.rest()).unwrap();
    is_there(&page, &["HTTP/1.1 200 OK\r\n", &sql.port().to_string(), &kept.display().to_string()]);
    assert!(!page.contains(&node.password), "the page shows the password");
}

#[test]
fn the_first_lines_hold_a_line_to_paste() {
    let homes = [&["--data-dir", "my data, it's here"][..], &["--memory"], &["--password-file", "secret"]];
    for flags in homes {
        let home = Home::new(flags);
        std::fs::write(home.path().join("secret"), "pass word").unwrap();
        let node = home.start();
        let (_, pasted) = node.first_lines[1].split_once("try: ").unwrap();
        let pasted = format!("{pasted} --batch -N -e 'SELECT USER()'");
        assert_eq!(clients::run(&["sh", "-c", &pasted], &[], node.home.path()).trim(), "root@127.0.0.1", "{pasted}");
    }
}

#[tokio::test]
async fn a_password_is_made_once_for_its_owner_alone_and_lets_in() {
    let node = Node::start();
    let mode = |name: &str| std::fs::metadata(node.home.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("cometql-data"), 0o700);
    assert_eq!(mode("cometql-data/password"), 0o600);
    connect(node.sql, &node.password).await.unwrap().ping().await.unwrap();
    for wrong in ["", "wrong"] {
        let error = connect(node.sql, wrong).await.unwrap_err().to_string();
        is_there(&error, &["1045", "Access denied for user 'root'@'127.0.0.1'"]);
    }
    let made = node.password.clone();
    let again = node.kill().start();
    assert_eq!(again.password, made);
    assert!(!again.first_lines.concat().contains(&made), "shown more than once");
    connect(again.sql, &made).await.unwrap();
}

#[tokio::test]
async fn a_password_can_be_given_in_a_file() {
    let home = Home::new(&["--password-file", "secret"]);
    std::fs::write(home.path().join("secret"), "it's from a file\n").unwrap();
    let node = home.start();
    is_there(&node.first_lines[4], &["the password is in", "secret"]);
    connect(node.sql, "it's from a file").await.unwrap().ping().await.unwrap();
    assert!(connect(node.sql, "it's from a file\n").await.is_err());
    assert!(!node.home.data().join("password").exists());
}

#[tokio::test]
async fn a_signal_to_stop_ends_it_well_whoever_is_connected() {
    for signal in [Signal::TERM, Signal::INT] {
        let node = Node::start();
        let mut client = connect(node.sql, &node.password).await.unwrap();
        let browser = Browser::subscriber(node.browsers, &["hello"]);
        let (end, home) = node.stop(signal);
        assert_eq!((end.status.code(), end.stderr.as_str()), (Some(0), ""), "{signal:?}");
        assert!(client.ping().await.is_err());
        browser.rest();
        home.start();
    }
}

#[test]
fn a_port_that_is_taken_is_refused_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other, who) in
        [("--mysql-listen", "--ws-listen", "SQL clients"), ("--ws-listen", "--mysql-listen", "browsers")]
    {
        let home = Home::new(&[]);
        let end = home.run(&[flag, &address, other, "127.0.0.1:0"]);
        let setting = flag.trim_start_matches('-').replace('-', "_");
        let advice = format!("stop what listens there, or choose another port with {setting} ({flag})");
        is_there(refusal(&end), &[who, &address, "in use", &advice]);
        assert!(!home.data().exists(), "what was refused leaves nothing behind");
    }
}

#[test]
fn a_second_node_on_the_same_data_is_refused_in_one_line() {
    let node = Node::start();
    let end = node.home.run(&["--mysql-listen", "127.0.0.1:0", "--ws-listen", "127.0.0.1:0"]);
    is_there(refusal(&end), &["another node", &node.home.data().display().to_string(), "--data-dir"]);
    let (end, home) = node.stop(Signal::TERM);
    assert!(end.status.success(), "{}", end.stderr);
    home.start();
}

#[test]
fn a_data_directory_that_cannot_be_made_is_refused_with_what_to_do() {
    let home = Home::new(&[]);
    std::fs::write(home.path().join("file"), "").unwrap();
    let ports = ["--mysql-listen", "127.0.0.1:0", "--ws-listen", "127.0.0.1:0", "--data-dir"];
    for directory in ["file", "file/data"] {
        let end = home.run(&[&ports[..], &[directory]].concat());
        let advice = format!("{} is no directory: choose another --data-dir", home.path().join("file").display());
        is_there(refusal(&end), &["data directory", &advice]);
    }
    // Nobody can make one there.
    let end = home.run(&[&ports[..], &["/proc/data"]].concat());
    let user = rustix::process::geteuid().as_raw();
    is_there(refusal(&end), &[&format!("the server runs as user {user}, who must be able to write in /proc")]);
}

#[test]
fn a_configuration_that_is_wrong_is_refused_with_file_and_line() {
    let home = Home::new(&[]);
    let file = home.path().join("cometql.toml");
    let cases = [
        ("log = \"warn\"\n\nmemry = true\n", ":3: ", "did you mean `memory`?"),
        ("ws_listen = 8087\n", ":1: ", "ws_listen = \"0.0.0.0:8087\""),
        ("\nmessage_bytes_max = \"much\"\n", ":2: ", "message_bytes_max"),
        ("log = \"warn\"\nlog = \"info\"\n", ":2: ", "log"),
        ("log = \n", ":1: ", "cometql.toml"),
    ];
    for (text, line, advice) in cases {
        std::fs::write(&file, text).unwrap();
        for flags in [&[][..], &["check-config"]] {
            is_there(refusal(&home.run(flags)), &[&format!("{}{line}", file.display()), advice]);
        }
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    is_there(refusal(&home.run(&[])), &["cannot read", &file.display().to_string()]);
    is_there(refusal(&home.run(&["--config", "nothing.toml"])), &["cannot read", "nothing.toml"]);
    assert!(!home.data().exists());
}

#[test]
fn check_config_prints_what_is_in_force_and_where_it_is_from() {
    let home = Home::new(&[]);
    std::fs::write(
        home.path().join("cometql.toml"),
        "# ours\nws_listen = \"127.0.0.1:1\"\npassword = \"it is mine\"\n",
    )
    .unwrap();
    let end = home.run(&["check-config", "--mysql-listen", "127.0.0.1:2"]);
    assert!(end.status.success(), "{}", end.stderr);
    let file = home.path().join("cometql.toml").display().to_string();
    let line = |start: &str| end.stdout.lines().find(|line| line.starts_with(start)).expect(start);
    is_there(line("ws_listen = \"127.0.0.1:1\""), &[&file]);
    is_there(line("mysql_listen = \"127.0.0.1:2\""), &["--mysql-listen"]);
    is_there(line("memory = false"), &["default"]);
    is_there(line("# password = (set)"), &[&file]);
    assert!(!end.stdout.contains("it is mine"), "the password is shown");
    assert!(!home.data().exists(), "looking changes nothing");
    // What is printed is itself a configuration.
    std::fs::write(home.path().join("printed.toml"), &end.stdout).unwrap();
    let again = home.run(&["check-config", "--config", "printed.toml"]);
    assert!(again.status.success(), "{}", again.stderr);
    is_there(&again.stdout, &["mysql_listen = \"127.0.0.1:2\""]);
}

#[tokio::test]
async fn a_tenant_has_its_own_password_and_its_own_pages() {
    let home = Home::new(&["--memory"]);
    let tenant = "[tenant.5]\npassword_file = \"five\"\norigins = [\"five.example\"]\n";
    std::fs::write(home.path().join("cometql.toml"), tenant).unwrap();
    std::fs::write(home.path().join("five"), "of five\n").unwrap();
    let node = home.start();
    for (user, password, opens) in [
        ("5", "of five", true),
        ("5", &node.password, false),
        ("6", &node.password, true),
        ("root", &node.password, true),
        ("root", "of five", false),
    ] {
        assert_eq!(connect_as(user, node.sql, password).await.is_ok(), opens, "{user} {password}");
    }
    for (tenant, first) in [(5, "error"), (6, "serverInfo")] {
        let target = format!("/ws/sesion=&myid=0&devid={tenant}&v=4.08&uuid=u&api=js");
        let (mut browser, _) = Browser::upgrade(node.browsers, &target);
        assert_eq!(browser.frame().json()["event"], first, "{tenant}");
    }
}

#[tokio::test]
async fn show_variables_has_every_setting_that_is_a_number() {
    let node = Home::new(&["--memory", "--mysql-connections-max", "77", "--outbox-bytes-max", "70001"]).start();
    let mut client = connect(node.sql, &node.password).await.unwrap();
    let shown: Vec<(String, String)> = client.query("SHOW VARIABLES").await.unwrap();
    assert!(shown.is_sorted());
    let shown: HashMap<String, String> = shown.into_iter().collect();
    for (name, value) in [
        ("mysql_connections_max", "77"),
        ("outbox_bytes_max", "70001"),
        ("message_bytes_max", "1048576"),
        ("presence_grace_seconds", "2"),
        ("history_bytes_max_per_pipe", "16777216"),
        ("recovery_bytes_max", "67108864"),
        ("subscriptions_max", "1024"),
        ("comet_strings", "auto"),
    ] {
        assert_eq!(shown.get(name).map(String::as_str), Some(value), "{name}");
    }
    let one: Option<String> = client.query_first("SELECT @@outbox_bytes_max").await.unwrap();
    assert_eq!(one.as_deref(), Some("70001"));
}

#[tokio::test]
async fn in_memory_nothing_is_left_on_disk() {
    let node = Node::in_memory();
    is_there(&node.first_lines[3], &["nothing is on disk"]);
    let mut client = connect(node.sql, &node.password).await.unwrap();
    client.query_drop("INSERT INTO pipes_settings (name, length) VALUES ('kept', 10)").await.unwrap();
    client.query_drop("INSERT INTO pipes_messages (name, event, message) VALUES ('kept', 'e', 'x')").await.unwrap();
    let count: Option<u32> =
        client.query_first("SELECT COUNT(*) FROM pipes_messages WHERE name = 'kept'").await.unwrap();
    assert_eq!(count, Some(1));
    let (_, home) = node.stop(Signal::TERM);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

/// The browser of user 7, which shows `key`.
fn browser_of_seven(address: SocketAddr, key: &str) -> Browser {
    let target = format!("/ws/sesion={key}&myid=7&devid=0&v=4.08&uuid=Qm3_xKp0aZr7LtY2vB9nWc5dHs8-JgEu&api=js");
    let (browser, head) = Browser::upgrade(address, &target);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    browser
}

#[tokio::test]
async fn a_user_logs_in_by_a_hash_gets_what_waited_is_seen_and_sent_away() {
    let node = Node::in_memory();
    let mut sql = connect(node.sql, &node.password).await.unwrap();
    sql.query_drop("INSERT INTO users_auth (id, hash) VALUES (7, 'opensesame')").await.unwrap();
    sql.query_drop("INSERT INTO users_messages (id, event, message) VALUES (7, 'note', 'waited')").await.unwrap();
    let time = "SELECT time FROM users_time WHERE id = 7";
    assert_eq!(sql.query_first(time).await.unwrap(), Some(-1));

    let mut browser = browser_of_seven(node.browsers, "opensesame");
    assert_eq!(browser.frame().json()["authorized"], true);
    let waited = browser.frame().json();
    assert_eq!((&waited["pipe"], &waited["event"], &waited["data"]), (&"msg".into(), &"note".into(), &"waited".into()));
    assert_eq!(sql.query_first(time).await.unwrap(), Some(0));
    browser.subscribe(&["web_room"]);
    let here: Vec<(String, u32, String)> =
        sql.query("SELECT name, user_id, ip FROM users_in_pipes WHERE name = 'web_room'").await.unwrap();
    assert_eq!(here, [("web_room".to_owned(), 7, "127.0.0.1".to_owned())]);

    sql.query_drop("DELETE FROM users_auth WHERE id = 7").await.unwrap();
    while browser.frame_or_end().is_some() {}
    assert_eq!(browser_of_seven(node.browsers, "opensesame").frame().json()["authorized"], false);
}

/// What the clients of all rounds were told, pipe by pipe.
#[derive(Default)]
struct Told {
    /// Texts with an OK, in the order in which their connection sent them; one list a connection.
    acknowledged: [Vec<Vec<String>>; PIPES.len()],
    /// The texts of each statement that was on its way when the node was gone.
    unknown: Vec<Vec<String>>,
}

const PIPES: [&str; 3] = ["first", "second", "third"];
const ROUNDS: usize = 4;
const CONNECTIONS: usize = 4;
/// A round's node is killed, that of the last is stopped, when so many statements were acknowledged, or soon after.
const ACKNOWLEDGED_PER_ROUND: RangeInclusive<usize> = 60..=120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_kill_and_a_stop() {
    let mut random = Random::seeded();
    let mut home = killed_once_set().await;
    let mut told = Told::default();
    for round in 1..=ROUNDS {
        let node = home.start();
        let enough = random.within(ACKNOWLEDGED_PER_ROUND);
        let (acknowledged, mut acknowledgements) = unbounded_channel();
        let mut publishers = Vec::new();
        for number in 0..CONNECTIONS {
            let client = connect(node.sql, &node.password).await.unwrap();
            let name = format!("round {round}, connection {number}");
            let random = Random(random.next());
            publishers.push(tokio::spawn(publish_until_it_is_gone(client, name, random, acknowledged.clone())));
        }
        drop(acknowledged);
        for _ in 0..enough {
            acknowledgements.recv().await.expect("the publishers go on until the node is gone");
        }
        home = if round == ROUNDS { stopped(node) } else { node.kill() };
        for publisher in publishers {
            let (lists, unknown) = publisher.await.unwrap();
            for (all, list) in told.acknowledged.iter_mut().zip(lists) {
                all.push(list);
            }
            told.unknown.push(unknown);
        }
    }
    is_all_there(home, &told).await;
}

/// Killed at once: settings are worth no less than messages.
async fn killed_once_set() -> Home {
    let node = Node::start();
    let mut client = connect(node.sql, &node.password).await.unwrap();
    for (pipe, length) in PIPES.into_iter().zip(998..) {
        let set = "INSERT INTO pipes_settings (name, length) VALUES (?, ?)";
        client.exec_drop(set, (pipe, length)).await.unwrap();
    }
    node.kill()
}

async fn is_all_there(home: Home, told: &Told) {
    let node = home.start();
    let mut client = connect(node.sql, &node.password).await.unwrap();
    let settings: Vec<(String, u32)> = client.query("SELECT name, length FROM pipes_settings").await.unwrap();
    assert_eq!(settings, PIPES.into_iter().map(str::to_owned).zip(998..).collect::<Vec<_>>());
    for (pipe, lists) in PIPES.into_iter().zip(&told.acknowledged) {
        let of_pipe = "SELECT message FROM pipes_messages WHERE name = ?";
        let kept: Vec<String> = client.exec(of_pipe, (pipe,)).await.unwrap();
        is_whole(&kept, lists, &told.unknown);
    }
}

/// Every acknowledged text once, those of one connection in its order; of a statement without an OK all or nothing.
fn is_whole(kept: &[String], lists: &[Vec<String>], unknown: &[Vec<String>]) {
    assert!(lists.iter().map(Vec::len).sum::<usize>() > 0, "this shows nothing");
    let mut places = HashMap::new();
    for (place, text) in kept.iter().enumerate() {
        assert!(places.insert(text, place).is_none(), "twice: {text}");
    }
    for list in lists {
        let found: Vec<usize> =
            list.iter().map(|text| places.remove(text).unwrap_or_else(|| panic!("lost: {text}"))).collect();
        assert!(found.is_sorted(), "out of order: {list:?}");
    }
    for statement in unknown {
        let found = statement.iter().filter(|text| places.remove(text).is_some()).count();
        assert!(found == 0 || found == statement.len(), "a part of a statement: {statement:?}");
    }
    assert!(places.is_empty(), "nobody sent {places:?}");
}

/// A stop gives up nothing that was acknowledged either.
fn stopped(node: Node) -> Home {
    let (end, home) = node.stop(Signal::TERM);
    assert_eq!((end.status.code(), end.stderr.as_str()), (Some(0), ""));
    home
}

/// Publishes, one or three rows at a time; answers what was acknowledged for each pipe, and what may or may not be.
async fn publish_until_it_is_gone(
    mut client: Conn,
    name: String,
    mut random: Random,
    acknowledge: UnboundedSender<()>,
) -> ([Vec<String>; PIPES.len()], Vec<String>) {
    let mut acknowledged: [Vec<String>; PIPES.len()] = Default::default();
    for number in 0.. {
        let pipe = random.within(0..=PIPES.len() - 1);
        let rows = if random.within(0..=4) == 0 { 3 } else { 1 };
        let texts: Vec<String> = (0..rows).map(|row| format!("{name}, statement {number}, row {row}")).collect();
        let values: Vec<String> = texts.iter().map(|text| format!("('{}', 'e', '{text}')", PIPES[pipe])).collect();
        let statement = format!("INSERT INTO pipes_messages (name, event, message) VALUES {}", values.join(", "));
        match client.query_drop(statement).await {
            Ok(()) => acknowledged[pipe].extend(texts),
            Err(error) => {
                assert!(!matches!(error, mysql_async::Error::Server(_)), "refused: {error}");
                return (acknowledged, texts);
            }
        }
        // Nobody counts any more once it is enough.
        let _ = acknowledge.send(());
    }
    unreachable!("it publishes until it cannot");
}

/// Xorshift: the same again from the seed it printed.
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let seed = getrandom::u64().unwrap() | 1;
        println!("seed {seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + (self.next() % (range.end() - range.start() + 1) as u64) as usize
    }
}
