//! The store that needs nothing installed: what is live in memory, what must survive in one file.

mod archive;
mod backup;
mod checked;
mod committer;
mod copy;
mod disk;
mod engine;
mod glass;
mod head;
mod header;
mod live;
mod live_pipe;
mod record;
mod salvage;
mod repeats;
mod window;
mod words;

use std::cell::Cell;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;

pub use self::archive::{Archive, read_backup};
use self::backup::Socket;
pub use self::backup::{backup, restore};
use self::committer::{Committer, Work};
use self::disk::Disk;
use self::live::{Live, Routed};
use self::live_pipe::Sought;
use super::{
    Adopted, CallId, Ear, EarId, Listening, Page, PageMax, Publish, Published, Record, Recovered, Shelf, Since,
    Standing, Store, StoreError,
};
use crate::clock::Clock;
use crate::pipe::{Delivery, Pipe, PipeName, Position, Retention};
use crate::user::{TenantId, UserId};

/// The file in the data directory.
const STORE_FILE: &str = "store.redb";

#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; `None` keeps everything in memory.
    pub directory: Option<PathBuf>,
    /// What an acknowledgement is worth.
    pub durability: Durability,
    /// Most bytes of history one pipe keeps.
    pub history_bytes_max_per_pipe: usize,
    /// Most bytes that the recovery windows of all pipes take together.
    pub recovery_bytes_max: usize,
}

/// What is true of a message when its publisher is told OK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// It is on disk.
    Disk,
    /// It is in this process; within a second it is on disk.
    Memory,
}

impl Durability {
    /// As it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Durability::Disk => "disk",
            Durability::Memory => "memory",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Durability> {
        [Durability::Disk, Durability::Memory].into_iter().find(|durability| durability.name() == name)
    }
}

pub struct Embedded {
    live: Arc<Live>,
    disk: Arc<Disk>,
    clock: Arc<dyn Clock>,
    committer: Sender<Work>,
    /// Held as long as the store is open: a second node on the same directory is refused.
    lock: Mutex<Option<File>>,
    /// Where a copy is asked for.
    socket: Mutex<Option<Socket>>,
}

/// Opens the store; it will announce to `ears`, in whose order they have their [`EarId`]s.
pub fn open(config: &Config, ears: Vec<Arc<Ear>>, clock: Arc<dyn Clock>) -> Result<Arc<Embedded>, StoreError> {
    let (disk, lock) = match &config.directory {
        Some(directory) => {
            let lock = lock(directory)?;
            (Disk::open(&directory.join(STORE_FILE), config.durability)?, Some(lock))
        }
        None => (Disk::in_memory()?, None),
    };
    over(disk, lock, config, ears, clock)
}

/// The store over what is opened already.
fn over(
    disk: Disk,
    lock: Option<File>,
    config: &Config,
    ears: Vec<Arc<Ear>>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Embedded>, StoreError> {
    let disk = Arc::new(disk);
    let live = Arc::new(Live::new(ears, Arc::clone(&disk), config.recovery_bytes_max));
    remember(&disk, &live, &*clock)?;
    let (sender, queue) = channel();
    let committer = Committer {
        disk: Arc::clone(&disk),
        live: Arc::clone(&live),
        clock: Arc::clone(&clock),
        history_bytes_max_per_pipe: config.history_bytes_max_per_pipe as u64,
        has_lost_ground: Cell::new(false),
    };
    std::thread::Builder::new()
        .name("committer".into())
        .spawn(move || committer.run(&queue))
        .map_err(|error| StoreError::Unavailable(format!("cannot start a thread: {error}")))?;
    let socket = config.directory.as_ref().and_then(|directory| {
        let opened = Socket::open(directory, &disk);
        opened.inspect_err(|error| tracing::warn!("no backup can be made while the node runs: {error}")).ok()
    });
    let (lock, socket) = (Mutex::new(lock), Mutex::new(socket));
    Ok(Arc::new(Embedded { live, disk, clock, committer: sender, lock, socket }))
}

/// Takes the data directory for this process, and makes it if need be.
fn lock(directory: &Path) -> Result<File, StoreError> {
    let unavailable = |what: &str, error: &dyn std::fmt::Display| {
        StoreError::Unavailable(format!("cannot {what} the data directory {}: {error}", directory.display()))
    };
    // Messages are nobody else's business.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| unavailable("make", &with_advice(&error, directory)))?;
    let file = File::create(directory.join("lock"));
    let file = file.map_err(|error| unavailable("write to", &with_advice(&error, directory)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(unavailable("use", &"another node is using it; stop that one or choose another --data-dir"))
        }
        Err(TryLockError::Error(error)) => Err(unavailable("lock", &error)),
    }
}

/// Who must be able to do what, where.
fn with_advice(error: &io::Error, directory: &Path) -> String {
    let there = directory.ancestors().find(|path| path.exists()).unwrap_or(directory);
    let (there, user) = (there.display(), rustix::process::geteuid().as_raw());
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            format!("{error}; {there} is no directory: choose another --data-dir")
        }
        _ => format!(
            "{error}; the server runs as user {user}, who must be able to write in {there}: `chown {user} {there}`, \
             or choose another --data-dir"
        ),
    }
}

/// Brings back where the pipes stood that have a setting, and which ids were chosen lately.
fn remember(disk: &Disk, live: &Live, clock: &dyn Clock) -> Result<(), StoreError> {
    let now = clock.now();
    for (pipe, retention) in disk.settings()? {
        let head = disk.head_or_new(&pipe, retention);
        let mut locked = live.lock([&pipe].into_iter());
        let live = locked.pipe(&pipe, now);
        live.head = head;
        live.is_set = true;
    }
    for first in disk.firsts(now)? {
        live.remember(first, now);
    }
    Ok(())
}

