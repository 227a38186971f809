//! The SQL clients that have logged in: who they are, what they run, and how one of them is ended by another.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::written;
use crate::clock::UnixMillis;
use crate::user::TenantId;

/// What is remembered of a statement that runs, in characters.
const TEXT_CHARACTERS_MAX: usize = 1_024;

/// The SQL clients of this node, by their numbers.
#[derive(Default)]
pub struct Clients(Mutex<BTreeMap<u32, Arc<Client>>>);

/// One SQL client, as others see it.
pub struct Client {
    /// The number in its greeting.
    pub id: u32,
    /// As typed at the login.
    pub user: String,
    pub host: String,
    /// Whose login it is, wherever it has gone since.
    pub tenant: TenantId,
    doing: Mutex<Doing>,
    end: watch::Sender<End>,
}

/// What a client is doing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Doing {
    pub database: Option<String>,
    /// `Sleep` while it waits for its client.
    pub command: Cow<'static, str>,
    #[serde(with = "written::unix_millis")]
    pub since: UnixMillis,
    /// The statement that runs, at most its first 1,024 characters.
    pub text: Option<Box<str>>,
}

/// One SQL client of any node, as it was when somebody looked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SeenClient {
    pub id: u32,
    pub user: String,
    pub host: String,
    pub doing: Doing,
}

/// What another client has asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Nothing,
    /// The statement that runs is given up.
    Statement,
    /// So is the connection.
    Connection,
}

/// A client's place on the list, which is left when this is dropped.
pub struct ClientEntry {
    clients: Arc<Clients>,
    client: Arc<Client>,
}

impl Clients {
    /// Somebody has logged in.
    pub fn enter(
        self: &Arc<Clients>,
        id: u32,
        user: &str,
        host: &str,
        tenant: TenantId,
        now: UnixMillis,
    ) -> ClientEntry {
        let doing = Doing { database: None, command: "Sleep".into(), since: now, text: None };
        let client = Arc::new(Client {
            id,
            user: user.to_owned(),
            host: host.to_owned(),
            tenant,
            doing: Mutex::new(doing),
            end: watch::Sender::new(End::Nothing),
        });
        // Who becomes another user keeps its number: the newcomer is entered before the other has left.
        self.by_id().insert(id, Arc::clone(&client));
        ClientEntry { clients: Arc::clone(self), client }
    }

