//! A MariaDB server of its own beside a node: it takes our tables as they are, and publishes from its own triggers.
//!
//! The server is large to install, so this runs with `tests/run --all`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "world/browser.rs"]
mod browser;
#[path = "world/clients.rs"]
mod clients;
#[path = "mariadb/server.rs"]
mod server;
#[path = "world/node.rs"]
mod node;

use browser::Browser;
use node::Node;
use server::MariaDb;

/// What is hard to carry through three parsers.
const TEXTS: [&str; 4] = ["Hi", r#"{"text":"it's \"quoted\", a \\ and 😀"}"#, "it's \"quoted\",\n\ta \\ and \\n", "\\"];

fn is_wanted() -> bool {
    std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all")
}

/// A text as a literal of MySQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// What a client prints who runs statements on the node.
fn on_node(node: &Node, statements: &str) -> String {
    clients::run(&["mariadb"], &[&flags(node)[..], &["-NBr", "CometQL_v1", "-e", statements]].concat(), server::here())
}

fn flags(node: &Node) -> Vec<&str> {
    // They live as long as the test.
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let (port, password) = (leak(node.sql.port().to_string()), leak(format!("-p{}", node.password)));
    vec!["--no-defaults", "--default-character-set=utf8mb4", "-h", "127.0.0.1", "-P", port, "-u", "root", password]
}

/// Something in every table that can be written.
fn filled_node() -> Node {
    let node = Node::in_memory();
    let mut statements = "INSERT INTO pipes_settings (name, length) VALUES ('kept', 10), ('other', 0);
        INSERT INTO users_auth VALUES (7, 'hash'); INSERT INTO users_data VALUES (7, 'data');
        INSERT INTO users_messages (id, event, message) VALUES (7, 'e', 'private');
        INSERT INTO revoked_tokens (token) VALUES ('token');"
        .to_owned();
    for text in TEXTS {
        statements +=
            &format!("INSERT INTO pipes_messages (name, event, message) VALUES ('kept', 'e', {});", literal(text));
    }
    on_node(&node, &statements);
    node
}

#[test]
fn mariadb_takes_every_create_table_and_a_dump_with_what_is_in_it() {
    if !is_wanted() {
        return;
    }
    let (node, mariadb) = (filled_node(), MariaDb::start());
    mariadb.run("CREATE DATABASE shapes; CREATE DATABASE dumped");
    let tables = on_node(&node, "SHOW TABLES");
    for table in tables.lines() {
        let answer = on_node(&node, &format!("SHOW CREATE TABLE `{table}`"));
        let (_, definition) = answer.split_once('\t').expect("two columns");
        mariadb.source("shapes", definition);
    }
    assert_eq!(mariadb.run("SHOW TABLES FROM shapes").lines().count(), tables.lines().count());

    let dump = ["--no-tablespaces", "CometQL_v1"];
    let dump = clients::run(&["mysqldump"], &[&flags(&node)[..], &dump].concat(), server::here());
    mariadb.source("dumped", &dump);
    for table in tables.lines() {
        let count = format!("SELECT COUNT(*) FROM `{table}`");
        assert_eq!(mariadb.run(&format!("USE dumped; {count}")), on_node(&node, &count), "{table}");
    }
    for table in ["pipes_messages", "pipes_settings", "users_messages", "users_data", "users_auth", "revoked_tokens"] {
        let rows = format!("SELECT * FROM `{table}` ORDER BY 1");
        assert_eq!(mariadb.run(&format!("USE dumped; {rows}")), on_node(&node, &rows), "{table}");
    }
}

/// A MariaDB whose table `out` is our `pipes_messages`.
fn mariadb_that_publishes(node: &Node) -> MariaDb {
    let mariadb = MariaDb::start();
    let (password, address) = (&node.password, node.sql);
    mariadb.run(&format!(
        "INSTALL SONAME 'ha_federatedx'; CREATE DATABASE shop; USE shop;
         CREATE TABLE `out` (
           name varchar(64) NOT NULL DEFAULT '', event varchar(64) NOT NULL DEFAULT '', message text NOT NULL
         ) DEFAULT CHARSET=utf8mb4 ENGINE=FEDERATED CONNECTION='mysql://root:{password}@{address}/CometQL_v1/pipes_messages';
         CREATE TABLE orders (id int AUTO_INCREMENT PRIMARY KEY, what text) DEFAULT CHARSET=utf8mb4;
         CREATE TRIGGER told AFTER INSERT ON orders FOR EACH ROW
           INSERT INTO `out` (name, event, message)
           VALUES ('orders', 'created', JSON_OBJECT('id', NEW.id, 'what', NEW.what))"
    ));
    mariadb
}

/// Event and text of the next message. A text that the client would damage comes as a JSON string, which it reads.
fn next(browser: &mut Browser) -> (String, String) {
    let message = browser.frame().json();
    let text = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("{message}")).to_owned();
    (text("event"), serde_json::from_str(&text("data")).unwrap_or_else(|_| text("data")))
}

