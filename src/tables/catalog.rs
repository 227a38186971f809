//! What clients ask about the server itself: SHOW, DESCRIBE, SET, USE.

use super::expression::{Context, Evaluator};
use super::scope::Scope;
use super::select::answer_subqueries;
use super::session::Session;
use super::source::{DATABASE, Database, database_named};
use super::table::{Domain, Heading, Row};
use super::value::like;
use super::{Caller, Column, Rows, SqlError, Value};
use crate::cometql::{Assignment, Expression, Show, ShowSubject};
use crate::user::TenantId;

mod empty;
pub(super) mod information_schema;
mod lists;
pub(super) mod processes;
mod schema;
mod show;
mod status;
pub(super) mod variables;

pub(super) use schema::described;

/// An answer of SHOW: columns and rows that are made when they are asked for.
pub(super) struct Listing {
    /// The name of what is listed, for messages about its columns.
    name: &'static str,
    headings: Vec<Heading>,
    rows: Vec<Row>,
}

pub(super) async fn show(domain: &Domain, show: &Show, mut context: Context) -> Result<Rows, SqlError> {
    let mut listing = show::listing(domain, show, &context)?;
    match show.subject {
        ShowSubject::Processlist { full } => listing.rows = processes::all(domain, full, &context).await?,
        ShowSubject::Status(scope) => listing.rows = status::all(domain, show, scope, &context.session).await?,
        _ => {}
    }
    answer_subqueries(domain, show.condition.iter(), &mut context).await?;
    listing.rows(show.like.as_deref(), show.condition.as_ref(), &context)
}

/// The columns of [`show`], without reading what it lists.
pub(super) fn show_columns(domain: &Domain, show: &Show, context: &Context) -> Result<Vec<Column>, SqlError> {
    Ok(show::listing(domain, show, context)?.columns())
}

impl Listing {
    pub fn columns(&self) -> Vec<Column> {
        self.headings
            .iter()
            .filter(|heading| heading.visible)
            .map(|heading| super::shape::computed(heading.name.clone().into_owned(), heading.kind, heading.nullable))
            .collect()
    }

    /// The rows whose first column is LIKE the pattern and which the condition wants.
    pub fn rows(
        self,
        pattern: Option<&str>,
        condition: Option<&Expression>,
        context: &Context,
    ) -> Result<Rows, SqlError> {
        let columns = self.columns();
        let is_visible: Vec<bool> = self.headings.iter().map(|heading| heading.visible).collect();
        let scope = Scope { table: self.name.to_owned(), alias: None, headings: self.headings, any_column: false };
        if let Some(condition) = condition {
            scope.check(condition)?;
        }
        let mut rows = Vec::new();
        for row in self.rows {
            let named = match (pattern, row.first()) {
                (Some(pattern), Some(Value::Text(name))) => like(name, pattern, true),
                (Some(_), _) => false,
                (None, _) => true,
            };
            if named && (Evaluator { context, scope: &scope, row: &row }).wants(condition)? {
                let shown = row.into_iter().zip(&is_visible).filter(|(_, is_visible)| **is_visible);
                rows.push(shown.map(|(value, _)| value).collect());
            }
        }
        Ok(Rows { columns, rows, more: None })
    }
}

/// SET: in the order written, each value seeing what was set before.
pub(super) async fn set(caller: &mut Caller, assignments: &[Assignment], parameters: &[Value]) -> Result<(), SqlError> {
    for assignment in assignments {
        let Assignment::Variable { name, value, .. } = assignment else { continue };
        let mut context = caller.context(parameters);
        if answer_subqueries(&caller.domain, std::iter::once(value), &mut context).await.is_err() {
            continue;
        }
        let evaluator = Evaluator { context: &context, scope: &Scope::nothing(), row: &[] };
        let value = match value {
            Expression::Default(_) => Ok(None),
            // SET autocommit = ON
            Expression::Column(word) if word.table.is_none() => Ok(Some(Value::Text(word.column.text.clone()))),
            other => evaluator.value(other).map(Some),
        };
        // What cannot be worked out is set to nothing, like every variable that has no effect here.
        if let Ok(value) = value {
            drop(context);
            variables::set(caller.session_mut(), name, value)?;
        }
    }
    Ok(())
}

/// Where `USE name` leads, from a login of `tenant`.
pub(super) enum Destination {
    Database(String),
    /// `db_N`, the database of another tenant; its tables are ours.
    Tenant(TenantId),
}

pub(super) fn destination(name: &str, login: TenantId) -> Result<Destination, SqlError> {
    match database_named(name) {
        Some(Database::Comet) => return Ok(Destination::Database(DATABASE.to_owned())),
        Some(Database::InformationSchema) => return Ok(Destination::Database("information_schema".to_owned())),
        Some(Database::Foreign(name)) => return Ok(Destination::Database(name.to_ascii_lowercase())),
        None => {}
    }
    let tenant = name.strip_prefix("db_").and_then(TenantId::parse);
    match tenant {
        Some(tenant) if login == TenantId::ROOT || login == tenant => Ok(Destination::Tenant(tenant)),
        Some(_) => Err(SqlError::new(
            1044,
            "42000",
            format!("Access denied to database '{name}': only `root` may switch to another tenant"),
        )),
        None => Err(super::errors::unknown_database(name)),
    }
}

/// Which tenant a cluster prefix names, in a login of the tenant `login`.
pub(super) fn spoken_for(number: &str, login: TenantId) -> Result<TenantId, SqlError> {
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let tenant = is_number.then(|| TenantId::parse(number)).flatten().ok_or_else(super::errors::invalid_tenant)?;
    if login == TenantId::ROOT || login == tenant {
        return Ok(tenant);
    }
    let message = format!("Access denied to tenant {tenant}: only `root` may speak for another tenant");
    Err(SqlError::new(1044, "42000", message))
}

/// `SELECT DATABASE()` and the name in answers of SHOW TABLES.
fn database_of(session: &Session) -> &str {
    session.database.as_deref().unwrap_or(DATABASE)
}
