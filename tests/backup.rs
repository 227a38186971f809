//! `cometql backup` and `cometql restore`, with the real binary: a copy of a node that is being written to has
//! everything that was acknowledged before, and goes on from there in epochs of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/node.rs"]
mod node;

use std::os::unix::fs::PermissionsExt;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::{End, Home, Node};
use rustix::process::Signal;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const PIPES: [&str; 2] = ["first", "second"];

async fn connect(node: &Node) -> Conn {
    let options = OptsBuilder::default().ip_or_hostname(node.sql.ip().to_string()).tcp_port(node.sql.port());
    Conn::new(options.user(Some("root")).pass(Some(&node.password)).prefer_socket(false)).await.unwrap()
}

async fn kept(client: &mut Conn, pipe: &str) -> Vec<(u64, u64, String)> {
    let select = "SELECT position, message FROM pipes_messages WHERE name = ?";
    let rows: Vec<(String, String)> = client.exec(select, (pipe,)).await.unwrap();
    let parsed = rows.into_iter().map(|(position, text)| {
        let (epoch, index) = position.split_once('-').unwrap();
        (epoch.parse().unwrap(), index.parse().unwrap(), text)
    });
    parsed.collect()
}

/// Publishes a message that is always the same one; answers its index.
async fn publish_once(client: &mut Conn) -> Option<u64> {
    let insert = "INSERT INTO pipes_messages (name, event, message, uuid)
                  VALUES ('second', 'e', 'once', '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90')";
    client.query_drop(insert).await.unwrap();
    client.last_insert_id()
}

