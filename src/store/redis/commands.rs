//! The connection that commands go by: looked after by one task, used by everybody, each with a limit of time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout_at};

use super::answer::Answer;
use super::call::Call;
use super::script::Scripts;
use crate::store::StoreError;

/// Whether commands can be given now.
#[derive(Clone)]
pub enum Line {
    /// The connection, and which one it is.
    Open(u64, MultiplexedConnection),
    /// Why not.
    Broken(String),
}

/// What may be done when nobody knows whether a command has been executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Giving it twice is as good as once.
    Yes,
    No,
}

pub struct Commands {
    line: watch::Receiver<Line>,
    scripts: Scripts,
    wait: Duration,
    address: String,
    /// Publishers take their places here, in line, while there is no connection.
    turn: Mutex<()>,
}

/// What came of sending a command once.
enum Sent {
    /// By the connection of this number.
    Answered(u64, Value),
    /// It was not: the connection of this number was broken already.
    Not(u64),
    /// The connection of this number broke before the answer.
    Lost(u64),
    Refused(RedisError),
}

impl Commands {
    pub fn new(line: watch::Receiver<Line>, wait: Duration, address: String) -> Commands {
        Commands { line, scripts: Scripts::new(), wait, address, turn: Mutex::default() }
    }

    pub fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Gives a command and waits for its answer, both within the limit of time.
    pub async fn ask(&self, call: &Call, again: Again) -> Result<Answer, StoreError> {
        self.ask_replicated(call, again, 0).await
    }

