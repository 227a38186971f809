//! What tables of messages share: INSERT publishes, SELECT reads one history after the other, DELETE makes holes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::checks::{event, message, message_id, present};
use super::each_pipe::EachPipe;
use super::insert::row_place;
use super::table::{Domain, Insertion, Row, Scan};
use super::value::text_of;
use super::{Done, SqlError, Value};
use crate::node::{PageMax, Publish, Since};
use crate::pipe::{Delivery, Pipe, Position};

/// What is read of a history at a time.
const PAGE: PageMax = PageMax { messages: 1_000, bytes: 256 * 1_024 };

/// Where the columns of a message stand in a table, and what its first one names.
pub(super) struct Layout {
    /// The column that says where the message goes.
    pub to: &'static str,
    pub to_index: usize,
    pub event_index: usize,
    pub message_index: usize,
    pub uuid_index: usize,
    /// What a value of `to` names; the second text says in which row it stands.
    pub pipe: fn(&Domain, &str, &str) -> Result<Pipe, SqlError>,
}

/// Publishes all rows as one batch: all of them or none. Transactions, IGNORE, REPLACE and ON DUPLICATE KEY UPDATE
/// change nothing of that. Two messages are the same only by a `uuid` that was given: of a statement that is said once
/// more nothing is published twice, and it is answered as it was the first time.
pub(super) async fn publish(domain: &Domain, insertion: Insertion<'_>, layout: &Layout) -> Result<Done, SqlError> {
    let count = insertion.rows.len();
    let bytes_max = insertion.context.message_bytes_max;
    let mut batch = Vec::with_capacity(count);
    for (index, row) in insertion.rows.into_iter().enumerate() {
        batch.push(publish_of(row, domain, layout, bytes_max, &row_place(index, count))?);
    }
    let published = domain.node.publish(batch).await?;
    let repeats = published.iter().filter(|published| published.is_repeat).count();
    let info = match (count, repeats) {
        (1, 0) => String::new(),
        _ => format!("Records: {count}  Duplicates: {repeats}  Warnings: 0"),
    };
    Ok(Done {
        affected: count as u64,
        insert_id: published.first().map_or(0, |published| published.position.index),
        info,
    })
}

/// One row as a message: required fields first, then where it goes, the event, the length.
fn publish_of(
    mut row: Vec<Option<Value>>,
    domain: &Domain,
    layout: &Layout,
    bytes_max: usize,
    place: &str,
) -> Result<Publish, SqlError> {
    let to = present(row[layout.to_index].take(), layout.to, place)?;
    let event_name = present(row[layout.event_index].take(), "event", place)?;
    let text = present(row[layout.message_index].take(), "message", place)?;
    let chosen = message_id(row[layout.uuid_index].as_ref(), place)?;
    Ok(Publish {
        pipe: (layout.pipe)(domain, &to, place)?,
        id: chosen.unwrap_or_default(),
        id_is_chosen: chosen.is_some(),
        event: event(&event_name, place)?,
        message: message(text, bytes_max, place)?,
        user: None,
        origin: None,
        sender_listens: false,
    })
}

/// Erases rows that have [`Layout::to`] and then the position.
pub(super) async fn erase(domain: &Domain, rows: Vec<Row>, layout: &Layout) -> Result<u64, SqlError> {
    let mut indexes: BTreeMap<Pipe, Vec<u64>> = BTreeMap::new();
    for row in rows {
        if let [to, Value::Text(position)] = row.as_slice()
            && let Some(to) = text_of(to)
            && let Some(index) = index_of(position)
        {
            indexes.entry((layout.pipe)(domain, &to, "")?).or_default().push(index);
        }
    }
    let mut erased = 0;
    for (pipe, indexes) in indexes {
        erased += domain.node.erase(&pipe, &indexes).await?;
    }
    Ok(erased)
}

/// The text of a position, as browsers know it.
pub(super) fn position_text(position: Position) -> Value {
    Value::Text(format!("{}-{}", position.epoch, position.index))
}

/// The index in the text of a position, `epoch-index`.
fn index_of(position: &str) -> Option<u64> {
    position.split_once('-')?.1.parse().ok()
}

/// Unix time in seconds.
pub(super) fn sent_at(delivery: &Delivery) -> Value {
    Value::Integer(i64::try_from(delivery.sent_at.seconds()).unwrap_or(i64::MAX))
}

/// The histories of pipes, one after the other, each oldest first.
pub(super) struct Histories {
    pub pipes: EachPipe,
    /// Where each begins.
    pub since: Since,
    /// A message and its running number in its history.
    pub row: fn(&Delivery, i64) -> Row,
    pub domain: Domain,
    current: Option<Current>,
}

/// The pipe that is being read.
struct Current {
    pipe: Pipe,
    since: Since,
    /// How many of its messages have been read: the next one's running number.
    read: i64,
}

impl Histories {
    pub fn new(domain: &Domain, pipes: EachPipe, since: Since, row: fn(&Delivery, i64) -> Row) -> Histories {
        Histories { pipes, since, row, domain: domain.clone(), current: None }
    }
}

#[async_trait]
impl Scan for Histories {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => match self.pipes.next().await? {
                Some(pipe) => Current { pipe, since: self.since, read: 0 },
                None => return Ok(None),
            },
        };
        let page = self.domain.node.history(&current.pipe, current.since, PAGE).await?;
        let numbered = page.messages.iter().zip(current.read..);
        let rows: Vec<Row> = numbered.map(|(delivery, index)| (self.row)(Arc::as_ref(delivery), index)).collect();
        current.read += rows.len() as i64;
        if let Some(last) = page.messages.last()
            && page.more
        {
            current.since = Since::After(last.position.index);
            self.current = Some(current);
        }
        Ok(Some(rows))
    }
}
