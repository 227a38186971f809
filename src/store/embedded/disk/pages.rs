//! Reading the history of a pipe, in pages; and where a pipe stands whose own record cannot be read.

use std::sync::Arc;

use redb::ReadableTable;

use super::{Disk, HEADS, HISTORY};
use crate::clock::UnixMillis;
use crate::pipe::{Pipe, Position, Retention};
use crate::store::embedded::head::Head;
use crate::store::embedded::record;
use crate::store::{Page, PageMax, Recovered, Since, StoreError};

impl Disk {
    /// Where a pipe stands that keeps messages, or may begin to. When its record cannot be read it begins a new epoch
    /// behind what its history has, so that no position comes twice.
    pub fn head_or_new(&self, pipe: &Pipe, retention: Retention) -> Head {
        let head = self
            .read(|disk| disk.head(pipe))
            .map(|head| head.unwrap_or_else(|| Head::new(pipe)))
            .unwrap_or_else(|error| {
                tracing::error!("{error}; the pipe begins a new epoch");
                self.read(|disk| disk.behind_history(pipe)).unwrap_or_else(|error| {
                    tracing::error!("{error}; the history of that pipe is not counted");
                    Head::new(pipe)
                })
            });
        Head { retention, ..head }
    }

    fn behind_history(&self, pipe: &Pipe) -> Result<Head, StoreError> {
        let table = self.engine.reading()?.open_table(HISTORY)?;
        let key = record::key_of(pipe);
        let (mut newest, mut count, mut bytes) = (0, 0, 0);
        for entry in table.range((key.as_slice(), 0)..=(key.as_slice(), u64::MAX))? {
            let (place, record) = entry?;
            (newest, count, bytes) = (place.value().1, count + 1, bytes + record.value().len() as u64);
        }
        Ok(Head::behind(pipe, newest, count, bytes))
    }

    /// A page of history, without what was sent before `oldest`, up to where `head` says the pipe stands: what has
    /// been written since is still to be announced.
    pub fn history(
        &self,
        pipe: &Pipe,
        since: Since,
        max: PageMax,
        oldest: UnixMillis,
        head: &Head,
    ) -> Result<Page, StoreError> {
        let table = self.engine.reading()?.open_table(HISTORY)?;
        let key = record::key_of(pipe);
        let key = key.as_slice();
        let low = match since {
            Since::Beginning => 0,
            Since::After(index) => index.saturating_add(1),
            Since::Untaken => head.taken.saturating_add(1),
            Since::Newest(0) => return Ok(Page { messages: Vec::new(), up_to: head.position, more: false }),
            Since::Newest(count) => match table.range((key, 0)..=(key, head.position.index))?.rev().nth(count - 1) {
                Some(entry) => entry?.0.value().1,
                None => 0,
            },
        };
        Ok(page(&table, pipe, low.max(head.first), head.position, max, oldest)?.0)
    }

    /// What is kept of a pipe behind `after`, up to where it stands at `position`. `None` when the pipe keeps nothing
    /// any more. The record of the head and the history are of one moment, so that nothing is trimmed in between.
    pub fn recover(
        &self,
        pipe: &Pipe,
        after: u64,
        max: PageMax,
        oldest: UnixMillis,
        position: Position,
    ) -> Result<Option<Recovered>, StoreError> {
        let moment = self.engine.reading()?;
        let (heads, history) = (moment.open_table(HEADS)?, moment.open_table(HISTORY)?);
        let key = record::key_of(pipe);
        let Some(record) = heads.get(key.as_slice())? else {
            return Ok(None);
        };
        let head = record::head_of(&key, record.value(), Retention::NOTHING)?;
        if head.position.epoch != position.epoch || after < head.floor {
            return Ok(Some(Recovered::Lost(position)));
        }
        let (page, is_aged) = page(&history, pipe, after.saturating_add(1), position, max, oldest)?;
        Ok(Some(if is_aged { Recovered::Lost(position) } else { Recovered::Page(page) }))
    }
}

