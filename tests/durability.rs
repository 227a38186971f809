//! What an acknowledgement is worth under each `durability`, shown with the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/node.rs"]
mod node;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cometql::clock::SystemClock;
use cometql::pipe::{Pipe, PipeName};
use cometql::store::embedded::{self, Durability};
use cometql::store::{PageMax, Since, Store};
use cometql::user::TenantId;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::{Home, Node};
use rustix::process::Signal;

/// Far longer than the second after which all is on disk.
const DEADLINE: Duration = Duration::from_secs(60);

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

/// Waits until the file has the message: what a crash at this moment would leave.
async fn until_on_disk(node: &Node, text: &str) {
    let began = Instant::now();
    let pipe = Pipe::Named(TenantId(0), PipeName::for_publish("kept").unwrap());
    loop {
        assert!(began.elapsed() < DEADLINE, "{text:?} does not come to disk");
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(node.home.data().join("store.redb"), copy.path().join("store.redb")).unwrap();
        let config = embedded::Config {
            directory: Some(copy.path().to_owned()),
            durability: Durability::Disk,
            history_bytes_max_per_pipe: 1_024 * 1_024,
            recovery_bytes_max: 1_024 * 1_024,
        };
        // The file may have been written to while it was copied.
        let Ok(store) = embedded::open(&config, Vec::new(), Arc::new(SystemClock)) else { continue };
        let page = store.history(&pipe, Since::Beginning, PageMax { messages: 10, bytes: usize::MAX }).await;
        if page.is_ok_and(|page| page.messages.iter().any(|message| message.message.as_str() == text)) {
            return;
        }
    }
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
async fn under_memory_all_is_on_disk_soon_and_a_kill_begins_new_epochs_and_says_so() {
    let (node, mut client, first) = with_one_message(&["--durability", "memory", "--log", "warn"]).await;
    until_on_disk(&node, "first").await;
    for _ in 0..50 {
        publish(&mut client, "later").await;
    }
    let node = node.kill().start();
    let mut client = connect(&node).await;
    let there = kept(&mut client).await;
    assert_eq!(there[0], first);
    let next = publish(&mut client, "after").await;
    let last = kept(&mut client).await.pop().unwrap();
    assert_ne!(last.0, first.0, "an index that was lost may be used again, but not in this epoch");
    println!("51 acknowledged, {} there after the kill, the next is {next}", there.len());
    let (end, home) = node.stop(Signal::TERM);
    assert!(end.stderr.contains("every pipe begins a new epoch"), "{}", end.stderr);
    // Once is enough.
    let node = home.start();
    assert_eq!(kept(&mut connect(&node).await).await.pop().unwrap(), last);
    let (end, _) = node.stop(Signal::TERM);
    assert_eq!(end.stderr, "");
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
    set_version(3);
    let before = std::fs::read(&file).unwrap();
    let end = home.run(&["--mysql-listen", "127.0.0.1:0", "--ws-listen", "127.0.0.1:0"]);
    assert_eq!(end.status.code(), Some(1));
    for part in ["store.redb has format 3", "knows no newer one than 2", "choose another --data-dir"] {
        assert!(end.stderr.contains(part), "{}", end.stderr);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    set_version(2);
    assert_eq!(kept(&mut connect(&home.start()).await).await, [first]);
}
