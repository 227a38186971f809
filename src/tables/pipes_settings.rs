//! `pipes_settings`: how much each pipe keeps.

use async_trait::async_trait;

use super::checks::{pipe_name, present};
use super::errors::invalid;
use super::keyed::Keyed;
use super::table::{Domain, Row, TableColumn};
use super::value::whole_of;
use super::{ColumnKind, SqlError, Value};
use crate::node::StoreError;
use crate::pipe::{Pipe, PipeName, Retention};

pub(super) struct PipesSettings;

const NAME: usize = 0;
const LENGTH: usize = 1;
const TTL: usize = 2;

#[async_trait]
impl Keyed for PipesSettings {
    const NAME: &'static str = "pipes_settings";
    const COMMENT: &'static str = "How many messages each pipe keeps; DELETE removes what is kept, too";
    const KEY: &'static str = "name";
    const COLUMNS: &'static [TableColumn] = &[
        TableColumn::new("name", ColumnKind::ShortText, "varchar(64)", "Name of the pipe").primary(),
        TableColumn::new("length", ColumnKind::Integer, "int(11)", "Newest messages the pipe keeps, at most 1000")
            .default("0"),
        TableColumn::new("ttl", ColumnKind::Integer, "bigint(20)", "Seconds a message is kept; NULL is without end")
            .invisible(),
    ];

    type Key = PipeName;
    type Kept = Retention;

    const PAGE_ROWS: usize = 1_000;

    fn key_of(text: &str) -> Option<PipeName> {
        PipeName::for_subscription(text).ok()
    }

    fn row(name: &PipeName, retention: &Retention) -> Row {
        let ttl = retention.ttl_seconds.map_or(Value::Null, |seconds| Value::Integer(i64::from(seconds)));
        vec![Value::Text(name.as_str().to_owned()), Value::Integer(i64::from(retention.length)), ttl]
    }

    fn entry(mut row: Vec<Option<Value>>, _bytes_max: usize, place: &str) -> Result<(PipeName, Retention), SqlError> {
        let name = pipe_name(&present(row[NAME].take(), "name", place)?, place)?;
        Ok((name, retention_of(row[LENGTH].as_ref(), row[TTL].as_ref(), place)?))
    }

    async fn get(domain: &Domain, name: &PipeName) -> Result<Option<Retention>, StoreError> {
        domain.node.retention(&pipe_of(domain, name)).await
    }

    async fn page(domain: &Domain, after: Option<&PipeName>) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        domain.node.retentions(domain.tenant, after, Self::PAGE_ROWS).await
    }

    async fn set(domain: &Domain, name: &PipeName, retention: Retention) -> Result<(), StoreError> {
        domain.node.set_retention(&pipe_of(domain, name), retention).await
    }

    async fn remove(domain: &Domain, name: &PipeName) -> Result<bool, StoreError> {
        domain.node.remove_retention(&pipe_of(domain, name)).await
    }
}

fn pipe_of(domain: &Domain, name: &PipeName) -> Pipe {
    Pipe::Named(domain.tenant, name.clone())
}

fn retention_of(length: Option<&Value>, ttl: Option<&Value>, place: &str) -> Result<Retention, SqlError> {
    let length = length.and_then(whole_of).unwrap_or(0);
    // Beyond 64 bits every number is as good as the largest.
    let length = i64::try_from(length).unwrap_or(if length < 0 { i64::MIN } else { i64::MAX });
    let ttl_seconds = match ttl.and_then(whole_of) {
        None => None,
        Some(seconds) => Some(u32::try_from(seconds).ok().filter(|seconds| *seconds > 0).ok_or_else(|| {
            invalid(format!(
                "The ttl field is a number of seconds from 1 to {}, or NULL for no end: {seconds} is not{place}",
                u32::MAX
            ))
        })?),
    };
    Ok(Retention { ttl_seconds, ..Retention::of_length(length) })
}
