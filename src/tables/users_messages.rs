//! `users_messages`: private messages. INSERT sends one to every device of a user, SELECT reads what no device has
//! taken yet, DELETE takes it back.

use async_trait::async_trait;

use super::each_pipe::{EachPipe, Kind};
use super::errors::{not_implemented, read_only};
use super::histories::{self, Histories, Layout};
use super::keyed::each_once;
use super::table::{Domain, Insertion, Row, Scan, Table, TableColumn, Verb};
use super::{ColumnKind, Done, SqlError, Value, user_id};
use crate::node::Since;
use crate::pipe::{Delivery, Pipe};

pub(super) struct UsersMessages;

const LAYOUT: Layout = Layout {
    to: "id",
    to_index: 0,
    event_index: 2,
    message_index: 3,
    uuid_index: 5,
    pipe: |domain, id, place| Ok(Pipe::Log(domain.tenant, user_id::given(id, place)?)),
};

static COLUMNS: [TableColumn; 7] = [
    user_id::column().indexed(),
    TableColumn::new(
        "index",
        ColumnKind::Integer,
        "bigint(20)",
        "Running number in what the user has not taken, the oldest is 0",
    )
    .default("0"),
    TableColumn::new("event", ColumnKind::ShortText, "varchar(64)", "Name of the event").default("''"),
    TableColumn::new("message", ColumnKind::LongText, "text", "Text of the message").comet_strings(),
    TableColumn::new("position", ColumnKind::ShortText, "varchar(41)", "Epoch and index of the message in its log")
        .invisible(),
    TableColumn::new(
        "uuid",
        ColumnKind::ShortText,
        "varchar(36)",
        "UUID of the message; given to INSERT, it makes it repeatable",
    )
    .invisible(),
    TableColumn::new("time", ColumnKind::Integer, "bigint(20)", "Unix time in seconds").invisible(),
];

#[async_trait]
impl Table for UsersMessages {
    fn name(&self) -> &'static str {
        "users_messages"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "INSERT sends a message to one user; SELECT reads what the user has not taken yet"
    }

    fn key(&self) -> &'static str {
        "id"
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        let logs = match keys {
            Some(ids) => {
                let users = ids.iter().filter_map(|id| user_id::named(id));
                EachPipe::named(domain, each_once(users.map(|user| Pipe::Log(domain.tenant, user))))
            }
            None => EachPipe::of(domain, Kind::Logs),
        };
        Box::new(Histories::new(domain, logs, Since::Untaken, row_of))
    }

    fn refusal(&self, verb: Verb) -> Option<SqlError> {
        match verb {
            Verb::Insert | Verb::Delete => None,
            Verb::Update => Some(read_only(
                "Table `users_messages` is read only for UPDATE: DELETE the message and INSERT the other one",
            )),
            Verb::Truncate => Some(not_implemented(
                "TRUNCATE of `users_messages` is not implemented: DELETE FROM users_messages WHERE id = … clears one user",
            )),
        }
    }

    async fn insert(&self, domain: &Domain, insertion: Insertion<'_>) -> Result<Done, SqlError> {
        histories::publish(domain, insertion, &LAYOUT).await
    }

    fn delete_wants(&self) -> &'static [&'static str] {
        &["id", "position"]
    }

    async fn delete(&self, domain: &Domain, rows: Vec<Row>) -> Result<u64, SqlError> {
        histories::erase(domain, rows, &LAYOUT).await
    }
}

fn row_of(delivery: &Delivery, index: i64) -> Row {
    let id = match &delivery.pipe {
        Pipe::Log(_, user) => user_id::value(*user),
        Pipe::Named(..) => Value::Null,
    };
    vec![
        id,
        Value::Integer(index),
        Value::Text(delivery.event.as_str().to_owned()),
        Value::Text(delivery.message.as_str().to_owned()),
        histories::position_text(delivery.position),
        Value::Text(delivery.id.to_string()),
        histories::sent_at(delivery),
    ]
}
