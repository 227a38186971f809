//! The engine under the disk, and what it does when the ground shakes: it is opened again after an error, and its
//! panics are errors.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::{Durability, glass};
use crate::store::StoreError;

/// How many bytes of the file are kept in memory.
const CACHE_BYTES_MAX: usize = 256 << 20;

pub struct Engine {
    /// `None` when all is in memory.
    file: Option<PathBuf>,
    opened: RwLock<Opened>,
    /// Held while somebody writes, opens or closes. What is opened is locked for moments only, because a pipe may be
    /// locked by who reads, and whoever writes locks pipes.
    writing: Mutex<()>,
}

struct Opened {
    /// `None` once closed, or while the file cannot be opened again. A second owner is who writes.
    database: Option<Arc<Database>>,
    /// How often it was opened: who has met an error asks for one more opening, not for one each.
    times: u64,
}

impl Engine {
    /// Opens the file, or makes it. What is in it is not looked at.
    pub fn open(file: &Path) -> Result<Engine, StoreError> {
        // Messages are for the owner of the node alone, whatever the directory allows.
        OpenOptions::new().create(true).append(true).mode(0o600).open(file).map_err(|error| {
            StoreError::Unavailable(format!("{}: {error}; make it readable and writable for this user", file.display()))
        })?;
        Ok(Engine {
            file: Some(file.to_owned()),
            opened: RwLock::new(Opened { database: Some(Arc::new(open(file)?)), times: 1 }),
            writing: Mutex::default(),
        })
    }

    pub fn in_memory() -> Result<Engine, StoreError> {
        let database = Builder::new().create_with_backend(InMemoryBackend::new()).map_err(redb::Error::from)?;
        Ok(Engine {
            file: None,
            opened: RwLock::new(Opened { database: Some(Arc::new(database)), times: 1 }),
            writing: Mutex::default(),
        })
    }

    /// Opens a file that stays as it is, whatever is written here.
    pub fn under_glass(file: &Path) -> Result<Engine, StoreError> {
        let database = Some(Arc::new(glass::database(file, CACHE_BYTES_MAX)?.0));
        Ok(Engine { file: None, opened: RwLock::new(Opened { database, times: 1 }), writing: Mutex::default() })
    }

    /// Whether there is a file.
    pub fn is_on_disk(&self) -> bool {
        self.file.is_some()
    }

    pub fn reading(&self) -> Result<ReadTransaction, StoreError> {
        let opened = self.opened();
        Ok(opened.database.as_ref().ok_or_else(closed)?.begin_read().map_err(redb::Error::from)?)
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
            let database = database.as_ref().ok_or_else(closed)?;
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
        if outcome.is_err() {
            self.open_again(times, &writing);
        }
        outcome
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
        if has_panicked || matches!(outcome, Err(StoreError::Unavailable(_))) {
            // Whoever writes now will meet the same error.
            if let Ok(writing) = self.writing.try_lock() {
                self.open_again(times, &writing);
            }
        }
        outcome
    }

    /// Whoever closes may open the same file again.
    pub fn close(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let database = self.opened.write().unwrap_or_else(PoisonError::into_inner).database.take();
        let_go(database);
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
        let_go(opened.database.take());
        opened.times += 1;
        match open(file) {
            Ok(database) => opened.database = Some(Arc::new(database)),
            Err(error) => tracing::error!("{error}"),
        }
    }
}

fn open(file: &Path) -> Result<Database, StoreError> {
    contained(|| Ok(Builder::new().set_cache_size(CACHE_BYTES_MAX).create(file).map_err(redb::Error::from)?)).map_err(
        |error| {
            let repair = "restore it from a backup, or move it away to start empty";
            let (StoreError::Damaged(what) | StoreError::Unavailable(what)) = error;
            StoreError::Damaged(format!("{}: {what}; {repair}", file.display()))
        },
    )
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
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                StoreError::Unavailable("the file could not be written, and is opened again".into())
            }
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
