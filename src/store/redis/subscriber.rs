//! What Redis tells unasked: which pipes it is asked to tell of, and the way of its announcements into the ears.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::connection::{Address, Connection};
use super::gate::{Announcement, Gate};
use super::listened::Listened;
use super::record;
use super::registry::Registry;
use crate::store::DELIVERY_BYTES;

/// Pipes that Redis is asked about at a time.
const CHANGES_MAX: usize = 500;
/// How often it is seen whether Redis is still there.
const PING: Duration = Duration::from_secs(1);
/// From here on, twice as long each time up to [`BACKOFF_MAX`], it is waited before Redis is tried again.
pub const BACKOFF: Duration = Duration::from_millis(50);
pub const BACKOFF_MAX: Duration = Duration::from_secs(2);

pub struct Subscriber {
    pub address: Address,
    pub wait: Duration,
    pub gate: Arc<Gate>,
    pub listened: Arc<Listened>,
    pub registry: Arc<Registry>,
}

impl Subscriber {
    /// Keeps a connection for ever, beginning with the one that is there.
    pub async fn run(self, first: Connection) {
        let mut connection = Some(first);
        let (mut backoff, mut said) = (BACKOFF, String::new());
        let mut was_connected = false;
        loop {
            let opened = match connection.take() {
                Some(connection) => Ok(connection),
                None => Connection::open(&self.address, Some(Arc::clone(&self.gate)), self.wait).await,
            };
            let why = match opened {
                Ok(mut connection) => {
                    said.clear();
                    let began = Instant::now();
                    let why = self.serve(&mut connection, was_connected).await;
                    if began.elapsed() > BACKOFF_MAX {
                        backoff = BACKOFF;
                    }
                    was_connected = true;
                    why
                }
                Err(why) => why,
            };
            self.listened.all_unsubscribed();
            if said != why {
                tracing::warn!("Redis at {} announces nothing: {why}; it is tried again", self.address);
                said = why;
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Serves until the connection breaks; answers why.
    async fn serve(&self, connection: &mut Connection, was_connected: bool) -> String {
        let mut must_tell = was_connected;
        // Ends with this.
        let mut telling = JoinSet::new();
        loop {
            let changes = self.listened.changes(CHANGES_MAX);
            let is_done = changes.subscribe.is_empty() && changes.unsubscribe.is_empty();
            if let Err(why) = self.ask(connection, "SUNSUBSCRIBE", &changes.unsubscribe).await {
                return why;
            }
            if let Err(why) = self.ask(connection, "SSUBSCRIBE", &changes.subscribe).await {
                return why;
            }
            self.listened.subscribed(&changes.subscribe);
            if !is_done {
                continue;
            }
            if must_tell {
                must_tell = false;
                telling.spawn(tell_all(Arc::clone(&self.listened), Arc::clone(&self.registry)));
                tracing::info!("Redis at {} announces again", self.address);
            }
            tokio::select! {
                () = self.listened.changed.notified() => {}
                () = connection.broken() => return "the connection broke".into(),
                () = tokio::time::sleep(PING) => {
                    if let Err(why) = self.ping(connection).await {
                        return why;
                    }
                }
            }
        }
    }

    /// One command a pipe, all of them sent together.
    async fn ask(&self, connection: &mut Connection, command: &str, bases: &[String]) -> Result<(), String> {
        if bases.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for base in bases {
            let mut ask = redis::cmd(command);
            ask.arg(base);
            pipeline.add_command(ask);
        }
        let mut commands = connection.commands.clone();
        let answers = self.patiently(commands.send_packed_commands(&pipeline, 0, bases.len())).await?;
        answers.into_iter().try_for_each(|answer| answer.extract_error().map(drop)).map_err(|error| error.to_string())
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

/// Everything is heard again: Redis is told who listens, and whatever came in between, the ears look for themselves.
async fn tell_all(listened: Arc<Listened>, registry: Arc<Registry>) {
    listened.tell_all();
    while let Err(error) = registry.tell_untold().await {
        tracing::debug!("who listens here is told once more: {error}");
        tokio::time::sleep(BACKOFF).await;
    }
    listened.lost_all();
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
