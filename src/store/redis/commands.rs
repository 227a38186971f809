//! Commands, each given to the server that has its slot, with a limit of time.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::call::{Call, SLOT_COUNT};
use super::refusal::{Remedy, explained, remedy};
use super::replication::Replication;
use super::script::Scripts;
use super::server::{Kept, Open, ServerId};
use super::servers::Servers;
use crate::store::StoreError;

/// What may be done when nobody knows whether a command has been executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Giving it twice is as good as once.
    Yes,
    /// The second time it is known for a repeat. Who cannot give it again is told that it may have been done.
    Known,
    No,
}

pub struct Commands {
    servers: Arc<Servers>,
    scripts: Scripts,
    wait: Duration,
    address: String,
    /// Whoever gives a command takes its place here, in line, until a connection has it; by slot when slots can move.
    turns: Vec<Arc<tokio::sync::Mutex<()>>>,
}

/// How many lines there are then.
const LINES: usize = 256;

type Turn = OwnedMutexGuard<()>;

/// A connection, by its number, of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lost(ServerId, u64);

/// By which connection of which server a command was sent.
struct By {
    server: Arc<Kept>,
    number: u64,
    /// Of the same process as the connection: only there it is known what has become of what was written.
    replication: Option<Replication>,
}

/// What came of sending a command once.
enum Sent {
    Answered(Value),
    /// It was not: the connection was broken already.
    Not,
    /// The connection broke before the answer.
    Lost,
    Refused(RedisError),
}

/// How far a command has come, for when its time is over.
#[derive(Default)]
struct Progress {
    is_sent: AtomicBool,
    /// It was sent by a connection that broke before the answer.
    is_lost: AtomicBool,
    /// Why it was refused the last time.
    refused: Mutex<Option<String>>,
}

impl Progress {
    fn set_sent(&self, is_sent: bool) {
        self.is_sent.store(is_sent, Ordering::Relaxed);
    }

