//! `pipes_settings`: how much each pipe keeps.

use async_trait::async_trait;

use super::checks::{pipe_name, present};
use super::errors::{invalid, read_only};
use super::expression::{Context, Evaluator};
use super::insert::row_place;
use super::matching::{require_column, scope};
use super::scope::Scope;
use super::table::{Domain, Insertion, Row, Scan, Table, TableColumn, Verb};
use super::value::whole_of;
use super::walk::walk;
use super::{ColumnKind, Done, SqlError, Value};
use crate::cometql::{Change, Expression, InsertVerb};
use crate::pipe::{Pipe, PipeName, Retention};

/// Most settings read from the node at a time.
const PAGE_PIPES: usize = 1_000;

pub(super) struct PipesSettings;

const NAME: usize = 0;
const LENGTH: usize = 1;
const TTL: usize = 2;

static COLUMNS: [TableColumn; 3] = [
    TableColumn::new("name", ColumnKind::ShortText, "varchar(64)", "Name of the pipe").primary(),
    TableColumn::new("length", ColumnKind::Integer, "int(11)", "Newest messages the pipe keeps, at most 1000")
        .default("0"),
    TableColumn::new("ttl", ColumnKind::Integer, "bigint(20)", "Seconds a message is kept; NULL is without end")
        .invisible(),
];

#[async_trait]
impl Table for PipesSettings {
    fn name(&self) -> &'static str {
        "pipes_settings"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "How many messages each pipe keeps; DELETE removes what is kept, too"
    }

    fn key(&self) -> &'static str {
        "name"
    }

    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan> {
        match keys {
            Some(names) => Box::new(Named { domain: domain.clone(), names: names.into_iter() }),
            None => Box::new(All { domain: domain.clone(), after: None, ended: false }),
        }
    }

    fn refusal(&self, _verb: Verb) -> Option<SqlError> {
        None
    }

    /// INSERT and REPLACE replace what is set, as the original did; INSERT IGNORE leaves it. All rows are
    /// checked first; then they are set one after the other.
    async fn insert(&self, domain: &Domain, insertion: Insertion<'_>) -> Result<Done, SqlError> {
        let scope = scope(self, None);
        for change in insertion.on_duplicate {
            check_change(self, change, &scope)?;
        }
        let count = insertion.rows.len();
        let mut settings = Vec::with_capacity(count);
        for (index, mut row) in insertion.rows.into_iter().enumerate() {
            let place = row_place(index, count);
            let name = pipe_name(&present(row[NAME].take(), "name", &place)?, &place)?;
            settings.push((name, retention_of(row[LENGTH].as_ref(), row[TTL].as_ref(), &place)?));
        }
        let (mut affected, mut duplicates) = (0, 0);
        for (name, retention) in settings {
            let pipe = Pipe::Named(domain.tenant, name.clone());
            let looks = insertion.verb == InsertVerb::InsertIgnore || !insertion.on_duplicate.is_empty();
            let before = if looks { domain.node.retention(&pipe).await? } else { None };
            let Some(before) = before else {
                domain.node.set_retention(&pipe, retention).await?;
                affected += 1;
                continue;
            };
            duplicates += 1;
            if !insertion.on_duplicate.is_empty() {
                let context = with_values(insertion.on_duplicate, &row_of(&name, retention), insertion.context);
                let changed = changed(self, &row_of(&name, before), insertion.on_duplicate, &scope, &context)?;
                if changed != before {
                    domain.node.set_retention(&pipe, changed).await?;
                    affected += 2;
                }
            }
        }
        let info =
            if count > 1 { format!("Records: {count}  Duplicates: {duplicates}  Warnings: 0") } else { String::new() };
        Ok(Done { affected, insert_id: 0, info })
    }

    fn delete_wants(&self) -> &'static [&'static str] {
        &["name"]
    }

    async fn delete(&self, domain: &Domain, rows: Vec<Row>) -> Result<u64, SqlError> {
        let mut removed = 0;
        for row in rows {
            removed += u64::from(domain.node.remove_retention(&pipe_of(domain, &row)?).await?);
        }
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
        for change in changes {
            check_change(self, change, scope)?;
        }
        let matched = rows.len();
        let mut changes_made = Vec::new();
        for row in &rows {
            let retention = changed(self, row, changes, scope, context)?;
            if retention != retention_of(Some(&row[LENGTH]), Some(&row[TTL]), "")? {
                changes_made.push((pipe_of(domain, row)?, retention));
            }
        }
        let affected = changes_made.len();
        for (pipe, retention) in changes_made {
            domain.node.set_retention(&pipe, retention).await?;
        }
        let info = format!("Rows matched: {matched}  Changed: {affected}  Warnings: 0");
        Ok(Done { affected: affected as u64, insert_id: 0, info })
    }

    async fn truncate(&self, domain: &Domain) -> Result<(), SqlError> {
        loop {
            let page = domain.node.retentions(domain.tenant, None, PAGE_PIPES).await?;
            for (name, _) in &page {
                domain.node.remove_retention(&Pipe::Named(domain.tenant, name.clone())).await?;
            }
            if page.len() < PAGE_PIPES {
                return Ok(());
            }
        }
    }
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

