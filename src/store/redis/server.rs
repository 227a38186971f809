//! One server and what is known of it here: where it is, whether commands can be given, what it is to announce.

use std::collections::HashSet;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use redis::aio::MultiplexedConnection;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;

use super::address::Place;
use super::replication::Replication;
use crate::store::StoreError;

/// A server, as long as this node knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ServerId(pub u32);

/// A connection that commands can be given by.
#[derive(Clone)]
pub struct Open {
    /// Which one of this server it is.
    pub number: u64,
    pub commands: MultiplexedConnection,
    /// By which one waits for replicas, if that is wanted.
    pub replication: Option<Replication>,
}

/// Whether commands can be given now.
#[derive(Clone)]
pub enum Line {
    Open(Open),
    /// Why not.
    Broken(String),
}

/// What those who give commands share with the tasks that look after the connections.
pub struct Server {
    pub id: ServerId,
    /// Where it is; Sentinels may say that it is somewhere else now.
    pub place: watch::Receiver<Place>,
    /// How often the Sentinels have been asked where it is.
    pub asked: watch::Sender<u64>,
    pub line: watch::Sender<Line>,
    /// Held while the positions of its pipes are compared with what was heard, until commands can be given or the slots
    /// are its own.
    pub opening: Arc<Mutex<()>>,
    /// Pipes whose subscription may no longer be what it should be, by base.
    changed: StdMutex<HashSet<String>>,
    /// Told when there are such.
    pub has_changed: Notify,
}

impl Server {
    pub fn new(id: ServerId, place: watch::Receiver<Place>) -> Server {
        Server {
            id,
            place,
            asked: watch::Sender::new(0),
            line: watch::Sender::new(Line::Broken(NOT_TRIED.into())),
            opening: Arc::default(),
            changed: StdMutex::default(),
            has_changed: Notify::new(),
        }
    }

    /// A connection that is not the lost one, as soon as there is one.
    pub async fn connection(&self, lost: Option<u64>) -> Result<Open, StoreError> {
        let mut line = self.line.subscribe();
        let is_open = |line: &Line| matches!(line, Line::Open(open) if Some(open.number) != lost);
        let closed = || StoreError::Unavailable("the node is stopping".into());
        match &*line.wait_for(is_open).await.map_err(|_| closed())? {
            Line::Open(open) => Ok(open.clone()),
            Line::Broken(_) => Err(closed()),
        }
    }

    /// The connection of this number is of no more use.
    pub fn give_up(&self, number: u64, why: &str) {
        self.line.send_if_modified(|line| {
            let is_it = matches!(line, Line::Open(open) if open.number == number);
            if is_it {
                *line = Line::Broken(why.to_owned());
            }
            is_it
        });
    }

    /// Waits until it has been tried once; answers why it cannot be used, if it cannot.
    pub async fn tried(&self) -> Result<(), String> {
        let mut line = self.line.subscribe();
        let is_tried = |line: &Line| !matches!(line, Line::Broken(why) if why == NOT_TRIED);
        match line.wait_for(is_tried).await.as_deref() {
            Ok(Line::Open(..)) => Ok(()),
            Ok(Line::Broken(why)) => Err(why.clone()),
            Err(_) => Err("the node is stopping".into()),
        }
    }

    /// Why commands cannot be given now, if they cannot.
    pub fn why_broken(&self) -> Option<String> {
        match &*self.line.borrow() {
            Line::Open(..) => None,
            Line::Broken(why) => Some(why.clone()),
        }
    }

    /// The subscription of a pipe may no longer be what it should be.
    pub fn change(&self, base: &str) {
        self.changes().insert(base.to_owned());
        self.has_changed.notify_one();
    }

    /// Some of the pipes of which that is so.
    pub fn take_changed(&self, count_max: usize) -> Vec<String> {
        let mut changed = self.changes();
        let bases: Vec<String> = changed.iter().take(count_max).cloned().collect();
        for base in &bases {
            changed.remove(base);
        }
        bases
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NOT_TRIED: &str = "it was not tried yet";

impl std::fmt::Display for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.place.borrow().fmt(out)
    }
}

/// A server that is looked after. Its connections end when nobody has anything to do with it any more.
pub struct Kept {
    pub server: Arc<Server>,
    pub tasks: Vec<JoinHandle<()>>,
}

impl std::ops::Deref for Kept {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
