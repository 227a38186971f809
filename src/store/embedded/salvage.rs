//! A file of which something has rotted: what can be read of it is saved.
//!
//! The damaged file is never written to. What is saved goes into a new one in its place; a pipe that has lost
//! something begins a new epoch, so that whoever follows it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use redb::{Key, ReadOnlyTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::disk::{FIRSTS, HEADS, HISTORY, LOOSE, META, RECORDS, SAFE, SETTINGS, STATE, check_version};
use super::engine::{Engine, contained};
use super::glass::{self, Reads, Seen};
use super::head::Head;
use super::header::Commit;
use super::{Durability, record, words};
use crate::pipe::{Pipe, Retention};
use crate::store::StoreError;

/// Puts a new file in the place of a damaged one, with all that can be read.
pub fn salvage(file: &Path, why: &StoreError) -> Result<(), StoreError> {
    let (seen, reads, commit) = readable(file)?;
    check_version(&seen, file)?;
    let aside = beside(file, &format!("damaged-{}", seconds()));
    let saved = beside(file, "saved");
    tracing::error!(
        "{}: {why}; it is kept as {}, and what can be read of it is saved",
        file.display(),
        aside.display()
    );
    if commit == Commit::Other {
        tracing::error!("its newest commit cannot be read; of the one before it every pipe begins a new epoch");
    }
    reads.limit();
    // What a salvage that was interrupted has left.
    let _ = std::fs::remove_file(&saved);
    let new = Engine::open(&saved)?;
    let outcome = Salvage { seen: &seen, reads: &reads, is_older: commit == Commit::Other }.all_into(&new);
    new.close();
    drop(seen);
    outcome?;
    let moved = std::fs::rename(file, &aside).and_then(|()| std::fs::rename(&saved, file));
    moved.map_err(|error| StoreError::Unavailable(format!("{} cannot be moved: {error}", file.display())))
}

/// What the file says of its newest commit may have rotted; then there is the one before it.
fn readable(file: &Path) -> Result<(Seen, Arc<Reads>, Commit), StoreError> {
    let (seen, reads, commit) = match glass::open(file, Commit::Marked) {
        Ok((seen, reads)) => (seen, reads, Commit::Marked),
        Err(error) => {
            let (seen, reads) = glass::open(file, Commit::Other).map_err(|_| error)?;
            (seen, reads, Commit::Other)
        }
    };
    Ok((seen, reads, commit))
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
    /// Whether it is not the newest commit that is seen.
    is_older: bool,
}

/// Records by their keys.
type Found<K> = BTreeMap<K, Vec<u8>>;

/// What could be read of a table.
struct Saved<K> {
    found: Found<K>,
    is_whole: bool,
}

/// A setting that is lost, of a pipe that kept messages by it: rather too many than too few.
const INSTEAD_OF_A_SETTING: i64 = -1;

