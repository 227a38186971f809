//! What one server tells unasked: which pipes it is asked to tell of, and the way of its announcements into the ears.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use redis::{PushKind, Value};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::gate::{Announcement, Ended, Gate, Inlet};
use super::listened::{Doubt, Listened};
use super::record;
use super::registry::Registry;
use super::server::{Server, ServerId};
use super::upkeep::{MOVED, moved};
use crate::store::DELIVERY_BYTES;

/// Pipes that Redis is asked about at a time.
const CHANGES_MAX: usize = 500;
/// How often it is seen whether Redis is still there.
const PING: Duration = Duration::from_secs(1);
/// So long it is waited before a server is asked again that does not have a pipe, or not yet.
const REFUSED: Duration = Duration::from_millis(50);
/// From here on, twice as long each time up to [`BACKOFF_MAX`], it is waited before Redis is tried again.
pub const BACKOFF: Duration = Duration::from_millis(50);
pub const BACKOFF_MAX: Duration = Duration::from_secs(2);

pub struct Subscriber {
    pub server: Arc<Server>,
    pub wait: Duration,
    pub gate: Arc<Gate>,
    pub listened: Arc<Listened>,
    pub registry: Arc<Registry>,
}

impl Subscriber {
    /// Keeps a connection for ever.
    pub async fn run(self) {
        let (mut backoff, mut said) = (BACKOFF, String::new());
        let mut was_connected = false;
        let mut place = self.server.place.clone();
        loop {
            let here = place.borrow_and_update().clone();
            let ended = Arc::new(Ended::default());
            let why = match Connection::open(&here, Some(Inlet::new(&self.gate, &ended)), self.wait).await {
                Ok(mut connection) => {
                    said.clear();
                    let began = Instant::now();
                    let why = tokio::select! {
                        why = self.serve(&mut connection, &ended, was_connected) => why,
                        () = moved(&mut place) => MOVED.to_owned(),
                    };
                    if began.elapsed() > BACKOFF_MAX {
                        backoff = BACKOFF;
                    }
                    was_connected = true;
                    why
                }
                Err(why) => why,
            };
            self.listened.all_unsubscribed(self.server.id);
            if said != why {
                tracing::warn!("Redis at {here} announces nothing: {why}; it is tried again");
                said = why;
            }
            if !place.has_changed().unwrap_or(false) {
                tokio::select! {
                    () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(BACKOFF_MAX),
                    () = moved(&mut place) => backoff = BACKOFF,
                }
            }
        }
    }

    /// Serves until the connection breaks; answers why.
    async fn serve(&self, connection: &mut Connection, ended: &Ended, was_connected: bool) -> String {
        let mut must_tell_all = was_connected && !self.registry.commands.servers().are_many();
        // Ends with this.
        let mut telling = JoinSet::new();
        loop {
            let refused = match self.change(connection, ended).await {
                Ok(refused) => refused,
                Err(why) => return why,
            };
            let _ = telling.try_join_next();
            // What is in doubt later waits until this is told.
            if telling.is_empty() {
                let (listened, registry) = (Arc::clone(&self.listened), Arc::clone(&self.registry));
                if std::mem::take(&mut must_tell_all) {
                    telling.spawn(tell_all(listened, registry));
                } else if self.listened.is_doubted(self.server.id) {
                    telling.spawn(tell_doubted(listened, registry, self.server.id));
                }
            }
            tokio::select! {
                () = self.server.has_changed.notified() => {}
                () = ended.told.notified() => {}
                Some(_) = telling.join_next() => {}
                () = connection.broken() => return "the connection broke".into(),
                () = tokio::time::sleep(REFUSED), if !refused.is_empty() => {}
                () = tokio::time::sleep(PING) => {
                    if let Err(why) = self.ping(connection).await {
                        return why;
                    }
                }
            }
            refused.iter().for_each(|base| self.server.change(base));
        }
    }

    /// Asks for all that has changed; answers what was refused and is to be asked for later.
    async fn change(&self, connection: &Connection, ended: &Ended) -> Result<Vec<String>, String> {
        let mut refused = Vec::new();
        loop {
            let bases = self.server.take_changed(CHANGES_MAX);
            let changes = self.listened.changes(self.server.id, bases);
            let is_done = changes.subscribe.is_empty() && changes.unsubscribe.is_empty();
            self.ask(connection, "SUNSUBSCRIBE", &changes.unsubscribe).await?;
            // Whoever is unsubscribed unasked has a slot that this server has no more.
            let mut ended = ended.take();
            let asked: HashSet<&String> = changes.unsubscribe.iter().collect();
            ended.retain(|base| !asked.contains(base));
            if !ended.is_empty() {
                self.registry.commands.servers().doubted.notify_one();
                self.listened.unsubscribed(self.server.id, &ended);
            }
            let told = self.ask(connection, "SSUBSCRIBE", &changes.subscribe).await?;
            let (subscribed, not): (Vec<_>, Vec<_>) =
                changes.subscribe.into_iter().partition(|base| told.contains(base.as_bytes()));
            self.listened.subscribed(self.server.id, &subscribed);
            if !not.is_empty() {
                self.registry.commands.servers().doubted.notify_one();
                refused.extend(not);
            }
            if is_done {
                return Ok(refused);
            }
        }
    }

