//! One file, or the same thing in memory: settings, heads and history.

mod firsts;
mod keeping;
mod pages;
mod tenants;

use std::path::Path;
use std::sync::Arc;

use redb::{ReadableTable, TableDefinition};

use super::checked::Sums;
use super::engine::Engine;
use super::glass::Seen;
use super::head::Head;
use super::header::Commit;
use super::{Durability, glass, header, record, salvage};
use crate::pipe::{Pipe, PipeName, Retention};
use crate::store::{Record, Shelf, StoreError};
use crate::user::{TenantId, UserId};

pub(super) const SETTINGS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("settings");
pub(super) const HEADS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("heads");
pub(super) const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
/// By pipe and index.
pub(super) const HISTORY: TableDefinition<(&[u8], u64), &[u8]> = TableDefinition::new("history");
/// What was first published under a chosen id, by time, id and pipe.
pub(super) const FIRSTS: TableDefinition<(u64, &[u8]), &[u8]> = TableDefinition::new("firsts");

/// What is true of the whole file.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// How what is in the file is written down. A file without a version has the first, of which heads did not say from where
/// on a pipe keeps.
pub(super) const FORMAT_VERSION: u64 = 2;
/// In [`META`]: the version.
pub(super) const VERSION: &str = "format version";
/// In [`META`]: whether the newest in the file may be older than what was acknowledged, one of the following.
pub(super) const STATE: &str = "state";
pub(super) const SAFE: u64 = 0;
/// Acknowledged messages may be missing.
pub(super) const LOOSE: u64 = 1;
/// The original may have gone on without it.
pub(super) const COPY: u64 = 2;

pub struct Disk {
    pub(super) engine: Engine,
    durability: Durability,
}