    /// The same, and waits, within the same limit, until so many replicas have what the command wrote.
    pub async fn ask_replicated(&self, call: &Call, again: Again, replicas_min: u64) -> Result<Answer, StoreError> {
        let is_sent = AtomicBool::new(false);
        let asking = async {
            let (number, value) = self.ask_until_answered(call, again, &is_sent).await?;
            if replicas_min > 0 {
                self.until_replicated(number, replicas_min).await?;
            }
            Ok(Answer::new(value))
        };
        match timeout_at(Instant::now() + self.wait, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late(again, is_sent.load(Ordering::Relaxed))),
        }
    }

    /// WAIT speaks of what its own connection has written. Asked on another, after a fail-over perhaps, it would say
    /// that all is well with something that is gone.
    async fn until_replicated(&self, number: u64, replicas_min: u64) -> Result<(), StoreError> {
        let (now, mut connection) = self.connection(None).await?;
        if now != number {
            return Err(self.unknown("the connection broke before its replicas had it"));
        }
        // A repeat has written nothing: what is written here comes behind everything that was written before.
        // Redis answers how many have it before the time is over that the caller has.
        let millis = u64::try_from(self.wait.as_millis() / 2).unwrap_or(u64::MAX);
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg("cometql:replicated").arg(1).ignore();
        pipeline.cmd("WAIT").arg(replicas_min).arg(millis);
        let answered: Result<(u64,), RedisError> = pipeline.query_async(&mut connection).await;
        match answered {
            Ok((replicas,)) if replicas >= replicas_min => Ok(()),
            Ok((replicas,)) => {
                Err(self.unknown(&format!("{replicas} of {replicas_min} replicas (redis_replicas_min) have it")))
            }
            Err(_) => Err(self.unknown("the connection broke before its replicas had it")),
        }
    }

    /// The answer, and the number of the connection that it came by.
    async fn ask_until_answered(
        &self,
        call: &Call,
        again: Again,
        is_sent: &AtomicBool,
    ) -> Result<(u64, Value), StoreError> {
        let mut lost = None;
        loop {
            match self.send(call, lost, is_sent).await? {
                Sent::Answered(number, value) => return Ok((number, value)),
                Sent::Not(number) => {
                    is_sent.store(false, Ordering::Relaxed);
                    lost = Some(number);
                }
                Sent::Lost(number) if again == Again::Yes => lost = Some(number),
                Sent::Lost(_) => return Err(self.unknown("the connection broke before it answered")),
                Sent::Refused(error) if error.code() == Some("NOSCRIPT") => self.teach(is_sent).await?,
                Sent::Refused(error) => return Err(self.refused(&error)),
            }
        }
    }

    /// Sends by a connection that is not the lost one. It has its place among others at the first poll, or as soon as
    /// there is a connection.
    async fn send(&self, call: &Call, lost: Option<u64>, is_sent: &AtomicBool) -> Result<Sent, StoreError> {
        let turn = self.turn.lock().await;
        let (number, mut connection) = self.connection(lost).await?;
        is_sent.store(true, Ordering::Relaxed);
        let mut answer = pin!(connection.send_packed_command(&call.command));
        // Once polled it is in the line of the connection, and the next may come.
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        drop(turn);
        let answer = match first {
            Poll::Ready(Err(_)) => return Ok(Sent::Not(number)),
            Poll::Ready(answer) => answer,
            Poll::Pending => answer.await,
        };
        Ok(match answer.and_then(Value::extract_error) {
            Ok(value) => Sent::Answered(number, value),
            // A connection that says what is no Redis's is given up, too.
            Err(error) if error.is_io_error() || error.is_unrecoverable_error() => Sent::Lost(number),
            Err(error) => Sent::Refused(error),
        })
    }

    async fn connection(&self, lost: Option<u64>) -> Result<(u64, MultiplexedConnection), StoreError> {
        let mut line = self.line.clone();
        let is_open = |line: &Line| matches!(line, Line::Open(number, _) if Some(*number) != lost);
        let closed = || StoreError::Unavailable("the node is stopping".into());
        match &*line.wait_for(is_open).await.map_err(|_| closed())? {
            Line::Open(number, connection) => Ok((*number, connection.clone())),
            Line::Broken(_) => Err(closed()),
        }
    }

    /// Somebody has made the server forget the scripts.
    async fn teach(&self, is_sent: &AtomicBool) -> Result<(), StoreError> {
        let (_, mut connection) = self.connection(None).await?;
        teach(&self.scripts, &mut connection).await.map_err(|error| self.refused(&error))?;
        is_sent.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The time is over.
    fn late(&self, again: Again, is_sent: bool) -> StoreError {
        let millis = self.wait.as_millis();
        if is_sent && again == Again::No {
            return self.unknown(&format!("it has not answered within {millis} ms"));
        }
        let reason = match &*self.line.borrow() {
            Line::Open(..) => "it has not answered".to_owned(),
            Line::Broken(reason) => reason.clone(),
        };
        let address = &self.address;
        StoreError::Unavailable(format!("Redis at {address}, within {millis} ms: {reason}; it may be tried again"))
    }

    /// It is not done in time.
    pub fn unavailable(&self, what: &str) -> StoreError {
        let (address, millis) = (&self.address, self.wait.as_millis());
        StoreError::Unavailable(format!("Redis at {address}: {what} within {millis} ms; it may be tried again"))
    }

    /// Nobody knows whether it was done.
    fn unknown(&self, what: &str) -> StoreError {
        StoreError::Unavailable(format!(
            "Redis at {}: {what}, so it may have been done or not; it may be tried again, and a message with an id of \
             its own is not published twice then",
            self.address
        ))
    }

    fn refused(&self, error: &RedisError) -> StoreError {
        StoreError::Unavailable(format!("Redis at {}: {}", self.address, explained(error)))
    }
}

pub async fn teach(scripts: &Scripts, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let mut pipeline = redis::pipe();
    for script in scripts.all() {
        pipeline.add_command(script.load());
    }
    let answers = connection.send_packed_commands(&pipeline, 0, scripts.all().len()).await?;
    answers.into_iter().try_for_each(|answer| answer.extract_error().map(drop))
}

/// What Redis refused, and what to do about it.
pub fn explained(error: &RedisError) -> String {
    let remedy = match error.code() {
        Some("OOM") => "it is out of memory: raise its maxmemory, or keep less; nothing was done",
        Some("READONLY") => "it is a replica that takes no writes: name the primary; nothing was done",
        Some("LOADING") => "it is still loading its data; try again; nothing was done",
        Some("MISCONF") => "it cannot save to its disk and takes no writes; nothing was done",
        Some("NOAUTH" | "WRONGPASS") => "it wants another user or password in the setting `store`",
        Some("NOPERM") => "the user in the setting `store` may not do that",
        Some("BUSY") => "it is busy with somebody's script; try again; nothing was done",
        Some("WRONGTYPE") => "somebody else writes to the keys of this node: give it a database of its own",
        _ => return error.to_string(),
    };
    format!("{remedy} ({error})")
}
