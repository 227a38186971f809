//! What a SQL client's session remembers, and how answers are read. The tables themselves are told in `sql/`.
#![allow(clippy::unwrap_used, clippy::panic)]

// Nobody moves the clock here, and nobody is sent away.
#[allow(dead_code)]
#[path = "world/clock.rs"]
mod clock;
#[allow(dead_code)]
#[path = "world/shard.rs"]
mod shard;
#[allow(dead_code)]
#[path = "world/tables.rs"]
mod world;

use cometql::cometql::{Dialect, prepare};
use cometql::tables::{ColumnKind, Reply, Value};
use world::{code, rows, run, text, world};

const PUBLISH: &str = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)";

#[tokio::test]
async fn what_is_inserted_is_heard_before_the_ok() {
    let world = world().await;
    let mut caller = world.caller("root", None).unwrap();
    assert_eq!(
        code(
            &mut caller,
            "INSERT INTO pipes_messages VALUES (1,2,'chat',4,'e','one',7), (1,2,'chat',4,'e','two',7)",
            &[]
        )
        .await,
        0
    );
    assert_eq!(world.heard(), [(0, "one".to_owned()), (0, "two".to_owned())]);
}

#[tokio::test]
async fn one_bad_row_keeps_the_good_ones_from_being_published() {
    let world = world().await;
    let mut caller = world.caller("root", None).unwrap();
    let statement =
        "INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'e', 'good'), ('chat', 'e', NULL)";
    assert_eq!(code(&mut caller, statement, &[]).await, 12);
    assert_eq!(world.heard(), []);
}

#[tokio::test]
async fn a_parameter_is_published_as_it_is() {
    let world = world().await;
    let mut caller = world.caller("root", None).unwrap();
    let raw = r#"{"u":"\u043f","it":"it''s \\ \'"}"#;
    assert_eq!(code(&mut caller, PUBLISH, &[text("chat"), text("e"), text(raw)]).await, 0);
    assert_eq!(code(&mut caller, PUBLISH, &[text("chat"), text("e"), Value::Integer(5)]).await, 0);
    assert_eq!(world.heard(), [(0, raw.to_owned()), (0, "5".to_owned())]);
    assert_eq!(code(&mut caller, PUBLISH, &[text("chat"), text("e")]).await, 1210);
    assert_eq!(code(&mut caller, PUBLISH, &[text("chat"), text("e"), text("m"), text("more")]).await, 1210);
    assert_eq!(code(&mut caller, PUBLISH, &[text("chat"), text("e"), text(&"m".repeat(1_024 * 1_024 + 1))]).await, 11);
}

#[tokio::test]
async fn only_root_reaches_the_pipes_of_another_tenant() {
    let world = world().await;
    let mut root = world.caller("root", Some("cometql_V1")).unwrap();
    assert_eq!(code(&mut root, "USE db_5", &[]).await, 0);
    assert_eq!(code(&mut root, PUBLISH, &[text("chat"), text("e"), text("to five")]).await, 0);
    root.reset();
    assert_eq!(code(&mut root, PUBLISH, &[text("chat"), text("e"), text("still five")]).await, 0);
    assert_eq!(code(&mut root, "USE db_0", &[]).await, 0);
    assert_eq!(code(&mut root, PUBLISH, &[text("chat"), text("e"), text("to root")]).await, 0);
    let mut five = world.caller("5", Some("db_5")).unwrap();
    assert_eq!(code(&mut five, "USE db_0", &[]).await, 1044);
    assert_eq!(code(&mut five, PUBLISH, &[text("chat"), text("e"), text("from five")]).await, 0);
    let heard = [(5, "to five"), (5, "still five"), (0, "to root"), (5, "from five")];
    assert_eq!(world.heard(), heard.map(|(tenant, text)| (tenant, text.to_owned())));
    assert_eq!(world.caller("5", Some("db_6")).err().map(|error| error.code), Some(1044));
    assert_eq!(world.caller("5", Some("shop")).err().map(|error| (error.code, error.state)), Some((1049, "42000")));
}

#[tokio::test]
async fn a_session_knows_its_transaction_and_forgets_it_when_reset() {
    let world = world().await;
    let mut caller = world.caller("root", None).unwrap();
    assert!(caller.autocommit() && !caller.in_transaction() && caller.dialect().backslash_escapes);
    let steps = [
        ("BEGIN", true, true),
        ("SAVEPOINT a", true, true),
        ("COMMIT", true, false),
        ("SET autocommit = 0", false, false),
        ("SELECT 1", false, false),
        ("INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'e', 'm')", false, true),
        ("ROLLBACK", false, false),
        ("START TRANSACTION", false, true),
        ("SET @@session.autocommit = 1", true, false),
    ];
    for (statement, autocommit, in_transaction) in steps {
        assert_eq!(code(&mut caller, statement, &[]).await, 0, "{statement}");
        assert_eq!((caller.autocommit(), caller.in_transaction()), (autocommit, in_transaction), "{statement}");
    }
    assert_eq!(code(&mut caller, "SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES', autocommit = OFF", &[]).await, 0);
    assert!(!caller.dialect().backslash_escapes && !caller.autocommit());
    caller.reset();
    assert!(caller.dialect().backslash_escapes && caller.autocommit());
}