impl Embedded {
    /// Queues what `work` makes of a place to reply, and waits for the reply.
    async fn commit<T>(
        &self,
        pipe: &Pipe,
        work: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Work,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.live.queue(pipe, self.clock.now(), &self.committer, work(reply));
        answered(answer).await
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the node is stopping".into())))
}

#[async_trait]
impl Store for Embedded {
    async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        let rooms = self.live.reserve(&batch).await;
        match self.live.publish(batch, rooms, self.clock.now(), &self.committer) {
            Routed::Announced(published) => Ok(published),
            Routed::Queued(answer) => answered(answer).await,
        }
    }

    async fn listen(&self, pipe: &Pipe, ear: EarId) -> Result<Listening, StoreError> {
        Ok(self.live.listen(pipe, ear, self.clock.now()))
    }

    async fn unlisten(&self, pipe: &Pipe, ear: EarId) -> Result<u64, StoreError> {
        Ok(self.live.unlisten(pipe, ear, self.clock.now()))
    }

    async fn listeners(&self, pipe: &Pipe) -> Result<u64, StoreError> {
        Ok(self.live.listeners(pipe))
    }

    async fn listened(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, u64)>, StoreError> {
        Ok(self.live.listened(tenant, after, count_max))
    }

    async fn dismiss(&self, log: &Pipe) -> Result<(), StoreError> {
        self.live.dismiss(log);
        Ok(())
    }

    /// It never fails, so that nothing is repeated.
    async fn disappear(&self, log: &Pipe, _call: CallId) -> Result<bool, StoreError> {
        Ok(self.live.disappear(log))
    }

    async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError> {
        let now = self.clock.now();
        let retention = self.disk.read(|disk| disk.retention(pipe))?.unwrap_or_else(|| Retention::default_of(pipe));
        let head = self.live.head(pipe, now);
        self.disk.read(|disk| disk.history(pipe, since, max, retention.oldest_kept(now), &head))
    }

    async fn recover(&self, pipe: &Pipe, after: Position, max: PageMax) -> Result<Recovered, StoreError> {
        loop {
            let now = self.clock.now();
            let head = match self.live.recover(pipe, after, max, now) {
                Sought::Found(recovered) => return Ok(recovered),
                Sought::OnDisk(head) => head,
            };
            let oldest = head.retention.oldest_kept(now);
            match self.disk.read(|disk| disk.recover(pipe, after.index, max, oldest, head.position)) {
                Ok(Some(recovered)) => return Ok(recovered),
                Ok(None) => {}
                // A browser that cannot have a message must be told so, or it would ask for it for ever.
                Err(StoreError::Damaged(what)) => {
                    tracing::error!("{what} is damaged; whoever missed it is told that something is lost");
                    return Ok(Recovered::Lost(head.position));
                }
                Err(error) => return Err(error),
            }
            // The pipe has just stopped to keep messages, and the committer is about to say so: wait in its line.
            let of = pipe.clone();
            self.commit(pipe, |reply| Work::Take { pipe: of, index: 0, reply }).await?;
        }
    }

    async fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError> {
        self.disk.read(|disk| disk.kept(tenant, after, count_max))
    }

    async fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError> {
        let mut users = self.disk.read(|disk| disk.logs(tenant, after, count_max))?;
        users.extend(self.live.logs(tenant, after));
        users.sort_unstable();
        users.dedup();
        users.truncate(count_max);
        Ok(users)
    }

    async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError> {
        let (of, indexes) = (pipe.clone(), indexes.to_vec());
        self.commit(pipe, |reply| Work::Erase { pipe: of, indexes, reply }).await
    }

    async fn take(&self, pipe: &Pipe, index: u64) -> Result<(), StoreError> {
        if self.live.head(pipe, self.clock.now()).taken >= index {
            return Ok(());
        }
        let of = pipe.clone();
        self.commit(pipe, |reply| Work::Take { pipe: of, index, reply }).await
    }

    async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        self.disk.read(|disk| disk.record(tenant, record))
    }

    async fn set_record(&self, tenant: TenantId, record: &Record, value: Option<String>) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        // When the committer is gone the reply is dropped with the work.
        let _ = self.committer.send(Work::SetRecord { tenant, record: record.clone(), value, reply });
        answered(answer).await
    }

    async fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        self.disk.read(|disk| disk.records(tenant, shelf, after, count_max))
    }

    async fn set_retention(&self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError> {
        let of = pipe.clone();
        self.commit(pipe, |reply| Work::SetRetention { pipe: of, retention, reply }).await
    }

    async fn remove_retention(&self, pipe: &Pipe) -> Result<bool, StoreError> {
        let of = pipe.clone();
        self.commit(pipe, |reply| Work::RemoveRetention { pipe: of, reply }).await
    }

    async fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError> {
        self.disk.read(|disk| disk.retention(pipe))
    }

    async fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        self.disk.read(|disk| disk.retentions(tenant, after, count_max))
    }

    async fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError> {
        self.disk.read(|disk| disk.tenants(after, count_max))
    }

    async fn adopt(&self, pipe: &Pipe, messages: Vec<Arc<Delivery>>, stands: Standing) -> Result<Adopted, StoreError> {
        let of = pipe.clone();
        self.commit(pipe, |reply| Work::Adopt { pipe: of, messages, stands, reply }).await
    }

    async fn close(&self) {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (reply, closed) = oneshot::channel();
        if self.committer.send(Work::Close { reply }).is_ok() {
            // Closed, or gone already: both are closed.
            let _ = closed.await;
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