    fn set_lost(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// Whether it may have been done, although nobody has answered.
    fn may_be_done(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed) || self.is_sent.load(Ordering::Relaxed)
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands {
    pub fn new(servers: Arc<Servers>, wait: Duration, address: String) -> Commands {
        let turns = (0..if servers.are_many() { LINES } else { 1 }).map(|_| Arc::default()).collect();
        Commands { servers, scripts: Scripts::new(), wait, address, turns }
    }

    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Gives a command and waits for its answer, both within the limit of time.
    pub async fn ask(&self, call: &Call, again: Again) -> Result<Answer, StoreError> {
        let progress = Progress::default();
        let asking = async { Ok(self.ask_until_answered(call, again, &progress).await?.1) };
        self.in_time(asking, call, again, &progress).await
    }

    /// The same, and waits, within the same limit, until as many replicas as are wanted have what the command wrote.
    pub async fn ask_replicated(&self, call: &Call, again: Again) -> Result<Answer, StoreError> {
        let progress = Progress::default();
        let asking = async {
            let (by, value) = self.ask_until_answered(call, again, &progress).await?;
            if let Some(replication) = &by.replication {
                let replicated = replication.until_replicated(call.beside("replicated")).await;
                replicated.map_err(|why| unknown(&**by.server, &why))?;
            }
            Ok(value)
        };
        self.in_time(asking, call, again, &progress).await
    }

    async fn in_time(
        &self,
        asking: impl Future<Output = Result<Value, StoreError>>,
        call: &Call,
        again: Again,
        progress: &Progress,
    ) -> Result<Answer, StoreError> {
        match timeout_at(Instant::now() + self.wait, asking).await {
            // What is refused now was perhaps done the first time.
            Ok(Err(StoreError::Unavailable(why))) if progress.may_be_done() && again != Again::Yes => {
                Err(StoreError::Unknown(format!("{why}; it had been sent before, {MAY_BE_DONE}")))
            }
            Ok(answer) => answer.map(Answer::new),
            Err(_) => Err(self.late(call, again, progress)),
        }
    }

    /// The answer, and what it came by.
    async fn ask_until_answered(
        &self,
        call: &Call,
        again: Again,
        progress: &Progress,
    ) -> Result<(By, Value), StoreError> {
        let (mut lost, mut turn) = (None, None);
        loop {
            let (by, sent) = self.send(call, lost, &mut turn, progress).await?;
            let this = Some(Lost(by.server.id, by.number));
            match sent {
                Sent::Answered(value) => return Ok((by, value)),
                Sent::Not => {
                    progress.set_sent(false);
                    lost = this;
                }
                Sent::Lost if again != Again::No => {
                    progress.set_lost();
                    lost = this;
                }
                Sent::Lost => return Err(unknown(&**by.server, "the connection broke before it answered")),
                Sent::Refused(error) => {
                    progress.set_sent(false);
                    match remedy(&error, self.servers.are_many()) {
                        Remedy::Teach => self.teach(&by.server).await?,
                        Remedy::Tell => return Err(refused(&by.server, &error)),
                        Remedy::Reconnect => {
                            by.server.give_up(by.number, &explained(&error));
                            lost = this;
                        }
                        remedy => {
                            *progress.refused() = Some(explained(&error));
                            self.try_later(remedy, call, &mut turn).await;
                        }
                    }
                }
            }
        }
    }

    /// Waits until something refused can be tried again. Those who were refused after it do so behind it, one after the
    /// other.
    async fn try_later(&self, remedy: Remedy, call: &Call, turn: &mut Option<Turn>) {
        if turn.is_none() {
            // Whoever was before may have seen the end of it.
            *turn = Some(self.turn(call).await);
            return;
        }
        self.servers.pause().await;
        if remedy == Remedy::Look {
            self.servers.look().await;
        }
    }

    async fn turn(&self, call: &Call) -> Turn {
        let line = call.slot.number() * self.turns.len() / usize::from(SLOT_COUNT);
        Arc::clone(&self.turns[line]).lock_owned().await
    }

    /// Sends by a connection that is not the lost one. It has its place among others at the first poll, or as soon as
    /// there is a connection. Who has a turn keeps it.
    async fn send(
        &self,
        call: &Call,
        lost: Option<Lost>,
        turn: &mut Option<Turn>,
        progress: &Progress,
    ) -> Result<(By, Sent), StoreError> {
        let own_turn = if turn.is_none() { Some(self.turn(call).await) } else { None };
        let (by, mut connection) = self.connection(call, lost).await?;
        progress.set_sent(true);
        let mut answer = pin!(connection.send_packed_command(&call.command));
        // Once polled it is in the line of the connection, and the next may come.
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        drop(own_turn);
        let answer = match first {
            Poll::Ready(Err(_)) => return Ok((by, Sent::Not)),
            Poll::Ready(answer) => answer,
            Poll::Pending => answer.await,
        };
        let sent = match answer.and_then(Value::extract_error) {
            Ok(value) => Sent::Answered(value),
            // A connection that says what is no Redis's is given up, too.
            Err(error) if error.is_io_error() || error.is_unrecoverable_error() => Sent::Lost,
            Err(error) => Sent::Refused(error),
        };
        Ok((by, sent))
    }

    /// Waits for a connection to the server that has the slot, whoever that is by then.
    async fn connection(&self, call: &Call, lost: Option<Lost>) -> Result<(By, MultiplexedConnection), StoreError> {
        loop {
            let stopping = || StoreError::Unavailable("the node is stopping".into());
            let server = self.servers.until_owned(call.slot).await.ok_or_else(stopping)?;
            let lost = lost.filter(|lost| lost.0 == server.id).map(|lost| lost.1);
            tokio::select! {
                biased;
                open = server.connection(lost) => {
                    let Open { number, commands, replication } = open?;
                    return Ok((By { server, number, replication }, commands));
                }
                () = self.servers.until_moved(call.slot, server.id) => {}
            }
        }
    }

    async fn teach(&self, server: &Kept) -> Result<(), StoreError> {
        let mut connection = server.connection(None).await?.commands;
        teach(&self.scripts, &mut connection).await.map_err(|error| refused(server, &error))
    }

    /// The time is over.
    fn late(&self, call: &Call, again: Again, progress: &Progress) -> StoreError {
        let millis = self.wait.as_millis();
        let owner = self.servers.owner(call.slot);
        let address = owner.as_ref().map_or_else(|| self.address.clone(), |owner| owner.to_string());
        if progress.may_be_done() && again != Again::Yes {
            return unknown(&address, &format!("it has not answered within {millis} ms"));
        }
        let broken = owner.as_ref().and_then(|owner| owner.why_broken());
        let reason = broken.or_else(|| progress.refused().clone()).unwrap_or_else(|| match owner {
            Some(_) => "it has not answered".to_owned(),
            None => "none of its servers has what was asked for".to_owned(),
        });
        StoreError::Unavailable(format!("Redis at {address}, within {millis} ms: {reason}; it may be tried again"))
    }

    /// It is not done in time.
    pub fn unavailable(&self, what: &str) -> StoreError {
        let (address, millis) = (&self.address, self.wait.as_millis());
        StoreError::Unavailable(format!("Redis at {address}: {what} within {millis} ms; it may be tried again"))
    }
}

/// Nobody knows whether it was done.
fn unknown(server: &dyn Display, what: &str) -> StoreError {
    StoreError::Unknown(format!("Redis at {server}: {what}, {MAY_BE_DONE}"))
}

const MAY_BE_DONE: &str = "so it may have been done or not";

fn refused(server: &Kept, error: &RedisError) -> StoreError {
    StoreError::Unavailable(format!("Redis at {}: {}", **server, explained(error)))
}

pub async fn teach(scripts: &Scripts, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let mut pipeline = redis::pipe();
    for script in scripts.all() {
        pipeline.add_command(script.load());
    }
    let answers = connection.send_packed_commands(&pipeline, 0, scripts.all().len()).await?;
    answers.into_iter().try_for_each(|answer| answer.extract_error().map(drop))
}