impl Disk {
    /// Opens the file, or makes it. What it has is looked through; what is damaged is left out and named in the log.
    pub fn open(file: &Path, durability: Durability) -> Result<Disk, StoreError> {
        let sums = match file.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            true => look_through(file)?,
            false => Arc::default(),
        };
        Disk { engine: Engine::open_seen(file, sums)?, durability }.begun()
    }

    pub fn in_memory() -> Result<Disk, StoreError> {
        Disk { engine: Engine::in_memory()?, durability: Durability::Memory }.begun()
    }

    /// A file to read from, which stays as it is. Its pipes stand where they stood.
    pub fn under_glass(file: &Path) -> Result<Disk, StoreError> {
        let disk = Disk { engine: Engine::under_glass(file)?, durability: Durability::Memory };
        disk.write(|_| Ok(()))?;
        Ok(disk)
    }

    /// Reading a table that was never written is an error, so all are made at once.
    fn begun(self) -> Result<Disk, StoreError> {
        let state = self.engine.write(Durability::Disk, |transaction| {
            let mut tables = Tables::of(transaction)?;
            let mut meta = transaction.open_table(META)?;
            let was = meta.get(STATE)?.map_or(SAFE, |state| state.value());
            if was != SAFE {
                tables.begin_new_epochs()?;
            }
            meta.insert(VERSION, FORMAT_VERSION)?;
            meta.insert(STATE, if self.durability == Durability::Memory { LOOSE } else { SAFE })?;
            Ok(was)
        })?;
        match state {
            SAFE => {}
            COPY => tracing::warn!("the store is a copy: every pipe begins a new epoch"),
            _ => tracing::warn!(
                "the store was not closed and wrote with durability = \"memory\": messages of its last second may be \
                 gone, so every pipe begins a new epoch"
            ),
        }
        Ok(self)
    }

    /// Whether what is written waits for [`Disk::settle`].
    pub fn is_loose(&self) -> bool {
        self.durability == Durability::Memory && self.engine.is_on_disk()
    }

    /// Runs `work` in one transaction. When this returns what it wrote is safe, or it wrote nothing. With
    /// [`Durability::Memory`] it is safe after the next [`Disk::settle`].
    pub fn write<T>(&self, work: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.engine.write(self.durability, |transaction| work(&mut Tables::of(transaction)?))
    }

    /// The same, and all that was written so far is safe when this returns, whatever the durability.
    pub fn write_and_settle<T>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let durability = if self.engine.is_on_disk() { Durability::Disk } else { self.durability };
        self.engine.write(durability, |transaction| work(&mut Tables::of(transaction)?))
    }

    /// Whether what was written and not settled is gone since this was last asked: the file was opened again.
    pub fn has_forgotten(&self) -> bool {
        self.engine.was_opened_again() && self.is_loose()
    }

    /// Every pipe that keeps messages begins a new epoch.
    pub fn begin_new_epochs(&self) -> Result<(), StoreError> {
        self.write(|tables| tables.begin_new_epochs())
    }

    /// All that was written so far is safe when this returns.
    pub fn settle(&self) -> Result<(), StoreError> {
        self.engine.write(Durability::Disk, |_| Ok(()))
    }

    /// Lets go of the file; all that was written is safe, and if it is all that was acknowledged, the file says so.
    pub fn close(&self, is_whole: bool) {
        let settled = self.engine.write(Durability::Disk, |transaction| {
            if is_whole {
                transaction.open_table(META)?.insert(STATE, SAFE)?;
            }
            Ok(())
        });
        if let Err(error) = settled {
            tracing::error!("the store was not closed well: {error}");
        }
        self.engine.close();
    }

    /// Runs something that reads: what the engine panics over is an error.
    pub fn read<T>(&self, work: impl FnOnce(&Disk) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.engine.read(|| work(self))
    }

    /// Every pipe that has a setting.
    pub fn settings(&self) -> Result<Vec<(Pipe, Retention)>, StoreError> {
        let table = self.engine.reading()?.open_table(SETTINGS)?;
        table.iter()?.map(|entry| parse_setting(entry?)).collect()
    }

    /// Where a pipe stands that keeps messages; the retention is left at nothing.
    pub fn head(&self, pipe: &Pipe) -> Result<Option<Head>, StoreError> {
        let table = self.engine.reading()?.open_table(HEADS)?;
        let key = record::key_of(pipe);
        table.get(key.as_slice())?.map(|record| record::head_of(&key, record.value(), Retention::NOTHING)).transpose()
    }

    pub fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        let table = self.engine.reading()?.open_table(RECORDS)?;
        let key = record::key_of_record(tenant, record);
        table.get(key.as_slice())?.map(|value| record::value_of(&key, value.value())).transpose()
    }

    pub fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        let table = self.engine.reading()?.open_table(RECORDS)?;
        let shelf_key = record::shelf_key(tenant, shelf);
        let low = after.map_or_else(|| shelf_key.clone(), |after| record::key_of_record(tenant, after));
        let behind = after.map(|_| low.clone());
        let entries = table.range(low.as_slice()..)?.filter(|entry| match entry {
            Ok((key, _)) => behind.as_deref() != Some(key.value()),
            Err(_) => true,
        });
        let mut records = Vec::new();
        for entry in entries.take(count_max) {
            let (key, value) = entry?;
            if !key.value().starts_with(&shelf_key) {
                break;
            }
            records.push(record::record_of(shelf, key.value(), value.value())?);
        }
        Ok(records)
    }

    pub fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError> {
        let table = self.engine.reading()?.open_table(SETTINGS)?;
        let key = record::key_of(pipe);
        table.get(key.as_slice())?.map(|record| record::retention_of(&key, record.value())).transpose()
    }

    pub fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        let table = self.engine.reading()?.open_table(SETTINGS)?;
        let (low, high) = names_behind(tenant, after);
        let entries = table.range(low.as_slice()..high.as_slice())?.map(|entry| parse_setting(entry?));
        named(entries, after, count_max)
    }

    pub fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError> {
        let table = self.engine.reading()?.open_table(HEADS)?;
        let (low, high) = names_behind(tenant, after);
        let entries = table.range(low.as_slice()..high.as_slice())?.filter_map(|entry| {
            let parse = |(key, record): (redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>)| {
                let head = record::head_of(key.value(), record.value(), Retention::NOTHING)?;
                Ok((head.kept_count > 0).then_some((record::pipe_of(key.value())?, ())))
            };
            entry.map_err(StoreError::from).and_then(parse).transpose()
        });
        Ok(named(entries, after, count_max)?.into_iter().map(|(name, ())| name).collect())
    }

    /// The users of a tenant whose logs keep messages, by number, behind `after`.
    pub fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError> {
        let table = self.engine.reading()?.open_table(HEADS)?;
        let low = record::key_behind_log(tenant, after);
        let high = record::key_behind_log(tenant, UserId::new(u64::from(i32::MAX.unsigned_abs())));
        let mut users = Vec::new();
        for entry in table.range(low.as_slice()..high.as_slice())? {
            let (key, record) = entry?;
            if users.len() >= count_max {
                break;
            }
            if record::head_of(key.value(), record.value(), Retention::NOTHING)?.kept_count > 0
                && let Pipe::Log(_, user) = record::pipe_of(key.value())?
            {
                users.push(user);
            }
        }
        Ok(users)
    }
}

/// A file that a newer program has written is left alone.
pub fn check_version(seen: &Seen, file: &Path) -> Result<(), StoreError> {
    // When this much cannot be read, the rest is looked at all the same.
    let version = seen.meta(VERSION).ok().flatten().unwrap_or(1);
    if version <= FORMAT_VERSION {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "{} has format {version}, and this version of cometql knows no newer one than {FORMAT_VERSION}: run the version \
         that wrote it, or choose another --data-dir",
        file.display()
    )))
}

