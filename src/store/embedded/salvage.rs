//! A file of which something has rotted: what can be read of it is saved.
//!
//! The damaged file is never written to. What is saved goes into a new one in its place; a pipe that has lost
//! something begins a new epoch, so that whoever follows it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use redb::{Key, ReadOnlyTable, TableDefinition};

use super::disk::{HEADS, HISTORY, RECORDS, SETTINGS};
use super::engine::{Engine, contained};
use super::glass::{self, Reads, Seen};
use super::head::Head;
use super::{Durability, record};
use crate::pipe::{Pipe, Retention};
use crate::store::StoreError;

/// Puts a new file in the place of a damaged one, with all that can be read.
pub fn salvage(file: &Path, why: &StoreError) -> Result<(), StoreError> {
    let aside = beside(file, &format!("damaged-{}", seconds()));
    let saved = beside(file, "saved");
    tracing::error!(
        "{}: {why}; it is kept as {}, and what can be read of it is saved",
        file.display(),
        aside.display()
    );
    let (seen, reads) = glass::open(file)?;
    reads.limit();
    // What a salvage that was interrupted has left.
    let _ = std::fs::remove_file(&saved);
    let new = Engine::open(&saved)?;
    let outcome = Salvage { seen: &seen, reads: &reads }.all_into(&new);
    new.close();
    drop(seen);
    outcome?;
    let moved = std::fs::rename(file, &aside).and_then(|()| std::fs::rename(&saved, file));
    moved.map_err(|error| StoreError::Unavailable(format!("{} cannot be moved: {error}", file.display())))
}

fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

struct Salvage<'d> {
    seen: &'d Seen,
    reads: &'d Reads,
}

/// Records by their keys.
type Found<K> = BTreeMap<K, Vec<u8>>;

