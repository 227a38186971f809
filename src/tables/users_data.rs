//! `users_data`: a text about each user that browsers may read.

use async_trait::async_trait;

use super::checks::{present, too_long_data};
use super::keyed::Keyed;
use super::table::{Domain, Row, TableColumn};
use super::{ColumnKind, SqlError, Value, user_id};
use crate::node::{Record, Shelf, StoreError};
use crate::user::UserId;

pub(super) struct UsersData;

#[async_trait]
impl Keyed for UsersData {
    const NAME: &'static str = "users_data";
    const COMMENT: &'static str = "A text about each user that every browser of the tenant may read";
    const KEY: &'static str = "id";
    const COLUMNS: &'static [TableColumn] = &[
        user_id::column().primary(),
        TableColumn::new("data", ColumnKind::LongText, "text", "Text about the user").comet_strings(),
    ];

    type Key = UserId;
    type Kept = String;

    /// A text may be as long as a message.
    const PAGE_ROWS: usize = 32;

    fn key_of(text: &str) -> Option<UserId> {
        user_id::named(text)
    }

    fn row(user: &UserId, data: &String) -> Row {
        vec![user_id::value(*user), Value::Text(data.clone())]
    }

    fn entry(mut row: Vec<Option<Value>>, bytes_max: usize, place: &str) -> Result<(UserId, String), SqlError> {
        let id = present(row[0].take(), "id", place)?;
        let data = present(row[1].take(), "data", place)?;
        let user = user_id::given(&id, place)?;
        if data.len() > bytes_max {
            return Err(too_long_data("data", data.len(), bytes_max, place));
        }
        Ok((user, data))
    }

    fn insert_id(user: &UserId) -> u64 {
        u64::from(user.number())
    }

    async fn get(domain: &Domain, user: &UserId) -> Result<Option<String>, StoreError> {
        domain.node.record(domain.tenant, &Record::Data(*user)).await
    }

    async fn page(domain: &Domain, after: Option<&UserId>) -> Result<Vec<(UserId, String)>, StoreError> {
        let after = after.map(|user| Record::Data(*user));
        let page = domain.node.records(domain.tenant, Shelf::Data, after.as_ref(), Self::PAGE_ROWS).await?;
        Ok(user_id::of_records(page))
    }

    async fn set(domain: &Domain, user: &UserId, data: String) -> Result<(), StoreError> {
        domain.node.set_record(domain.tenant, &Record::Data(*user), data).await.map(drop)
    }

    async fn remove(domain: &Domain, user: &UserId) -> Result<bool, StoreError> {
        domain.node.remove_record(domain.tenant, &Record::Data(*user)).await
    }
}
