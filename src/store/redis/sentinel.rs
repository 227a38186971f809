//! Keeps it known where Sentinels say that the primary is.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::{Place, Watched};
use super::connection::Connection;
use super::refusal::explained;
use super::server::Kept;

/// How often they are asked, and how long one may take to answer.
const ASK: Duration = Duration::from_secs(1);
/// How often while the primary cannot be reached.
const ASK_SOON: Duration = Duration::from_millis(200);

pub struct Sentinels {
    watched: Watched,
    wait: Duration,
    /// A connection to each, if there is one.
    connections: Vec<Option<Connection>>,
}

impl Sentinels {
    pub fn new(watched: Watched, wait: Duration) -> Sentinels {
        let connections = watched.sentinels.iter().map(|_| None).collect();
        Sentinels { watched, wait, connections }
    }

    /// Where the primary is when the node starts.
    pub async fn first(&mut self) -> Result<Place, String> {
        let (named, why) = self.ask_all().await;
        agreed(&named).or_else(|| named.into_iter().next()).ok_or(why)
    }

    /// Tells for ever where the primary is. A primary that can be reached is left when most Sentinels that answer name
    /// another one: it may be one that is cut off from them. One that cannot be reached is left for any other: what that
    /// one really is, it is asked itself.
    pub async fn follow(mut self, place: watch::Sender<Place>, server: Arc<Kept>) {
        let mut said = String::new();
        loop {
            tokio::time::sleep(if server.why_broken().is_some() { ASK_SOON } else { ASK }).await;
            let (named, why) = self.ask_all().await;
            if named.is_empty() && said != why {
                tracing::warn!("no Sentinel says where the primary is: {why}");
            }
            said = if named.is_empty() { why } else { String::new() };
            let here = place.borrow().clone();
            let other = named.iter().find(|named| !named.is(&here)).cloned();
            let next = match agreed(&named).filter(|agreed| !agreed.is(&here)) {
                Some(agreed) => Some(agreed),
                None if server.why_broken().is_some() => other,
                None => None,
            };
            if let Some(next) = next {
                tracing::warn!("the Sentinels name Redis at {next} as the primary, and {here} no more");
                place.send_replace(next);
            }
            server.asked.send_modify(|times| *times += 1);
        }
    }

    /// Where those that answer say it is, and why others did not answer.
    async fn ask_all(&mut self) -> (Vec<Place>, String) {
        let mut asking = JoinSet::new();
        for (number, sentinel) in self.watched.sentinels.iter().enumerate() {
            let connection = self.connections.get_mut(number).and_then(Option::take);
            let (sentinel, watched) = (sentinel.clone(), self.watched.clone());
            let wait = self.wait.min(ASK);
            asking.spawn(async move {
                let answered = ask(&sentinel, connection, &watched, wait).await;
                (number, answered.map_err(|why| format!("the Sentinel at {sentinel}: {why}")))
            });
        }
        let (mut named, mut why) = (Vec::new(), "none answers".to_owned());
        while let Some(answered) = asking.join_next().await {
            match answered {
                Ok((number, Ok((connection, place)))) => {
                    named.push(place);
                    if let Some(of_this) = self.connections.get_mut(number) {
                        *of_this = Some(connection);
                    }
                }
                Ok((_, Err(reason))) => why = reason,
                Err(_) => {}
            }
        }
        (named, why)
    }
}

/// The place that more than half of them name.
fn agreed(named: &[Place]) -> Option<Place> {
    let votes = |place: &&Place| named.iter().filter(|other| other.is(place)).count() * 2 > named.len();
    named.iter().find(votes).cloned()
}

/// Asks one Sentinel, by the connection that is there or a new one.
async fn ask(
    sentinel: &Place,
    connection: Option<Connection>,
    watched: &Watched,
    wait: Duration,
) -> Result<(Connection, Place), String> {
    let connection = match connection {
        Some(connection) => connection,
        None => Connection::open(sentinel, None, wait).await?,
    };
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(&watched.name);
    let mut commands = connection.commands.clone();
    let answer = timeout(wait, commands.send_packed_command(&command)).await;
    let answer = answer.map_err(|_| format!("it has not answered within {} ms", wait.as_millis()))?;
    let answer = answer.and_then(Value::extract_error).map_err(|error| explained(&error))?;
    let Value::Array(parts) = answer else {
        return Err(format!("it looks after nothing that is called {}", watched.name));
    };
    let parts: Vec<&str> = parts
        .iter()
        .filter_map(|part| if let Value::BulkString(text) = part { std::str::from_utf8(text).ok() } else { None })
        .collect();
    let [host, port] = parts[..] else { return Err("its answer is no address".into()) };
    let port = port.parse().map_err(|_| format!("{port} is no port"))?;
    Ok((connection, watched.primary.at(host, port)?))
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;

    #[test]
    fn what_more_than_half_say_is_agreed() {
        let Ok(Address::Sentinels(watched)) = Address::parse("redis+sentinel://s/main") else { panic!("an address") };
        let agreed = |hosts: &[&str]| {
            let named: Vec<Place> = hosts.iter().map(|host| watched.primary.at(host, 1).unwrap()).collect();
            agreed(&named).map(|place| place.to_string())
        };
        assert_eq!(agreed(&["a", "b", "b"]).as_deref(), Some("redis://b:1/0"));
        assert_eq!(agreed(&["a"]).as_deref(), Some("redis://a:1/0"));
        assert_eq!(agreed(&["a", "b"]), None);
        assert_eq!(agreed(&[]), None);
    }
}
