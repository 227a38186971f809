//! Moving in from an original installation, and between stores, with the real binary, a real MariaDB and a real Redis.
//!
//! Where there is no MariaDB server the tests that need one say so and end; `tests/run --all` installs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arriving;
#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
#[path = "../world/clients.rs"]
mod clients;
mod files;
mod installation;
#[path = "../world/node.rs"]
mod node;
mod original;
#[path = "../world/redis.rs"]
mod redis;
#[path = "../mariadb/server.rs"]
mod server;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder};
use node::{End, Node};

/// A client of a node, as the tenant with this name.
async fn connect(node: &Node, user: &str) -> Conn {
    let options = OptsBuilder::default().ip_or_hostname(node.sql.ip().to_string()).tcp_port(node.sql.port());
    Conn::new(options.user(Some(user)).pass(Some(&node.password)).prefer_socket(false)).await.unwrap()
}

async fn rows<T: FromRow + Send + 'static>(client: &mut Conn, select: &str) -> Vec<T> {
    client.query(select).await.unwrap_or_else(|error| panic!("{select}: {error}"))
}

fn succeeded(end: &End) -> &str {
    assert!(end.status.success(), "{}\n{}", end.stdout, end.stderr);
    &end.stdout
}

fn refusal(end: &End) -> &str {
    assert_eq!(end.status.code(), Some(1), "{}\n{}", end.stdout, end.stderr);
    end.stderr.trim_end().lines().last().unwrap()
}
