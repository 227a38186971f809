//! SHOW, subject by subject.

use super::super::SqlError;
use super::super::errors::unknown_database;
use super::super::expression::Context;
use super::super::source::{self, DATABASE, Database, database_named};
use super::super::table::Domain;
use super::{Listing, database_of, empty, lists, processes, schema, status, variables};
use crate::cometql::{Identifier, Show, ShowSubject};

pub(super) fn listing(domain: &Domain, show: &Show, context: &Context) -> Result<Listing, SqlError> {
    let session = &context.session;
    Ok(match &show.subject {
        ShowSubject::Databases => schema::databases(show.like.as_deref()),
        ShowSubject::Tables { full, database } => {
            let (name, ours) = shown_database(database.as_ref(), context)?;
            schema::table_names(&name, *full, show.like.as_deref(), ours)
        }
        ShowSubject::TableStatus { database } => schema::table_status(shown_database(database.as_ref(), context)?.1),
        ShowSubject::Columns { full, table } => schema::described(source::described(table, session)?, *full),
        ShowSubject::Index { table } => schema::indexes(source::described(table, session)?),
        ShowSubject::CreateTable(table) => schema::create_table(source::described(table, session)?),
        ShowSubject::CreateDatabase(name) => schema::create_database(&shown_database(Some(name), context)?.0),
        ShowSubject::Variables => variables::listing(context),
        // Their rows are read when it is answered.
        ShowSubject::Status(_) => status::listing(),
        ShowSubject::Processlist { .. } => processes::listing(),
        ShowSubject::Warnings => lists::warnings("warnings", &domain.warnings.all()),
        ShowSubject::Errors => lists::warnings("errors", &[]),
        ShowSubject::Collation => lists::collations(),
        ShowSubject::CharacterSet => lists::character_sets(),
        ShowSubject::Engines => lists::engines(),
        ShowSubject::Grants => lists::grants(&session.user),
        ShowSubject::Empty(words) => empty::listing(words),
    })
}

/// The name of a database as it is written in answers, and whether the tables are in it.
fn shown_database(name: Option<&Identifier>, context: &Context) -> Result<(String, bool), SqlError> {
    let name = name.map_or_else(|| database_of(&context.session), |name| &name.text);
    match database_named(name) {
        Some(Database::Comet) => Ok((DATABASE.to_owned(), true)),
        Some(Database::InformationSchema) => Ok(("information_schema".to_owned(), false)),
        Some(Database::Foreign(name)) => Ok((name, false)),
        None => Err(unknown_database(name)),
    }
}