#[tokio::test]
async fn the_last_statement_can_be_asked_about() {
    let world = world().await;
    let mut caller = world.caller("1", None).unwrap();
    let publish = "INSERT INTO pipes_messages (name, event, message) VALUES ('talk', 'e', 'a'), ('talk', 'e', 'b')";
    assert_eq!(code(&mut caller, publish, &[]).await, 0);
    assert_eq!(rows(&mut caller, "SELECT ROW_COUNT(), DATABASE()", &[]).await, [[Value::Integer(2), Value::Null]]);
    assert_eq!(
        rows(&mut caller, "SELECT LAST_INSERT_ID(), ROW_COUNT()", &[]).await,
        [[Value::Unsigned(1), Value::Integer(-1)]]
    );
}

#[tokio::test]
async fn a_long_history_comes_page_by_page_and_in_order() {
    let world = world().await;
    let mut caller = world.caller("root", None).unwrap();
    assert_eq!(code(&mut caller, "INSERT INTO pipes_settings VALUES ('chat', 1000), ('talk', 1000)", &[]).await, 0);
    let big = "m".repeat(2_000);
    for name in ["chat", "talk"] {
        for number in 0..300 {
            assert_eq!(code(&mut caller, PUBLISH, &[text(name), text("e"), text(&format!("{number} {big}"))]).await, 0);
        }
    }
    let Ok(Reply::Rows(first)) = run(&mut caller, "SELECT * FROM pipes_messages", &[]).await else { panic!("no rows") };
    assert!(first.rows.len() < 200, "a page has at most 256 KiB");
    let all = rows(&mut caller, "SELECT name, message, `index` FROM pipes_messages", &[]).await;
    assert_eq!(all.len(), 600);
    for (place, row) in all.iter().enumerate() {
        let (name, number) = (if place < 300 { "chat" } else { "talk" }, place % 300);
        let index = Value::Integer(i64::try_from(number).unwrap());
        assert_eq!(*row, [text(name), text(&format!("{number} {big}")), index]);
    }
    let some = rows(
        &mut caller,
        "SELECT `index` FROM pipes_messages WHERE name = ? LIMIT ? OFFSET ?",
        &[text("talk"), Value::Integer(2), Value::Integer(250)],
    )
    .await;
    assert_eq!(some, [[Value::Integer(250)], [Value::Integer(251)]]);
    let deleted =
        run(&mut caller, "DELETE FROM pipes_messages WHERE message LIKE '29%' ORDER BY `index` DESC LIMIT 3", &[])
            .await;
    let Ok(Reply::Done(deleted)) = deleted else { panic!("not deleted") };
    assert_eq!(deleted.affected, 3);
    assert_eq!(rows(&mut caller, "SELECT COUNT(*) FROM pipes_messages", &[]).await, [[Value::Integer(597)]]);
}

#[tokio::test]
async fn a_statement_is_prepared_with_the_columns_it_will_have() {
    let world = world().await;
    let caller = world.caller("root", None).unwrap();
    let statement =
        "SELECT name AS n, `index`, COUNT(*), ?, (SELECT users FROM pipes WHERE name = ?) AS u FROM pipes_messages";
    let (statement, parameters) = prepare(statement, Dialect::default()).unwrap();
    assert_eq!(parameters, 2);
    let columns: Vec<(String, String, ColumnKind)> = caller
        .columns(&statement)
        .unwrap()
        .into_iter()
        .map(|column| (column.name, column.original_name, column.kind))
        .collect();
    let wanted = [
        ("n", "name", ColumnKind::ShortText),
        ("index", "index", ColumnKind::Integer),
        ("COUNT(*)", "", ColumnKind::Integer),
        ("?", "", ColumnKind::ShortText),
        ("u", "", ColumnKind::Integer),
    ];
    assert_eq!(columns, wanted.map(|(name, original, kind)| (name.to_owned(), original.to_owned(), kind)));
    let (insert, _) = prepare(PUBLISH, Dialect::default()).unwrap();
    assert_eq!(caller.columns(&insert), Ok(Vec::new()));
}
