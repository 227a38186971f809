//! Looks after the connection that commands go by: opens it, asks whether Redis is what we need, notices when it hangs.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::answer::Answer;
use super::commands::{Line, explained, teach};
use super::connection::{Address, Connection};
use super::registry::Registry;
use super::subscriber::{BACKOFF, BACKOFF_MAX};

/// The oldest version that has what we use: sharded channels, flags of scripts.
const VERSION_MIN: u64 = 7;
/// How often it is seen whether Redis is still there.
const PING: Duration = Duration::from_secs(1);

pub struct Upkeep {
    pub address: Address,
    pub wait: Duration,
    pub line: watch::Sender<Line>,
    pub registry: Arc<Registry>,
}

impl Upkeep {
    /// Opens the first connection; answers why Redis cannot be used, if it cannot.
    pub async fn first(&self) -> Result<Connection, String> {
        let (connection, advice) = self.open().await?;
        advice.iter().for_each(|advice| tracing::warn!("Redis at {}: {advice}", self.address));
        Ok(connection)
    }

    /// A connection that is ready, and what is to be set otherwise in Redis.
    async fn open(&self) -> Result<(Connection, Vec<String>), String> {
        let connection = Connection::open(&self.address, None, self.wait).await?;
        let mut commands = connection.commands.clone();
        let preparing = async {
            let advice = look_at(&mut commands).await?;
            self.prepare(&mut commands).await.map(|()| advice).map_err(|error| explained(&error))
        };
        let late = |_| format!("it has not answered within {} ms", self.wait.as_millis());
        let advice = timeout(self.wait, preparing).await.map_err(late)??;
        Ok((connection, advice))
    }

    /// Before anything is numbered: pipes that have gone back begin a new epoch. Before anybody is counted: this node
    /// is there.
    async fn prepare(&self, commands: &mut MultiplexedConnection) -> Result<(), RedisError> {
        teach(self.registry.commands.scripts(), commands).await?;
        let heard = self.registry.listened.newest();
        for call in self.registry.renewals(&heard) {
            commands.send_packed_command(&call.command).await?.extract_error()?;
        }
        let leased = commands.send_packed_command(&self.registry.lease().command).await?.extract_error()?;
        // If it has forgotten this node, it is told again who listens here. What it says amiss is said when the lease is
        // renewed.
        let _ = self.registry.leased(Answer::new(leased));
        Ok(())
    }

    /// Keeps a connection for ever, beginning with the one that is there.
    pub async fn run(self, first: Connection) {
        let mut opened = Ok(first);
        let (mut backoff, mut said) = (BACKOFF, String::new());
        for number in 1.. {
            let why = match opened {
                Ok(mut connection) => {
                    let began = Instant::now();
                    self.line.send_replace(Line::Open(number, connection.commands.clone()));
                    if !said.is_empty() {
                        tracing::info!("Redis at {} answers again", self.address);
                        said.clear();
                    }
                    let why = self.watch(&mut connection).await;
                    if began.elapsed() > BACKOFF_MAX {
                        backoff = BACKOFF;
                    }
                    why
                }
                Err(why) => why,
            };
            if said != why {
                tracing::warn!("Redis at {} does nothing for us: {why}; it is tried again", self.address);
                said.clone_from(&why);
            }
            self.line.send_replace(Line::Broken(why));
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
            opened = self.open().await.map(|(connection, _)| connection);
        }
    }

    /// Waits until the connection is of no more use; answers why.
    async fn watch(&self, connection: &mut Connection) -> String {
        loop {
            tokio::select! {
                () = connection.broken() => return "the connection broke".into(),
                () = tokio::time::sleep(PING) => {}
            }
            let mut commands = connection.commands.clone();
            match timeout(self.wait, commands.send_packed_command(&redis::cmd("PING"))).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("it has not answered within {} ms", self.wait.as_millis()),
            }
        }
    }
}

/// Answers what is to be set otherwise, or why this Redis is of no use.
async fn look_at(commands: &mut MultiplexedConnection) -> Result<Vec<String>, String> {
    let mut info = redis::cmd("INFO");
    let answer = commands.send_packed_command(info.arg("server").arg("memory").arg("persistence")).await;
    let text = match answer {
        Ok(Value::VerbatimString { text, .. } | Value::SimpleString(text)) => text,
        Ok(Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(_) => String::new(),
        Err(error) => return Err(explained(&error)),
    };
    let save = redis::cmd("CONFIG").arg("GET").arg("save").to_owned();
    // Services that sell Redis often hide CONFIG; then what INFO says must do.
    let saves = match commands.send_packed_command(&save).await.and_then(Value::extract_error) {
        Ok(Value::Map(settings)) => settings.first().is_some_and(|(_, value)| *value != Value::BulkString(Vec::new())),
        _ => true,
    };
    judge(&text, saves)
}

/// The same, of what INFO says.
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
