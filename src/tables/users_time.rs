//! `users_time`: who is online, and when the others were last. The server itself writes it.

use async_trait::async_trait;

use super::keyed::each_once;
use super::paging::Paging;
use super::table::{Domain, Row, Scan, Table, TableColumn, Verb, cannot_be_written};
use super::{ColumnKind, SqlError, Value, user_id};
use crate::node::{Record, Seen, Shelf};
use crate::user::UserId;

/// Most users read from the node at a time.
const PAGE_USERS: usize = 1_000;

pub(super) struct UsersTime;

static COLUMNS: [TableColumn; 2] = [
    user_id::column().primary(),
    TableColumn::new(
        "time",
        ColumnKind::Integer,
        "bigint(20)",
        "0 for a user who is online, else the Unix time of the last disconnect, -1 for one who was never seen",
    )
    .default("-1"),
];

impl Table for UsersTime {
    fn name(&self) -> &'static str {
        "users_time"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "Who is online, and when the others were last; read only"
    }

    fn key(&self) -> &'static str {
        "id"
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        let domain = domain.clone();
        match keys {
            Some(ids) => {
                Box::new(Named { domain, numbers: each_once(ids.iter().filter_map(|id| user_id::number(id))) })
            }
            None => Box::new(Known { domain, paging: Paging::new(PAGE_USERS) }),
        }
    }

    fn refusal(&self, _verb: Verb) -> Option<SqlError> {
        Some(cannot_be_written(self.name()))
    }
}

/// Users asked for by number: a row for each number, also for those nobody can have.
struct Named {
    domain: Domain,
    numbers: std::vec::IntoIter<u64>,
}

#[async_trait]
impl Scan for Named {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.numbers.as_slice().is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for number in self.numbers.by_ref().take(PAGE_USERS) {
            let seen = match UserId::new(number) {
                Some(user) => self.domain.node.seen(self.domain.tenant, user).await?,
                None => Seen::Never,
            };
            rows.push(row(i64::try_from(number).unwrap_or(i64::MAX), seen));
        }
        Ok(Some(rows))
    }
}

/// Every user who is online or was, by number.
struct Known {
    domain: Domain,
    paging: Paging<UserId>,
}

#[async_trait]
impl Scan for Known {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.paging.is_over() {
            return Ok(None);
        }
        let Domain { node, tenant, .. } = &self.domain;
        let after = self.paging.after().copied();
        let record = after.map(Record::Seen);
        let on_record = node.records(*tenant, Shelf::Seen, record.as_ref(), PAGE_USERS).await?;
        // The first page of either holds what is first in both.
        let mut users = node.logs(*tenant, after, PAGE_USERS).await?;
        users.extend(user_id::of_records(on_record).into_iter().map(|(user, _)| user));
        users.sort_unstable();
        users.dedup();
        users.truncate(PAGE_USERS);
        self.paging.has_read(&users, |user| *user);
        let mut rows = Vec::new();
        for user in users {
            match node.seen(*tenant, user).await? {
                // Has got messages, and never came for them.
                Seen::Never => {}
                seen => rows.push(row(i64::from(user.number()), seen)),
            }
        }
        Ok(Some(rows))
    }
}

fn row(number: i64, seen: Seen) -> Row {
    let time = match seen {
        Seen::Now => 0,
        Seen::At(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX),
        Seen::Never => -1,
    };
    vec![Value::Integer(number), Value::Integer(time)]
}