/// Of a file that is damaged the rest is saved. Answers what was seen.
fn look_through(file: &Path) -> Result<Arc<Sums>, StoreError> {
    let advice = |error: StoreError| {
        let (StoreError::Damaged(what) | StoreError::Unavailable(what) | StoreError::Unknown(what)) = error;
        let repair = "restore it from a backup, or move it away to start empty";
        StoreError::Damaged(format!("{}: {what}; {repair}", file.display()))
    };
    let (commit, sums) = match glass::open_newest(file) {
        Ok((seen, commit)) => {
            check_version(&seen, file)?;
            (commit, seen.sums())
        }
        Err(error) => {
            salvage::salvage(file, &error).map_err(advice)?;
            (Commit::Marked, Arc::default())
        }
    };
    let marked = header::mark(file, commit);
    marked.map_err(|error| StoreError::Unavailable(format!("{}: {error}", file.display())))?;
    Ok(sums)
}

fn names_behind(tenant: TenantId, after: Option<&PipeName>) -> (Vec<u8>, Vec<u8>) {
    (record::key_of_named(tenant, after.map_or("", PipeName::as_str)), record::key_behind_named(tenant))
}

/// The first `count_max` entries, by name; the range began at `after`, which is not wanted again.
fn named<T>(
    entries: impl Iterator<Item = Result<(Pipe, T), StoreError>>,
    after: Option<&PipeName>,
    count_max: usize,
) -> Result<Vec<(PipeName, T)>, StoreError> {
    let wanted = entries.filter_map(|entry| match entry {
        Ok((Pipe::Named(_, name), value)) => (Some(&name) != after).then_some(Ok((name, value))),
        Ok((Pipe::Log(..), _)) => None,
        Err(error) => Some(Err(error)),
    });
    wanted.take(count_max).collect()
}

fn parse_setting(
    (key, record): (redb::AccessGuard<'_, &'static [u8]>, redb::AccessGuard<'_, &'static [u8]>),
) -> Result<(Pipe, Retention), StoreError> {
    Ok((record::pipe_of(key.value())?, record::retention_of(key.value(), record.value())?))
}

/// The tables of one write transaction.
pub struct Tables<'t> {
    settings: redb::Table<'t, &'static [u8], &'static [u8]>,
    heads: redb::Table<'t, &'static [u8], &'static [u8]>,
    history: redb::Table<'t, (&'static [u8], u64), &'static [u8]>,
    records: redb::Table<'t, &'static [u8], &'static [u8]>,
    firsts: redb::Table<'t, (u64, &'static [u8]), &'static [u8]>,
}

impl<'t> Tables<'t> {
    fn of(transaction: &'t redb::WriteTransaction) -> Result<Tables<'t>, StoreError> {
        Ok(Tables {
            settings: transaction.open_table(SETTINGS)?,
            heads: transaction.open_table(HEADS)?,
            history: transaction.open_table(HISTORY)?,
            records: transaction.open_table(RECORDS)?,
            firsts: transaction.open_table(FIRSTS)?,
        })
    }

    /// What was acknowledged may be missing, and an index must not be used twice.
    fn begin_new_epochs(&mut self) -> Result<(), StoreError> {
        let heads: Result<Vec<(Vec<u8>, Head)>, StoreError> = self
            .heads
            .iter()?
            .map(|entry| {
                let (key, record) = entry?;
                Ok((key.value().to_vec(), record::head_of(key.value(), record.value(), Retention::NOTHING)?))
            })
            .collect();
        for (key, mut head) in heads? {
            head.begin_new_epoch();
            self.heads.insert(key.as_slice(), record::head_record(&key, &head).as_slice())?;
        }
        Ok(())
    }

    pub fn set_head(&mut self, pipe: &Pipe, head: &Head) -> Result<(), StoreError> {
        let key = record::key_of(pipe);
        self.heads.insert(key.as_slice(), record::head_record(&key, head).as_slice())?;
        Ok(())
    }

    pub fn remove_head(&mut self, pipe: &Pipe) -> Result<(), StoreError> {
        self.heads.remove(record::key_of(pipe).as_slice())?;
        Ok(())
    }

    /// Answers whether there was such a record.
    pub fn set_record(&mut self, tenant: TenantId, record: &Record, value: Option<&str>) -> Result<bool, StoreError> {
        let key = record::key_of_record(tenant, record);
        let had = match value {
            Some(value) => self.records.insert(key.as_slice(), record::value_record(&key, value).as_slice())?,
            None => self.records.remove(key.as_slice())?,
        };
        Ok(had.is_some())
    }

    pub fn set_retention(&mut self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError> {
        let key = record::key_of(pipe);
        self.settings.insert(key.as_slice(), record::retention_record(&key, retention).as_slice())?;
        Ok(())
    }

    /// Answers whether there was a setting.
    pub fn remove_retention(&mut self, pipe: &Pipe) -> Result<bool, StoreError> {
        Ok(self.settings.remove(record::key_of(pipe).as_slice())?.is_some())
    }
}
