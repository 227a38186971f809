//! Waits until replicas have what was published. It does so by a connection of its own, as WAIT holds up all that comes
//! behind it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::answer::Answer;
use super::connection::Connection;
use super::refusal::explained;

/// How often it is seen whether the connection is still there when nobody waits.
const PING: Duration = Duration::from_secs(1);

/// How many replicas must have something, and what is waited for that at most.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub replicas_min: u64,
    pub wait: Duration,
}

/// By which one waits for the replicas of one server.
#[derive(Clone)]
pub struct Replication(mpsc::UnboundedSender<Waiting>);

/// Somebody waits until what he has written is in the replicas.
struct Waiting {
    /// One that nobody reads, in the slot that he has written to.
    key: String,
    told: oneshot::Sender<Result<(), String>>,
}

/// The other end: one WAIT at a time, for all who wait by then. Who comes meanwhile waits for the next.
pub struct Replicating {
    connection: Connection,
    wanted: Wanted,
    waiting: mpsc::UnboundedReceiver<Waiting>,
}

impl Replication {
    /// The connection goes to the server, and the very process, that executes what is waited for.
    pub fn by(connection: Connection, wanted: Wanted) -> (Replication, Replicating) {
        let (waits, waiting) = mpsc::unbounded_channel();
        (Replication(waits), Replicating { connection, wanted, waiting })
    }

    /// Waits until enough replicas have all that the server has written up to now; answers why they do not.
    pub async fn until_replicated(&self, key: String) -> Result<(), String> {
        let (told, telling) = oneshot::channel();
        let broke = || "the connection broke before its replicas had it".to_owned();
        self.0.send(Waiting { key, told }).map_err(|_| broke())?;
        telling.await.map_err(|_| broke())?
    }
}

impl Replicating {
    /// Goes on until the connection is of no more use; answers why.
    pub async fn run(&mut self) -> String {
        loop {
            let mut all = Vec::new();
            tokio::select! {
                count = self.waiting.recv_many(&mut all, usize::MAX) => if count == 0 {
                    return "the node is stopping".into();
                },
                () = self.connection.broken() => return "the connection broke".into(),
                () = tokio::time::sleep(PING) => {}
            }
            // Who has stopped waiting need not be told.
            all.retain(|waiting| !waiting.told.is_closed());
            let mut commands = self.connection.commands.clone();
            let asking = async {
                match all.is_empty() {
                    true => commands.send_packed_command(&redis::cmd("PING")).await.map(drop),
                    false => self.wait(&mut commands, all).await,
                }
            };
            match timeout(self.wanted.wait, asking).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("it has not answered within {} ms", self.wanted.wait.as_millis()),
            }
        }
    }

    /// WAIT speaks of what its own connection has written: what is written here comes behind everything that was written
    /// before, by whom ever. A slot that has gone to another server takes nothing; the next may still be here.
    async fn wait(&self, commands: &mut MultiplexedConnection, all: Vec<Waiting>) -> Result<(), RedisError> {
        let Wanted { replicas_min, wait } = self.wanted;
        // Who comes meanwhile waits twice, and both must be over before his time is.
        let millis = u64::try_from(wait.as_millis() / 3).unwrap_or(u64::MAX).max(1);
        let mut all = all.into_iter();
        while let Some(first) = all.next() {
            let mut pipeline = redis::pipe();
            pipeline.cmd("SET").arg(&first.key).arg(1);
            pipeline.cmd("WAIT").arg(replicas_min).arg(millis);
            let mut answers = commands.send_packed_commands(&pipeline, 0, 2).await?.into_iter();
            if let Some(Err(error)) = answers.next().map(Value::extract_error) {
                let _ = first.told.send(Err(explained(&error)));
                continue;
            }
            let replicas = answers.next().unwrap_or(Value::Nil).extract_error()?;
            let replicas = Answer::new(replicas).number().unwrap_or(0);
            let few = || Err(format!("{replicas} of {replicas_min} replicas (redis_replicas_min) have it"));
            for waiting in std::iter::once(first).chain(all.by_ref()) {
                // Who has stopped waiting has gone.
                let _ = waiting.told.send(if replicas >= replicas_min { Ok(()) } else { few() });
            }
        }
        Ok(())
    }
}
