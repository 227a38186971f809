//! README.md does not lie: its programs run as they stand there, but for the ports, and what it says about settings
//! is what the binary says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "world/browser.rs"]
mod browser;
#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use browser::Browser;
use node::{Home, Node};

const DEADLINE: Duration = Duration::from_secs(60);
const README: &str = include_str!("../README.md");

/// The code behind the first line that begins with `title`, with the ports of `node` in place of the usual ones.
fn code(title: &str, language: &str, node: &Node) -> String {
    let section = README.split_once(&format!("\n{title}")).unwrap_or_else(|| panic!("{title:?} is not in README.md")).1;
    let block = section.split_once(&format!("```{language}\n")).expect("a block of code").1;
    let code = block.split_once("```").expect("the end of the block").0;
    code.replace("3307", &node.sql.port().to_string()).replace("8087", &node.browsers.port().to_string())
}

/// Runs what README.md says in the directory that the server was started in.
fn run(node: &Node, command: &[&str], file: &str, code: &str) -> String {
    clients::install();
    std::fs::write(node.home.path().join(file), code).unwrap();
    clients::run(command, &[file], node.home.path())
}

/// Runs a program that publishes to `hello`; answers what a browser hears.
fn heard(command: &[&str], file: &str, title: &str, language: &str) -> serde_json::Value {
    let node = Node::start();
    let mut browser = Browser::subscriber(node.browsers, &["hello"]);
    assert_eq!(run(&node, command, file, &code(title, language, &node)), "", "nothing is printed");
    message(&mut browser)
}

/// The next message, whatever pings come before it.
fn message(browser: &mut Browser) -> serde_json::Value {
    const PING: u8 = 0x89;
    loop {
        let frame = browser.frame();
        if frame.first_byte != PING {
            return frame.json();
        }
    }
}

fn is_greeting(heard: &serde_json::Value, data: &str) {
    assert_eq!(
        [&heard["pipe"], &heard["event"], &heard["data"]],
        [&"hello".into(), &"greeting".into(), &serde_json::Value::from(data)]
    );
}

#[test]
fn the_line_for_mysql_publishes() {
    is_greeting(&heard(&["sh", "-eu"], "publish.sh", "**mysql**", "sh"), "Hello from mysql");
}

