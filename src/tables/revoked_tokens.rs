//! `revoked_tokens`: tokens that log in nobody any more.

use async_trait::async_trait;

use super::checks::present;
use super::errors::{invalid, read_only, too_long};
use super::keyed::Keyed;
use super::table::{Domain, Row, TableColumn, Verb};
use super::{ColumnKind, SqlError, Value};
use crate::node::{Record, Shelf, StoreError};

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

pub(super) struct RevokedTokens;

/// What is kept of a token is when it was revoked, in Unix seconds; the node writes it.
#[async_trait]
impl Keyed for RevokedTokens {
    const NAME: &'static str = "revoked_tokens";
    const COMMENT: &'static str = "Tokens that log in nobody; INSERT also closes every connection of the token's user";
    const KEY: &'static str = "token";
    const COLUMNS: &'static [TableColumn] = &[
        TableColumn::new("token", ColumnKind::LongText, "varchar(4096)", "The token").primary(),
        TableColumn::new("time", ColumnKind::Integer, "bigint(20)", "Unix time in seconds when it was revoked")
            .invisible(),
    ];

    type Key = Box<str>;
    type Kept = Option<i64>;

    const PAGE_ROWS: usize = 250;

    fn refusal(verb: Verb) -> Option<SqlError> {
        (verb == Verb::Update).then(|| {
            read_only("Table `revoked_tokens` is read only for UPDATE: a token is revoked (INSERT) or is not (DELETE)")
        })
    }

    fn key_of(text: &str) -> Option<Box<str>> {
        (1..=TOKEN_BYTES_MAX).contains(&text.len()).then(|| text.into())
    }

    fn row(token: &Box<str>, revoked_at: &Option<i64>) -> Row {
        vec![Value::Text(token.to_string()), revoked_at.map_or(Value::Null, Value::Integer)]
    }

    fn entry(mut row: Vec<Option<Value>>, _bytes_max: usize, place: &str) -> Result<(Box<str>, Option<i64>), SqlError> {
        let token = present(row[0].take(), "token", place)?;
        if token.is_empty() {
            return Err(invalid(format!("Error in token: it is empty{place}")));
        }
        if token.len() > TOKEN_BYTES_MAX {
            let bytes = token.len();
            return Err(too_long(format!(
                "Data is too long: the token has {bytes} bytes{place}, {TOKEN_BYTES_MAX} are allowed"
            )));
        }
        Ok((token.into(), None))
    }

    /// As the original.
    fn insert_id(_token: &Box<str>) -> u64 {
        1
    }

    async fn get(domain: &Domain, token: &Box<str>) -> Result<Option<Option<i64>>, StoreError> {
        let revoked_at = domain.node.record(domain.tenant, &Record::Revoked(token.clone())).await?;
        Ok(revoked_at.map(|seconds| seconds.parse().ok()))
    }

    async fn page(domain: &Domain, after: Option<&Box<str>>) -> Result<Vec<(Box<str>, Option<i64>)>, StoreError> {
        let after = after.map(|token| Record::Revoked(token.clone()));
        let page = domain.node.records(domain.tenant, Shelf::Revoked, after.as_ref(), Self::PAGE_ROWS).await?;
        let entry = |(record, seconds): (Record, String)| match record {
            Record::Revoked(token) => Some((token, seconds.parse().ok())),
            Record::Key(_) | Record::Data(_) | Record::Seen(_) => None,
        };
        Ok(page.into_iter().filter_map(entry).collect())
    }

    async fn set(domain: &Domain, token: &Box<str>, _revoked_at: Option<i64>) -> Result<(), StoreError> {
        domain.node.revoke(domain.tenant, token).await.map(drop)
    }

    async fn remove(domain: &Domain, token: &Box<str>) -> Result<bool, StoreError> {
        domain.node.remove_record(domain.tenant, &Record::Revoked(token.clone())).await
    }
}
