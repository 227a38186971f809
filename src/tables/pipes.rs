//! `pipes`: who listens where. The server itself writes it.

use async_trait::async_trait;

use super::paging::Paging;
use super::table::{Domain, Row, Scan, Table, TableColumn, Verb, cannot_be_written};
use super::{ColumnKind, SqlError, Value};
use crate::pipe::{Pipe, PipeName};

/// Most pipes read from the node at a time.
const PAGE_PIPES: usize = 1_000;

pub(super) struct Pipes;

static COLUMNS: [TableColumn; 2] = [
    TableColumn::new("name", ColumnKind::ShortText, "varchar(64)", "Name of the pipe").primary(),
    TableColumn::new("users", ColumnKind::Integer, "bigint(20)", "Connections that are subscribed now").default("0"),
];

impl Table for Pipes {
    fn name(&self) -> &'static str {
        "pipes"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "How many connections are subscribed to each pipe; read only"
    }

    fn key(&self) -> &'static str {
        "name"
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        match keys {
            Some(names) => Box::new(Named { domain: domain.clone(), names: names.into_iter() }),
            None => Box::new(Listened { domain: domain.clone(), paging: Paging::new(PAGE_PIPES) }),
        }
    }

    fn refusal(&self, _verb: Verb) -> Option<SqlError> {
        Some(cannot_be_written(self.name()))
    }
}

/// Pipes asked for by name: a row for each name that could be a pipe, also when nobody is there.
struct Named {
    domain: Domain,
    names: std::vec::IntoIter<String>,
}

#[async_trait]
impl Scan for Named {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.names.as_slice().is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for name in self.names.by_ref().take(PAGE_PIPES) {
            let Ok(name) = PipeName::for_subscription(&name) else { continue };
            let users = self.domain.node.listeners(&Pipe::Named(self.domain.tenant, name.clone())).await?;
            rows.push(row(&name, users));
        }
        Ok(Some(rows))
    }
}

/// Every pipe that somebody listens to, by name.
struct Listened {
    domain: Domain,
    paging: Paging<PipeName>,
}

#[async_trait]
impl Scan for Listened {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.paging.is_over() {
            return Ok(None);
        }
        let page = self.domain.node.listened(self.domain.tenant, self.paging.after(), PAGE_PIPES).await?;
        self.paging.has_read(&page, |(name, _)| name.clone());
        Ok(Some(page.iter().map(|(name, users)| row(name, *users)).collect()))
    }
}

fn row(name: &PipeName, users: u64) -> Row {
    vec![Value::Text(name.as_str().to_owned()), Value::Integer(i64::try_from(users).unwrap_or(i64::MAX))]
}
