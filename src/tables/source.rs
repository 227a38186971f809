//! Which table a name means.

use super::catalog::information_schema::View;
use super::derived::Derived;
use super::errors::{no_such_table, not_implemented, unknown_database, unknown_table};
use super::expression::Context;
use super::session::Session;
use super::table::{Domain, Heading, Listed, Scan, Table, headings_of};
use super::{SqlError, TABLES, Value};
use crate::cometql::{From, Identifier, TableName};

/// The database of the tables, as it is written in answers.
pub(super) const DATABASE: &str = "CometQL_v1";

/// Tables of the original that this server refuses to have.
const TELEPHONY: [&str; 3] = ["conference", "conference_members", "dialogs"];

/// What a SELECT reads.
pub(super) enum Source<'s> {
    /// Nothing, one row of it.
    Nothing,
    Table(&'static dyn Table),
    View(View),
    Derived(Derived<'s>),
}

impl<'s> Source<'s> {
    /// `parameters` are empty when a statement is only prepared.
    pub fn of(from: Option<&'s From>, session: &Session, parameters: &[Value]) -> Result<Source<'s>, SqlError> {
        let name = match from {
            None => return Ok(Source::Nothing),
            Some(From::Select { select, alias }) => {
                return Derived::new(select, &alias.text, session, parameters).map(Source::Derived);
            }
            Some(From::Table { name, .. }) => name,
        };
        match database_of(name.database.as_ref(), session)? {
            Database::Comet => Ok(Source::Table(find(&name.table.text)?)),
            Database::InformationSchema => Ok(Source::View(View::named(&name.table.text))),
            Database::Foreign(database) => Err(no_such_table(&database, &name.table.text)),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Source::Nothing => "",
            Source::Table(table) => table.name(),
            Source::View(view) => view.name(),
            Source::Derived(derived) => derived.name,
        }
    }

    pub fn headings(&self) -> Vec<Heading> {
        match self {
            Source::Nothing => Vec::new(),
            Source::Table(table) => headings_of(*table),
            Source::View(view) => view.headings(),
            Source::Derived(derived) => derived.headings.clone(),
        }
    }

    /// As [`Scope::any_column`](super::scope::Scope::any_column).
    pub fn any_column(&self) -> bool {
        match self {
            Source::View(view) => view.is_empty(),
            Source::Derived(derived) => derived.any_column,
            Source::Nothing | Source::Table(_) => false,
        }
    }

    /// The column by whose values rows are found without reading all of them.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Source::Table(table) => Some(table.key()),
            Source::Nothing | Source::View(_) | Source::Derived(_) => None,
        }
    }

    pub fn scan(&self, domain: &Domain, keys: Option<Vec<String>>, context: &Context) -> Box<dyn Scan> {
        match self {
            Source::Nothing => Box::new(Listed(Some(vec![Vec::new()]))),
            Source::Table(table) => table.scan(domain, keys),
            Source::View(view) => view.scan(domain, context),
            Source::Derived(derived) => derived.scan(domain, context),
        }
    }
}

/// The table a statement on rows names.
pub(super) fn table(name: &TableName, session: &Session) -> Result<&'static dyn Table, SqlError> {
    match database_of(name.database.as_ref(), session)? {
        Database::Comet => find(&name.table.text),
        Database::InformationSchema => Err(SqlError::new(
            1044,
            "42000",
            format!("Access denied to database 'information_schema': `{}` can only be read", name.table.text),
        )),
        Database::Foreign(database) => Err(no_such_table(&database, &name.table.text)),
    }
}

/// The table a DESCRIBE or a SHOW names.
pub(super) fn described(name: &TableName, session: &Session) -> Result<&'static dyn Table, SqlError> {
    let database = match database_of(name.database.as_ref(), session)? {
        Database::Comet => match known(&name.table.text) {
            Some(table) => return Ok(table),
            None => DATABASE.to_owned(),
        },
        Database::InformationSchema => "information_schema".to_owned(),
        Database::Foreign(database) => database,
    };
    Err(no_such_table(&database, &name.table.text))
}

fn find(name: &str) -> Result<&'static dyn Table, SqlError> {
    if let Some(table) = known(name) {
        return Ok(table);
    }
    if TELEPHONY.iter().any(|table| table.eq_ignore_ascii_case(name)) {
        return Err(not_implemented(format!(
            "Table `{name}` is not part of this server: the telephony of the original (conferences, dialogs) was left out"
        )));
    }
    let tables: Vec<String> = TABLES.iter().map(|table| format!("`{}`", table.name())).collect();
    Err(unknown_table(name, &tables.join(", ")))
}

fn known(name: &str) -> Option<&'static dyn Table> {
    TABLES.iter().copied().find(|table| table.name().eq_ignore_ascii_case(name))
}

pub(super) enum Database {
    Comet,
    InformationSchema,
    /// A database of MySQL's own, as it was typed: it is there, and has no tables.
    Foreign(String),
}

/// The database a name means; without a name the one that is in use, or ours.
pub(super) fn database_of(name: Option<&Identifier>, session: &Session) -> Result<Database, SqlError> {
    let name = name.map(|name| name.text.as_str()).or(session.database.as_deref()).unwrap_or(DATABASE);
    database_named(name).ok_or_else(|| unknown_database(name))
}

pub(super) fn database_named(name: &str) -> Option<Database> {
    if name.eq_ignore_ascii_case(DATABASE) {
        return Some(Database::Comet);
    }
    if name.eq_ignore_ascii_case("information_schema") {
        return Some(Database::InformationSchema);
    }
    let foreign = ["mysql", "performance_schema", "sys"].iter().any(|foreign| name.eq_ignore_ascii_case(foreign));
    foreign.then(|| Database::Foreign(name.to_owned()))
}
