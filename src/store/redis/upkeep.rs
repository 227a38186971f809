//! Looks after the connection that commands go by to one server: opens it, asks whether it is what we need, notices when
//! it hangs.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, timeout};

use super::address::Place;
use super::answer::Answer;
use super::call::Slot;
use super::commands::teach;
use super::connection::Connection;
use super::refusal::explained;
use super::registry::{Registry, say_renewed};
use super::replication::{Replicating, Replication, Wanted};
use super::server::{Line, Open, Server};
use super::subscriber::{BACKOFF, BACKOFF_MAX};

/// The oldest version that has what we use: sharded channels, flags of scripts.
const VERSION_MIN: u64 = 7;
/// How often it is seen whether the server is still there.
const PING: Duration = Duration::from_secs(1);
/// Calls that compare pipes, sent together.
const RENEWALS_A_FLIGHT: usize = 32;

pub struct Upkeep {
    pub server: Arc<Server>,
    /// Whether it may turn out to be a replica.
    pub asks_for_role: bool,
    pub wait: Duration,
    /// How many replicas must have what is published.
    pub replicas_min: u64,
    pub registry: Arc<Registry>,
}

/// What is looked after.
struct Opened {
    connection: Connection,
    /// If replicas are waited for.
    replicating: Option<Replicating>,
}

impl Upkeep {
    /// Opens a connection; commands can be given by it from then on.
    async fn open(&self, place: &Place, number: u64) -> Result<Opened, String> {
        let connection = Connection::open(place, None, self.wait).await?;
        if self.asks_for_role && number > 1 {
            self.must_still_be_named(place).await?;
        }
        let mut commands = connection.commands.clone();
        let advice = self.in_time(look_at(&mut commands)).await?;
        if number == 1 {
            advice.iter().for_each(|advice| tracing::warn!("Redis at {place}: {advice}"));
        }
        if self.asks_for_role {
            self.in_time(must_be_primary(&mut commands)).await?;
        }
        if !self.registry.commands.servers().are_many() {
            self.in_time(must_be_alone(&mut commands)).await?;
        }
        let scripts = self.registry.commands.scripts();
        self.in_time(async { teach(scripts, &mut commands).await.map_err(|error| explained(&error)) }).await?;
        let (replication, replicating) = self.in_time(self.replication(place, &mut commands)).await?.unzip();
        // Until commands can be given nobody else hands slots to this server.
        let _opening = self.server.opening.lock().await;
        self.prepare(&mut commands).await?;
        self.server.line.send_replace(Line::Open(Open { number, commands, replication }));
        Ok(Opened { connection, replicating })
    }

    /// Each question has the limit of time; all of them have none, as there may be very many pipes to compare.
    async fn in_time<T>(&self, asking: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        timeout(self.wait, asking).await.map_err(|_| late(self.wait))?
    }

    /// A second connection, if replicas are waited for. It must go to the very process that the first goes to: another
    /// one, that has taken its place meanwhile, knows nothing of what was written there.
    async fn replication(
        &self,
        place: &Place,
        commands: &mut MultiplexedConnection,
    ) -> Result<Option<(Replication, Replicating)>, String> {
        if self.replicas_min == 0 {
            return Ok(None);
        }
        let second = Connection::open(place, None, self.wait).await?;
        if process_of(commands).await? != process_of(&mut second.commands.clone()).await? {
            return Err("it has just been started anew".into());
        }
        let wanted = Wanted { replicas_min: self.replicas_min, wait: self.wait };
        Ok(Some(Replication::by(second, wanted)))
    }

    /// A primary that has died may be there again, with nothing, in the place that it has lost meanwhile: whoever was
    /// asked after this connection was made knows. A question that was on its way by then does not count.
    async fn must_still_be_named(&self, place: &Place) -> Result<(), String> {
        let mut asked = self.server.asked.subscribe();
        let enough = *asked.borrow() + 2;
        let _ = asked.wait_for(|times| *times >= enough).await;
        if self.server.place.borrow().is(place) { Ok(()) } else { Err(MOVED.into()) }
    }

    /// Before anything is numbered: pipes that have gone back begin a new epoch. Before anybody is counted: this node
    /// is there.
    async fn prepare(&self, commands: &mut MultiplexedConnection) -> Result<(), String> {
        let is_ours = |slot: Slot| self.registry.commands.servers().is_owner(self.server.id, slot);
        compare(&self.registry, commands, is_ours, self.wait).await?;
        let lease = self.registry.lease();
        if is_ours(lease.call.slot) {
            let asking =
                async { commands.send_packed_command(&lease.call.command).await.and_then(Value::extract_error) };
            let leased = self.in_time(async { asking.await.map_err(|error| explained(&error)) }).await?;
            // If it has forgotten this node, it is told again who listens here. What it says amiss is said when the lease
            // is renewed.
            let _ = self.registry.leased(&lease, Answer::new(leased));
        }
        Ok(())
    }

