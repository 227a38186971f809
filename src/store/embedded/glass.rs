//! A file under glass: the engine opens it, repairs it and believes to write, and the file stays as it is.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend};

use super::checked::{BLOCK_BYTES, Sums};
use super::disk::META;
use super::engine::{closed, contained, let_go};
use super::header::{Commit, Header};
use crate::store::StoreError;

/// A walk from the root to an entry takes no more reads than this; one that does goes in circles.
const READS_MAX: u64 = 200;

/// Opens what one of its commits says is in a file, and counts its reads.
pub fn open(file: &Path, commit: Commit) -> Result<(Seen, Arc<Reads>), StoreError> {
    let (reads, sums) = (Arc::new(Reads::default()), Arc::new(Sums::default()));
    let glass = Glass::over(file, commit, Arc::clone(&reads), Arc::clone(&sums))
        .map_err(|error| cannot_be_read(file, &error))?;
    // Without a cache every step of a walk is seen.
    Ok((Seen { database: Some(opened(glass, 0)?), sums }, reads))
}

/// The engine over the newest whole commit of a file, all of which was looked through.
pub fn newest(file: &Path, cache_bytes: usize) -> Result<Database, StoreError> {
    let (_, commit) = open_newest(file)?;
    let glass = Glass::over(file, commit, Arc::default(), Arc::default());
    opened(glass.map_err(|error| cannot_be_read(file, &error))?, cache_bytes)
}

fn opened(glass: Glass, cache_bytes: usize) -> Result<Database, StoreError> {
    contained(|| {
        Ok(Builder::new().set_cache_size(cache_bytes).create_with_backend(glass).map_err(redb::Error::from)?)
    })
}

/// Opens the newest whole commit of a file and looks through all of it. A commit that is not marked was torn and never
/// acknowledged, unless it is whole: then it was cut off before the mark, or the mark has rotted, and it counts.
pub fn open_newest(file: &Path) -> Result<(Seen, Commit), StoreError> {
    // What the file says of this commit is compared with its checksum, so its number can be trusted.
    let (mut marked, _) = open(file, Commit::Marked)?;
    let header = File::open(file).and_then(|file| Header::read(&file)).map_err(|error| cannot_be_read(file, &error))?;
    let newer = || {
        let (mut other, _) = open(file, Commit::Other)?;
        other.look_through()?;
        Ok::<Seen, StoreError>(other)
    };
    if header.seems_behind()
        && let Ok(newer) = newer()
    {
        tracing::info!("{}: its newest commit is whole but was not marked, and counts all the same", file.display());
        return Ok((newer, Commit::Other));
    }
    marked.look_through()?;
    Ok((marked, Commit::Marked))
}

fn cannot_be_read(file: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", file.display()))
}

/// What can be seen through the glass. The engine may panic when it lets go of pages that make no sense.
pub struct Seen {
    database: Option<Database>,
    sums: Arc<Sums>,
}

impl Seen {
    /// What the blocks of the file hold, as far as they were seen.
    pub fn sums(&self) -> Arc<Sums> {
        Arc::clone(&self.sums)
    }

    /// What is in it now.
    pub fn reading(&self) -> Result<ReadTransaction, StoreError> {
        let database = self.database.as_ref().ok_or_else(closed)?;
        Ok(database.begin_read().map_err(redb::Error::from)?)
    }

    /// What is true of the whole file.
    pub fn meta(&self, key: &str) -> Result<Option<u64>, StoreError> {
        contained(|| match self.reading()?.open_table(META) {
            Ok(table) => Ok(table.get(key)?.map(|value| value.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Reads every page and compares it with its checksum. The engine itself believes what it reads back.
    pub fn look_through(&mut self) -> Result<(), StoreError> {
        let database = self.database.as_mut().ok_or_else(closed)?;
        // What is said of free space is put right on the glass, and the engine will put it right in the file.
        contained(|| Ok(database.check_integrity().map(drop).map_err(redb::Error::from)?))
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let_go(self.database.take());
    }
}

/// How many reads there were since somebody got anywhere.
#[derive(Default, Debug)]
pub struct Reads {
    since_progress: AtomicU64,
    /// 0 for no limit.
    limit: AtomicU64,
}

impl Reads {
    /// From now on a walk in circles is an error.
    pub fn limit(&self) {
        self.limit.store(READS_MAX, Ordering::Relaxed);
    }

    pub fn progress(&self) {
        self.since_progress.store(0, Ordering::Relaxed);
    }

    fn one_more(&self) -> io::Result<()> {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit > 0 && self.since_progress.fetch_add(1, Ordering::Relaxed) > limit {
            return Err(io::Error::other("its pages go in circles"));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Glass {
    file: File,
    reads: Arc<Reads>,
    /// What was seen of the file.
    sums: Arc<Sums>,
    painted: Mutex<Painted>,
}

/// What was written on the glass.
#[derive(Debug)]
struct Painted {
    blocks: HashMap<u64, Box<[u8]>>,
    length: u64,
}

impl Glass {
    fn over(path: &Path, commit: Commit, reads: Arc<Reads>, sums: Arc<Sums>) -> io::Result<Glass> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let (at, marks) = Header::read(&file)?.marks_for(commit);
        let glass = Glass { file, reads, sums, painted: Mutex::new(Painted { blocks: HashMap::new(), length }) };
        glass.write(at, &[marks])?;
        Ok(glass)
    }

    /// A block as it is, with zeros behind the file's end.
    fn block(&self, number: u64) -> io::Result<Box<[u8]>> {
        let mut block = vec![0; BLOCK_BYTES as usize].into_boxed_slice();
        let mut have = 0;
        while have < block.len() {
            match self.file.read_at(&mut block[have..], number * BLOCK_BYTES + have as u64)? {
                0 => break,
                count => have += count,
            }
        }
        self.sums.learn(number, &block);
        Ok(block)
    }
}

/// The parts of a range that lie in one block each: the block, where in it, and where in the range.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES) as usize;
        let count = (BLOCK_BYTES as usize - within).min(length - done);
        let part = (at / BLOCK_BYTES, within, done..done + count);
        done += count;
        (count > 0).then_some(part)
    })
}

impl StorageBackend for Glass {
    fn len(&self) -> io::Result<u64> {
        Ok(self.painted.lock().unwrap_or_else(PoisonError::into_inner).length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.reads.one_more()?;
        let painted = self.painted.lock().unwrap_or_else(PoisonError::into_inner);
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > painted.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, place) in parts(offset, out.len()) {
            let count = place.len();
            match painted.blocks.get(&number) {
                Some(block) => out[place].copy_from_slice(&block[within..within + count]),
                None => out[place].copy_from_slice(&self.block(number)?[within..within + count]),
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut painted = self.painted.lock().unwrap_or_else(PoisonError::into_inner);
        painted.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut painted = self.painted.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, within, place) in parts(offset, data.len()) {
            let mut block = match painted.blocks.remove(&number) {
                Some(block) => block,
                None => self.block(number)?,
            };
            block[within..within + place.len()].copy_from_slice(&data[place]);
            painted.blocks.insert(number, block);
        }
        Ok(())
    }
}
