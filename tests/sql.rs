//! Replays the conversations in `sql/`. Each is the reference of a table: statements, and behind each the answer.
//!
//! * A statement ends with `;` at the end of a line. A line that begins with `#` is for the reader.
//! * The answer is the lines behind it that begin with `-- `:
//!   - `-- OK, 2 rows affected, insert id 7, Records: 2  Duplicates: 0  Warnings: 0` (what is 0 or empty is left out),
//!   - the names of the columns with ` | ` between them, the rows in the same way, and `-- 1 row`,
//!   - `-- ERROR 12 (HY000): text`.
//! * `NULL` is NULL, and a line break in a value is `\n`.
//! * `<uuid>` stands for any UUID, `<number>` for any digits, `<word>` for anything without blanks.
//!
//! `mysql --force --table < sql/pipes_messages.sql` runs one against a server. When an answer differs, the test
//! prints the conversation as it went.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

// Nobody moves the clock here.
#[allow(dead_code)]
#[path = "world/clock.rs"]
mod clock;
// Nobody asks here who was sent away.
#[allow(dead_code)]
#[path = "world/shard.rs"]
mod shard;

use std::sync::Arc;
use std::time::Duration;

use clock::StillClock;
use cometql::clock::UnixMillis;
use cometql::cometql::prepare;
use cometql::node::{Config, EarId, Node, Record};
use cometql::pipe::{Pipe, PipeName};
use cometql::status::Status;
use cometql::store::{Ear, Store, embedded};
use cometql::tables::{Caller, Login, Reply, Rows, Value};
use cometql::user::{TenantId, UserId};
use shard::{StillShard, connected, present};

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn users_auth_says_what_each_user_logs_in_with() {
    replay("users_auth", include_str!("../sql/users_auth.sql"));
}

#[test]
fn users_data_keeps_a_text_about_each_user() {
    replay("users_data", include_str!("../sql/users_data.sql"));
}

#[test]
fn users_time_says_when_users_were_here() {
    replay("users_time", include_str!("../sql/users_time.sql"));
}

#[test]
fn users_messages_reach_one_user() {
    replay("users_messages", include_str!("../sql/users_messages.sql"));
}

#[test]
fn users_in_pipes_says_who_listens_where() {
    replay("users_in_pipes", include_str!("../sql/users_in_pipes.sql"));
}

#[test]
fn revoked_tokens_log_in_nobody() {
    replay("revoked_tokens", include_str!("../sql/revoked_tokens.sql"));
}

#[test]
fn profiler_says_what_was_counted() {
    replay("profiler", include_str!("../sql/profiler.sql"));
}

#[test]
fn pipes_messages_publishes_and_remembers() {
    replay("pipes_messages", include_str!("../sql/pipes_messages.sql"));
}

#[test]
fn pipes_settings_says_how_much_a_pipe_keeps() {
    replay("pipes_settings", include_str!("../sql/pipes_settings.sql"));
}

#[test]
fn pipes_says_who_listens_where() {
    replay("pipes", include_str!("../sql/pipes.sql"));
}

#[test]
fn the_catalog_answers_what_clients_ask_about_the_server() {
    replay("catalog", include_str!("../sql/catalog.sql"));
}

/// Once with a store in memory, once with one on disk.
fn replay(name: &str, conversation: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        let held = async { tokio::time::timeout(DEADLINE, hold(conversation, directory.as_ref())).await };
        let went = runtime.block_on(held).expect("the conversation ends before the deadline");
        compare(name, conversation, &went);
    }
}

/// The conversation as it goes: the statements of the file, each with the answer it gets.
async fn hold(conversation: &str, directory: Option<&tempfile::TempDir>) -> String {
    let node = node(directory).await;
    let login = Login {
        connection_id: 7,
        user: "root".to_owned(),
        host: "localhost".to_owned(),
        tenant: TenantId::ROOT,
        database: Some("CometQL_v1".to_owned()),
    };
    let mut caller = Caller::new(node, login).unwrap();
    let (mut went, mut statement) = (String::new(), String::new());
    for line in conversation.lines().filter(|line| !line.starts_with("-- ")) {
        went.push_str(line);
        went.push('\n');
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        statement.push_str(line);
        if !line.trim_end().ends_with(';') {
            statement.push('\n');
            continue;
        }
        for line in answer(&mut caller, &statement).await {
            went.push_str(&format!("-- {}\n", line.replace('\n', "\\n")));
        }
        statement.clear();
    }
    assert_eq!(statement, "", "the last statement ends");
    went
}

