//! What an acknowledgement is worth under each `durability`, shown with the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/node.rs"]
mod node;

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::{Home, Node};
use rustix::process::Signal;

/// What must be on disk after a second is looked for after so long.
const SETTLED_AFTER: Duration = Duration::from_millis(2_500);

async fn connect(node: &Node) -> Conn {
    let options = OptsBuilder::default().ip_or_hostname(node.sql.ip().to_string()).tcp_port(node.sql.port());
    Conn::new(options.user(Some("root")).pass(Some(&node.password)).prefer_socket(false)).await.unwrap()
}

async fn publish(client: &mut Conn, text: &str) -> u64 {
    let insert = "INSERT INTO pipes_messages (name, event, message) VALUES ('kept', 'e', ?)";
    client.exec_drop(insert, (text,)).await.unwrap();
    client.last_insert_id().unwrap()
}

/// Epoch, index and text of each message that is kept.
async fn kept(client: &mut Conn) -> Vec<(u64, u64, String)> {
    let select = "SELECT position, message FROM pipes_messages WHERE name = 'kept'";
    let rows: Vec<(String, String)> = client.query(select).await.unwrap();
    let parsed = rows.into_iter().map(|(position, text)| {
        let (epoch, index) = position.split_once('-').unwrap();
        (epoch.parse().unwrap(), index.parse().unwrap(), text)
    });
    parsed.collect()
}

async fn with_one_message(flags: &[&str]) -> (Node, Conn, (u64, u64, String)) {
    let node = Home::new(flags).start();
    let mut client = connect(&node).await;
    client.query_drop("INSERT INTO pipes_settings (name, length) VALUES ('kept', 1000)").await.unwrap();
    publish(&mut client, "first").await;
    let first = kept(&mut client).await.pop().unwrap();
    (node, client, first)
}

#[tokio::test]
async fn under_memory_a_stop_loses_nothing_and_goes_on_in_the_same_epochs() {
    let (node, _, first) = with_one_message(&["--durability", "memory", "--log", "warn"]).await;
    let (end, home) = node.stop(Signal::TERM);
    assert_eq!((end.status.code(), end.stderr.as_str()), (Some(0), ""));
    let node = home.start();
    let mut client = connect(&node).await;
    assert_eq!(publish(&mut client, "second").await, 2);
    let kept = kept(&mut client).await;
    assert_eq!(kept, [first.clone(), (first.0, 2, "second".to_owned())]);
    let (end, _) = node.stop(Signal::TERM);
    assert_eq!(end.stderr, "", "nothing to warn of");
}

#[tokio::test]
async fn under_memory_a_kill_begins_new_epochs_and_is_said() {
    let (node, mut client, first) = with_one_message(&["--durability", "memory", "--log", "warn"]).await;
    // Of a second ago nothing may be missing. Until then there is always something new to be written.
    let began = Instant::now();
    let mut count = 1;
    while began.elapsed() < SETTLED_AFTER {
        count = publish(&mut client, "later").await;
        // It keeps only the newest 1,000.
        if count == 900 {
            break;
        }
    }
    while began.elapsed() < SETTLED_AFTER {
        client.ping().await.unwrap();
    }
    let node = node.kill().start();
    let mut client = connect(&node).await;
    let there = kept(&mut client).await;
    assert_eq!(there[0], first);
    let next = publish(&mut client, "after").await;
    let last = kept(&mut client).await.pop().unwrap();
    assert_ne!(last.0, first.0, "an index that was lost may be used again, but not in this epoch");
    println!("{count} acknowledged, {} there after the kill, the next is {next}", there.len());
    let (end, home) = node.stop(Signal::TERM);
    assert!(end.stderr.contains("every pipe begins a new epoch"), "{}", end.stderr);
    // Once is enough.
    let node = home.start();
    assert_eq!(kept(&mut connect(&node).await).await.pop().unwrap(), last);
    let (end, _) = node.stop(Signal::TERM);
    assert_eq!(end.stderr, "");
}

#[tokio::test]
async fn under_memory_what_was_quiet_for_a_second_is_on_disk() {
    let (node, mut client, first) = with_one_message(&["--durability", "memory", "--log", "error"]).await;
    let began = Instant::now();
    while began.elapsed() < SETTLED_AFTER {
        client.ping().await.unwrap();
    }
    let node = node.kill().start();
    assert_eq!(kept(&mut connect(&node).await).await, [first]);
}

#[tokio::test]
async fn on_disk_a_kill_changes_no_epoch_and_the_setting_is_shown() {
    let (node, mut client, first) = with_one_message(&["--log", "warn"]).await;
    let shown: Option<(String, String)> = client.query_first("SHOW VARIABLES LIKE 'durability'").await.unwrap();
    assert_eq!(shown, Some(("durability".to_owned(), "disk".to_owned())));
    let node = node.kill().start();
    let mut client = connect(&node).await;
    publish(&mut client, "second").await;
    assert_eq!(kept(&mut client).await, [first.clone(), (first.0, 2, "second".to_owned())]);
    let (end, home) = node.stop(Signal::TERM);
    assert_eq!(end.stderr, "");
    let checked = home.run(&["check-config", "--durability", "memory"]);
    assert!(checked.stdout.contains("\ndurability = \"memory\" "), "{}", checked.stdout);
    let refused = home.run(&["check-config", "--durability", "paper"]);
    assert!(refused.stderr.contains("expected disk or memory"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_file_that_a_newer_version_has_written_is_refused_and_left_alone() {
    let (node, _, first) = with_one_message(&["--log", "warn"]).await;
    let (_, home) = node.stop(Signal::TERM);
    let file = home.data().join("store.redb");
    let set_version = |version: u64| {
        let database = redb::Database::open(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        let table = redb::TableDefinition::<&str, u64>::new("meta");
        transaction.open_table(table).unwrap().insert("format version", version).unwrap();
        transaction.commit().unwrap();
    };
    set_version(2);
    let before = std::fs::read(&file).unwrap();
    let end = home.run(&["--mysql-listen", "127.0.0.1:0", "--ws-listen", "127.0.0.1:0"]);
    assert_eq!(end.status.code(), Some(1));
    for part in ["store.redb has format 2", "knows no newer one than 1", "choose another --data-dir"] {
        assert!(end.stderr.contains(part), "{}", end.stderr);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    set_version(1);
    assert_eq!(kept(&mut connect(&home.start()).await).await, [first]);
}
