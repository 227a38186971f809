//! An original installation: its tables in a MariaDB, with rows of every kind, and its file of settings.

use std::io::copy;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::server::{MariaDb, is_installed};

/// As the original makes them.
const TABLES: &str = "
    CREATE DATABASE comet DEFAULT CHARSET=latin1; USE comet;
    CREATE TABLE users_auth (dev_id int, user_id int, hash char(32) CHARACTER SET ascii, PRIMARY KEY (dev_id, user_id));
    CREATE TABLE users_time (dev_id int, user_id int, time int, PRIMARY KEY (dev_id, user_id)) ENGINE=MEMORY;
    CREATE TABLE users_data (dev_id int, user_id int, data text, PRIMARY KEY (dev_id, user_id)) DEFAULT CHARSET=utf8;
    CREATE TABLE users_messages (id char(36) PRIMARY KEY, time int, dev_id int, user_id int, event char(64),
      message text) DEFAULT CHARSET=utf8;
    CREATE TABLE pipe_messages (id char(36) PRIMARY KEY, time int, dev_id int, pipe_name char(64), event char(64),
      message text, user_id int);
    CREATE TABLE pipes_settings (dev_id int, name varchar(64), type int, length int,
      PRIMARY KEY (dev_id, name)) DEFAULT COLLATE=latin1_bin;
    CREATE TABLE revoked_tokens (dev_id int, token varbinary(600), time int, PRIMARY KEY (dev_id, token));
    CREATE TABLE conference (dev_id int, name char(64), user_id int);
    CREATE TABLE log_event (id int AUTO_INCREMENT PRIMARY KEY, text text);
    CREATE USER comet@localhost IDENTIFIED BY 'of the database'; GRANT SELECT ON comet.* TO comet@localhost;";

