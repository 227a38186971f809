//! Begins to look after a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};

use super::address::Place;
use super::gate::Gate;
use super::listened::Listened;
use super::registry::Registry;
use super::server::{Kept, Server, ServerId};
use super::servers::Servers;
use super::subscriber::Subscriber;
use super::upkeep::Upkeep;

pub struct Keeper {
    pub wait: Duration,
    /// How many replicas must have what is published.
    pub replicas_min: u64,
    pub gate: Arc<Gate>,
    pub listened: Arc<Listened>,
    pub registry: Arc<Registry>,
    pub servers: Arc<Servers>,
    /// How many servers there have been.
    pub count: AtomicU32,
}

impl Keeper {
    /// Connects to a server, for commands and for announcements. Commands can be given when what is answered has been
    /// let go of: by then it must be known which slots the server has.
    pub fn keep(&self, place: watch::Receiver<Place>, asks_for_role: bool) -> (Arc<Kept>, Option<OwnedMutexGuard<()>>) {
        let id = ServerId(self.count.fetch_add(1, Ordering::Relaxed));
        let server = Arc::new(Server::new(id, place));
        // Nobody else has it yet.
        let opening = Arc::clone(&server.opening).try_lock_owned().ok();
        let replicas_min = self.replicas_min;
        let (wait, listened, registry) = (self.wait, Arc::clone(&self.listened), Arc::clone(&self.registry));
        let upkeep =
            Upkeep { server: Arc::clone(&server), asks_for_role, wait, replicas_min, registry: Arc::clone(&registry) };
        let gate = Arc::clone(&self.gate);
        let subscriber = Subscriber { server: Arc::clone(&server), wait, gate, listened, registry };
        let tasks = vec![tokio::spawn(upkeep.run()), tokio::spawn(subscriber.run())];
        (Arc::new(Kept { server, tasks }), opening)
    }
}
