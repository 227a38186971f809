//! `users_auth`: the hash each user logs in with.

use async_trait::async_trait;

use super::checks::present;
use super::errors::{invalid, too_long};
use super::keyed::Keyed;
use super::table::{Domain, Row, TableColumn};
use super::{ColumnKind, SqlError, Value, user_id};
use crate::node::{Record, Shelf, StoreError};
use crate::user::UserId;

/// Longest hash, in bytes.
const HASH_BYTES_MAX: usize = 32;

pub(super) struct UsersAuth;

/// Who is connected stays so when the hash is replaced; who loses it is sent away.
#[async_trait]
impl Keyed for UsersAuth {
    const NAME: &'static str = "users_auth";
    const COMMENT: &'static str = "The hash each user logs in with; DELETE also closes every connection of the user";
    const KEY: &'static str = "id";
    const COLUMNS: &'static [TableColumn] = &[
        user_id::column().primary(),
        TableColumn::new("hash", ColumnKind::ShortText, "varchar(32)", "What the user shows to log in"),
    ];

    type Key = UserId;
    type Kept = String;

    const PAGE_ROWS: usize = 1_000;

    fn key_of(text: &str) -> Option<UserId> {
        user_id::named(text)
    }

    fn row(user: &UserId, hash: &String) -> Row {
        vec![user_id::value(*user), Value::Text(hash.clone())]
    }

    fn entry(mut row: Vec<Option<Value>>, _bytes_max: usize, place: &str) -> Result<(UserId, String), SqlError> {
        let id = present(row[0].take(), "id", place)?;
        let hash = present(row[1].take(), "hash", place)?;
        let user = user_id::given(&id, place)?;
        check_hash(&hash, place)?;
        Ok((user, hash))
    }

    fn insert_id(user: &UserId) -> u64 {
        u64::from(user.number())
    }

    async fn get(domain: &Domain, user: &UserId) -> Result<Option<String>, StoreError> {
        domain.node.record(domain.tenant, &Record::Key(*user)).await
    }

    async fn page(domain: &Domain, after: Option<&UserId>) -> Result<Vec<(UserId, String)>, StoreError> {
        let after = after.map(|user| Record::Key(*user));
        let page = domain.node.records(domain.tenant, Shelf::Keys, after.as_ref(), Self::PAGE_ROWS).await?;
        Ok(user_id::of_records(page))
    }

    async fn set(domain: &Domain, user: &UserId, hash: String) -> Result<(), StoreError> {
        domain.node.set_record(domain.tenant, &Record::Key(*user), hash).await.map(drop)
    }

    async fn remove(domain: &Domain, user: &UserId) -> Result<bool, StoreError> {
        domain.node.remove_record(domain.tenant, &Record::Key(*user)).await
    }
}

/// The characters first, then the length, as in the original, which let an empty hash in.
fn check_hash(hash: &str, place: &str) -> Result<(), SqlError> {
    if !hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=+_/".contains(&byte)) {
        return Err(invalid(format!(
            "Contains an invalid characters in the string hash: it can contain only A-Za-z0-9=+_/{place}"
        )));
    }
    if hash.len() > HASH_BYTES_MAX {
        let bytes = hash.len();
        return Err(too_long(format!(
            "Hash string is too long: it has {bytes} bytes{place}, {HASH_BYTES_MAX} are allowed"
        )));
    }
    if hash.is_empty() {
        return Err(invalid(format!(
            "Hash string is empty: it would log in nobody{place}; DELETE the row to keep a user from logging in"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_checked_by_its_characters_and_then_by_its_length() {
        let cases = [
            ("a".repeat(32), None),
            ("Az09=+_/".to_owned(), None),
            ("a".repeat(33), Some(11)),
            ("a-b".to_owned(), Some(12)),
            ("é".repeat(40), Some(12)),
            (String::new(), Some(12)),
        ];
        for (hash, code) in cases {
            assert_eq!(check_hash(&hash, "").err().map(|error| error.code), code, "{hash}");
        }
    }
}
