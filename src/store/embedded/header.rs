//! The beginning of the engine's file, where it says which of its two newest commits counts.
//!
//! The engine writes two commits in turn and marks the newer one with a bit. Nothing guards that bit: if it has rotted,
//! the file is a whole one of a commit earlier. And of a file that was closed, the engine does not compare what it says
//! of a commit with the checksum that stands behind it. So both are looked at here before the engine opens the file.
//!
//! The layout is that of the engine's file format 3, which the engine itself insists on; `tests/damage.rs` flips every
//! bit of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Where the marks are, in one byte.
const MARKS_AT: u64 = 9;
/// Which of the two commits counts.
const SECOND_COUNTS: u8 = 1;
/// The file was not closed: the engine compares checksums of commits.
const NOT_CLOSED: u8 = 2;
/// The commit that counts was on disk before it was marked, so the engine never takes the other instead.
const TWO_PHASES: u8 = 4;
/// Where the numbers of the two commits are, each in 8 bytes, the lowest first.
const NUMBERS_AT: [u64; 2] = [64 + 104, 192 + 104];

/// One of the two commits that a file has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commit {
    /// The one that counts.
    Marked,
    /// The one before it; or behind it, when a crash or rot has come between them.
    Other,
}

/// What is marked, and the numbers of the commits.
pub struct Header {
    marks: u8,
    numbers: [u64; 2],
}

impl Header {
    /// What a file says. What is shorter than that is no file of the engine.
    pub fn read(file: &File) -> io::Result<Header> {
        let mut marks = [0];
        file.read_exact_at(&mut marks, MARKS_AT)?;
        let mut numbers = [0; 2];
        for (number, at) in numbers.iter_mut().zip(NUMBERS_AT) {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, at)?;
            *number = u64::from_le_bytes(bytes);
        }
        Ok(Header { marks: marks[0], numbers })
    }

    /// Whether the other commit says that it is newer. It may be torn, or its number rotten.
    pub fn seems_behind(&self) -> bool {
        let [first, second] = self.numbers;
        if self.marks & SECOND_COUNTS == 0 { second > first } else { first > second }
    }

    /// Where the marks are, and what is to be there so that this commit counts and is compared with its checksum.
    pub fn marks_for(&self, commit: Commit) -> (u64, u8) {
        let marks = match commit {
            Commit::Marked => self.marks,
            Commit::Other => (self.marks ^ SECOND_COUNTS) | TWO_PHASES,
        };
        (MARKS_AT, marks | NOT_CLOSED)
    }
}

/// Marks a commit in the file; the engine will have it on disk with its own first write.
pub fn mark(path: &Path, commit: Commit) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let (at, marks) = Header::read(&file)?.marks_for(commit);
    file.write_all_at(&[marks], at)
}