    /// One command a pipe, all of them sent together. Answers which pipes were subscribed. An answer that is missing was
    /// taken for another one: a subscription that the server ends looks like an answer.
    async fn ask(&self, connection: &Connection, command: &str, bases: &[String]) -> Result<HashSet<Vec<u8>>, String> {
        if bases.is_empty() {
            return Ok(HashSet::new());
        }
        let mut pipeline = redis::pipe();
        for base in bases {
            let mut ask = redis::cmd(command);
            ask.arg(base);
            pipeline.add_command(ask);
        }
        let mut commands = connection.commands.clone();
        let answers = self.patiently(commands.send_packed_commands(&pipeline, 0, bases.len())).await?;
        let are_many = self.registry.commands.servers().are_many();
        let mut told = HashSet::new();
        for answer in answers {
            match answer.extract_error() {
                Ok(Value::Push { kind: PushKind::SSubscribe, data }) => {
                    if let Some(Value::BulkString(channel)) = data.into_iter().next() {
                        told.insert(channel);
                    }
                }
                Ok(_) => {}
                // Of a slot that has moved.
                Err(error) if are_many && error.is_cluster_error() => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(told)
    }

    async fn ping(&self, connection: &Connection) -> Result<Value, String> {
        let mut commands = connection.commands.clone();
        self.patiently(commands.send_packed_command(&redis::cmd("PING"))).await
    }

    /// Waits for an answer for the limit of time, and on while it is us who do not read because an ear is full.
    async fn patiently<T>(&self, answer: impl Future<Output = redis::RedisResult<T>>) -> Result<T, String> {
        let mut answer = std::pin::pin!(answer);
        loop {
            match timeout(self.wait, &mut answer).await {
                Ok(answer) => return answer.map_err(|error| error.to_string()),
                Err(_) if self.gate.is_full() => {}
                Err(_) => return Err(format!("it has not answered within {} ms", self.wait.as_millis())),
            }
        }
    }
}

/// What was in doubt is heard again: Redis is told who listens, and whatever came in between, the ears look for
/// themselves. A pipe of which it cannot be told now keeps no other waiting.
async fn tell_doubted(listened: Arc<Listened>, registry: Arc<Registry>, server: ServerId) {
    let mut backoff = BACKOFF;
    loop {
        // With what has come to be in doubt meanwhile.
        let doubted = listened.doubted(server);
        registry.wills.tell_of(&doubted.iter().map(|doubt| doubt.base.as_str()).collect());
        let pipes = doubted.iter().map(|doubt| (doubt.base.clone(), doubt.pipe.clone()));
        let not_told = registry.tell_counts(pipes).await;
        let told: Vec<Doubt> = doubted.into_iter().filter(|doubt| !not_told.bases.contains(&doubt.base)).collect();
        listened.lost_of(&told);
        let Some(error) = not_told.why else { return };
        tracing::debug!("who listens here is told once more: {error}");
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// The same of everything, when there is one server. What cannot be told now stays in doubt.
async fn tell_all(listened: Arc<Listened>, registry: Arc<Registry>) {
    listened.tell_all();
    registry.wills.tell_all();
    let not_told = registry.tell_untold().await;
    if let Some(error) = not_told.why {
        tracing::debug!("who listens here is told once more: {error}");
    }
    listened.lost_all_but(&not_told.bases);
}

/// Puts announcements into the ears, one after the other, as long as there are any. While an ear that must hear is
/// full it waits, the gate fills, and the socket is not read.
pub async fn hear(
    mut announcements: UnboundedReceiver<Announcement>,
    gate: Arc<Gate>,
    listened: Arc<Listened>,
    registry: Arc<Registry>,
) {
    while let Some(announcement) = announcements.recv().await {
        hear_one(&announcement, &listened, &registry).await;
        gate.leave(&announcement);
    }
}

async fn hear_one(announcement: &Announcement, listened: &Listened, registry: &Arc<Registry>) {
    let Ok(base) = std::str::from_utf8(&announcement.channel) else { return };
    if listened.is_letters(base) {
        registry.letters.put(announcement.record.clone());
        return;
    }
    if let Some(at) = record::dismissal_of(&announcement.record) {
        listened.dismissed(base, at);
        return;
    }
    let Some((pipe, ears)) = listened.ears_of(base) else { return };
    let Some(delivery) = record::delivery_of(&pipe, &announcement.record) else {
        tracing::error!("something was announced to {} that is no message of ours", pipe.shown_name());
        return;
    };
    let bytes = delivery.message.bytes() + delivery.event.as_str().len() + DELIVERY_BYTES;
    let mut rooms = Vec::with_capacity(ears.len());
    for id in ears {
        if let Some(ear) = listened.ear(id) {
            rooms.push((id, ear.reserve(bytes).await));
        }
    }
    if let Some(newest) = listened.heard(base, &Arc::new(delivery), rooms) {
        tracing::warn!("Redis has gone back behind what was heard of {}: a new epoch begins", pipe.shown_name());
        let (registry, base) = (Arc::clone(registry), base.to_owned());
        tokio::spawn(async move {
            if let Err(error) = registry.renew(&[(base, newest)]).await {
                tracing::error!("{error}");
            }
        });
    }
}
