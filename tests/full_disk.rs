//! A disk that takes no more is an error to whoever wants something kept, and nothing worse.
//!
//! The real binary, whose files are not let grow any further: to the store this is a disk without space.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/node.rs"]
mod node;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use node::{Home, Node};

/// Most messages until the space inside the file is used up.
const MESSAGES_MAX: usize = 500;

async fn connect(node: &Node) -> Conn {
    let options = OptsBuilder::default().ip_or_hostname(node.sql.ip().to_string()).tcp_port(node.sql.port());
    Conn::new(options.user(Some("root")).pass(Some(&node.password)).prefer_socket(false)).await.unwrap()
}

/// Publishes a large message; answers its index.
async fn publish(client: &mut Conn, pipe: &str, count: usize) -> Result<u64, mysql_async::Error> {
    let text = format!("{count} {}", "x".repeat(20_000));
    client.exec_drop("INSERT INTO pipes_messages (name, event, message) VALUES (?, 'e', ?)", (pipe, text)).await?;
    Ok(client.last_insert_id().unwrap())
}

/// Position and number of each message that is kept.
async fn kept(client: &mut Conn) -> Vec<(String, usize)> {
    let select = "SELECT position, message FROM pipes_messages WHERE name = 'kept'";
    let rows: Vec<(String, String)> = client.query(select).await.unwrap();
    let number = |text: String| text.split_once(' ').unwrap().0.parse().unwrap();
    rows.into_iter().map(|(position, text)| (position, number(text))).collect()
}

fn assert_is_full(error: &mysql_async::Error) {
    let mysql_async::Error::Server(error) = error else { panic!("{error}") };
    println!("{error}");
    assert!(error.message.contains("store is not available"), "{error}");
    for part in ["no space for the file in the data directory", "File too large", "make some"] {
        assert!(error.message.contains(part), "it says what is the matter and what to do: {error}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_must_be_kept_and_nothing_else_until_there_is_space() {
    for durability in ["disk", "memory"] {
        let node = Home::new(&["--log", "off", "--durability", durability]).start();
        let mut client = connect(&node).await;
        client.query_drop("INSERT INTO pipes_settings (name, length) VALUES ('kept', 1000)").await.unwrap();
        publish(&mut client, "kept", 0).await.unwrap();
        let epoch = |(position, _): &(String, usize)| position.split_once('-').unwrap().0.to_owned();
        let first = epoch(&kept(&mut client).await[0]);
        let store = node.home.data().join("store.redb");
        node.limit_files(Some(store.metadata().unwrap().len()));

        let mut acknowledged = 1;
        let error = loop {
            match publish(&mut client, "kept", acknowledged).await {
                Ok(_) => acknowledged += 1,
                Err(error) => break error,
            }
            assert!(acknowledged < MESSAGES_MAX, "it is never full");
        };
        println!("{durability}: {acknowledged} messages, then");
        assert_is_full(&error);
        for _ in 0..3 {
            match publish(&mut client, "kept", usize::MAX).await {
                Err(error) => assert_is_full(&error),
                // What had no place on disk is gone, and its space is free again.
                Ok(_) => assert_eq!(durability, "memory"),
            }
            let of_user = "INSERT INTO users_messages (id, event, message) VALUES (7, 'e', REPEAT('x', 100000))";
            let _ = client.query_drop(of_user).await;
            publish(&mut client, "unkept", 0).await.unwrap();
            let there = kept(&mut client).await;
            if durability == "disk" {
                assert!(there.iter().map(|(_, number)| *number).eq(0..acknowledged), "reads go on");
            }
        }

        node.limit_files(None);
        let before = kept(&mut client).await;
        publish(&mut client, "kept", acknowledged).await.unwrap();
        let after = kept(&mut client).await;
        assert_eq!(after.len(), before.len() + 1);
        if durability == "disk" {
            assert!(after.iter().map(|(_, number)| *number).eq(0..=acknowledged), "nothing is lost");
            assert!(after.iter().all(|message| epoch(message) == epoch(&after[0])), "{after:?}");
            let node = node.kill().start();
            assert_eq!(kept(&mut connect(&node).await).await, after);
        } else if !before.iter().map(|(_, number)| *number).take(acknowledged).eq(0..acknowledged) {
            assert_ne!(epoch(after.last().unwrap()), first, "what is gone is said");
        }
    }
}