impl Salvage<'_> {
    fn all_into(&self, new: &Engine) -> Result<(), StoreError> {
        let settings = self.table(SETTINGS, "settings");
        let heads = self.table(HEADS, "positions of pipes");
        let records = self.table(RECORDS, "records of users");
        let pipes = self.pipes(&settings, &heads);
        let mut lost = 0;
        new.write(Durability::Disk, |transaction| {
            let mut into = transaction.open_table(SETTINGS)?;
            for (key, record) in &settings {
                into.insert(key.as_slice(), record.as_slice())?;
            }
            let mut into = transaction.open_table(RECORDS)?;
            for (key, record) in &records {
                into.insert(key.as_slice(), record.as_slice())?;
            }
            let mut into_heads = transaction.open_table(HEADS)?;
            let mut into = transaction.open_table(HISTORY)?;
            for (key, pipe) in &pipes {
                let history = self.history(key);
                let (head, is_whole) = head_of(pipe, key, heads.get(key).map(Vec::as_slice), &history);
                if !is_whole {
                    lost += 1;
                    tracing::error!(
                        "of pipe {} (tenant {}) {} messages could be read; it begins a new epoch",
                        pipe.shown_name(),
                        pipe.tenant(),
                        history.len()
                    );
                }
                into_heads.insert(key.as_slice(), record::head_record(key, &head).as_slice())?;
                for (index, record) in history {
                    into.insert((key.as_slice(), index), record.as_slice())?;
                }
            }
            Ok(())
        })?;
        tracing::error!("{} pipes are saved, {lost} of them not whole", pipes.len());
        Ok(())
    }

    /// A table that is small enough to be held in memory.
    fn table(&self, of: TableDefinition<'static, &'static [u8], &'static [u8]>, what: &str) -> Found<Vec<u8>> {
        let (mut found, mut is_whole) = (Found::new(), true);
        for backwards in [false, true] {
            let walked = self.walk(of, None::<(&[u8], &[u8])>, backwards, |key, value| {
                let is_good = record::is_sealed(key, 0, value);
                if is_good {
                    found.insert(key.to_vec(), value.to_vec());
                }
                is_good
            });
            is_whole &= walked;
            if walked {
                break;
            }
        }
        if !is_whole {
            tracing::error!("{} {what} could be read, and others are gone", found.len());
        }
        found
    }

    /// Every pipe that is named anywhere.
    fn pipes(&self, settings: &Found<Vec<u8>>, heads: &Found<Vec<u8>>) -> BTreeMap<Vec<u8>, Pipe> {
        let mut keys: BTreeSet<Vec<u8>> = settings.keys().chain(heads.keys()).cloned().collect();
        for backwards in [false, true] {
            let is_whole = self.walk(HISTORY, None::<((&[u8], u64), (&[u8], u64))>, backwards, |(key, _), _| {
                if !keys.contains(key) {
                    keys.insert(key.to_vec());
                }
                true
            });
            if is_whole {
                break;
            }
        }
        let named = keys.into_iter().filter_map(|key| record::pipe_of(&key).ok().map(|pipe| (key, pipe)));
        named.collect()
    }

    /// The messages of one pipe, by index.
    fn history(&self, key: &[u8]) -> Found<u64> {
        let mut found = Found::new();
        for backwards in [false, true] {
            let is_whole = self.walk(HISTORY, Some(((key, 0), (key, u64::MAX))), backwards, |(of, index), value| {
                let is_good = of == key && record::is_sealed(key, index, value);
                if is_good {
                    found.insert(index, value.to_vec());
                }
                is_good
            });
            if is_whole {
                break;
            }
        }
        found
    }

    /// Walks over what is between two keys, or over all, until it makes no sense any more. Answers whether all of it
    /// did: `take` says so of each entry, and the keys ascend.
    fn walk<'k, K: Key + 'static>(
        &self,
        table: TableDefinition<'static, K, &'static [u8]>,
        between: Option<(K::SelfType<'k>, K::SelfType<'k>)>,
        backwards: bool,
        mut take: impl FnMut(K::SelfType<'_>, &[u8]) -> bool,
    ) -> bool {
        self.reads.progress();
        let mut is_whole = true;
        let walked = contained(|| {
            let transaction = self.seen.reading()?;
            let table: ReadOnlyTable<K, &[u8]> = transaction.open_table(table)?;
            let mut range = match between {
                Some((low, high)) => table.range::<K::SelfType<'k>>(low..=high)?,
                None => redb::ReadableTable::iter(&table)?,
            };
            let mut before: Option<Vec<u8>> = None;
            while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
                let (key, value) = entry?;
                self.reads.progress();
                let bytes = K::as_bytes(&key.value()).as_ref().to_vec();
                if before.is_some_and(|before| match K::compare(&before, &bytes) {
                    std::cmp::Ordering::Less => backwards,
                    std::cmp::Ordering::Greater => !backwards,
                    std::cmp::Ordering::Equal => true,
                }) {
                    return Err(StoreError::Damaged("its keys are out of order".into()));
                }
                before = Some(bytes);
                is_whole &= take(key.value(), value.value());
            }
            Ok(())
        });
        walked.is_ok() && is_whole
    }
}

/// Where a pipe stands of which this could be read, and whether that is all it had.
fn head_of(pipe: &Pipe, key: &[u8], head: Option<&[u8]>, history: &Found<u64>) -> (Head, bool) {
    let kept_count = history.len() as u64;
    let kept_bytes = history.values().map(|record| record.len() as u64).sum();
    let newest = history.keys().next_back().copied().unwrap_or(0);
    let known = head.and_then(|head| record::head_of(key, head, Retention::NOTHING).ok());
    match known {
        Some(head)
            if (head.kept_count, head.kept_bytes) == (kept_count, kept_bytes) && newest <= head.position.index =>
        {
            (head, true)
        }
        _ => {
            let mut head = known.unwrap_or_else(|| Head::behind(pipe, newest, kept_count, kept_bytes));
            head.position.index = head.position.index.max(newest);
            (head.kept_count, head.kept_bytes) = (kept_count, kept_bytes);
            head.begin_new_epoch();
            (head, false)
        }
    }
}