    /// Keeps a connection for ever.
    pub async fn run(self) {
        let (mut backoff, mut said, mut number) = (BACKOFF, String::new(), 1);
        let mut place = self.server.place.clone();
        loop {
            let here = place.borrow_and_update().clone();
            let why = match self.open(&here, number).await {
                Ok(Opened { mut connection, mut replicating }) => {
                    let began = Instant::now();
                    if !said.is_empty() {
                        tracing::info!("Redis at {here} answers again");
                        said.clear();
                    }
                    let why = tokio::select! {
                        why = self.watch(&mut connection, number) => why,
                        why = replicate(&mut replicating) => why,
                        () = moved(&mut place) => MOVED.to_owned(),
                    };
                    number += 1;
                    if began.elapsed() > BACKOFF_MAX {
                        backoff = BACKOFF;
                    }
                    why
                }
                Err(why) => why,
            };
            if said != why {
                tracing::warn!("Redis at {here} does nothing for us: {why}; it is tried again");
                said.clone_from(&why);
            }
            self.server.line.send_replace(Line::Broken(why));
            self.registry.commands.servers().doubted.notify_one();
            if !place.has_changed().unwrap_or(false) {
                tokio::select! {
                    () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(BACKOFF_MAX),
                    () = moved(&mut place) => backoff = BACKOFF,
                }
            }
        }
    }

    /// Waits until the connection is of no more use; answers why.
    async fn watch(&self, connection: &mut Connection, number: u64) -> String {
        let mut line = self.server.line.subscribe();
        loop {
            tokio::select! {
                () = connection.broken() => return "the connection broke".into(),
                given_up = line.wait_for(|line| !matches!(line, Line::Open(open) if open.number == number)) => {
                    return match given_up.as_deref() {
                        Ok(Line::Broken(why)) => why.clone(),
                        _ => "the node is stopping".into(),
                    };
                }
                () = tokio::time::sleep(PING) => {}
            }
            let mut commands = connection.commands.clone();
            match timeout(self.wait, commands.send_packed_command(&redis::cmd("PING"))).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return late(self.wait),
            }
        }
    }
}

/// Why a connection ends that goes to the wrong place.
pub const MOVED: &str = "the Sentinels name another primary";

fn late(wait: Duration) -> String {
    format!("it has not answered within {} ms", wait.as_millis())
}

/// Waits for replicas until the connection for that is of no more use, if there is one; answers why.
async fn replicate(replicating: &mut Option<Replicating>) -> String {
    match replicating {
        Some(replicating) => replicating.run().await,
        None => std::future::pending().await,
    }
}

/// Waits until the server is somewhere else.
pub async fn moved(place: &mut tokio::sync::watch::Receiver<Place>) {
    if place.changed().await.is_err() {
        // Nobody looks after the place: it stays where it is.
        std::future::pending::<()>().await;
    }
}

/// Compares the newest message that is known here of each pipe in some slots with where the server has the pipe; before
/// anything is published there. There may be very many: so long may each flight of questions take.
pub async fn compare(
    registry: &Registry,
    commands: &mut MultiplexedConnection,
    is_wanted: impl Fn(Slot) -> bool,
    wait: Duration,
) -> Result<(), String> {
    let mut heard = registry.listened.newest();
    heard.retain(|(base, _)| is_wanted(Slot::of(base)));
    let mut renewed = 0_u64;
    for calls in registry.renewals(&heard).chunks(RENEWALS_A_FLIGHT) {
        let mut pipeline = redis::pipe();
        for call in calls {
            pipeline.add_command(call.command.clone());
        }
        let answers = timeout(wait, commands.send_packed_commands(&pipeline, 0, calls.len())).await;
        let answers = answers.map_err(|_| late(wait))?.map_err(|error| explained(&error))?;
        for answer in answers {
            let answer = answer.extract_error().map_err(|error| explained(&error))?;
            renewed = Answer::new(answer).number().unwrap_or(0).saturating_add(renewed);
        }
    }
    say_renewed(renewed);
    // Of other pipes nobody was here to compare.
    registry.listened.outdated.suspected.notify_one();
    Ok(())
}

