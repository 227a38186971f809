//! Tables of which every row is a key and what is kept for it. INSERT and REPLACE replace what is kept, as the original
//! did; INSERT IGNORE leaves it.

use std::collections::HashSet;
use std::hash::Hash;

use async_trait::async_trait;

use super::at_once::at_once;
use super::errors::read_only;
use super::expression::{Context, Evaluator};
use super::insert::row_place;
use super::matching::{require_column, scope};
use super::paging::Paging;
use super::scope::Scope;
use super::table::{Domain, Insertion, Row, Scan, Table, TableColumn, Verb};
use super::value::text_of;
use super::walk::walk;
use super::{Done, SqlError, Value};
use crate::cometql::{Change, Expression, InsertVerb};
use crate::node::StoreError;

/// A table whose first column is its key.
#[async_trait]
pub(super) trait Keyed: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    /// One sentence for people.
    const COMMENT: &'static str;
    /// The name of the first column.
    const KEY: &'static str;
    const COLUMNS: &'static [TableColumn];
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Kept: Clone + PartialEq + Send + Sync + 'static;

    /// Most rows read from the node at a time.
    const PAGE_ROWS: usize;

    /// Why this table does not do `verb` at all.
    fn refusal(_verb: Verb) -> Option<SqlError> {
        None
    }

    /// The key that a text in WHERE means, if it can be one.
    fn key_of(text: &str) -> Option<Self::Key>;

    fn row(key: &Self::Key, kept: &Self::Kept) -> Row;

    /// What an INSERT wants to have, checked; `place` says which of its rows this is.
    fn entry(row: Vec<Option<Value>>, bytes_max: usize, place: &str) -> Result<(Self::Key, Self::Kept), SqlError>;

    /// What the OK of an INSERT says; that of its last row counts.
    fn insert_id(_key: &Self::Key) -> u64 {
        0
    }

    async fn get(domain: &Domain, key: &Self::Key) -> Result<Option<Self::Kept>, StoreError>;

    /// At most [`Keyed::PAGE_ROWS`] entries behind `after`, in the order of their keys.
    async fn page(domain: &Domain, after: Option<&Self::Key>) -> Result<Vec<(Self::Key, Self::Kept)>, StoreError>;

    async fn set(domain: &Domain, key: &Self::Key, kept: Self::Kept) -> Result<(), StoreError>;

    /// Answers whether there was something.
    async fn remove(domain: &Domain, key: &Self::Key) -> Result<bool, StoreError>;
}

#[async_trait]
impl<T: Keyed> Table for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn columns(&self) -> &'static [TableColumn] {
        T::COLUMNS
    }

    fn comment(&self) -> &'static str {
        T::COMMENT
    }

    fn key(&self) -> &'static str {
        T::KEY
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        let domain = domain.clone();
        match keys {
            Some(texts) => {
                Box::new(Named::<T> { domain, keys: each_once(texts.iter().filter_map(|text| T::key_of(text))) })
            }
            None => Box::new(All::<T> { domain, paging: Paging::new(T::PAGE_ROWS) }),
        }
    }

    fn refusal(&self, verb: Verb) -> Option<SqlError> {
        T::refusal(verb)
    }

    async fn insert(&self, domain: &Domain, insertion: Insertion<'_>) -> Result<Done, SqlError> {
        insert(self, domain, insertion).await
    }

    fn delete_wants(&self) -> &'static [&'static str] {
        const { &[T::KEY] }
    }

    async fn delete(&self, domain: &Domain, rows: Vec<Row>) -> Result<u64, SqlError> {
        let keys = rows.into_iter().filter_map(|row| T::key_of(&row.first().and_then(text_of)?));
        let mut removed = 0;
        at_once(keys.map(|key| removal::<T>(domain, key)), |was_there| removed += u64::from(was_there)).await?;
        Ok(removed)
    }

    async fn update(
        &self,
        domain: &Domain,
        rows: Vec<Row>,
        changes: &[Change],
        scope: &Scope,
        context: &Context,
    ) -> Result<Done, SqlError> {
        update(self, domain, rows, changes, scope, context).await
    }

    async fn truncate(&self, domain: &Domain) -> Result<(), SqlError> {
        loop {
            let page = T::page(domain, None).await?;
            let is_last = page.len() < T::PAGE_ROWS;
            at_once(page.into_iter().map(|(key, _)| removal::<T>(domain, key)), drop).await?;
            if is_last {
                return Ok(());
            }
        }
    }
}

/// The keys in their order, each once: '5' and '05' are one user.
pub(super) fn each_once<K: Clone + Eq + Hash>(keys: impl Iterator<Item = K>) -> std::vec::IntoIter<K> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect::<Vec<K>>().into_iter()
}

async fn removal<T: Keyed>(domain: &Domain, key: T::Key) -> Result<bool, StoreError> {
    T::remove(domain, &key).await
}

async fn writing<T: Keyed>(domain: &Domain, (key, kept): (T::Key, T::Kept)) -> Result<(), StoreError> {
    T::set(domain, &key, kept).await
}

