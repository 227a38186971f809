//! The engine under the disk, and what it does when the ground shakes: it is opened again after an error, and its
//! panics are errors.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::checked::{Checked, Rotten, Sums, in_words};
use super::{Durability, glass};
use crate::store::StoreError;

/// How many bytes of the file are kept in memory.
const CACHE_BYTES_MAX: usize = 256 << 20;
/// What is said while nobody knows better.
const OPENED_AGAIN: &str = "the file could not be written, and is opened again";

pub struct Engine {
    /// `None` when all is in memory.
    file: Option<PathBuf>,
    /// What the file is known to hold.
    sums: Arc<Sums>,
    /// Whether the file was opened again since somebody asked: what was in memory only is gone.
    was_opened_again: AtomicBool,
    opened: RwLock<Opened>,
    /// Held while somebody writes, opens or closes. What is opened is locked for moments only, because a pipe may be
    /// locked by who reads, and whoever writes locks pipes.
    writing: Mutex<()>,
}

struct Opened {
    /// Or why there is none: it was closed, or cannot be opened again. A second owner is who writes.
    database: Result<Arc<Database>, StoreError>,
    /// How often it was opened: who has met an error asks for one more opening, not for one each.
    times: u64,
}

impl Engine {
    /// Opens the file, or makes it. What is in it is not looked at.
    pub fn open(file: &Path) -> Result<Engine, StoreError> {
        Engine::open_seen(file, Arc::default())
    }

    /// The same of a file that was looked through: what rots from now on is noticed when it is read.
    pub fn open_seen(file: &Path, sums: Arc<Sums>) -> Result<Engine, StoreError> {
        // Messages are for the owner of the node alone, whatever the directory allows.
        OpenOptions::new().create(true).append(true).mode(0o600).open(file).map_err(|error| {
            StoreError::Unavailable(format!("{}: {error}; make it readable and writable for this user", file.display()))
        })?;
        let database = Arc::new(open(file, &sums)?);
        Ok(Engine { file: Some(file.to_owned()), sums, ..Engine::of(database) })
    }

    fn of(database: Arc<Database>) -> Engine {
        Engine {
            file: None,
            sums: Arc::default(),
            was_opened_again: AtomicBool::new(false),
            opened: RwLock::new(Opened { database: Ok(database), times: 1 }),
            writing: Mutex::default(),
        }
    }

    pub fn in_memory() -> Result<Engine, StoreError> {
        let database = Builder::new().create_with_backend(InMemoryBackend::new()).map_err(redb::Error::from)?;
        Ok(Engine::of(Arc::new(database)))
    }

    /// Whether the file was opened again since this was last asked.
    pub fn was_opened_again(&self) -> bool {
        self.was_opened_again.swap(false, Ordering::AcqRel)
    }

    /// Opens a file that stays as it is, whatever is written here.
    pub fn under_glass(file: &Path) -> Result<Engine, StoreError> {
        Ok(Engine::of(Arc::new(glass::newest(file, CACHE_BYTES_MAX)?)))
    }

    /// Whether there is a file.
    pub fn is_on_disk(&self) -> bool {
        self.file.is_some()
    }

    pub fn reading(&self) -> Result<ReadTransaction, StoreError> {
        let opened = self.opened();
        Ok(opened.database.as_ref().map_err(StoreError::clone)?.begin_read().map_err(redb::Error::from)?)
    }

