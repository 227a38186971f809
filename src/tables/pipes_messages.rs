//! `pipes_messages`: INSERT publishes, SELECT reads what is kept, DELETE makes holes in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::checks::{event, message, pipe_name, present};
use super::errors::{not_implemented, read_only};
use super::insert::row_place;
use super::table::{Domain, Insertion, Row, Scan, Table, TableColumn, Verb};
use super::{ColumnKind, Done, SqlError, Value};
use crate::node::{PageMax, Publish, Since};
use crate::pipe::{Delivery, MessageId, Pipe, PipeName};

/// What is read of a history at a time.
const PAGE: PageMax = PageMax { messages: 1_000, bytes: 256 * 1_024 };

/// Most pipes whose names are read at a time.
const PAGE_PIPES: usize = 1_000;

pub(super) struct PipesMessages;

const NAME: usize = 2;
const EVENT: usize = 4;
const MESSAGE: usize = 5;

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
    TableColumn::new("uuid", ColumnKind::ShortText, "varchar(36)", "The same as id").invisible(),
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
            Some(names) => Names::Named(names.into_iter()),
            None => Names::Kept { page: Vec::new().into_iter(), after: None, ended: false },
        };
        Box::new(History { domain: domain.clone(), names: pipes, current: None })
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

    /// Publishes. Transactions, IGNORE, REPLACE and ON DUPLICATE KEY UPDATE change nothing of that: no two
    /// messages are duplicates.
    async fn insert(&self, domain: &Domain, insertion: Insertion<'_>) -> Result<Done, SqlError> {
        let count = insertion.rows.len();
        let bytes_max = insertion.context.message_bytes_max;
        let mut batch = Vec::with_capacity(count);
        for (index, row) in insertion.rows.into_iter().enumerate() {
            batch.push(publish_of(row, domain, bytes_max, &row_place(index, count))?);
        }
        let published = domain.node.publish(batch).await?;
        let info = if count > 1 { format!("Records: {count}  Duplicates: 0  Warnings: 0") } else { String::new() };
        Ok(Done {
            affected: count as u64,
            insert_id: published.first().map_or(0, |published| published.position.index),
            info,
        })
    }

    fn delete_wants(&self) -> &'static [&'static str] {
        &["name", "position"]
    }

    async fn delete(&self, domain: &Domain, rows: Vec<Row>) -> Result<u64, SqlError> {
        let mut indexes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for row in rows {
            if let [Value::Text(name), Value::Text(position)] = row.as_slice()
                && let Some(index) = index_of(position)
            {
                indexes.entry(name.clone()).or_default().push(index);
            }
        }
        let mut erased = 0;
        for (name, indexes) in indexes {
            if let Ok(name) = PipeName::for_subscription(&name) {
                erased += domain.node.erase(&Pipe::Named(domain.tenant, name), &indexes).await?;
            }
        }
        Ok(erased)
    }
}

/// One row as a message: required fields first, then the name, the event, the length.
fn publish_of(
    mut row: Vec<Option<Value>>,
    domain: &Domain,
    bytes_max: usize,
    place: &str,
) -> Result<Publish, SqlError> {
    let name = present(row[NAME].take(), "name", place)?;
    let event_name = present(row[EVENT].take(), "event", place)?;
    let text = present(row[MESSAGE].take(), "message", place)?;
    Ok(Publish {
        pipe: Pipe::Named(domain.tenant, pipe_name(&name, place)?),
        id: MessageId::new(),
        event: event(&event_name, place)?,
        message: message(text, bytes_max, place)?,
        user: None,
        origin: None,
        sender_listens: false,
    })
}

/// The histories of pipes, one after the other, each oldest first.
struct History {
    domain: Domain,
    names: Names,
    current: Option<Current>,
}

/// Whose histories.
enum Names {
    /// Names as a statement wrote them; what cannot be a pipe is passed over.
    Named(std::vec::IntoIter<String>),
    /// All pipes of the tenant that keep something.
    Kept { page: std::vec::IntoIter<PipeName>, after: Option<PipeName>, ended: bool },
}

/// The pipe that is being read.
struct Current {
    pipe: Pipe,
    since: Since,
    /// How many of its messages have been read: the next one's running number.
    read: i64,
}

#[async_trait]
impl Scan for History {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => match self.next_name().await? {
                Some(name) => Current { pipe: Pipe::Named(self.domain.tenant, name), since: Since::Beginning, read: 0 },
                None => return Ok(None),
            },
        };
        let page = self.domain.node.history(&current.pipe, current.since, PAGE).await?;
        let rows = page
            .messages
            .iter()
            .map(|delivery| {
                current.read += 1;
                row_of(delivery, current.read - 1)
            })
            .collect();
        if let Some(last) = page.messages.last()
            && page.more
        {
            current.since = Since::After(last.position.index);
            self.current = Some(current);
        }
        Ok(Some(rows))
    }
}

impl History {
    async fn next_name(&mut self) -> Result<Option<PipeName>, SqlError> {
        match &mut self.names {
            Names::Named(names) => Ok(names.find_map(|name| PipeName::for_subscription(&name).ok())),
            Names::Kept { page, after, ended } => {
                if let Some(name) = page.next() {
                    return Ok(Some(name));
                }
                if *ended {
                    return Ok(None);
                }
                let names = self.domain.node.kept(self.domain.tenant, after.as_ref(), PAGE_PIPES).await?;
                *ended = names.len() < PAGE_PIPES;
                *after = names.last().cloned();
                *page = names.into_iter();
                Ok(page.next())
            }
        }
    }
}

fn row_of(delivery: &Arc<Delivery>, index: i64) -> Row {
    let id = delivery.id.to_string();
    let position = delivery.position;
    vec![
        Value::Text(id.clone()),
        Value::Integer(i64::try_from(delivery.sent_at.seconds()).unwrap_or(i64::MAX)),
        Value::Text(delivery.pipe.shown_name().to_owned()),
        Value::Integer(index),
        Value::Text(delivery.event.as_str().to_owned()),
        Value::Text(delivery.message.as_str().to_owned()),
        Value::Integer(delivery.user.map_or(0, |user| i64::from(user.number()))),
        Value::Text(format!("{}-{}", position.epoch, position.index)),
        Value::Text(id),
    ]
}

/// The index in the text of a position, `epoch-index`.
fn index_of(position: &str) -> Option<u64> {
    position.split_once('-')?.1.parse().ok()
}