/// A node on which two connections listen to `web_chat`, one of them of user 3, and one to `news`. User 4 was here
/// before. In SHOW PROCESSLIST are two browsers, one of them of tenant 5.
async fn node(directory: Option<&tempfile::TempDir>) -> Arc<Node> {
    let clock = Arc::new(StillClock::at(1_700_000_000_000));
    let ear = Ear::new(1_024 * 1_024, Box::new(|| {}));
    let config = embedded::Config {
        directory: directory.map(|directory| directory.path().to_owned()),
        durability: embedded::Durability::Disk,
        history_bytes_max_per_pipe: 1_024 * 1_024,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let store = embedded::open(&config, vec![ear], clock.clone()).unwrap();
    let [three, four] = [3, 4].map(|number| UserId::new(number).unwrap());
    let mut here = Vec::new();
    for (slot, (name, user)) in [("web_chat", Some(three)), ("web_chat", None), ("news", None)].into_iter().enumerate()
    {
        let pipe = Pipe::Named(TenantId::ROOT, PipeName::for_subscription(name).unwrap());
        store.listen(&pipe, EarId(0)).await.unwrap();
        here.push((pipe, present(slot as u32, user)));
    }
    store.listen(&Pipe::Log(TenantId::ROOT, three), EarId(0)).await.unwrap();
    store.set_record(TenantId::ROOT, &Record::Seen(four), Some("1699999000".to_owned())).await.unwrap();
    let config = Config { message_bytes_max: 1_024, idle_seconds_max: 7_200, ..Config::with_password("secret") };
    let mut shard = StillShard::with(here);
    shard.connected = vec![connected(0, TenantId(5), None), connected(1, TenantId::ROOT, Some(three))];
    Node::new(store, clock, vec![Arc::new(shard)], config, Arc::new(Status::new()))
}

async fn answer(caller: &mut Caller, text: &str) -> Vec<String> {
    let statement = match prepare(text, caller.dialect()) {
        Ok((statement, _)) => statement,
        Err(mistake) => return vec![format!("ERROR 3 (42000): {mistake}")],
    };
    let announced = caller.columns(&statement);
    caller.client().begins("Query", text.trim_end().trim_end_matches(';'), UnixMillis(1_700_000_000_000));
    match caller.run(&statement, &[]).await {
        Err(error) => vec![format!("ERROR {} ({}): {}", error.code, error.state, error.message)],
        Ok(Reply::Done(done)) => {
            let mut line = "OK".to_owned();
            if done.affected > 0 {
                line.push_str(&format!(", {} affected", rows(done.affected as usize)));
            }
            if done.insert_id > 0 {
                line.push_str(&format!(", insert id {}", done.insert_id));
            }
            if !done.info.is_empty() {
                line.push_str(&format!(", {}", done.info));
            }
            vec![line]
        }
        Ok(Reply::Rows(reply)) => {
            assert_eq!(announced, Ok(reply.columns.clone()), "the columns that {text} was prepared with");
            table(reply).await
        }
    }
}

async fn table(reply: Rows) -> Vec<String> {
    let mut all = reply.rows;
    if let Some(mut pages) = reply.more {
        loop {
            match pages.next().await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => all.extend(page),
                Err(error) => return vec![format!("ERROR {} ({}): {}", error.code, error.state, error.message)],
            }
        }
    }
    let names: Vec<String> = reply.columns.iter().map(|column| column.name.clone()).collect();
    let mut lines = vec![names.join(" | ")];
    lines.extend(all.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>().join(" | ")));
    lines.push(rows(all.len()));
    lines
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

fn rows(count: usize) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}

fn compare(name: &str, wanted: &str, went: &str) {
    let difference = wanted.lines().zip(went.lines()).position(|(wanted, went)| !fits(wanted, went));
    let same_length = wanted.lines().count() == went.lines().count();
    if let Some(line) = difference {
        let (wanted, it_went) = (wanted.lines().nth(line).unwrap(), went.lines().nth(line).unwrap());
        panic!("sql/{name}.sql, line {}\n  is: {wanted}\nwent: {it_went}\n\nall of it:\n{went}", line + 1);
    }
    assert!(same_length, "sql/{name}.sql is longer or shorter than it went:\n{went}");
}

/// Whether a line is what the file says, with its placeholders.
fn fits(wanted: &str, went: &str) -> bool {
    let Some(start) = wanted.find('<') else { return wanted == went };
    let (before, rest) = wanted.split_at(start);
    let Some(went) = went.strip_prefix(before) else { return false };
    type Part = (&'static str, fn(char) -> bool);
    let placeholders: [Part; 3] = [
        ("<uuid>", |letter| letter.is_ascii_hexdigit() || letter == '-'),
        ("<number>", |letter| letter.is_ascii_digit()),
        ("<word>", |letter| !letter.is_whitespace()),
    ];
    for (placeholder, takes) in placeholders {
        if let Some(rest) = rest.strip_prefix(placeholder) {
            let end = went.find(|letter| !takes(letter)).unwrap_or(went.len());
            return end > 0 && fits(rest, &went[end..]);
        }
    }
    went.strip_prefix('<').is_some_and(|went| fits(&rest[1..], went))
}
