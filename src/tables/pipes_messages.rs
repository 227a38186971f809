//! `pipes_messages`: INSERT publishes, SELECT reads what is kept, DELETE makes holes in it.

use async_trait::async_trait;

use super::checks::pipe_name;
use super::each_pipe::{EachPipe, Kind};
use super::errors::{not_implemented, read_only};
use super::histories::{self, Histories, Layout};
use super::keyed::each_once;
use super::table::{Domain, Insertion, Row, Scan, Table, TableColumn, Verb};
use super::{ColumnKind, Done, SqlError, Value};
use crate::node::Since;
use crate::pipe::{Delivery, Pipe, PipeName};

pub(super) struct PipesMessages;

const LAYOUT: Layout = Layout {
    to: "name",
    to_index: 2,
    event_index: 4,
    message_index: 5,
    uuid_index: 8,
    pipe: |domain, name, place| Ok(Pipe::Named(domain.tenant, pipe_name(name, place)?)),
};

static COLUMNS: [TableColumn; 9] = [
    TableColumn::new("id", ColumnKind::ShortText, "varchar(36)", "UUID of the message").primary().default("''"),
    TableColumn::new("time", ColumnKind::Integer, "bigint(20)", "Unix time in seconds").default("0"),
    TableColumn::new("name", ColumnKind::ShortText, "varchar(64)", "Name of the pipe").indexed().default("''"),
    TableColumn::new(
        "index",
        ColumnKind::Integer,
        "bigint(20)",
        "Running number in what its pipe keeps, the oldest is 0",
    )
    .default("0"),
    TableColumn::new("event", ColumnKind::ShortText, "varchar(64)", "Name of the event").default("''"),
    TableColumn::new("message", ColumnKind::LongText, "text", "Text of the message").comet_strings(),
    TableColumn::new("user_id", ColumnKind::Integer, "bigint(20)", "User that sent it, 0 for a backend").default("0"),
    TableColumn::new("position", ColumnKind::ShortText, "varchar(41)", "Epoch and index of the message in its pipe")
        .invisible(),
    TableColumn::new(
        "uuid",
        ColumnKind::ShortText,
        "varchar(36)",
        "The same as id; given to INSERT, it makes it repeatable",
    )
    .invisible(),
];

#[async_trait]
impl Table for PipesMessages {
    fn name(&self) -> &'static str {
        "pipes_messages"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "INSERT publishes to the subscribers of a pipe; SELECT reads what the pipe keeps"
    }

    fn key(&self) -> &'static str {
        "name"
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        let pipes = match keys {
            // What cannot be a pipe is passed over.
            Some(names) => {
                let names = names.iter().filter_map(|name| PipeName::for_subscription(name).ok());
                EachPipe::named(domain, each_once(names.map(|name| Pipe::Named(domain.tenant, name))))
            }
            None => EachPipe::of(domain, Kind::Kept),
        };
        Box::new(Histories::new(domain, pipes, Since::Beginning, row_of))
    }

    fn refusal(&self, verb: Verb) -> Option<SqlError> {
        match verb {
            Verb::Insert | Verb::Delete => None,
            Verb::Update => Some(read_only(
                "Table `pipes_messages` is read only for UPDATE: what was published has been delivered; publish again with INSERT",
            )),
            Verb::Truncate => Some(not_implemented(
                "TRUNCATE of `pipes_messages` is not implemented: DELETE FROM pipes_messages WHERE name = '…' clears one pipe",
            )),
        }
    }

    async fn insert(&self, domain: &Domain, insertion: Insertion<'_>) -> Result<Done, SqlError> {
        histories::publish(domain, insertion, &LAYOUT).await
    }

    fn delete_wants(&self) -> &'static [&'static str] {
        &["name", "position"]
    }

    async fn delete(&self, domain: &Domain, rows: Vec<Row>) -> Result<u64, SqlError> {
        histories::erase(domain, rows, &LAYOUT).await
    }
}

fn row_of(delivery: &Delivery, index: i64) -> Row {
    let id = delivery.id.to_string();
    vec![
        Value::Text(id.clone()),
        histories::sent_at(delivery),
        Value::Text(delivery.pipe.shown_name().to_owned()),
        Value::Integer(index),
        Value::Text(delivery.event.as_str().to_owned()),
        Value::Text(delivery.message.as_str().to_owned()),
        Value::Integer(delivery.user.map_or(0, |user| i64::from(user.number()))),
        histories::position_text(delivery.position),
        Value::Text(id),
    ]
}