/// All rows are checked first; then they are written. Only a store that fails leaves some written and others not.
async fn insert<T: Keyed>(table: &T, domain: &Domain, insertion: Insertion<'_>) -> Result<Done, SqlError> {
    let scope = scope(table, None);
    for change in insertion.on_duplicate {
        check_change(table, change, &scope)?;
    }
    let count = insertion.rows.len();
    let bytes_max = insertion.context.message_bytes_max;
    let mut entries = Vec::with_capacity(count);
    for (index, row) in insertion.rows.into_iter().enumerate() {
        entries.push(T::entry(row, bytes_max, &row_place(index, count))?);
    }
    let looks = insertion.verb == InsertVerb::InsertIgnore || !insertion.on_duplicate.is_empty();
    let mut written = Written::default();
    if looks {
        for (key, kept) in entries {
            let before = T::get(domain, &key).await?;
            written.duplicates += u64::from(before.is_some());
            if let Some((affected, kept)) =
                beside(table, &key, kept, before, insertion.on_duplicate, insertion.context)?
            {
                T::set(domain, &key, kept).await?;
                written.affected += affected;
                written.insert_id = T::insert_id(&key);
            }
        }
    } else {
        written.affected = count as u64;
        written.insert_id = entries.last().map_or(0, |(key, _)| T::insert_id(key));
        at_once(entries.into_iter().map(|entry| writing::<T>(domain, entry)), drop).await?;
    }
    let Written { affected, duplicates, insert_id } = written;
    let info =
        if count > 1 { format!("Records: {count}  Duplicates: {duplicates}  Warnings: 0") } else { String::new() };
    Ok(Done { affected, insert_id, info })
}

#[derive(Default)]
struct Written {
    affected: u64,
    duplicates: u64,
    insert_id: u64,
}

/// What an INSERT that looks at what is there writes, and as how many rows that counts.
fn beside<T: Keyed>(
    table: &T,
    key: &T::Key,
    kept: T::Kept,
    before: Option<T::Kept>,
    on_duplicate: &[Change],
    context: &Context,
) -> Result<Option<(u64, T::Kept)>, SqlError> {
    let Some(before) = before else { return Ok(Some((1, kept))) };
    if on_duplicate.is_empty() {
        return Ok(None);
    }
    let context = with_values(table, on_duplicate, &T::row(key, &kept), context);
    let (_, changed) = changed(table, &T::row(key, &before), on_duplicate, &scope(table, None), &context)?;
    Ok((changed != before).then_some((2, changed)))
}

async fn update<T: Keyed>(
    table: &T,
    domain: &Domain,
    rows: Vec<Row>,
    changes: &[Change],
    scope: &Scope,
    context: &Context,
) -> Result<Done, SqlError> {
    for change in changes {
        check_change(table, change, scope)?;
    }
    let matched = rows.len();
    let mut changes_made = Vec::new();
    for row in rows {
        let (key, kept) = changed(table, &row, changes, scope, context)?;
        if T::row(&key, &kept) != row {
            changes_made.push((key, kept));
        }
    }
    let affected = changes_made.len();
    at_once(changes_made.into_iter().map(|entry| writing::<T>(domain, entry)), drop).await?;
    let info = format!("Rows matched: {matched}  Changed: {affected}  Warnings: 0");
    Ok(Done { affected: affected as u64, insert_id: 0, info })
}

fn check_change(table: &dyn Table, change: &Change, scope: &Scope) -> Result<(), SqlError> {
    if require_column(table, &change.column)? == 0 {
        let (key, name) = (table.key(), table.name());
        return Err(read_only(format!(
            "Column `{key}` of `{name}` is read only: INSERT the new {key} and DELETE the old one"
        )));
    }
    scope.check(&change.value)
}

/// What a row has when `changes` have been made to it.
fn changed<T: Keyed>(
    table: &T,
    row: &[Value],
    changes: &[Change],
    scope: &Scope,
    context: &Context,
) -> Result<(T::Key, T::Kept), SqlError> {
    let mut row = row.to_vec();
    for change in changes {
        let place = require_column(table, &change.column)?;
        let value = Evaluator { context, scope, row: &row }.value(&change.value)?;
        row[place] = if matches!(change.value, Expression::Default(_)) { Value::Null } else { value };
    }
    T::entry(row.into_iter().map(Some).collect(), context.message_bytes_max, "")
}

/// VALUES(column) is what the INSERT would have written.
fn with_values(table: &dyn Table, changes: &[Change], inserted: &[Value], context: &Context) -> Context {
    let mut context = context.clone();
    for change in changes {
        walk(&change.value, &mut |part| {
            if let Expression::Call { function, arguments, place } = part
                && function == "values"
                && let [Expression::Column(name)] = arguments.as_slice()
                && let Ok(at) = require_column(table, name)
            {
                context.known.push((*place, inserted[at].clone()));
            }
        });
    }
    context
}

/// Rows asked for by their keys.
struct Named<T: Keyed> {
    domain: Domain,
    keys: std::vec::IntoIter<T::Key>,
}

#[async_trait]
impl<T: Keyed> Scan for Named<T> {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.keys.as_slice().is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for key in self.keys.by_ref().take(T::PAGE_ROWS) {
            rows.extend(T::get(&self.domain, &key).await?.map(|kept| T::row(&key, &kept)));
        }
        Ok(Some(rows))
    }
}

/// Every row of the tenant, by its key.
struct All<T: Keyed> {
    domain: Domain,
    paging: Paging<T::Key>,
}

#[async_trait]
impl<T: Keyed> Scan for All<T> {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.paging.is_over() {
            return Ok(None);
        }
        let page = T::page(&self.domain, self.paging.after()).await?;
        self.paging.has_read(&page, |(key, _)| key.clone());
        Ok(Some(page.iter().map(|(key, kept)| T::row(key, kept)).collect()))
    }
}
