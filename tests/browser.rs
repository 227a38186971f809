//! The first thing a newcomer does, in a real browser: open the page, run the INSERT, see the message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "world/clients.rs"]
mod clients;
#[path = "world/node.rs"]
mod node;

use node::Node;

#[test]
fn the_page_shows_what_the_mysql_client_inserts() {
    clients::install();
    let node = Node::start();
    let url = format!("http://{}/", node.browsers);
    let (host, port) = (node.sql.ip().to_string(), node.sql.port().to_string());
    let screenshot = clients::project().join("target/first_insert.png").display().to_string();
    let arguments = [&url, &host, &port, &node.password, &screenshot].map(String::as_str);
    print!("{}", clients::run(&["node", "tests/browser/first_insert.mjs"], &arguments, &clients::project()));
}