#[test]
fn a_mariadb_publishes_from_its_own_triggers() {
    if !is_wanted() {
        return;
    }
    let node = Node::in_memory();
    on_node(&node, "INSERT INTO pipes_settings (name, length) VALUES ('orders', 1000), ('chat', 10)");
    let mariadb = mariadb_that_publishes(&node);
    let mut browser = Browser::subscriber(node.browsers, &["orders", "chat"]);
    for (number, text) in TEXTS.iter().enumerate() {
        let text = literal(text);
        mariadb.run(&format!("INSERT INTO shop.`out` (name, event, message) VALUES ('chat', 'said', {text})"));
        assert_eq!(next(&mut browser), ("said".to_owned(), TEXTS[number].to_owned()), "by itself");
        mariadb.run(&format!("INSERT INTO shop.orders (what) VALUES ({text})"));
        let (event, data) = next(&mut browser);
        let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
        assert_eq!((event, data), ("created".to_owned(), serde_json::json!({"id": number + 1, "what": TEXTS[number]})));
    }
    // A statement of many rows fires the trigger for each, in their order.
    mariadb.run("USE shop; INSERT INTO orders (what) SELECT seq FROM seq_1_to_500");
    for number in 1..=500 {
        let (_, data) = next(&mut browser);
        let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
        assert_eq!(data["what"], number.to_string());
    }
    mariadb.run("USE shop; INSERT INTO `out` SELECT 'chat', 'many', seq FROM seq_1_to_500");
    (1..=500).for_each(|number| assert_eq!(next(&mut browser), ("many".to_owned(), number.to_string())));
}

#[test]
fn a_mariadb_reads_and_deletes_what_a_pipe_keeps() {
    if !is_wanted() {
        return;
    }
    let node = filled_node();
    let mariadb = mariadb_that_publishes(&node);
    let messages = "SELECT message FROM shop.`out` WHERE name = 'kept'";
    assert_eq!(mariadb.run(messages), TEXTS.map(|text| format!("{text}\n")).concat());
    let one = "SELECT event FROM shop.`out` WHERE name = 'kept' AND message = 'Hi'";
    assert_eq!(mariadb.run(one), "e\n");
    mariadb.run("DELETE FROM shop.`out` WHERE name = 'kept' AND message = 'Hi'");
    assert_eq!(mariadb.run(messages), TEXTS[1..].iter().map(|text| format!("{text}\n")).collect::<String>());
    let refused = mariadb.tried("UPDATE shop.`out` SET message = 'x' WHERE name = 'kept'").expect_err("read only");
    assert!(refused.contains("publish again with INSERT"), "{refused}");
    mariadb.run("DELETE FROM shop.`out` WHERE name = 'kept'");
    assert_eq!(on_node(&node, "SELECT COUNT(*) FROM pipes_messages WHERE name = 'kept'"), "0\n");
}