/// A message that was acknowledged: pipe, index, text.
type Acknowledged = (&'static str, u64, String);

async fn publish_until_it_is_gone(mut client: Conn, number: usize, told: UnboundedSender<Acknowledged>) {
    for count in 0.. {
        let (pipe, text) = (PIPES[count % 2], format!("connection {number}, message {count}"));
        let insert = "INSERT INTO pipes_messages (name, event, message) VALUES (?, 'e', ?)";
        if client.exec_drop(insert, (pipe, &text)).await.is_err() {
            return;
        }
        if told.send((pipe, client.last_insert_id().unwrap(), text)).is_err() {
            return;
        }
    }
}

fn succeeded(end: &End) -> &str {
    assert!(end.status.success(), "{}", end.stderr);
    &end.stdout
}

fn refusal(end: &End) -> &str {
    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    end.stderr.trim_end().lines().last().unwrap()
}

fn file_names(home: &Home) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(home.data()) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_running_node_has_what_was_acknowledged_and_goes_on_in_epochs_of_its_own() {
    let node = Node::start();
    let mut client = connect(&node).await;
    for pipe in PIPES {
        client.exec_drop("INSERT INTO pipes_settings (name, length) VALUES (?, 1000)", (pipe,)).await.unwrap();
    }
    client.query_drop("INSERT INTO users_auth (id, hash) VALUES (7, 'opensesame')").await.unwrap();
    client.query_drop("INSERT INTO users_messages (id, event, message) VALUES (7, 'e', 'private')").await.unwrap();
    let once = publish_once(&mut client).await;
    let (sender, mut told) = unbounded_channel();
    for number in 0..4 {
        tokio::spawn(publish_until_it_is_gone(connect(&node).await, number, sender.clone()));
    }
    let mut before = Vec::new();
    while before.len() < 100 {
        before.push(told.recv().await.unwrap());
    }
    let said = node.home.run(&["backup", "copy.redb"]);
    assert!(succeeded(&said).contains("copy.redb: "), "{}", said.stdout);
    // The node goes on, and so do its publishers.
    let mut after = Vec::new();
    while let Ok(one) = told.try_recv() {
        after.push(one);
    }
    after.push(told.recv().await.unwrap());
    let copy = node.home.path().join("copy.redb");
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let original = kept(&mut client, "first").await;

    let other = Home::new(&["--log", "error"]);
    let restored = other.run(&["restore", &copy.display().to_string()]);
    succeeded(&restored);
    let other = other.start();
    let mut client = connect(&other).await;
    for pipe in PIPES {
        let kept = kept(&mut client, pipe).await;
        assert!(kept.iter().map(|(_, index, _)| *index).eq(1..=kept.len() as u64), "a moment, and no holes");
        for (of, index, text) in before.iter().filter(|(of, ..)| *of == pipe) {
            assert_eq!(kept[*index as usize - 1].2, *text, "{of}");
        }
        let all: Vec<&Acknowledged> = before.iter().chain(&after).collect();
        println!("{pipe}: {} in the copy, {} acknowledged in all", kept.len(), all.len());
    }
    let hash: Option<String> = client.query_first("SELECT hash FROM users_auth WHERE id = 7").await.unwrap();
    assert_eq!(hash.as_deref(), Some("opensesame"));
    let private: Option<String> = client.query_first("SELECT message FROM users_messages WHERE id = 7").await.unwrap();
    assert_eq!(private.as_deref(), Some("private"));

    assert_eq!(publish_once(&mut client).await, once, "its id is known to the copy, too");
    let copied = kept(&mut client, "first").await;
    client.query_drop("INSERT INTO pipes_messages (name, event, message) VALUES ('first', 'e', 'new')").await.unwrap();
    let (epoch, index, text) = kept(&mut client, "first").await.pop().unwrap();
    assert_eq!((index, text.as_str()), (copied.len() as u64 + 1, "new"));
    assert_ne!(epoch, original[0].0, "the original has used this position, or will");
    // A second start is no second restoring.
    let (_, home) = other.stop(Signal::TERM);
    let again = home.start();
    assert_eq!(kept(&mut connect(&again).await, "first").await.pop().unwrap().0, epoch);
}

#[tokio::test]
async fn a_backup_can_be_made_of_a_node_that_does_not_run_and_changes_nothing() {
    let node = Node::start();
    let mut client = connect(&node).await;
    client.query_drop("INSERT INTO pipes_settings (name, length) VALUES ('kept', 10)").await.unwrap();
    client.query_drop("INSERT INTO pipes_messages (name, event, message) VALUES ('kept', 'e', 'x')").await.unwrap();
    let before = kept(&mut client, "kept").await;
    let home = node.kill();
    let store = std::fs::read(home.data().join("store.redb")).unwrap();
    succeeded(&home.run(&["backup", "copy.redb"]));
    // A second one takes the place of the first.
    succeeded(&home.run(&["backup", "copy.redb"]));
    assert_eq!(std::fs::read(home.data().join("store.redb")).unwrap(), store);
    assert!(!home.path().join("copy.redb.partial").exists());
    assert_eq!(kept(&mut connect(&home.start()).await, "kept").await, before);
}

#[test]
fn what_cannot_be_copied_or_put_back_is_refused_and_left_alone() {
    let home = Home::new(&[]);
    let end = home.run(&["backup", "copy.redb"]);
    assert!(refusal(&end).contains("there is no store in"), "{}", end.stderr);
    assert!(!home.data().exists() && !home.path().join("copy.redb").exists());
    let end = home.run(&["backup", "copy.redb", "--memory"]);
    assert!(refusal(&end).contains("--data-dir"), "{}", end.stderr);

    std::fs::write(home.path().join("text"), "dear diary").unwrap();
    for (file, why) in [("text", "text: "), ("missing", "missing: ")] {
        let end = home.run(&["restore", file]);
        assert!(refusal(&end).contains(why), "{}", end.stderr);
        assert_eq!(file_names(&home), [""; 0]);
    }
    let node = home.start();
    succeeded(&node.home.run(&["backup", "copy.redb"]));
    let end = node.home.run(&["restore", "copy.redb"]);
    assert!(refusal(&end).contains("is not empty"), "{}", end.stderr);

    // A backup that has rotted is not restored.
    let mut bytes = std::fs::read(node.home.path().join("copy.redb")).unwrap();
    let place = bytes.windows(8).position(|window| window == b"settings").unwrap();
    bytes[place] ^= 1;
    let other = Home::new(&[]);
    std::fs::write(other.path().join("rotten"), bytes).unwrap();
    let end = other.run(&["restore", "rotten"]);
    assert_eq!(end.status.code(), Some(1), "{}", end.stdout);
    assert_eq!(file_names(&other), [""; 0]);
}
