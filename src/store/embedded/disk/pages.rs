//! Reading the history of a pipe, in pages; and where a pipe stands whose own record cannot be read.

use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable};

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
        let head = self.head(pipe).map(|head| head.unwrap_or_else(|| Head::new(pipe))).unwrap_or_else(|error| {
            tracing::error!("{error}; the pipe begins a new epoch");
            self.behind_history(pipe).unwrap_or_else(|error| {
                tracing::error!("{error}; the history of that pipe is not counted");
                Head::new(pipe)
            })
        });
        Head { retention, ..head }
    }

    fn behind_history(&self, pipe: &Pipe) -> Result<Head, StoreError> {
        let table = self.database.begin_read().map_err(redb::Error::from)?.open_table(HISTORY)?;
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
        let table = self.database.begin_read().map_err(redb::Error::from)?.open_table(HISTORY)?;
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
        Ok(page(&table, pipe, low, head.position, max, oldest)?.0)
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
        let moment = self.database.begin_read().map_err(redb::Error::from)?;
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
    for entry in history.range((key, low)..=(key, position.index.max(low)))? {
        let (place, record) = entry?;
        let index = place.value().1;
        if index > position.index {
            break;
        }
        let (delivery, one) = (record::message_of(pipe, key, index, record.value())?, record.value().len());
        if delivery.sent_at < oldest {
            is_aged = true;
            continue;
        }
        if let Some(last) = page.messages.last()
            && (page.messages.len() >= max.messages || bytes + one > max.bytes)
        {
            (page.up_to, page.more) = (last.position, true);
            break;
        }
        bytes += one;
        page.messages.push(Arc::new(delivery));
    }
    Ok((page, is_aged))
}