    /// Those whom a login of `tenant` may see, by number, behind `after`: `root` all, the others their own.
    pub fn seen_by(&self, tenant: TenantId, after: Option<u32>, count_max: usize) -> Vec<SeenClient> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let clients = self.by_id();
        let seen = clients.range(behind).map(|(_, client)| client).filter(|client| tenant.sees(client.tenant));
        seen.take(count_max).map(|client| client.seen()).collect()
    }

    /// How many a login of `tenant` may see.
    pub fn count_seen_by(&self, tenant: TenantId) -> usize {
        self.by_id().values().filter(|client| tenant.sees(client.tenant)).count()
    }

    /// Whether somebody has this number.
    pub fn has(&self, id: u32) -> bool {
        self.by_id().contains_key(&id)
    }

    /// Ends a client, or its statement, for a login of `tenant`. Answers whether there is one that it may see.
    pub fn end(&self, id: u32, tenant: TenantId, end: End) -> bool {
        let client = self.by_id().get(&id).filter(|client| tenant.sees(client.tenant)).cloned();
        if let Some(client) = &client {
            client.end.send_if_modified(|before| {
                let is_more = *before != End::Connection && *before != end;
                if is_more {
                    *before = end;
                }
                is_more
            });
        }
        client.is_some()
    }

    fn by_id(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    pub fn doing(&self) -> Doing {
        self.now_doing().clone()
    }

    fn seen(&self) -> SeenClient {
        SeenClient { id: self.id, user: self.user.clone(), host: self.host.clone(), doing: self.doing() }
    }

    /// Begins to run `text`; what was meant for an earlier statement does not end this one.
    pub fn begins(&self, command: &'static str, text: &str, now: UnixMillis) {
        self.end.send_if_modified(|end| {
            if *end == End::Statement {
                *end = End::Nothing;
            }
            false
        });
        let text = Some(shortened(text).into());
        let mut doing = self.now_doing();
        *doing = Doing { database: doing.database.take(), command: command.into(), since: now, text };
    }

    /// Waits for its client again.
    pub fn rests(&self, now: UnixMillis) {
        let mut doing = self.now_doing();
        *doing = Doing { database: doing.database.take(), command: "Sleep".into(), since: now, text: None };
    }

    pub fn uses(&self, database: &str) {
        self.now_doing().database = Some(database.to_owned());
    }

    /// What others have asked for, and what they will.
    pub fn end(&self) -> watch::Receiver<End> {
        self.end.subscribe()
    }

    fn now_doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for ClientEntry {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for ClientEntry {
    fn drop(&mut self) {
        let mut clients = self.clients.by_id();
        if clients.get(&self.id).is_some_and(|client| Arc::ptr_eq(client, &self.client)) {
            clients.remove(&self.id);
        }
    }
}

/// The first characters of a statement, as much as is remembered.
pub fn shortened(text: &str) -> &str {
    let text = text.trim();
    text.char_indices().nth(TEXT_CHARACTERS_MAX).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000);

    fn ids(clients: &Clients, tenant: u32) -> Vec<u32> {
        clients.seen_by(TenantId(tenant), None, 10).iter().map(|client| client.id).collect()
    }

    #[test]
    fn who_has_left_is_not_on_the_list() {
        let clients = Arc::new(Clients::default());
        let first = clients.enter(1, "root", "::1", TenantId::ROOT, NOW);
        let second = clients.enter(2, "5", "::1", TenantId(5), NOW);
        assert_eq!((ids(&clients, 0), ids(&clients, 5), ids(&clients, 6)), (vec![1, 2], vec![2], vec![]));
        // Becomes another user.
        let again = clients.enter(2, "6", "::1", TenantId(6), NOW);
        drop(second);
        assert_eq!((ids(&clients, 5), ids(&clients, 6)), (vec![], vec![2]));
        drop((first, again));
        assert_eq!(ids(&clients, 0), [0; 0]);
    }

    #[test]
    fn a_statement_is_ended_only_while_it_runs_and_a_connection_for_good() {
        let clients = Arc::new(Clients::default());
        let client = clients.enter(1, "5", "::1", TenantId(5), NOW);
        assert!(!clients.end(1, TenantId(6), End::Connection), "another tenant's");
        assert!(!clients.end(2, TenantId::ROOT, End::Connection), "nobody's");
        assert!(clients.end(1, TenantId(5), End::Statement));
        assert_eq!(*client.end().borrow(), End::Statement);
        client.begins("Query", "SELECT 1", NOW);
        assert_eq!(*client.end().borrow(), End::Nothing);
        assert!(clients.end(1, TenantId::ROOT, End::Connection));
        assert!(clients.end(1, TenantId::ROOT, End::Statement));
        client.begins("Query", "SELECT 1", NOW);
        assert_eq!(*client.end().borrow(), End::Connection);
    }

    #[test]
    fn of_a_statement_the_first_characters_are_remembered() {
        let clients = Arc::new(Clients::default());
        let client = clients.enter(1, "root", "::1", TenantId::ROOT, NOW);
        client.uses("CometQL_v1");
        client.begins("Query", &format!(" {}", "ы".repeat(2_000)), UnixMillis(2_000));
        let doing = client.doing();
        assert_eq!(doing.text.as_deref().map(|text| text.chars().count()), Some(1_024));
        assert_eq!((doing.database.as_deref(), &*doing.command, doing.since.0), (Some("CometQL_v1"), "Query", 2_000));
        client.rests(UnixMillis(3_000));
        let doing = client.doing();
        assert_eq!((doing.text, &*doing.command, doing.since.0), (None, "Sleep", 3_000));
    }
}