    /// Runs `work` in one transaction: all of it or nothing. It is safe when this returns, if it has to be. After an
    /// error the engine does nothing any more until it is opened again, which is done here.
    pub fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (database, times) = {
            let opened = self.opened();
            (opened.database.clone(), opened.times)
        };
        let outcome = contained(|| {
            let database = database.as_ref().map_err(StoreError::clone)?;
            let mut transaction = database.begin_write().map_err(redb::Error::from)?;
            let durability = match durability {
                Durability::Disk => redb::Durability::Immediate,
                Durability::Memory => redb::Durability::None,
            };
            transaction.set_durability(durability).map_err(redb::Error::from)?;
            // A file of which a page has rotted can still be opened, so that the rest is saved.
            transaction.set_quick_repair(true);
            let result = work(&transaction)?;
            transaction.commit().map_err(redb::Error::from)?;
            Ok(result)
        });
        drop(database);
        match outcome {
            Ok(_) => self.sums.forget_failure(),
            Err(_) => self.open_again(times, &writing),
        }
        outcome.map_err(|error| self.explained(error))
    }

    /// The engine says once what the matter is. Others who meet it hear of it here.
    fn explained(&self, error: StoreError) -> StoreError {
        match (error, self.sums.failure()) {
            (StoreError::Unavailable(what), Some(why)) if what == OPENED_AGAIN => StoreError::Unavailable(why),
            (error, _) => error,
        }
    }

    /// Runs a read; its panics are errors, and after an error the engine is opened again.
    pub fn read<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let times = self.opened().times;
        let mut has_panicked = true;
        let outcome = contained(|| {
            let outcome = work();
            has_panicked = false;
            outcome
        });
        if has_panicked || matches!(outcome, Err(StoreError::Unavailable(_))) || self.sums.have_met_rot() {
            // Whoever writes now will meet the same error.
            if let Ok(writing) = self.writing.try_lock() {
                self.open_again(times, &writing);
            }
        }
        outcome.map_err(|error| self.explained(error))
    }

    /// Whoever closes may open the same file again.
    pub fn close(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let_go(std::mem::replace(&mut opened.database, Err(closed())).ok());
    }

    fn opened(&self) -> RwLockReadGuard<'_, Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file once more, if nobody has since it had been opened so many times. What is only in memory would
    /// be lost by that.
    fn open_again(&self, times: u64, _writing: &MutexGuard<'_, ()>) {
        let Some(file) = &self.file else { return };
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.times != times {
            return;
        }
        let_go(std::mem::replace(&mut opened.database, Err(closed())).ok());
        opened.times += 1;
        self.was_opened_again.store(true, Ordering::Release);
        match open(file, &self.sums) {
            Ok(database) => opened.database = Ok(Arc::new(database)),
            Err(error) => {
                tracing::error!("{error}");
                opened.database = Err(error);
            }
        }
    }
}

fn open(file: &Path, sums: &Arc<Sums>) -> Result<Database, StoreError> {
    let create = || {
        let checked = Checked::open(file, Arc::clone(sums)).map_err(redb::Error::from)?;
        Ok(Builder::new().set_cache_size(CACHE_BYTES_MAX).create_with_backend(checked).map_err(redb::Error::from)?)
    };
    contained(create).map_err(|error| {
        let repair = "restore it from a backup, or move it away to start empty";
        let (StoreError::Damaged(what) | StoreError::Unavailable(what) | StoreError::Unknown(what)) = error;
        StoreError::Damaged(format!("{}: {what}; {repair}", file.display()))
    })
}

/// An engine in disorder may panic when it closes.
pub fn let_go<D>(database: Option<D>) {
    let _ = contained(|| {
        drop(database);
        Ok(())
    });
}

pub fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

/// Runs something of the engine, which panics over pages that make no sense.
pub fn contained<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(StoreError::Damaged(format!("the engine cannot go on: {}", text.unwrap_or("it panicked"))))
    })
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> StoreError {
        match error {
            redb::Error::Corrupted(what) => StoreError::Damaged(what),
            redb::Error::Io(error) if error.get_ref().is_some_and(|error| error.is::<Rotten>()) => {
                StoreError::Damaged(error.to_string())
            }
            redb::Error::Io(error) => StoreError::Unavailable(in_words(&error)),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => StoreError::Unavailable(OPENED_AGAIN.into()),
            other => StoreError::Unavailable(other.to_string()),
        }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> StoreError {
        StoreError::from(redb::Error::from(error))
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> StoreError {
        StoreError::from(redb::Error::from(error))
    }
}