fn row_of(name: &PipeName, retention: Retention) -> Row {
    let ttl = retention.ttl_seconds.map_or(Value::Null, |seconds| Value::Integer(i64::from(seconds)));
    vec![Value::Text(name.as_str().to_owned()), Value::Integer(i64::from(retention.length)), ttl]
}

fn pipe_of(domain: &Domain, row: &[Value]) -> Result<Pipe, SqlError> {
    let name = present(row.first().cloned(), "name", "")?;
    let name = PipeName::for_subscription(&name).map_err(|_| invalid(format!("'{name}' is not the name of a pipe")))?;
    Ok(Pipe::Named(domain.tenant, name))
}

fn check_change(table: &PipesSettings, change: &Change, scope: &Scope) -> Result<(), SqlError> {
    if require_column(table, &change.column)? == NAME {
        return Err(read_only(
            "Column `name` of `pipes_settings` is read only: INSERT the new name and DELETE the old one",
        ));
    }
    scope.check(&change.value)
}

/// What a row keeps when `changes` have been made to it.
fn changed(
    table: &PipesSettings,
    row: &[Value],
    changes: &[Change],
    scope: &Scope,
    context: &Context,
) -> Result<Retention, SqlError> {
    let mut row = row.to_vec();
    for change in changes {
        let place = require_column(table, &change.column)?;
        let value = Evaluator { context, scope, row: &row }.value(&change.value)?;
        row[place] = if matches!(change.value, Expression::Default(_)) { Value::Null } else { value };
    }
    retention_of(Some(&row[LENGTH]), Some(&row[TTL]), "")
}

/// VALUES(column) is what the INSERT would have written.
fn with_values(changes: &[Change], inserted: &[Value], context: &Context) -> Context {
    let mut context = context.clone();
    for change in changes {
        walk(&change.value, &mut |part| {
            if let Expression::Call { function, arguments, place } = part
                && function == "values"
                && let [Expression::Column(name)] = arguments.as_slice()
                && let Some(at) = COLUMNS.iter().position(|column| column.name.eq_ignore_ascii_case(&name.column.text))
            {
                context.known.push((*place, inserted[at].clone()));
            }
        });
    }
    context
}

/// Settings asked for by name.
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
            let set = self.domain.node.retention(&Pipe::Named(self.domain.tenant, name.clone())).await?;
            rows.extend(set.map(|retention| row_of(&name, retention)));
        }
        Ok(Some(rows))
    }
}

/// Every setting of the tenant, by name.
struct All {
    domain: Domain,
    after: Option<PipeName>,
    ended: bool,
}

#[async_trait]
impl Scan for All {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        if self.ended {
            return Ok(None);
        }
        let page = self.domain.node.retentions(self.domain.tenant, self.after.as_ref(), PAGE_PIPES).await?;
        self.ended = page.len() < PAGE_PIPES;
        self.after = page.last().map(|(name, _)| name.clone());
        Ok(Some(page.iter().map(|(name, retention)| row_of(name, *retention)).collect()))
    }
}