impl Salvage<'_> {
    fn all_into(&self, new: &Engine) -> Result<(), StoreError> {
        let settings = self.table(SETTINGS, "settings", |key| format!("the setting of {}", words::of_pipe_key(key)));
        let heads = self.table(HEADS, "positions of pipes", |key| format!("where {} stood", words::of_pipe_key(key)));
        let records = self.table(RECORDS, "records of users", words::of_record_key);
        let firsts = self.firsts();
        // When even that is gone, the last second may be, too.
        let state = self.seen.meta(STATE).map_or(LOOSE, |state| state.unwrap_or(SAFE));
        new.write(Durability::Disk, |transaction| {
            let mut into = transaction.open_table(RECORDS)?;
            for (key, record) in &records.found {
                into.insert(key.as_slice(), record.as_slice())?;
            }
            let mut into = transaction.open_table(FIRSTS)?;
            for ((at, key), record) in &firsts {
                into.insert((*at, key.as_slice()), record.as_slice())?;
            }
            transaction.open_table(META)?.insert(STATE, state)?;
            self.pipes_into(transaction, settings, &heads)
        })
    }

    fn pipes_into(
        &self,
        transaction: &WriteTransaction,
        mut settings: Saved<Vec<u8>>,
        heads: &Saved<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let pipes = self.pipes(&settings.found, &heads.found);
        let mut lost = 0;
        let mut into_heads = transaction.open_table(HEADS)?;
        let mut into_history = transaction.open_table(HISTORY)?;
        for (key, pipe) in &pipes {
            let head = heads.found.get(key);
            let known = head.and_then(|head| record::head_of(key, head, Retention::NOTHING).ok());
            // What is below was trimmed, and has not left the file yet.
            let history = self.history(key).split_off(&known.map_or(0, |head| head.first));
            if head.is_none() && history.is_empty() && heads.is_whole && !self.is_older {
                // It has a setting, and nobody has published to it yet.
                continue;
            }
            let (mut head, is_whole) = head_of(pipe, known, &history);
            if is_whole && self.is_older {
                head.begin_new_epoch();
            }
            if !is_whole {
                lost += 1;
            }
            if !settings.found.contains_key(key) && !Retention::default_of(pipe).keeps() {
                let instead = Retention::of_length(INSTEAD_OF_A_SETTING);
                tracing::error!("the setting of {} is gone: it keeps {}", words::of_pipe(pipe), instead.length);
                settings.found.insert(key.clone(), record::retention_record(key, instead));
            }
            into_heads.insert(key.as_slice(), record::head_record(key, &head).as_slice())?;
            for (index, record) in history {
                into_history.insert((key.as_slice(), index), record.as_slice())?;
            }
        }
        let mut into = transaction.open_table(SETTINGS)?;
        for (key, record) in &settings.found {
            into.insert(key.as_slice(), record.as_slice())?;
        }
        tracing::error!("{} pipes are saved, {lost} of them not whole", pipes.len());
        Ok(())
    }

    /// A table that is small enough to be held in memory. What is gone of it is counted, and named as far as its keys
    /// can be read.
    fn table(
        &self,
        of: TableDefinition<'static, &'static [u8], &'static [u8]>,
        what: &str,
        named: impl Fn(&[u8]) -> String,
    ) -> Saved<Vec<u8>> {
        let (mut found, mut rotten) = (Found::new(), BTreeSet::new());
        let is_whole = self.both_ways(of, None::<(&[u8], &[u8])>, |key, value| {
            let is_good = record::is_sealed(key, 0, value);
            if is_good {
                found.insert(key.to_vec(), value.to_vec());
            } else {
                rotten.insert(key.to_vec());
            }
            is_good
        });
        for key in rotten.iter().take(NAMED_MAX) {
            tracing::error!("{} is gone", named(key));
        }
        let count = self.count(of);
        if !is_whole || count.is_some_and(|count| count != found.len() as u64) {
            say_lost(what, found.len(), count);
        }
        Saved { found, is_whole }
    }

    /// Ids that publishers have chosen lately.
    fn firsts(&self) -> Found<(u64, Vec<u8>)> {
        let mut found = Found::new();
        let is_whole = self.both_ways(FIRSTS, None::<((u64, &[u8]), (u64, &[u8]))>, |(at, key), value| {
            let is_good = record::is_sealed(key, at, value);
            if is_good {
                found.insert((at, key.to_vec()), value.to_vec());
            }
            is_good
        });
        if !is_whole {
            say_lost("chosen ids", found.len(), self.count(FIRSTS));
        }
        found
    }

    /// How many entries a table had.
    fn count<K: Key + 'static>(&self, of: TableDefinition<'static, K, &'static [u8]>) -> Option<u64> {
        self.reads.progress();
        contained(|| Ok(self.seen.reading()?.open_table(of)?.len()?)).ok()
    }

    /// Every pipe that is named anywhere.
    fn pipes(&self, settings: &Found<Vec<u8>>, heads: &Found<Vec<u8>>) -> BTreeMap<Vec<u8>, Pipe> {
        let mut keys: BTreeSet<Vec<u8>> = settings.keys().chain(heads.keys()).cloned().collect();
        self.both_ways(HISTORY, None::<((&[u8], u64), (&[u8], u64))>, |(key, _), _| {
            if !keys.contains(key) {
                keys.insert(key.to_vec());
            }
            true
        });
        let named = keys.into_iter().filter_map(|key| record::pipe_of(&key).ok().map(|pipe| (key, pipe)));
        named.collect()
    }

    /// The messages of one pipe, by index.
    fn history(&self, key: &[u8]) -> Found<u64> {
        let mut found = Found::new();
        self.both_ways(HISTORY, Some(((key, 0), (key, u64::MAX))), |(of, index), value| {
            let is_good = of == key && record::is_sealed(key, index, value);
            if is_good {
                found.insert(index, value.to_vec());
            }
            is_good
        });
        found
    }

    /// Walks from the first entry on and, when that comes to no end, from the last one back. Answers whether one of
    /// the walks met nothing that was wrong.
    fn both_ways<'k, K: Key + 'static>(
        &self,
        table: TableDefinition<'static, K, &'static [u8]>,
        between: Option<(K::SelfType<'k>, K::SelfType<'k>)>,
        mut take: impl FnMut(K::SelfType<'_>, &[u8]) -> bool,
    ) -> bool
    where
        K::SelfType<'k>: Clone,
    {
        self.walk(table, between.clone(), false, &mut take) || self.walk(table, between, true, &mut take)
    }

    /// Walks over what is between two keys, or over all, until it makes no sense any more. Answers whether all of it
    /// did: `take` says so of each entry, and the keys ascend.
    fn walk<'k, K: Key + 'static>(
        &self,
        table: TableDefinition<'static, K, &'static [u8]>,
        between: Option<(K::SelfType<'k>, K::SelfType<'k>)>,
        backwards: bool,
        take: &mut impl FnMut(K::SelfType<'_>, &[u8]) -> bool,
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

/// So many entries of a table are named.
const NAMED_MAX: usize = 100;

/// A table is not whole.
fn say_lost(what: &str, found: usize, count: Option<u64>) {
    match count {
        Some(count) => tracing::error!("{found} of {count} {what} could be read; the rest is gone"),
        None => tracing::error!("{found} {what} could be read; how many others are gone is not known"),
    }
}

/// Where a pipe stands of which this could be read, and whether that is all it had. If not, it is said.
fn head_of(pipe: &Pipe, known: Option<Head>, history: &Found<u64>) -> (Head, bool) {
    let kept_count = history.len() as u64;
    let kept_bytes = history.values().map(|record| record.len() as u64).sum();
    let newest = history.keys().next_back().copied().unwrap_or(0);
    let told = match known {
        Some(head)
            if (head.kept_count, head.kept_bytes) == (kept_count, kept_bytes) && newest <= head.position.index =>
        {
            return (head, true);
        }
        Some(head) => format!("{kept_count} of {} messages could be read", head.kept_count),
        None => format!("{kept_count} messages could be read, and not where it stood"),
    };
    let named = words::of_pipe(pipe);
    tracing::error!("of {named} {told}; it begins a new epoch");
    let mut head = known.unwrap_or_else(|| Head::behind(pipe, newest, kept_count, kept_bytes));
    head.position.index = head.position.index.max(newest);
    (head.kept_count, head.kept_bytes) = (kept_count, kept_bytes);
    head.begin_new_epoch();
    (head, false)
}
