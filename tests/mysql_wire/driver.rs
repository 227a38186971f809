//! The same through a driver that somebody else wrote.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Value};

use crate::server::{PASSWORD, Server};

#[test]
fn a_driver_logs_in_queries_prepares_and_resets() {
    let server = Server::start();
    server.run(async {
        let mut connection = Conn::new(options(&server, PASSWORD)).await.unwrap();
        connection.ping().await.unwrap();
        let one: Option<u64> = connection.query_first("SELECT 1").await.unwrap();
        assert_eq!(one, Some(1));
        let text = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)";
        for message in ["hello", "п", "🎉"] {
            let values = ["chat", "event", message].map(Value::from).to_vec();
            connection.exec_drop(text, Params::Positional(values)).await.unwrap();
        }
        assert!(connection.reset().await.unwrap());
        connection.ping().await.unwrap();
        connection.disconnect().await.unwrap();
    });
    assert_eq!(server.node.status().messages_published(), 3);
}

#[test]
fn a_driver_hears_that_its_password_is_wrong() {
    let server = Server::start();
    let error = server.run(Conn::new(options(&server, "wrong"))).unwrap_err();
    assert!(error.to_string().contains("Access denied for user 'root'@'127.0.0.1'"), "{error}");
}

fn options(server: &Server, password: &str) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(server.address.ip().to_string())
        .tcp_port(server.address.port())
        .user(Some("root"))
        .pass(Some(password))
        .into()
}