/// What a pipe that stands at `position` keeps from `low` on, and whether it passed over what was sent before `oldest`.
fn page(
    history: &impl ReadableTable<(&'static [u8], u64), &'static [u8]>,
    pipe: &Pipe,
    low: u64,
    position: Position,
    max: PageMax,
    oldest: UnixMillis,
) -> Result<(Page, bool), StoreError> {
    let key = record::key_of(pipe);
    let key = key.as_slice();
    let mut page = Page { messages: Vec::new(), up_to: position, more: false };
    let (mut bytes, mut is_aged) = (0, false);
    if low > position.index {
        return Ok((page, is_aged));
    }
    for entry in history.range((key, low)..=(key, position.index))? {
        let (place, record) = entry?;
        let index = place.value().1;
        let (delivery, one) = (record::message_of(pipe, key, index, record.value())?, record.value().len());
        if delivery.sent_at < oldest {
            is_aged = true;
            continue;
        }
        if let Some(last) = page.messages.last()
            && (page.messages.len() >= max.messages || bytes + one > max.bytes)
        {
            // Its epoch may be one that is over.
            (page.up_to.index, page.more) = (last.position.index, true);
            break;
        }
        bytes += one;
        page.messages.push(Arc::new(delivery));
    }
    Ok((page, is_aged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{Encoded, Message, MessageId, PipeName};
    use crate::user::TenantId;

    const ALL: PageMax = PageMax { messages: 100, bytes: usize::MAX };

    /// A disk with a pipe that keeps three messages.
    fn filled() -> (Disk, Pipe, Head) {
        let disk = Disk::in_memory().unwrap();
        let pipe = Pipe::Named(TenantId(1), PipeName::for_publish("damaged").unwrap());
        let mut head = Head { retention: Retention::of_length(3), ..Head::new(&pipe) };
        for _ in 0..3 {
            head.position.index += 1;
            let delivery = crate::pipe::Delivery {
                pipe: pipe.clone(),
                position: head.position,
                id: MessageId::new(),
                event: "".parse().unwrap(),
                message: Message::new("text".into(), 100).unwrap(),
                user: None,
                origin: None,
                sent_at: UnixMillis(1),
                encoded: Encoded::default(),
            };
            disk.write(|tables| {
                tables.append(&delivery, &mut head, u64::MAX, UnixMillis(1))?;
                tables.set_head(&pipe, &head)
            })
            .unwrap();
        }
        (disk, pipe, head)
    }

    #[test]
    fn a_pipe_whose_record_is_damaged_begins_a_new_epoch_behind_its_history() {
        let (disk, pipe, head) = filled();
        assert_eq!(disk.head_or_new(&pipe, head.retention), head);
        let key = record::key_of(&pipe);
        disk.write(|tables| Ok(tables.heads.insert(key.as_slice(), b"rotten".as_slice()).map(drop)?)).unwrap();
        let found = disk.head_or_new(&pipe, head.retention);
        assert_ne!(found.position.epoch, head.position.epoch);
        assert_eq!((found.position.index, found.floor), (3, 3), "no index comes twice, and nothing is vouched for");
        assert_eq!((found.kept_count, found.kept_bytes), (head.kept_count, head.kept_bytes));
        let page = disk.history(&pipe, Since::Beginning, ALL, UnixMillis(0), &found).unwrap();
        assert_eq!((page.messages.len(), page.up_to), (3, found.position));
    }

    #[test]
    fn what_is_written_but_not_yet_announced_is_not_read() {
        let (disk, pipe, head) = filled();
        let position = Position { index: 2, ..head.position };
        let announced = Head { position, ..head };
        for (since, count) in [(Since::Beginning, 2), (Since::Newest(1), 1), (Since::After(2), 0), (Since::After(9), 0)]
        {
            let page = disk.history(&pipe, since, ALL, UnixMillis(0), &announced).unwrap();
            assert_eq!((page.messages.len(), page.up_to, page.more), (count, position, false), "{since:?}");
        }
        let Some(Recovered::Page(page)) = disk.recover(&pipe, 1, ALL, UnixMillis(0), position).unwrap() else {
            panic!("something is lost");
        };
        assert_eq!((page.messages.len(), page.up_to, page.more), (1, position, false));
    }

    #[test]
    fn the_disk_says_lost_when_it_was_trimmed_since_the_head_was_looked_at() {
        let (disk, pipe, before) = filled();
        let recover = |after| disk.recover(&pipe, after, ALL, UnixMillis(0), before.position).unwrap();
        assert!(matches!(recover(0), Some(Recovered::Page(page)) if page.messages.len() == 3));
        disk.write(|tables| {
            let mut head = Head { retention: Retention::of_length(1), ..before };
            tables.trim_all(&pipe, &mut head)?;
            tables.set_head(&pipe, &head)
        })
        .unwrap();
        assert!(matches!(recover(2), Some(Recovered::Lost(_))));
        assert!(matches!(recover(3), Some(Recovered::Page(page)) if page.messages.is_empty()));
        disk.write(|tables| tables.remove_head(&pipe)).unwrap();
        assert!(recover(0).is_none());
    }

    #[test]
    fn a_message_that_is_damaged_cannot_be_read_and_is_trimmed_as_too_old() {
        let (disk, pipe, before) = filled();
        let key = record::key_of(&pipe);
        disk.write(|tables| Ok(tables.history.insert((key.as_slice(), 1), b"rotten".as_slice()).map(drop)?)).unwrap();
        let recover = || disk.recover(&pipe, 0, ALL, UnixMillis(0), before.position);
        assert!(matches!(recover(), Err(StoreError::Damaged(_))));
        disk.write(|tables| {
            let retention = Retention { ttl_seconds: Some(10), ..before.retention };
            let mut head = Head { retention, ..before };
            assert_eq!(tables.erase(&pipe, &[2], &mut head, UnixMillis(10_001))?, 1);
            assert_eq!((head.kept_count, head.floor), (1, 1));
            tables.set_head(&pipe, &head)
        })
        .unwrap();
        assert!(matches!(recover(), Ok(Some(Recovered::Lost(_)))));
    }
}
