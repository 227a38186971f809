//! What is asked of every client, with sqlx: publish, query, batch, reset, be refused.
//!
//!     with_sqlx <host> <port> <password> <pipe>
//!
//! The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
//! the program.

use std::fmt::Debug;

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlPool, MySqlPoolOptions};
use sqlx::{Connection, Error, Executor, MySql, QueryBuilder};

/// As tests/matrix.rs hears it.
const EVENT: &str = "published";
const TEXT: &str = r#"{"text":"it's \"quoted\", a \\ and 😀"}"#;
const INSERT: &str = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)";
const SELECT: &str = "SELECT name, event, message FROM pipes_messages WHERE name = ?";
/// What is refused, and the number that says why.
const REFUSED: [(&str, u16, &str); 3] = [
    ("a table that is not there", 15, "INSERT INTO no_such_table (name) VALUES ('x')"),
    ("a bad name", 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"),
    ("a syntax error", 3, "INSERT INTO pipes_messages (name, event"),
];

type Row = (String, String, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let given: Vec<String> = std::env::args().collect();
    let [_, host, port, password, pipe] = given.as_slice() else { panic!("host, port, password, pipe") };
    let options = |password: &str| {
        let options = MySqlConnectOptions::new().host(host).port(port.parse().expect("a port"));
        options.username("root").password(password).database("CometQL_v1")
    };
    let one = MySqlPoolOptions::new().max_connections(1);
    refused("a wrong password", 1045, one.clone().connect_with(options("wrong")).await.map(|_| ()));

    let db = one.connect_with(options(password)).await?;
    let row = |event: &str, text: &str| (pipe.clone(), event.to_owned(), text.to_owned());
    let done = sqlx::query(INSERT).bind(pipe).bind(EVENT).bind(TEXT).execute(&db).await?;
    same("publish", "one row is affected", done.rows_affected(), 1);
    same("query", "the row is read as it was written", kept(&db, pipe).await?, vec![row(EVENT, TEXT)]);

    let batch = ["one", "two", "three"];
    let mut transaction = db.begin().await?;
    let mut insert = QueryBuilder::<MySql>::new("INSERT INTO pipes_messages (name, event, message) ");
    insert.push_values(batch, |mut values, text| {
        values.push_bind(pipe).push_bind("batch").push_bind(text);
    });
    same("batch", "three rows in one statement", insert.build().execute(&mut *transaction).await?.rows_affected(), 3);
    transaction.commit().await?;
    let all: Vec<Row> = [row(EVENT, TEXT)].into_iter().chain(batch.map(|text| row("batch", text))).collect();
    same("batch", "three rows more, in a transaction", kept(&db, pipe).await?, all);

    for (what, number, statement) in REFUSED {
        refused(what, number, db.execute(statement).await.map(|_| ()));
    }
    let prepared = sqlx::query(INSERT).bind("a b").bind("e").bind("m").execute(&db).await;
    refused("a bad name, prepared", 12, prepared.map(|_| ()));

    let before = connection(&db).await?;
    same("reset", "the pool lends it again", connection(&db).await?, before);
    db.acquire().await?.ping().await?;
    same("reset", "ping", connection(&db).await?, before);
    db.close().await;
    Ok(())
}

async fn kept(db: &MySqlPool, pipe: &str) -> Result<Vec<Row>, Error> {
    sqlx::query_as(SELECT).bind(pipe).fetch_all(db).await
}

async fn connection(db: &MySqlPool) -> Result<u64, Error> {
    sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(db).await
}

fn refused(what: &str, number: u16, done: Result<(), Error>) {
    let error = done.err().unwrap_or_else(|| panic!("not ok refuse: {what} is allowed"));
    let refusal = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    same("refuse", &format!("{what}: {number}"), refusal.map(MySqlDatabaseError::number), Some(number));
}

fn same<T: PartialEq + Debug>(duty: &str, what: &str, seen: T, wanted: T) {
    assert!(seen == wanted, "not ok {duty}: {what}: {seen:?}, where {wanted:?} is right");
    println!("ok {duty}: {what}");
}
