//! SHOW PROCESSLIST and `information_schema.PROCESSLIST`: the SQL clients, then the connections of browsers, of this node
//! first and then of the others. `root` sees all, the others those of their tenant.
//!
//! A browser's row has in `User` the number of who is logged in, in `db` the tenant, in `Time` the seconds since
//! something was last heard from it, in `State` how many pipes it has subscribed to, and in `Info` its User-Agent.

use async_trait::async_trait;

use super::super::expression::Context;
use super::super::source::DATABASE;
use super::super::table::{Domain, Heading, Row, Scan};
use super::super::{ColumnKind, SqlError, Value};
use super::Listing;
use super::schema::text;
use crate::clock::UnixMillis;
use crate::node::{AllBrowsers, AllClients, Connected, Others, Peer, SeenClient};
use crate::user::TenantId;

use ColumnKind::{Integer, LongText, ShortText, Unsigned};

/// Most connections of browsers that are listed; `users_in_pipes` has all who subscribe.
pub(super) const BROWSERS_LISTED_MAX: usize = 10_000;
/// What SHOW PROCESSLIST without FULL shows of a statement or of a User-Agent, in characters.
const INFO_CHARACTERS_MAX: usize = 100;

const COLUMNS: [(&str, &str, ColumnKind); 9] = [
    ("Id", "ID", Unsigned),
    ("User", "USER", ShortText),
    ("Host", "HOST", ShortText),
    ("db", "DB", ShortText),
    ("Command", "COMMAND", ShortText),
    ("Time", "TIME", Integer),
    ("State", "STATE", ShortText),
    ("Info", "INFO", LongText),
    (NODE, NODE, Integer),
];
/// The number of the node that it is connected to, for who names it.
const NODE: &str = "node";
/// Where the columns have `Info`.
const INFO: usize = 7;

/// Without its rows.
pub(super) fn listing() -> Listing {
    let headings = COLUMNS.map(|(name, _, kind)| heading(name, kind));
    Listing { name: "processlist", headings: headings.into(), rows: Vec::new() }
}

pub(super) fn headings_of_view() -> Vec<Heading> {
    COLUMNS.map(|(_, name, kind)| heading(name, kind)).into()
}

fn heading(name: &'static str, kind: ColumnKind) -> Heading {
    Heading { visible: name != NODE, ..Heading::listed(name, kind) }
}

pub(super) async fn all(domain: &Domain, full: bool, context: &Context) -> Result<Vec<Row>, SqlError> {
    let mut processes = Processes::new(domain, context);
    let mut rows = Vec::new();
    while let Some(page) = processes.next().await? {
        rows.extend(page);
    }
    if !full {
        rows.iter_mut().filter_map(|row| row.get_mut(INFO)).for_each(shorten);
    }
    Ok(rows)
}

fn shorten(info: &mut Value) {
    if let Value::Text(text) = info
        && let Some((end, _)) = text.char_indices().nth(INFO_CHARACTERS_MAX)
    {
        text.truncate(end);
    }
}

/// The rows, page by page.
pub(in super::super) struct Processes {
    domain: Domain,
    login: TenantId,
    now: UnixMillis,
    others: Others,
    reading: Reading,
    /// So many browsers may still be listed.
    browsers_left: usize,
}

enum Reading {
    NotBegun,
    Clients(Box<AllClients>),
    Browsers(Box<AllBrowsers>),
    End,
}

impl Processes {
    pub fn new(domain: &Domain, context: &Context) -> Processes {
        Processes {
            domain: domain.clone(),
            login: context.session.login,
            now: context.now,
            others: Others::default(),
            reading: Reading::NotBegun,
            browsers_left: BROWSERS_LISTED_MAX,
        }
    }

    /// The next rows; a list that has ended has none, and the next begins.
    async fn page(&mut self) -> Result<Vec<Row>, SqlError> {
        let (node, others, now) = (&self.domain.node, &mut self.others, self.now);
        match &mut self.reading {
            Reading::NotBegun => {
                *others = node.others().await;
                self.reading = Reading::Clients(Box::new(node.all_clients(self.login, others)));
            }
            Reading::Clients(clients) => {
                if let Some((peer, page)) = clients.next(others).await {
                    return Ok(page.iter().map(|client| row_of_client(client, peer, now)).collect());
                }
                self.reading = Reading::Browsers(Box::new(node.all_browsers(self.login, others)));
            }
            Reading::Browsers(browsers) if self.browsers_left > 0 => {
                if let Some((peer, mut page)) = browsers.next(others).await {
                    page.truncate(self.browsers_left);
                    self.browsers_left -= page.len();
                    return Ok(page.iter().map(|connected| row_of_browser(connected, peer, now)).collect());
                }
                self.reading = Reading::End;
            }
            Reading::Browsers(_) | Reading::End => self.reading = Reading::End,
        }
        Ok(Vec::new())
    }
}

#[async_trait]
impl Scan for Processes {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if matches!(self.reading, Reading::End) {
            return Ok(None);
        }
        let page = self.page().await;
        self.domain.warnings.add_missing(&mut self.others);
        page.map(Some)
    }
}

fn row_of_client(client: &SeenClient, peer: Peer, now: UnixMillis) -> Row {
    let doing = &client.doing;
    vec![
        Value::Unsigned(u64::from(client.id)),
        text(&client.user),
        text(&client.host),
        doing.database.as_deref().map_or(Value::Null, text),
        text(&doing.command),
        seconds_between(doing.since, now),
        text(if doing.text.is_some() { "executing" } else { "" }),
        doing.text.as_deref().map_or(Value::Null, text),
        Value::Integer(i64::from(peer.0)),
    ]
}

fn row_of_browser(connected: &Connected, peer: Peer, now: UnixMillis) -> Row {
    let Connected { tenant, user, about, subscription_count, .. } = connected;
    let database = if *tenant == TenantId::ROOT { DATABASE.to_owned() } else { format!("db_{tenant}") };
    let pipes = if *subscription_count == 1 { "pipe" } else { "pipes" };
    vec![
        Value::Unsigned(connected.number()),
        Value::Text(user.map_or_else(|| "anonymous".to_owned(), |user| user.number().to_string())),
        Value::Text(about.address.to_string()),
        Value::Text(database),
        text("Browser"),
        seconds_between(connected.heard_at, now),
        Value::Text(format!("{subscription_count} {pipes}")),
        text(&about.user_agent),
        Value::Integer(i64::from(peer.0)),
    ]
}

fn seconds_between(since: UnixMillis, now: UnixMillis) -> Value {
    Value::Integer(i64::try_from(now.seconds().saturating_sub(since.seconds())).unwrap_or(i64::MAX))
}
