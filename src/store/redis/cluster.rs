//! Keeps it known which server of a Redis Cluster has which slot.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::Place;
use super::call::Slot;
use super::connection::Connection;
use super::keeper::Keeper;
use super::refusal::explained;
use super::server::{Kept, Line, Open, ServerId};
use super::servers::Map;
use super::slots::{Slots, most};
use super::upkeep::compare;

/// How often the map is looked at when nobody doubts it,
const LOOK: Duration = Duration::from_secs(2);
/// and how often at most.
const LOOK_MIN: Duration = Duration::from_millis(20);
/// How long a server may take to say what it knows of the map.
const ANSWER: Duration = Duration::from_secs(1);

pub struct Cluster {
    seeds: Vec<Place>,
    keeper: Keeper,
}

impl Cluster {
    pub fn new(seeds: Vec<Place>, keeper: Keeper) -> Cluster {
        Cluster { seeds, keeper }
    }

    /// Connects to all servers; answers why, if none can be used.
    pub async fn first(&self) -> Result<(), String> {
        let said = self.ask_places(self.seeds.clone()).await?;
        self.follow_map(&said).await;
        let mut why = "none of its servers has a slot: create the cluster".to_owned();
        for server in self.keeper.servers.map().servers {
            match server.tried().await {
                Ok(()) => return Ok(()),
                Err(reason) => why = format!("{}: {reason}", **server),
            }
        }
        Err(why)
    }

    /// Looks at the map for ever: now and then, and when somebody doubts it.
    pub async fn follow(self) {
        let mut said_why = String::new();
        loop {
            let servers = &self.keeper.servers;
            tokio::select! {
                () = servers.doubted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.look().await {
                Ok(said) => {
                    said_why.clear();
                    self.follow_map(&said).await;
                }
                Err(why) if why != said_why => {
                    tracing::warn!("nobody says which server of the Redis Cluster has what: {why}; it is tried again");
                    said_why = why;
                }
                Err(_) => {}
            }
            servers.looks.send_modify(|looks| *looks += 1);
            tokio::time::sleep(LOOK_MIN).await;
        }
    }

    /// What most servers say; each of those that there is a connection to is asked. If there is none, whoever was ever
    /// known is.
    async fn look(&self) -> Result<Slots, String> {
        let servers = self.keeper.servers.map().servers;
        let mut asking = JoinSet::new();
        for server in &servers {
            if let Line::Open(open) = &*server.line.borrow() {
                asking.spawn(ask(open.commands.clone(), server.place.borrow().clone()));
            }
        }
        let said = answers(asking).await.0;
        if let Some(most) = most(&said) {
            return Ok(most.clone());
        }
        let known = servers.iter().map(|server| server.place.borrow().clone());
        self.ask_places(known.chain(self.seeds.clone()).collect()).await
    }

    async fn ask_places(&self, places: Vec<Place>) -> Result<Slots, String> {
        let mut asking = JoinSet::new();
        for place in places {
            let wait = self.keeper.wait;
            asking.spawn(async move {
                let connection = Connection::open(&place, None, wait.min(ANSWER)).await?;
                ask(connection.commands.clone(), place).await
            });
        }
        let (said, why) = answers(asking).await;
        most(&said).cloned().ok_or(why)
    }

    /// Goes over to another map. Before a server has a slot, what was heard of the slot's pipes is compared with what the
    /// server knows of them; if that cannot be done now, the next look does it.
    async fn follow_map(&self, said: &Slots) {
        let servers = &self.keeper.servers;
        let before = servers.map();
        let mut openings = Vec::new();
        let mut keep = |place: &Place| {
            let known = before.servers.iter().find(|known| known.place.borrow().is(place));
            known.cloned().unwrap_or_else(|| {
                tracing::info!("Redis at {place} has slots of the cluster");
                let (kept, opening) = self.keeper.keep(watch::channel(place.clone()).1, false);
                openings.extend(opening);
                kept
            })
        };
        let kept: Vec<Arc<Kept>> = said.places.iter().map(&mut keep).collect();
        let after = Map { servers: kept, owners: said.owners.clone(), is_closed: false };
        let gained: HashSet<ServerId> = after.gained(&before).map(|(_, server)| server.id).collect();
        let count = |map: &Map| map.owners.iter().flatten().count();
        if gained.is_empty() && count(&after) == count(&before) {
            return;
        }
        // A server that is new waits for this without being asked to.
        for server in before.servers.iter().filter(|server| gained.contains(&server.id)) {
            let has = |map: &Map, slot| map.owner(slot).is_some_and(|owner| owner.id == server.id);
            match self.hand_over(server, |slot| has(&after, slot) && !has(&before, slot)).await {
                Some(opening) => openings.push(opening),
                None => return servers.doubted.notify_one(),
            }
        }
        servers.install(after.servers, after.owners);
        drop(openings);
        self.keeper.listened.moved();
    }

    /// Compares what was heard of the pipes in these slots with where the server has them. Until what is answered has
    /// been let go of, a server that commands cannot be given to now stays so.
    async fn hand_over(&self, server: &Kept, is_gained: impl Fn(Slot) -> bool) -> Option<OwnedMutexGuard<()>> {
        let opening = Arc::clone(&server.opening).try_lock_owned().ok()?;
        let line = server.line.borrow().clone();
        if let Line::Open(Open { mut commands, .. }) = line {
            compare(&self.keeper.registry, &mut commands, is_gained, ANSWER).await.ok()?;
        }
        Some(opening)
    }
}

/// What one server says.
async fn ask(mut commands: MultiplexedConnection, place: Place) -> Result<Slots, String> {
    let slots = redis::cmd("CLUSTER").arg("SLOTS").to_owned();
    let answer = timeout(ANSWER, commands.send_packed_command(&slots)).await;
    let answer = answer.map_err(|_| format!("Redis at {place} has not answered in time"))?;
    let answer = answer.and_then(Value::extract_error);
    let answer = answer.map_err(|error| format!("Redis at {place}: {}", explained(&error)))?;
    Slots::read(&answer, &place).ok_or_else(|| format!("Redis at {place} says what is no map of slots"))
}

/// What was answered, and why something was not.
async fn answers(mut asking: JoinSet<Result<Slots, String>>) -> (Vec<Slots>, String) {
    let (mut said, mut why) = (Vec::new(), "no server answers".to_owned());
    while let Some(answered) = asking.join_next().await {
        match answered {
            Ok(Ok(slots)) => said.push(slots),
            Ok(Err(reason)) => why = reason,
            Err(_) => {}
        }
    }
    (said, why)
}