#[test]
fn the_program_for_mysqli_publishes() {
    let heard = heard(&["php"], "publish.php", "**PHP, mysqli**", "php");
    is_greeting(&heard, r#"{"text":"Hello from mysqli"}"#);
}

#[test]
fn the_program_for_pdo_publishes() {
    is_greeting(&heard(&["php"], "publish.php", "**PHP, PDO**", "php"), r#"{"text":"Hello from PDO"}"#);
}

#[test]
fn the_program_for_pymysql_publishes() {
    let heard = heard(&[&clients::python()], "publish.py", "**Python, PyMySQL**", "python");
    is_greeting(&heard, r#"{"text": "Hello from Python"}"#);
}

#[test]
fn the_statements_about_history_do_what_they_say() {
    let node = Node::start();
    let statements = code("## Keep history", "sql", &node);
    let insert = "INSERT INTO pipes_messages (name, event, message) VALUES ('hello', 'greeting', 'kept')";
    let (keep, rest) = statements.split_once("\n\n").expect("a blank line behind the first");
    let last = "SELECT COUNT(*) FROM pipes_messages WHERE name = 'hello'";
    let printed = run_sql(&node, &format!("{keep}\n{insert};\n{rest}\n{last};\n"));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "id\tevent\tmessage");
    assert!(lines[1].ends_with("\tgreeting\tkept"), "{printed}");
    assert_eq!(lines[2..], ["COUNT(*)", "0"]);
}

/// What the stock client prints for these statements.
fn run_sql(node: &Node, statements: &str) -> String {
    std::fs::write(node.home.path().join("statements.sql"), statements).unwrap();
    let (host, port) = (node.sql.ip(), node.sql.port());
    let line = format!("mysql -h {host} -P {port} -u root -p\"$(cat cometql-data/password)\" --batch < statements.sql");
    run(node, &["sh", "-eu"], "statements.sh", &line)
}

#[test]
fn a_message_to_one_user_waits_for_him() {
    let node = Node::start();
    let hash = "INSERT INTO users_auth (id, hash) VALUES (7, 'f00d');\n";
    let printed = run_sql(&node, &format!("{hash}{}", code("### To one user", "sql", &node)));
    assert_eq!(printed, "id\ttime\n7\t-1\n8\t-1\n");
    let (mut browser, _) = Browser::upgrade(node.browsers, "/ws/sesion=f00d&myid=7&devid=0&v=4.08&uuid=u&api=js");
    assert_eq!(browser.frame().json()["authorized"], true);
    let queued = browser.frame().json();
    assert_eq!(
        (&queued["pipe"], &queued["event"], &queued["data"]),
        (&"msg".into(), &"note".into(), &"Only for you".into())
    );
    assert_eq!(run_sql(&node, "SELECT time FROM users_time WHERE id = 7;"), "time\n0\n");
}

#[test]
fn the_token_logs_in_and_opens_a_private_pipe() {
    let node = Node::start();
    let program = format!(
        "import time, jwt\npassword = open('cometql-data/password').read().strip()\n{}print(token)\n",
        code("### Logging in", "python", &node)
    );
    let token = run(&node, &[&clients::python()], "log_in.py", &program);
    let target = format!("/ws/sesion={}&myid=7&devid=0&v=4.08&uuid=u&api=js", token.trim_end());
    let (mut browser, head) = Browser::upgrade(node.browsers, &target);
    assert!(head.starts_with("HTTP/1.1 101 "), "{target}: {head}");
    assert_eq!(browser.frame().json()["authorized"], true);
    browser.subscribe(&["private_room"]);
}

/// A program that runs until this is dropped.
struct Running {
    child: Child,
    printed: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (sender, printed) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { child, printed }
    }

    /// Waits for a line with this in it.
    fn says(&self, part: &str) {
        while !self.printed.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{part:?} is never said")).contains(part) {
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_script_without_a_library_hears() {
    clients::install();
    let node = Node::start();
    std::fs::write(node.home.path().join("listen.mjs"), code("With nothing but the browser", "js", &node)).unwrap();
    // In Node 20 a WebSocket, as every browser has it, must be asked for.
    let node_flags = ["--no-warnings", "--experimental-websocket", "listen.mjs"];
    let script = Running::start(Command::new("node").args(node_flags).current_dir(node.home.path()));
    script.says("is: 'welcome'");
    script.says("is: 'subscribed'");
    run(&node, &["sh", "-eu"], "publish.sh", &code("**mysql**", "sh", &node));
    script.says("data: 'Hello from mysql'");
}

#[test]
fn the_table_of_settings_is_what_the_binary_says() {
    let home = Home::new(&[]);
    let printed = home.run(&["check-config"]).stdout;
    // `key = value # source`; what is not set is a comment.
    let in_force: HashMap<&str, &str> = printed
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once(" ="))
        .map(|(key, rest)| (key, rest.split('#').next().unwrap_or("").trim().trim_matches('"')))
        .collect();
    let rows = README.lines().filter(|line| line.starts_with("| `"));
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for key in cells[1].split(", ").map(|key| key.trim_matches('`')) {
            let value = in_force.get(key).unwrap_or_else(|| panic!("there is no setting {key}"));
            let wanted = match cells[2].strip_prefix('`') {
                Some(default) => default.trim_end_matches('`'),
                None => "",
            };
            let wanted = wanted.replace("./", &format!("{}/", home.path().display()));
            assert_eq!(*value, wanted, "{key}");
            seen += 1;
        }
    }
    assert!(seen > 8, "the table was not found");
    let named = |key: &str| README.contains(&format!("| `{key}`")) || README.contains(&format!(", `{key}` |"));
    // What README.md leaves to `--help`: limits, and these.
    const IN_HELP_ONLY: [&str; 3] = ["ping_seconds", "redis_replicas_min", "shards"];
    for key in IN_HELP_ONLY {
        assert!(in_force.contains_key(key) && !named(key), "{key}");
    }
    for key in in_force.keys().filter(|key| !key.contains("_max") && !IN_HELP_ONLY.contains(key)) {
        assert!(named(key), "{key} is not in the table of README.md");
    }
}

/// The sources of a target of tests, by its name.
fn sources(target: &str) -> Option<String> {
    if let Ok(source) = std::fs::read_to_string(format!("tests/{target}.rs")) {
        return Some(source);
    }
    std::fs::metadata(format!("tests/{target}/main.rs")).ok()?;
    let files = std::fs::read_dir(format!("tests/{target}")).unwrap();
    Some(files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect())
}

#[test]
fn the_tests_that_show_what_is_delivered_are_there() {
    let (_, section) = include_str!("../docs/DELIVERY.md").split_once("\n## The tests\n").expect("the last section");
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 8, "the table was not found");
    for row in rows {
        let shown_by = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "nothing shows this: {row}");
        let mut target = String::new();
        for name in names {
            if let Some(source) = sources(name) {
                assert!(source.contains("test]\n") || source.contains("::test("), "{name} has no test");
                target = source;
            } else if !std::path::Path::new(name).exists() {
                let (before, _) = target.split_once(&format!("fn {name}(")).unwrap_or_else(|| panic!("no test {name}"));
                let attribute = before.trim_end().trim_end_matches("async").trim_end().lines().last().unwrap().trim();
                assert!(attribute.starts_with("#[") && attribute.contains("test"), "{name} is no test: {attribute}");
            }
        }
    }
}

#[test]
fn the_tenant_is_configured_as_it_stands() {
    let block = README.split_once("### Tenants").unwrap().1.split_once("```toml\n").unwrap().1;
    let home = Home::new(&[]);
    std::fs::write(home.path().join("cometql.toml"), block.split_once("```").unwrap().0).unwrap();
    let printed = home.run(&["check-config"]).stdout;
    let (_, tenant) = printed.split_once("\n[tenant.5]\n").expect("the tenant is shown");
    for part in ["password = (set)", "token_secret = (set)", "\"https://shop.example.org:8443\"]"] {
        assert!(tenant.contains(part), "{part} is missing in {tenant}");
    }
}

#[test]
fn the_version_of_rust_is_the_one_that_cargo_wants() {
    assert!(README.contains(concat!("It needs Rust ", env!("CARGO_PKG_RUST_VERSION"), " or newer")));
}

#[test]
fn the_configuration_of_nginx_is_the_one_in_deploy() {
    let lines = |text: &str| -> Vec<String> {
        let without_comment =
            |line: &str| line.split(" #").next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(without_comment).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    };
    let block = README.split_once("```nginx\n").unwrap().1.split_once("```").unwrap().0;
    let deployed = lines(include_str!("../deploy/nginx.conf"));
    for line in lines(block) {
        // The one has a name for what the other has in place.
        let named = line.replace("http://127.0.0.1:8087;", "http://cometql;");
        assert!(deployed.contains(&named), "{line:?} is not in deploy/nginx.conf");
    }
}
