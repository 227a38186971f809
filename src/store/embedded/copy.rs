//! Every record of a store: out of one, in one transaction, and into another file.

use std::path::Path;

use redb::{ReadTransaction, ReadableTable, TableError};

use super::disk::{COPY, FIRSTS, FORMAT_VERSION, HEADS, HISTORY, META, RECORDS, SETTINGS, STATE, VERSION};
use super::engine::{Engine, contained};
use super::{Durability, record, words};
use crate::store::StoreError;

/// So many bytes of records are written in one transaction.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// Which table an entry is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Setting = 1,
    Head = 2,
    Record = 3,
    Message = 4,
    /// What was first published under a chosen id.
    First = 5,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Setting, Kind::Head, Kind::Record, Kind::Message, Kind::First];
}

/// A record as it is written down.
pub struct Entry {
    pub kind: Kind,
    pub key: Vec<u8>,
    /// Index of a message, time of a first publish, otherwise 0.
    pub index: u64,
    pub record: Vec<u8>,
}

impl Entry {
    fn checked(self) -> Result<Entry, StoreError> {
        if record::is_sealed(&self.key, self.index, &self.record) {
            return Ok(self);
        }
        Err(StoreError::Damaged(match self.kind {
            Kind::Setting => format!("the setting of {}", words::of_pipe_key(&self.key)),
            Kind::Head => format!("the position of {}", words::of_pipe_key(&self.key)),
            Kind::Record => words::of_record_key(&self.key),
            Kind::Message => format!("message {} of {}", self.index, words::of_pipe_key(&self.key)),
            Kind::First => "an id that a publisher has chosen".to_owned(),
        }))
    }
}

/// Hands over every entry, each as it was written.
pub fn each(
    transaction: &ReadTransaction,
    mut take: impl FnMut(Entry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    contained(|| {
        for (kind, table) in [(Kind::Setting, SETTINGS), (Kind::Head, HEADS), (Kind::Record, RECORDS)] {
            let table = match transaction.open_table(table) {
                Err(TableError::TableDoesNotExist(_)) => continue,
                opened => opened?,
            };
            for entry in table.iter()? {
                let (key, record) = entry?;
                let (key, record) = (key.value().to_vec(), record.value().to_vec());
                take(Entry { kind, key, index: 0, record }.checked()?)?;
            }
        }
        let history = match transaction.open_table(HISTORY) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            opened => opened?,
        };
        for entry in history.iter()? {
            let (place, record) = entry?;
            let ((key, index), record) = (place.value(), record.value().to_vec());
            take(Entry { kind: Kind::Message, key: key.to_vec(), index, record }.checked()?)?;
        }
        let firsts = match transaction.open_table(FIRSTS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            opened => opened?,
        };
        for entry in firsts.iter()? {
            let (place, record) = entry?;
            let ((at, key), record) = (place.value(), record.value().to_vec());
            take(Entry { kind: Kind::First, key: key.to_vec(), index: at, record }.checked()?)?;
        }
        Ok(())
    })
}

/// A copy that is being written. A node that is started on it begins new epochs.
pub struct Writer {
    engine: Engine,
    group: Vec<Entry>,
    group_bytes: usize,
}

impl Writer {
    /// Makes the file, which must not be there.
    pub fn new(file: &Path) -> Result<Writer, StoreError> {
        Ok(Writer { engine: Engine::open(file)?, group: Vec::new(), group_bytes: 0 })
    }

    pub fn put(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.group_bytes += entry.key.len() + entry.record.len();
        self.group.push(entry);
        if self.group_bytes < GROUP_BYTES_MAX {
            return Ok(());
        }
        self.write(Durability::Memory)
    }

    fn write(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.group_bytes = 0;
        let group = std::mem::take(&mut self.group);
        self.engine.write(durability, |transaction| {
            let mut settings = transaction.open_table(SETTINGS)?;
            let mut heads = transaction.open_table(HEADS)?;
            let mut records = transaction.open_table(RECORDS)?;
            let mut history = transaction.open_table(HISTORY)?;
            let mut firsts = transaction.open_table(FIRSTS)?;
            for Entry { kind, key, index, record } in &group {
                let (key, record) = (key.as_slice(), record.as_slice());
                match kind {
                    Kind::Setting => settings.insert(key, record)?,
                    Kind::Head => heads.insert(key, record)?,
                    Kind::Record => records.insert(key, record)?,
                    Kind::Message => history.insert((key, *index), record)?,
                    Kind::First => firsts.insert((*index, key), record)?,
                };
            }
            let mut meta = transaction.open_table(META)?;
            meta.insert(VERSION, FORMAT_VERSION)?;
            meta.insert(STATE, COPY)?;
            Ok(())
        })
    }

    /// All of it is on disk when this returns.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.write(Durability::Disk)?;
        self.engine.close();
        Ok(())
    }
}

/// Marks a file as a copy.
pub fn mark(file: &Path) -> Result<(), StoreError> {
    let engine = Engine::open(file)?;
    engine.write(Durability::Disk, |transaction| {
        transaction.open_table(META)?.insert(STATE, COPY)?;
        Ok(())
    })?;
    engine.close();
    Ok(())
}
