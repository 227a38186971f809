//! From an original installation into each store, and then a node and a browser on it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{KeyInit, Mac};
use mysql_async::prelude::Queryable;

use super::browser::Browser;
use super::installation::{PASSWORD, installation, url, write_ini};
use super::node::{Home, Node};
use super::redis::Redis;
use super::{connect, refusal, rows, succeeded};

/// A line of the report, without what stands around it.
fn has_line(report: &str, line: &str) -> bool {
    report.lines().any(|found| found.trim() == line)
}

/// A token as a program signs it, for a user of tenant 1.
fn token(user: u32) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!(
        "{}.{}",
        part(r#"{"alg":"HS256","typ":"JWT"}"#),
        part(&format!(r#"{{"user_id":{user},"exp":9999999999}}"#))
    );
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(format!("{PASSWORD}1").as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A browser with the original's library that logs in as a user of tenant 1; answers what it is told, and the browser.
fn login(node: &Node, user: u32, key: &str) -> (serde_json::Value, Browser) {
    let target = format!("/ws/sesion={key}&myid={user}&devid=1&v=4.08&uuid=Qm3_xKp0aZr7LtY2vB9nWc5dHs8-JgEu&api=js");
    let (mut browser, head) = Browser::upgrade(node.browsers, &target);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let info = browser.frame().json();
    (info["authorized"].clone(), browser)
}

/// What programs see as tenant 1.
async fn expect_tables(node: &Node) {
    let mut client = connect(node, "1").await;
    let client = &mut client;
    let settings: Vec<(String, i64)> = rows(client, "SELECT name, length FROM pipes_settings ORDER BY name").await;
    let settings: Vec<(&str, i64)> = settings.iter().map(|(name, length)| (name.as_str(), *length)).collect();
    assert_eq!(settings, [("Room", 2), ("long", 1000), ("none", 0), ("room", 10)]);
    let room: Vec<(i64, String, String, Option<i64>)> =
        rows(client, "SELECT time, event, message, user_id FROM pipes_messages WHERE name = 'room'").await;
    let texts: Vec<&str> = room.iter().map(|(_, _, text, _)| text.as_str()).collect();
    assert_eq!(texts, ["1", "2", "3", r#"{"text":"\u0416"}"#, r"C:\new", "привет", "4", "5", "6", "7"]);
    assert_eq!((room[2].0, room[2].3), (1_600_000_001, Some(9)));
    assert_eq!((room[5].0, room[5].1.as_str()), (1_600_000_008, "undefined"));
    let ids: Vec<String> = rows(client, "SELECT id FROM pipes_messages WHERE name = 'room'").await;
    assert_eq!(ids[1], "00000002-6f00-11ee-8c99-0242ac120002");
    let other: Vec<String> = rows(client, "SELECT message FROM pipes_messages WHERE name = 'Room'").await;
    assert_eq!(other, ["another"]);
    let trusted: Vec<String> = rows(client, "SELECT message FROM pipes_messages WHERE name = 'trust_me'").await;
    assert_eq!(trusted, ["trusted"]);
    let keys: Vec<(u32, String)> = rows(client, "SELECT id, hash FROM users_auth").await;
    assert_eq!(keys, [(7, "opensesame".to_owned())]);
    let data: Vec<(u32, String)> = rows(client, "SELECT id, data FROM users_data ORDER BY id").await;
    assert_eq!(data, [(7, r#"{"name":"Зоя"}"#.to_owned()), (8, r#"{"name":"it's"}"#.to_owned())]);
    let seen: Vec<(u32, i64)> = rows(client, "SELECT id, time FROM users_time WHERE id IN (7, 8)").await;
    assert_eq!(seen, [(7, 1_600_000_000), (8, -1)]);
    let tokens: Vec<String> = rows(client, "SELECT token FROM revoked_tokens").await;
    assert_eq!(tokens, ["a.b.c"]);
    let private: Vec<(String, String)> = rows(client, "SELECT event, message FROM users_messages WHERE id = 7").await;
    let private: Vec<(&str, &str)> = private.iter().map(|(event, text)| (event.as_str(), text.as_str())).collect();
    assert_eq!(private, [("first", r#"{"n":1}"#), ("second", r#"{"n":2}"#)]);

    let mut other = connect(node, "0").await;
    let data: Vec<String> = rows(&mut other, "SELECT data FROM users_data WHERE id = 9").await;
    assert_eq!(data, ["Привет"]);
    let mut other = connect(node, "2").await;
    let newest: Vec<u64> = rows(&mut other, "SELECT time - 1600000000 FROM pipes_messages WHERE name = 'room'").await;
    assert_eq!(newest, [6, 7, 8], "the ninth is too long");
}

/// A browser of the original's library, with what it had before.
fn expect_logins(node: &Node) {
    let (authorized, mut browser) = login(node, 7, "opensesame");
    assert_eq!(authorized, true);
    for (event, data) in [("first", r#"{"n":1}"#), ("second", r#"{"n":2}"#)] {
        let message = browser.frame().json();
        assert_eq!(
            (&message["event"], &message["data"], &message["pipe"]),
            (&event.into(), &data.into(), &"msg".into())
        );
        assert_eq!(message["fromQueue"], true);
    }
    assert_eq!(login(node, 10, &token(10)).0, true);
    // Whoever knows how a token begins is not let in.
    assert_eq!(login(node, 10, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpX").0, false);
    assert_eq!(login(node, 9, "no-dash").0, false);
}

fn expect_report(report: &str) {
    for line in [
        "settings of pipes: 5 came over, 3 were left out",
        "1: had a length beyond 1000, which is the most",
        "left out, 1: the name is shorter than 3 bytes",
        "pipe ab of tenant 1",
        "left out, 1: the name has other bytes than A-Za-z0-9_-",
        "pipe room of tenant 100000",
        "keys of users: 2 came over, 5 were left out",
        "left out, 1: the key is empty: it would log in nobody",
        "user 7 of tenant -1",
        "data of users: 3 came over",
        "when users were last seen: 1 came over, 1 were left out",
        "revoked tokens: 1 came over, 1 were left out",
        "messages of pipes: 15 came over, 13 were left out",
        "left out, 7: there are more, or older ones, than the pipe keeps",
        "pipe room of tenant 2: 5",
        "message 00000003-6f00-11ee-8c99-0242ac120002 of pipe room of tenant 1",
        "left out, 1: the text is no UTF-8",
        "left out, 3: the pipe has no length in pipes_settings, so it keeps nothing",
        "pipe none of tenant 1: 2",
        "pipe unset of tenant 1: 1",
        "private messages: 2 came over, 2 were left out",
        "user 0 of tenant 1: 1",
        "what has no counterpart: 0 came over, 3 were left out",
        "left out, 2: table conference: telephony has no counterpart",
    ] {
        assert!(has_line(report, line), "{line}\nis not in\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_into_a_data_directory_and_its_programs_and_browsers_go_on() {
    let Some(mariadb) = installation() else { return };
    let home = Home::new(&["--log", "warn", "--config", "new.toml"]);
    write_ini(&mariadb, &home.path().join("comet.ini"));
    let import = ["import", "--ini", "comet.ini", "--config-out", "new.toml", "--message-bytes-max", "1 KiB"];
    let end = home.run(&import);
    let report = succeeded(&end);
    expect_report(report);
    assert!(has_line(
        report,
        "not taken over from comet.ini: [main] base_dir: no files are served; give them to the web server before the node"
    ));
    assert!(!report.contains(PASSWORD) && !report.contains("of the database"), "{report}");
    let again = home.run(&import);
    assert!(refusal(&again).contains("new.toml: it is there already"), "{}", again.stderr);

    let mut node = home.start();
    node.password = PASSWORD.to_owned();
    expect_tables(&node).await;
    expect_logins(&node);
    let mut client = connect(&node, "1").await;
    client.query_drop("INSERT INTO pipes_messages (name, event, message) VALUES ('room', 'e', '8')").await.unwrap();
    let newest: Vec<String> = rows(&mut client, "SELECT message FROM pipes_messages WHERE name = 'room'").await;
    assert_eq!((newest.len(), newest[9].as_str()), (10, "8"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_into_a_redis_and_once_however_often_it_is_done() {
    let Some(mariadb) = installation() else { return };
    let (redis, url) = (Redis::start(), url(&mariadb, "of the database"));
    let store = redis.url();
    let home = Home::new(&["--log", "warn", "--store", &store, "--password", PASSWORD]);
    let limit = ["--store", &store, "--message-bytes-max", "1 KiB"];
    let import = [&["import", "--mysql", &url][..], &limit].concat();
    expect_report(succeeded(&home.run(&import)));
    assert!(refusal(&home.run(&import)).contains("--merge"));

    // Meanwhile the original goes on.
    mariadb.run(
        "INSERT INTO comet.pipe_messages VALUES
           ('00000012-6f00-11ee-8c99-0242ac120002', 1600000013, 1, 'long', 'e', 'later', 0),
           ('00000013-6f00-11ee-8c99-0242ac120002', 1600000013, 1, 'Room', 'e', 'later', 0);
         UPDATE comet.users_auth SET hash = 'changed' WHERE dev_id = 2",
    );
    let merged = [&import[..], &["--merge"]].concat();
    let end = home.run(&merged);
    let report = succeeded(&end);
    for line in [
        "settings of pipes: 0 came over, 5 were there already, 3 were left out",
        "keys of users: 0 came over, 1 were there already, 6 were left out",
        "left out, 1: something else is there already, and stays",
        "messages of pipes: 2 came over, 15 were there already, 13 were left out",
        "private messages: 0 came over, 2 were there already, 2 were left out",
    ] {
        assert!(has_line(report, line), "{line}\nis not in\n{report}");
    }
    mariadb.run("DELETE FROM comet.pipe_messages WHERE time = 1600000013");

    let mut node = home.start();
    node.password = PASSWORD.to_owned();
    let mut client = connect(&node, "1").await;
    let later: Vec<String> = rows(&mut client, "SELECT message FROM pipes_messages WHERE name = 'Room'").await;
    assert_eq!(later, ["another", "later"]);
    client.query_drop("DELETE FROM pipes_messages WHERE name = 'Room' AND message = 'later'").await.unwrap();
    expect_tables(&node).await;
    expect_logins(&node);
}

#[test]
fn what_cannot_be_read_is_said_before_anything_is_written() {
    let Some(mariadb) = installation() else { return };
    let home = Home::new(&[]);
    let import = |url: &str| home.run(&["import", "--mysql", url]);
    let end = import(&url(&mariadb, "wrong"));
    let refused = refusal(&end);
    assert!(refused.contains("Access denied for user 'comet'") && refused.contains("--mysql"), "{refused}");
    assert!(refusal(&import("mysql://comet@localhost")).contains("names no database"));
    assert!(refusal(&import("http://comet@localhost/comet")).contains("no address of a MySQL"));
    mariadb.run("DROP TABLE comet.users_data");
    let end = import(&url(&mariadb, "of the database"));
    assert!(refusal(&end).contains("has no table `users_data`"), "{}", end.stderr);
    let end = home.run(&["import", "--ini", "absent.ini"]);
    assert!(refusal(&end).contains("absent.ini: No such file"), "{}", end.stderr);
    let end = home.run(&["import", "--ini", "comet.ini", "absent.redb"]);
    assert!(end.stderr.contains("cannot be used with"), "{}", end.stderr);
    assert!(!home.data().exists());
}
