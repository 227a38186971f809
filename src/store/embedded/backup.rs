//! A copy of a store while its node runs, and the way back.
//!
//! The node holds the file, so whoever wants a copy asks for it at a socket in the data directory. The node sends what
//! it has in one transaction, record by record; whoever asked writes the file.

use std::fmt::Display;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::copy::{self, Entry, Kind, Writer};
use super::disk::{Disk, VERSION, check_version};
use super::glass::{self, Seen};
use super::header::{self, Commit};
use super::{STORE_FILE, lock};
use crate::store::StoreError;

const SOCKET: &str = "backup.sock";
/// A longer silence ends a backup.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Instead of a table's number: how many entries there were.
const END: u8 = 0;
/// Instead of a table's number: why there are no more entries.
const FAILED: u8 = u8::MAX;
/// Longest key, record or reason, in bytes; what is longer was never sent by a node.
const PART_BYTES_MAX: u32 = 1 << 30;

/// Whoever asks at the socket gets a copy, as long as this lives.
pub struct Socket {
    directory: File,
    is_over: Arc<AtomicBool>,
}

/// The socket's path, short enough for a socket wherever the directory is.
fn socket_in(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}

impl Socket {
    /// The directory must be locked for this process.
    pub fn open(directory: &Path, disk: &Arc<Disk>) -> io::Result<Socket> {
        let directory = File::open(directory)?;
        let path = socket_in(&directory);
        // A node that was killed has left it.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (disk, over) = (Arc::downgrade(disk), Arc::clone(&is_over));
        std::thread::Builder::new().name("backup".into()).spawn(move || answer(&listener, &disk, &over))?;
        Ok(Socket { directory, is_over })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let path = socket_in(&self.directory);
        // So that it looks.
        let _ = UnixStream::connect(&path);
        let _ = fs::remove_file(&path);
    }
}

fn answer(listener: &UnixListener, disk: &Weak<Disk>, is_over: &AtomicBool) {
    for stream in listener.incoming() {
        let disk = disk.upgrade().filter(|_| !is_over.load(Ordering::Acquire));
        let (Some(disk), Ok(stream)) = (disk, stream) else { return };
        match send(&disk, stream) {
            Ok(count) => tracing::info!("a backup of {count} records was made"),
            Err(error) => tracing::warn!("a backup was not made: {error}"),
        }
    }
}

/// Sends everything; answers how many entries there were.
fn send(disk: &Disk, stream: UnixStream) -> Result<u64, StoreError> {
    stream.set_write_timeout(Some(SILENCE_MAX)).map_err(broken)?;
    let mut out = BufWriter::with_capacity(256 * 1_024, stream);
    let mut count = 0_u64;
    let sent = disk.engine.reading().and_then(|transaction| {
        copy::each(&transaction, |entry| {
            count += 1;
            put_entry(&mut out, &entry).map_err(broken)
        })
    });
    let last = match &sent {
        Ok(()) => out.write_all(&[END]).and_then(|()| out.write_all(&count.to_be_bytes())),
        Err(error) => out.write_all(&[FAILED]).and_then(|()| put_part(&mut out, error.to_string().as_bytes())),
    };
    last.and_then(|()| out.flush()).map_err(broken)?;
    sent.map(|()| count)
}

fn broken(error: impl Display) -> StoreError {
    StoreError::Unavailable(format!("the connection between backup and node broke: {error}"))
}

fn put_entry(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    out.write_all(&[entry.kind as u8])?;
    out.write_all(&entry.index.to_be_bytes())?;
    put_part(out, &entry.key)?;
    put_part(out, &entry.record)
}

fn put_part(out: &mut impl Write, part: &[u8]) -> io::Result<()> {
    let length = u32::try_from(part.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(part)
}

/// Writes what a node sends into `writer`; answers how many entries there were.
fn receive(stream: UnixStream, writer: &mut Writer) -> Result<u64, StoreError> {
    stream.set_read_timeout(Some(SILENCE_MAX)).map_err(broken)?;
    let mut from = BufReader::with_capacity(256 * 1_024, stream);
    let mut count = 0;
    loop {
        let [kind] = exactly(&mut from)?;
        if kind == FAILED {
            return Err(StoreError::Unavailable(String::from_utf8_lossy(&part(&mut from)?).into_owned()));
        }
        let number = u64::from_be_bytes(exactly(&mut from)?);
        if kind == END {
            return if number == count { Ok(count) } else { Err(broken("it sent what no node sends")) };
        }
        let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind);
        let kind = kind.ok_or_else(|| broken("it sent what no node sends"))?;
        writer.put(Entry { kind, index: number, key: part(&mut from)?, record: part(&mut from)? })?;
        count += 1;
    }
}

