//! The ids that publishers have chosen lately for messages that are kept, so that a restart does not forget them.

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{Disk, FIRSTS, Tables};
use crate::clock::UnixMillis;
use crate::store::embedded::record;
use crate::store::embedded::repeats::{First, REPEATS_MAX};
use crate::store::{REPEAT_MILLIS, StoreError};

impl Disk {
    /// What was first published under a chosen id and is still known at `now`, oldest first. What cannot be read is
    /// passed over: at worst it is published once more.
    pub fn firsts(&self, now: UnixMillis) -> Result<Vec<First>, StoreError> {
        let table = self.database.begin_read().map_err(redb::Error::from)?.open_table(FIRSTS)?;
        let since = now.0.saturating_sub(REPEAT_MILLIS);
        let mut firsts = Vec::new();
        for entry in table.range((since, [].as_slice())..)? {
            let (place, record) = entry?;
            let (at, key) = place.value();
            match record::first_of(UnixMillis(at), key, record.value()) {
                Ok(first) => firsts.push(first),
                Err(error) => tracing::error!("{error}"),
            }
        }
        Ok(firsts)
    }
}

impl Tables<'_> {
    /// Writes down the first publish under a chosen id, and forgets those that are too old or too many.
    pub fn remember(&mut self, first: &First, now: UnixMillis) -> Result<(), StoreError> {
        let key = record::key_of_first(first);
        self.firsts.insert((first.at.0, key.as_slice()), record::first_record(&key, first).as_slice())?;
        let since = now.0.saturating_sub(REPEAT_MILLIS);
        loop {
            let oldest = self.firsts.first()?.map(|(place, _)| place.value().0);
            let is_old = oldest.is_some_and(|at| at < since);
            if !is_old && self.firsts.len()? <= REPEATS_MAX as u64 {
                return Ok(());
            }
            self.firsts.pop_first()?;
        }
    }
}