/// One server of a cluster has a part of what is asked for.
async fn must_be_alone(commands: &mut MultiplexedConnection) -> Result<(), String> {
    let info = redis::cmd("CLUSTER").arg("INFO").to_owned();
    // A server without a cluster has an error for that, and some users may not ask.
    let info = commands.send_packed_command(&info).await.and_then(Value::extract_error);
    let info = info.map(text_of).unwrap_or_default();
    let size = info.lines().find_map(|line| line.strip_prefix("cluster_size:")).map_or("0", str::trim);
    if matches!(size, "0" | "1") {
        return Ok(());
    }
    Err(format!("it is one of {size} servers of a Redis Cluster: write redis+cluster:// in the setting `store`"))
}

/// Whoever was the primary a moment ago may be a replica by now.
async fn must_be_primary(commands: &mut MultiplexedConnection) -> Result<(), String> {
    let answer = commands.send_packed_command(&redis::cmd("ROLE")).await.and_then(Value::extract_error);
    let role = Answer::new(answer.map_err(|error| explained(&error))?).text().unwrap_or_default();
    if role == "master" { Ok(()) } else { Err(format!("it says that it is a {role} and no primary")) }
}

/// Answers what is to be set otherwise, or why this Redis is of no use.
async fn look_at(commands: &mut MultiplexedConnection) -> Result<Vec<String>, String> {
    let mut info = redis::cmd("INFO");
    let answer = commands.send_packed_command(info.arg("server").arg("memory").arg("persistence")).await;
    let answer = answer.and_then(Value::extract_error).map_err(|error| explained(&error))?;
    let text = text_of(answer);
    let save = redis::cmd("CONFIG").arg("GET").arg("save").to_owned();
    // Services that sell Redis often hide CONFIG; then what INFO says must do.
    let saves = match commands.send_packed_command(&save).await.and_then(Value::extract_error) {
        Ok(Value::Map(settings)) => settings.first().is_some_and(|(_, value)| *value != Value::BulkString(Vec::new())),
        _ => true,
    };
    judge(&text, saves)
}

/// What no other process has, nor the same server when it has been started again.
async fn process_of(commands: &mut MultiplexedConnection) -> Result<Option<String>, String> {
    let info = commands.send_packed_command(redis::cmd("INFO").arg("server")).await.and_then(Value::extract_error);
    let info = info.map(text_of).map_err(|error| explained(&error))?;
    Ok(info.lines().find_map(|line| line.strip_prefix("run_id:")).map(str::to_owned))
}

/// A text for people, as some commands answer; empty if it is none.
fn text_of(answer: Value) -> String {
    match answer {
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    }
}

/// What [`look_at`] answers, of what INFO says.
fn judge(info: &str, saves: bool) -> Result<Vec<String>, String> {
    let value = |key: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value.trim())
    };
    // Valkey says 7.2.4 there, and its own version beside it.
    let version = value("redis_version").ok_or("it does not say which version it is")?;
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major.is_none_or(|major| major < VERSION_MIN) {
        return Err(format!("it is version {version}; version {VERSION_MIN} or newer is needed, or Valkey"));
    }
    let mut advice = Vec::new();
    if let Some(policy) = value("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        advice.push(format!("its maxmemory-policy is {policy}, so messages may vanish: set noeviction"));
    }
    if value("aof_enabled") == Some("0") && !saves {
        advice
            .push("it writes nothing to disk, so what is kept is gone when it restarts: set appendonly yes".to_owned());
    }
    Ok(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused_and_a_forgetful_one_warned_of() {
        let info = |version: &str, policy: &str, aof: u8| {
            format!("# Server\r\nredis_version:{version}\r\nmaxmemory_policy:{policy}\r\naof_enabled:{aof}\r\n")
        };
        assert_eq!(judge(&info("7.0.15", "noeviction", 1), false), Ok(Vec::new()));
        assert_eq!(judge(&info("7.0.15", "noeviction", 0), true), Ok(Vec::new()));
        let advice = judge(&info("8.2.1", "allkeys-lru", 0), false).unwrap();
        assert!(advice[0].contains("allkeys-lru") && advice[1].contains("appendonly"), "{advice:?}");
        for version in ["6.2.14", "", "latest"] {
            let refused = judge(&info(version, "noeviction", 1), true).unwrap_err();
            assert!(refused.contains(&format!("version {version}; version 7")), "{refused}");
        }
        assert!(judge("", true).is_err());
    }
}
