//! Settings of pipes, and what the original knows of users.

use std::sync::Arc;

use mysql_async::prelude::Queryable;

use super::rows::{Cells, name_of, tenant_of, user_of};
use super::{Limits, Original, OriginalError};
use crate::clock::Clock;
use crate::moving::at_once::at_once;
use crate::moving::names;
use crate::moving::report::{Fate, Report, What};
use crate::moving::texts::{self, Writer};
use crate::moving::transfer::{put_record, put_retention};
use crate::pipe::{HISTORY_LENGTH_MAX, Pipe, Retention};
use crate::store::{Record, Store, StoreError};
use crate::user::TenantId;

/// Rows that are put at a time.
const ROWS_AT_ONCE: usize = 256;
/// Longest key and longest token, in bytes.
const KEY_BYTES_MAX: usize = 32;
const TOKEN_BYTES_MAX: usize = 4_096;

const CLAMPED: &str = "had a length beyond 1000, which is the most";
const KEY_EMPTY: &str = "the key is empty: it would log in nobody";
const KEY_TOO_LONG: &str = "the key is longer than 32 bytes";
const KEY_BAD_BYTE: &str = "the key has other characters than A-Za-z0-9=+_/";
const KEY_OF_TOKEN: &str = "the key is only the beginning of a token, which is the same for everybody; the user logs in \
                            with a token as before";
const DATA_TOO_LONG: &str = "the text is longer than message_bytes_max";
const NO_TIME: &str = "the user was online when the original stopped, which kept no time";
const TOKEN_BAD: &str = "the token is empty, no UTF-8 or longer than 4096 bytes";

/// A row that has been read: how it is called, and what is to be put.
struct Read<T> {
    name: String,
    put: Result<T, &'static str>,
    changed: Option<&'static str>,
}

/// What a user, or a tenant, has one of.
struct Entry {
    tenant: TenantId,
    record: Record,
    value: String,
}

impl Original {
    /// How much each pipe keeps.
    pub(super) async fn settings(&mut self, into: &Arc<dyn Store>, report: &mut Report) -> Result<(), OriginalError> {
        let select = self.select("pipes_settings", &["dev_id", "name", "length"])?;
        let read = |mut cells: Cells| {
            let (tenant, name, length) = (cells.text(), cells.text(), cells.text());
            let put = tenant_of(&tenant).and_then(|tenant| Ok(Pipe::Named(tenant, name_of(&name)?)));
            let length = length.parse().unwrap_or(0);
            let changed = (length > i64::from(HISTORY_LENGTH_MAX)).then_some(CLAMPED);
            let put = put.map(|pipe| (pipe, Retention::of_length(length)));
            Read { name: names::pipe(tenant, name), put, changed }
        };
        let store = Arc::clone(into);
        let put = move |(pipe, retention): (Pipe, Retention)| {
            let store = Arc::clone(&store);
            async move { put_retention(&*store, &pipe, retention).await }
        };
        self.each(What::Settings, &select, read, put, report).await
    }

    pub(super) async fn users(
        &mut self,
        into: &Arc<dyn Store>,
        limits: Limits,
        clock: &Arc<dyn Clock>,
        report: &mut Report,
    ) -> Result<(), OriginalError> {
        let store = Arc::clone(into);
        let put = move |Entry { tenant, record, value }: Entry| {
            let store = Arc::clone(&store);
            async move { put_record(&*store, tenant, &record, value).await }
        };
        let select = self.select("users_auth", &["dev_id", "user_id", "hash"])?;
        self.each(What::Keys, &select, key, put.clone(), report).await?;

        let columns = self.tables.get("users_data").filter(|columns| columns.contains_key("data"));
        let select =
            self.select("users_data", &["dev_id", "user_id", if columns.is_some() { "data" } else { "text" }])?;
        self.each(What::Data, &select, |cells| data(cells, limits), put.clone(), report).await?;

        let select = self.select("users_time", &["dev_id", "user_id", "time"])?;
        self.each(What::Seen, &select, seen, put.clone(), report).await?;

        // It did not say when.
        let now = clock.now().seconds();
        let select = self.select("revoked_tokens", &["dev_id", "token"])?;
        self.each(What::Tokens, &select, |cells| token(cells, now), put, report).await
    }

