//! The engine's file, compared with what was written and read before: what rots while the node runs is not believed.
//!
//! The engine compares pages with their checksums only when it looks through a whole file, and what it reads back it
//! writes on with a new one. So a checksum of every block is kept in memory, 4 bytes for each 4,096.

use std::fmt::{self, Debug, Formatter};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::StorageBackend;
use redb::backends::FileBackend;

pub const BLOCK_BYTES: u64 = 4_096;
/// The checksum of a block that nobody has seen yet.
const UNKNOWN: u32 = 0;

/// What the blocks of a file are known to hold.
#[derive(Default, Debug)]
pub struct Sums {
    blocks: RwLock<Vec<AtomicU32>>,
    has_met_rot: AtomicBool,
    /// Why the file was not written: the engine says it once, and then only that there was something.
    failure: Mutex<Option<String>>,
}

impl Sums {
    fn of(block: &[u8]) -> u32 {
        crc32fast::hash(block).max(UNKNOWN + 1)
    }

    /// The block is known to hold this. The first one is left out: the engine writes it in parts, reads it when it
    /// opens the file only, and has checksums of its own there.
    pub fn learn(&self, number: u64, block: &[u8]) {
        self.set(number, Sums::of(block));
    }

    fn set(&self, number: u64, sum: u32) {
        let Some(place) = usize::try_from(number).ok().filter(|number| *number > 0) else { return };
        let sums = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sums.get(place) {
            known.store(sum, Ordering::Release);
            return;
        }
        drop(sums);
        let mut sums = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        if sums.len() <= place {
            sums.resize_with(place + 1, AtomicU32::default);
        }
        sums[place].store(sum, Ordering::Release);
    }

    fn get(&self, number: u64) -> u32 {
        let sums = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let known = usize::try_from(number).ok().and_then(|place| sums.get(place));
        known.map_or(UNKNOWN, |sum| sum.load(Ordering::Acquire))
    }

    /// Whether something was not what it should be, since this was last asked.
    pub fn have_met_rot(&self) -> bool {
        self.has_met_rot.swap(false, Ordering::AcqRel)
    }

    /// Why the file could not be written, until it could.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How a write went.
    pub fn went<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(in_words(error));
        }
        outcome
    }

    /// It could be written.
    pub fn forget_failure(&self) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn cut(&self, blocks: u64) {
        let mut sums = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        sums.truncate(usize::try_from(blocks).unwrap_or(usize::MAX));
    }
}

/// What the system said, and what to do if a disk is full.
pub fn in_words(error: &io::Error) -> String {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            format!("there is no space for the file in the data directory ({error}): make some")
        }
        _ => format!("the file in the data directory could not be read or written: {error}"),
    }
}

/// The whole blocks of a range, each with its place in it.
fn whole_blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let block = BLOCK_BYTES as usize;
    let skipped = (offset.next_multiple_of(BLOCK_BYTES) - offset) as usize;
    let first = offset.div_ceil(BLOCK_BYTES);
    (first..)
        .zip((skipped..).step_by(block).map(move |from| from..from + block))
        .take_while(move |(_, at)| at.end <= length)
}

/// The file, as the engine uses it.
pub struct Checked {
    file: FileBackend,
    sums: Arc<Sums>,
}

impl Checked {
    /// Opens the file, or makes it. Messages are for the owner of the node alone, whatever the directory allows.
    pub fn open(path: &Path, sums: Arc<Sums>) -> Result<Checked, redb::DatabaseError> {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file: File = options.map_err(redb::StorageError::Io)?;
        Ok(Checked { file: FileBackend::new(file)?, sums })
    }
}

impl Debug for Checked {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.file.fmt(out)
    }
}

/// What is read as an error, so that the engine does not go on with it.
#[derive(Debug)]
pub struct Rotten(u64);

impl fmt::Display for Rotten {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "of the store's file 4096 bytes from {} on are not what was written there; restart the node, which saves \
             the rest and says what is lost",
            self.0 * BLOCK_BYTES
        )
    }
}

impl std::error::Error for Rotten {}

impl StorageBackend for Checked {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)?;
        for (number, place) in whole_blocks(offset, out.len()) {
            let known = self.sums.get(number);
            if known != UNKNOWN && known != Sums::of(&out[place]) {
                let rotten = Rotten(number);
                self.sums.has_met_rot.store(true, Ordering::Release);
                tracing::error!("{rotten}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, rotten));
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.sums.cut(length / BLOCK_BYTES);
        self.sums.went(self.file.set_len(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sums.went(self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // Until it is written whole, nobody knows what it holds.
        let touched = offset / BLOCK_BYTES..(offset + data.len() as u64).div_ceil(BLOCK_BYTES);
        touched.for_each(|number| self.sums.set(number, UNKNOWN));
        self.sums.went(self.file.write(offset, data))?;
        whole_blocks(offset, data.len()).for_each(|(number, place)| self.sums.learn(number, &data[place]));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_was_written_or_seen_is_compared_when_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let checked = Checked::open(&path, Arc::default()).unwrap();
        checked.set_len(8 * BLOCK_BYTES).unwrap();
        checked.write(BLOCK_BYTES, &[7; 2 * BLOCK_BYTES as usize]).unwrap();
        checked.sums.learn(4, &[0; BLOCK_BYTES as usize]);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let read = |number: u64| checked.read(number * BLOCK_BYTES, &mut [0; BLOCK_BYTES as usize]);
        for number in 0..8 {
            assert!(read(number).is_ok());
            file.write_all_at(&[9], number * BLOCK_BYTES + 17).unwrap();
            assert_eq!(read(number).is_err(), [1, 2, 4].contains(&number), "{number}");
        }
        assert!(read(2).unwrap_err().to_string().contains("from 8192 on"));
        // What is cut off and comes back is new.
        checked.set_len(2 * BLOCK_BYTES).unwrap();
        checked.set_len(8 * BLOCK_BYTES).unwrap();
        assert!(read(1).is_err() && read(2).is_ok());
        checked.write(BLOCK_BYTES, &[1; BLOCK_BYTES as usize]).unwrap();
        assert!(read(1).is_ok());
    }

    #[test]
    fn only_whole_blocks_are_compared() {
        let blocks = |offset, length| whole_blocks(offset, length).collect::<Vec<_>>();
        assert_eq!(blocks(0, 320), []);
        assert_eq!(blocks(4_096, 8_192), [(1, 0..4_096), (2, 4_096..8_192)]);
        assert_eq!(blocks(4_000, 4_192), [(1, 96..4_192)]);
        assert_eq!(blocks(4_000, 4_191), []);
    }
}
