//! The ids that publishers have chosen lately for messages that are kept, so that a restart does not forget them.

use redb::{ReadableTable, ReadableTableMetadata};

use super::{Disk, FIRSTS, Tables};
use crate::clock::UnixMillis;
use crate::store::embedded::record;
use crate::store::embedded::repeats::{First, REPEATS_MAX};
use crate::store::{REPEAT_MILLIS, StoreError};

impl Disk {
    /// What was first published under a chosen id and is still known at `now`, oldest first. What cannot be read is
    /// passed over: at worst it is published once more.
    pub fn firsts(&self, now: UnixMillis) -> Result<Vec<First>, StoreError> {
        let table = self.engine.reading()?.open_table(FIRSTS)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{MessageId, Pipe, Position};
    use crate::store::Published;
    use crate::user::{TenantId, UserId};

    fn first(index: u64, at: u64) -> First {
        let published = Published { position: Position { epoch: 1, index }, receivers: 3, is_repeat: false };
        let pipe = Pipe::Log(TenantId(1), UserId::new(2).unwrap());
        First { pipe, id: MessageId::new(), published, at: UnixMillis(at) }
    }

    #[test]
    fn what_is_remembered_is_read_back_in_order_until_it_is_too_old() {
        let disk = Disk::in_memory().unwrap();
        let [old, young] = [first(1, 1_000), first(2, 5_000)];
        for first in [&young, &old] {
            disk.write(|tables| tables.remember(first, first.at)).unwrap();
        }
        assert_eq!(disk.firsts(UnixMillis(5_000)).unwrap(), [old, young.clone()]);
        let now = UnixMillis(5_000 + REPEAT_MILLIS);
        assert_eq!(disk.firsts(now).unwrap(), std::slice::from_ref(&young));
        let newest = first(3, now.0);
        disk.write(|tables| tables.remember(&newest, now)).unwrap();
        assert_eq!(disk.firsts(UnixMillis(0)).unwrap(), [young, newest], "the old one has gone from the disk");
    }

    #[test]
    fn only_so_many_are_on_disk_and_the_oldest_goes_first() {
        let disk = Disk::in_memory().unwrap();
        let count = REPEATS_MAX as u64 + 3;
        let fill =
            |tables: &mut Tables<'_>| (0..count).try_for_each(|at| tables.remember(&first(at, at), UnixMillis(0)));
        disk.write(fill).unwrap();
        let firsts = disk.firsts(UnixMillis(0)).unwrap();
        assert_eq!((firsts.len(), firsts[0].published.position.index), (REPEATS_MAX, 3));
    }

    #[test]
    fn what_has_rotted_is_passed_over() {
        let disk = Disk::in_memory().unwrap();
        let whole = first(1, 1_000);
        disk.write(|tables| {
            tables.firsts.insert((999, b"no key of a first".as_slice()), b"nor its record".as_slice())?;
            tables.remember(&whole, UnixMillis(1_000))
        })
        .unwrap();
        assert_eq!(disk.firsts(UnixMillis(1_000)).unwrap(), [whole]);
    }
}
