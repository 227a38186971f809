//! `users_in_pipes`: every connection that is subscribed to a pipe. The server itself writes it.

use async_trait::async_trait;

use super::each_pipe::{EachPipe, Kind};
use super::keyed::each_once;
use super::table::{Domain, Row, Scan, Table, TableColumn, Verb, cannot_be_written};
use super::{ColumnKind, SqlError, Value};
use crate::node::{Others, Peer, Present, SUBSCRIBED_PIPES_MAX, Subscriber, Subscribers};
use crate::pipe::{Pipe, PipeName};
use crate::user::UserId;

pub(super) struct UsersInPipes;

static COLUMNS: [TableColumn; 8] = [
    TableColumn::new("name", ColumnKind::ShortText, "varchar(64)", "Name of the pipe").indexed(),
    TableColumn::new("user_id", ColumnKind::Integer, "bigint(20)", "User who is logged in, 0 for nobody").default("0"),
    TableColumn::new("user_uuid", ColumnKind::ShortText, "varchar(32)", "The number the browser gave itself")
        .default("''"),
    TableColumn::new("user_agent", ColumnKind::ShortText, "varchar(250)", "Header User-Agent").default("''"),
    TableColumn::new("ip", ColumnKind::ShortText, "varchar(45)", "Address the connection comes from").default("''"),
    TableColumn::new("origin", ColumnKind::ShortText, "varchar(250)", "Header Origin").default("''"),
    TableColumn::new("language", ColumnKind::ShortText, "varchar(64)", "Header Accept-Language").default("''"),
    TableColumn::new("node", ColumnKind::Integer, "int(11)", "Number of the node it is connected to").invisible(),
];

impl Table for UsersInPipes {
    fn name(&self) -> &'static str {
        "users_in_pipes"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "Every connection that is subscribed to a pipe, logged in or not; read only"
    }

    fn key(&self) -> &'static str {
        "name"
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        let pipes = match keys {
            Some(names) => {
                let names = names.iter().filter_map(|name| PipeName::for_subscription(name).ok());
                EachPipe::named(domain, each_once(names.map(|name| Pipe::Named(domain.tenant, name))))
            }
            None => EachPipe::of(domain, Kind::Listened),
        };
        Box::new(Reading { domain: domain.clone(), pipes, others: None, current: None })
    }

    fn refusal(&self, _verb: Verb) -> Option<SqlError> {
        Some(cannot_be_written(self.name()))
    }
}

/// Those who subscribe to some pipes after the other, each in pages: first of this node, then of the others.
struct Reading {
    domain: Domain,
    pipes: EachPipe,
    /// Once they are known.
    others: Option<Others>,
    /// Pipes whose subscribers have been read in part.
    current: Option<(Vec<Pipe>, Subscribers)>,
}

#[async_trait]
impl Scan for Reading {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        let Domain { node, tenant, warnings } = &self.domain;
        let others = match &mut self.others {
            Some(others) => others,
            none => none.insert(node.others().await),
        };
        let (pipes, mut subscribers) = match self.current.take() {
            Some(current) => current,
            None => {
                let pipes = self.pipes.some(SUBSCRIBED_PIPES_MAX).await?;
                if pipes.is_empty() {
                    return Ok(None);
                }
                let subscribers = node.subscribers(*tenant, &pipes, others);
                (pipes, subscribers)
            }
        };
        let page = subscribers.next(others).await;
        warnings.add_missing(others);
        let Some((peer, page)) = page else { return Ok(Some(Vec::new())) };
        let rows = page.iter().filter_map(|subscriber| Some(row(pipes.get(subscriber.pipe)?, subscriber, peer)));
        let rows = rows.collect();
        self.current = Some((pipes, subscribers));
        Ok(Some(rows))
    }
}

fn row(pipe: &Pipe, subscriber: &Subscriber, peer: Peer) -> Row {
    let Present { user, about, .. } = &subscriber.present;
    vec![
        Value::Text(pipe.shown_name().to_owned()),
        Value::Integer(i64::from(user.map_or(0, UserId::number))),
        Value::Text(about.uuid.to_string()),
        Value::Text(about.user_agent.to_string()),
        Value::Text(about.address.to_string()),
        Value::Text(about.origin.to_string()),
        Value::Text(about.language.to_string()),
        Value::Integer(i64::from(peer.0)),
    ]
}