/// What comes over, and what does not.
const ROWS: &str = r#"
    INSERT INTO pipes_settings VALUES (1, 'room', 0, 10), (1, 'Room', 0, 2), (1, 'long', 0, 5000), (1, 'none', 0, 0),
      (1, 'ab', 0, 5), (1, 'a b', 0, 5), (100000, 'room', 0, 5), (2, 'room', 0, 3);
    INSERT INTO users_auth VALUES (1, 7, 'opensesame'), (1, 8, ''), (1, 9, 'no-dash'), (1, 0, 'nobody'),
      (1, 10, 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpX'), (-1, 7, 'astray'), (2, 7, 'another/key=');
    INSERT INTO users_time VALUES (1, 7, 1600000000), (1, 8, 0);
    INSERT INTO users_data VALUES (1, 7, '{"name":"Зоя"}'), (1, 8, '{\\"name\\":\\"it\\\'s\\"}'), (0, 9, '');
    INSERT INTO revoked_tokens VALUES (1, 'a.b.c', 9999999), (1, '', 9999999);
    INSERT INTO conference VALUES (1, '101', 7), (1, '101', 8);
    INSERT INTO log_event (text) VALUES ('start-NoName');
    INSERT INTO users_messages VALUES
      ('0a000002-6f00-11ee-8c99-0242ac120002', UNIX_TIMESTAMP() - 50, 1, 7, 'second', '{"n":2}'),
      ('ff000001-6eff-11ee-8c99-0242ac120002', UNIX_TIMESTAMP() - 60, 1, 7, 'first', '{\\"n\\":1}'),
      ('0b000001-6eff-11ee-8c99-0242ac120002', UNIX_TIMESTAMP() - 700000, 1, 7, 'old', 'x'),
      ('0c000001-6eff-11ee-8c99-0242ac120002', UNIX_TIMESTAMP(), 1, 0, 'nobody', 'x');
    INSERT INTO pipe_messages VALUES
      ('no uuid 1', 1600000000, 1, 'room', 'undefined', 'trimmed', 0),
      ('00000002-6f00-11ee-8c99-0242ac120002', 1600000001, 1, 'room', 'e', '2', 0),
      ('ffffffff-6eff-11ee-8c99-0242ac120002', 1600000001, 1, 'room', 'e', '1', 0),
      ('00000000-0000-11ef-8c99-0242ac120002', 1600000001, 1, 'room', 'e', '3', 9),
      ('00000003-6f00-11ee-8c99-0242ac120002', 1600000004, 1, 'room', 'bad event', 'x', 0),
      ('00000004-6f00-11ee-8c99-0242ac120002', 1600000005, 1, 'room', 'e', X'61ff', 0),
      ('00000005-6f00-11ee-8c99-0242ac120002', 1600000006, 1, 'room', 'e', '{\\"text\\":\\"\\\\u0416\\"}', 0),
      ('00000006-6f00-11ee-8c99-0242ac120002', 1600000007, 1, 'room', 'e', 'C:\\new', 5),
      ('no uuid 2', 1600000008, 1, 'room', 'undefined', X'D0BFD180D0B8D0B2D0B5D182', 0),
      ('00000008-6f00-11ee-8c99-0242ac120002', 1600000009, 1, 'Room', '', 'another', 0),
      ('00000009-6f00-11ee-8c99-0242ac120002', 1600000010, 1, 'unset', 'e', 'x', 0),
      ('0000000a-6f00-11ee-8c99-0242ac120002', 1600000011, 1, 'none', 'e', 'x', 0),
      ('0000000b-6f00-11ee-8c99-0242ac120002', 1600000011, 1, 'none', 'e', 'x', 0),
      ('0000000c-6f00-11ee-8c99-0242ac120002', UNIX_TIMESTAMP(), 1, 'trust_me', 'e', 'trusted', 0),
      ('0000000d-6f00-11ee-8c99-0242ac120002', UNIX_TIMESTAMP() - 500, 1, 'trust_me', 'e', 'no more', 0),
      ('0000000e-6f00-11ee-8c99-0242ac120002', 1600000012, 1, 'room', 'e', '4', 0),
      ('0000000f-6f00-11ee-8c99-0242ac120002', 1600000012, 1, 'room', 'e', '5', 0),
      ('00000010-6f00-11ee-8c99-0242ac120002', 1600000012, 1, 'room', 'e', '6', 0),
      ('00000011-6f00-11ee-8c99-0242ac120002', 1600000012, 1, 'room', 'e', '7', 0);
    INSERT INTO pipe_messages SELECT CONCAT('long ', seq), 1600000000 + seq, 2, 'room', 'e', REPEAT('x', 2000 * (seq = 9)), 0
      FROM seq_1_to_9;"#;

/// What a program wrote through a connection that said latin1.
const TWICE: &str =
    "UPDATE comet.users_data SET data = CONVERT(CAST('Привет' AS BINARY) USING latin1) WHERE user_id = 9";

pub const PASSWORD: &str = "of the programs";

const INI: &str = "[main]\npassword = of the programs ; and of the tokens\nbase_dir = ./www\n\
    [db]\nhost = 127.0.0.1\nuser = comet\npassword = of the database\nname = comet\nport = ";

/// An installation whose database runs; `None` where there is no server and none is demanded.
pub fn installation() -> Option<MariaDb> {
    let is_demanded = std::env::var("COMETQL_TESTS").is_ok_and(|tests| tests == "all");
    if !is_installed() && !is_demanded {
        println!("there is no MariaDB server, so nothing is tested here");
        return None;
    }
    let mariadb = MariaDb::start();
    mariadb.run(TABLES);
    mariadb.run(&format!("USE comet; {ROWS}"));
    mariadb.run(TWICE);
    Some(mariadb)
}

/// The URL of the database, for `--mysql`.
pub fn url(mariadb: &MariaDb, password: &str) -> String {
    let password = password.replace(' ', "%20");
    format!("mysql://comet:{password}@localhost/comet?socket={}", mariadb.socket().display())
}

/// Writes the file of settings; the database is reached by a port of loopback.
pub fn write_ini(mariadb: &MariaDb, path: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(path, format!("{INI}{}\n", listener.local_addr().unwrap().port())).unwrap();
    let socket = mariadb.socket();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
            forward(client, server);
        }
    });
}

/// Bytes go both ways until one side ends; then nobody misses the rest.
fn forward(client: TcpStream, server: UnixStream) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut from_server, mut to_client) = (server, client);
    std::thread::spawn(move || drop(copy(&mut from_client, &mut to_server)));
    std::thread::spawn(move || drop(copy(&mut from_server, &mut to_client)));
}