fn exactly<const N: usize>(from: &mut impl Read) -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

fn part(from: &mut impl Read) -> Result<Vec<u8>, StoreError> {
    let length = u32::from_be_bytes(exactly(from)?);
    if length > PART_BYTES_MAX {
        return Err(broken("it sent what no node sends"));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

/// Writes a copy of the store in `directory` to `file`, whether a node runs on it or not; answers how many records it
/// has. The file is there when it is whole, and not before.
pub fn backup(directory: &Path, file: &Path) -> Result<u64, StoreError> {
    let store = directory.join(STORE_FILE);
    if !store.exists() {
        return Err(StoreError::Unavailable(format!(
            "there is no store in {}: name the node's directory with --data-dir",
            directory.display()
        )));
    }
    let partial = partial(file);
    remove(&partial)?;
    let mut writer = Writer::new(&partial)?;
    let copied =
        File::open(directory).map_err(broken).and_then(|opened| match UnixStream::connect(socket_in(&opened)) {
            Ok(stream) => receive(stream, &mut writer),
            // No node runs, or else the lock is taken.
            Err(_) => copy_at_rest(directory, &store, &mut writer),
        });
    let copied = copied.and_then(|count| {
        writer.finish()?;
        put_in_place(&partial, file)?;
        Ok(count)
    });
    if copied.is_err() {
        let _ = fs::remove_file(&partial);
    }
    copied
}

/// A copy of a store that nobody uses, which stays as it is.
fn copy_at_rest(directory: &Path, store: &Path, writer: &mut Writer) -> Result<u64, StoreError> {
    let _lock = lock(directory)?;
    let (seen, _) = glass::open_newest(store)?;
    check_version(&seen, store)?;
    let mut count = 0;
    copy::each(&seen.reading()?, |entry| {
        count += 1;
        writer.put(entry)
    })?;
    Ok(count)
}

/// Puts a backup into a directory that has nothing yet; answers how many records it has.
pub fn restore(file: &Path, directory: &Path) -> Result<u64, StoreError> {
    let refused = |what: String| StoreError::Unavailable(format!("{}: {what}", file.display()));
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        let there = directory.display();
        return Err(refused(format!("{there} is not empty: move what is in it away, or choose another --data-dir")));
    }
    drop(seen(file)?);
    let lock = lock(directory)?;
    let store = directory.join(STORE_FILE);
    let partial = partial(&store);
    let restored = fs::copy(file, &partial)
        .and_then(|_| fs::set_permissions(&partial, Permissions::from_mode(0o600)))
        .map_err(|error| refused(error.to_string()))
        .and_then(|()| {
            let (seen, commit) = glass::open_newest(&partial)?;
            let mut count = 0;
            copy::each(&seen.reading()?, |_| {
                count += 1;
                Ok(())
            })?;
            Ok((count, commit))
        })
        .and_then(|(count, commit)| {
            header::mark(&partial, commit).map_err(|error| refused(error.to_string()))?;
            copy::mark(&partial)?;
            put_in_place(&partial, &store)?;
            Ok(count)
        });
    if restored.is_err() {
        let _ = fs::remove_file(&partial);
        let _ = fs::remove_file(directory.join("lock"));
    }
    drop(lock);
    restored
}

/// What is in a backup that this version can read. A file of something else is not touched by looking at it.
pub fn seen(file: &Path) -> Result<Seen, StoreError> {
    let refused = |what: &str| StoreError::Unavailable(format!("{}: {what}", file.display()));
    let bytes = file.metadata().map_err(|error| refused(&error.to_string()))?.len();
    let seen = glass::open(file, Commit::Marked).map(|(seen, _)| seen).ok();
    let Some(seen) = seen.filter(|seen| bytes > 0 && matches!(seen.meta(VERSION), Ok(Some(_)))) else {
        return Err(refused("this is no backup of cometql, or it is damaged at its beginning"));
    };
    check_version(&seen, file)?;
    Ok(seen)
}

pub fn partial(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn remove(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Unavailable(format!("{}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// Gives a whole file its name, so that it has it after a loss of power, too.
pub fn put_in_place(partial: &Path, file: &Path) -> Result<(), StoreError> {
    let put = || {
        File::open(partial)?.sync_all()?;
        fs::rename(partial, file)?;
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|error| StoreError::Unavailable(format!("{}: {error}", file.display())))
}
