//! A backup as a store: one to read from, and one that is written from what another store has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::{Config, Durability, Embedded, STORE_FILE, backup, copy, open, over};
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// The files that a store has in its directory.
const FILES: [&str; 3] = [STORE_FILE, "lock", "backup.sock"];

/// Nothing is trimmed that was kept elsewhere, and nobody listens.
fn config(directory: Option<PathBuf>) -> Config {
    let history_bytes_max_per_pipe = usize::MAX;
    Config { directory, durability: Durability::Memory, history_bytes_max_per_pipe, recovery_bytes_max: 0 }
}

/// Opens a backup to read from it. The file is looked through first, and stays as it is; its pipes stand where they
/// stood.
pub fn read_backup(file: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Embedded>, StoreError> {
    backup::seen(file)?.look_through()?;
    over(Disk::under_glass(file)?, None, &config(None), Vec::new(), clock)
}

/// A backup that is being written. It has its name when it is whole; what is dropped before leaves nothing behind.
pub struct Archive {
    file: PathBuf,
    directory: PathBuf,
    store: Arc<Embedded>,
}

impl Archive {
    pub fn begin(file: &Path, clock: Arc<dyn Clock>) -> Result<Archive, StoreError> {
        let directory = backup::partial(file);
        // One that was killed has left it.
        remove(&directory);
        let store = open(&config(Some(directory.clone())), Vec::new(), clock)?;
        Ok(Archive { file: file.to_owned(), directory, store })
    }

    /// What is to be written goes here.
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// All of it is on disk, under its name, when this returns.
    pub async fn finish(self) -> Result<(), StoreError> {
        self.store.close().await;
        let written = self.directory.join(STORE_FILE);
        copy::mark(&written)?;
        backup::put_in_place(&written, &self.file)
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// Only what a store has made.
fn remove(directory: &Path) {
    for name in FILES {
        let _ = fs::remove_file(directory.join(name));
    }
    let _ = fs::remove_dir(directory);
}