    /// Reads every row, puts many at a time, and tells what became of them.
    async fn each<T, F>(
        &mut self,
        what: What,
        select: &str,
        read: impl Fn(Cells) -> Read<T>,
        put: impl Fn(T) -> F + Clone,
        report: &mut Report,
    ) -> Result<(), OriginalError>
    where
        F: Future<Output = Result<Fate, StoreError>> + Send + 'static,
    {
        let mut rows = self.connection.query_iter(select).await?;
        loop {
            let mut group = Vec::new();
            while group.len() < ROWS_AT_ONCE
                && let Some(row) = rows.next().await?
            {
                let Read { name, put, changed } = read(Cells::new(row));
                match put {
                    Ok(put) => group.push((name, changed, put)),
                    Err(why) => report.add(what, Fate::Left(why), || name),
                }
            }
            if group.is_empty() {
                break;
            }
            let put = |(name, changed, value): (String, Option<&'static str>, T)| {
                let putting = put(value);
                async move { Ok((name, changed, putting.await?)) }
            };
            at_once(group, ROWS_AT_ONCE, put, |(name, changed, fate)| {
                if let Some(how) = changed.filter(|_| fate == Fate::Came) {
                    report.change(what, how);
                }
                report.add(what, fate, || name);
            })
            .await?;
        }
        Ok(rows.drop_result().await?)
    }
}

/// The tenant and the user that a row begins with, how they are called, and what they make of the rest.
fn of_user(
    cells: &mut Cells,
    entry: impl FnOnce(TenantId, crate::user::UserId, &mut Cells) -> Result<Entry, &'static str>,
) -> Read<Entry> {
    let (tenant, user) = (cells.text(), cells.text());
    let put = tenant_of(&tenant).and_then(|tenant| entry(tenant, user_of(&user)?, cells));
    Read { name: names::user(tenant, user), put, changed: None }
}

fn key(mut cells: Cells) -> Read<Entry> {
    of_user(&mut cells, |tenant, user, cells| {
        let value = cells.text();
        if value.is_empty() {
            return Err(KEY_EMPTY);
        }
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=+_/".contains(&byte)) {
            return Err(KEY_BAD_BYTE);
        }
        if value.len() > KEY_BYTES_MAX {
            return Err(KEY_TOO_LONG);
        }
        // The original cut a token to the length of a key. What is left is a header, `{"` in base64, and no secret.
        if value.len() == KEY_BYTES_MAX && value.starts_with("eyJ") {
            return Err(KEY_OF_TOKEN);
        }
        Ok(Entry { tenant, record: Record::Key(user), value })
    })
}

fn data(mut cells: Cells, limits: Limits) -> Read<Entry> {
    let mut changed = None;
    let read = of_user(&mut cells, |tenant, user, cells| {
        let read = texts::read(cells.bytes(), Writer::Program)?;
        if read.text.len() > limits.message_bytes_max {
            return Err(DATA_TOO_LONG);
        }
        changed = read.changed;
        Ok(Entry { tenant, record: Record::Data(user), value: read.text })
    });
    Read { changed, ..read }
}

fn seen(mut cells: Cells) -> Read<Entry> {
    of_user(&mut cells, |tenant, user, cells| {
        let seconds = cells.text().parse::<u64>().ok().filter(|seconds| *seconds > 0).ok_or(NO_TIME)?;
        Ok(Entry { tenant, record: Record::Seen(user), value: seconds.to_string() })
    })
}

fn token(mut cells: Cells, now_seconds: u64) -> Read<Entry> {
    let (tenant, token) = (cells.text(), String::from_utf8(cells.bytes()).unwrap_or_default());
    let name = names::token(&tenant, &token);
    let put = tenant_of(&tenant).and_then(|tenant| {
        if !(1..=TOKEN_BYTES_MAX).contains(&token.len()) {
            return Err(TOKEN_BAD);
        }
        Ok(Entry { tenant, record: Record::Revoked(token.into()), value: now_seconds.to_string() })
    });
    Read { name, put, changed: None }
}
