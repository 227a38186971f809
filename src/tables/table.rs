//! What a table is: its name, its columns, and what each verb does to it.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;

use super::errors::read_only;
use super::expression::Context;
use super::scope::Scope;
use super::warnings::Warnings;
use super::{ColumnKind, Done, SqlError, Value};
use crate::cometql::{Change, InsertVerb};
use crate::node::Node;
use crate::user::TenantId;

/// Most rows one statement writes, sorts, deletes, or reads without naming its key.
pub(super) const ROWS_MAX: usize = 100_000;

/// Every column of a table, in the table's order.
pub(super) type Row = Vec<Value>;

/// One tenant's part of the node: what a statement can see, and where it says what it could not.
#[derive(Clone)]
pub(super) struct Domain {
    pub node: Arc<Node>,
    pub tenant: TenantId,
    pub warnings: Arc<Warnings>,
}

#[async_trait]
pub(super) trait Table: Send + Sync {
    fn name(&self) -> &'static str;

    fn columns(&self) -> &'static [TableColumn];

    /// One sentence for people, shown by SHOW TABLE STATUS.
    fn comment(&self) -> &'static str;

    /// The column whose values in WHERE find rows without reading all there are.
    fn key(&self) -> &'static str;

    /// Begins to read: the rows of these keys in this order, or all rows.
    fn scan(&self, domain: &Domain, keys: Option<Vec<String>>) -> Box<dyn Scan>;

    /// Why this table does not do `verb` at all, said before anything else is looked at.
    fn refusal(&self, verb: Verb) -> Option<SqlError>;

    /// Writes all rows or none.
    async fn insert(&self, _domain: &Domain, _insertion: Insertion<'_>) -> Result<Done, SqlError> {
        Err(cannot_be_written(self.name()))
    }

    /// Which of the columns [`Table::delete`] wants to see.
    fn delete_wants(&self) -> &'static [&'static str] {
        &[]
    }

    /// Deletes these rows, each with the columns of [`Table::delete_wants`]; answers how many there were.
    async fn delete(&self, _domain: &Domain, _rows: Vec<Row>) -> Result<u64, SqlError> {
        Err(cannot_be_written(self.name()))
    }

    /// Gives the rows, each with all its columns, the values of `changes`, in which `scope` names the columns.
    async fn update(
        &self,
        _domain: &Domain,
        _rows: Vec<Row>,
        _changes: &[Change],
        _scope: &Scope,
        _context: &Context,
    ) -> Result<Done, SqlError> {
        Err(cannot_be_written(self.name()))
    }

    async fn truncate(&self, _domain: &Domain) -> Result<(), SqlError> {
        Err(cannot_be_written(self.name()))
    }
}

pub(super) fn cannot_be_written(table: &str) -> SqlError {
    read_only(format!("Table `{table}` is read only: the server itself writes it"))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
    Truncate,
}

/// What an INSERT has left when its column list has been checked.
pub(super) struct Insertion<'a> {
    pub verb: InsertVerb,
    /// One value for each column of the table; `None` where the statement gave none, or DEFAULT.
    pub rows: Vec<Vec<Option<Value>>>,
    pub on_duplicate: &'a [Change],
    pub context: &'a Context,
}

/// Reads rows page by page, none before it is wanted.
#[async_trait]
pub(super) trait Scan: Send {
    /// The next rows, perhaps none; `None` is the end.
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError>;
}

/// Rows that are there already.
pub(super) struct Listed(pub Option<Vec<Row>>);

#[async_trait]
impl Scan for Listed {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, SqlError> {
        Ok(self.0.take())
    }
}

/// One column of a table as its documentation has it.
pub(super) struct TableColumn {
    pub name: &'static str,
    pub kind: ColumnKind,
    /// Its type in CREATE TABLE.
    pub sql_type: &'static str,
    pub nullable: bool,
    pub index: Index,
    /// What CREATE TABLE says behind DEFAULT.
    pub default: Option<&'static str>,
    /// An invisible column is seen by those who name it.
    pub visible: bool,
    /// Its literals are read as `comet_strings` says.
    pub comet_strings: bool,
    pub comment: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Index {
    Primary,
    Many,
    None,
}

impl TableColumn {
    /// A visible column that is never NULL and has no default.
    pub const fn new(
        name: &'static str,
        kind: ColumnKind,
        sql_type: &'static str,
        comment: &'static str,
    ) -> TableColumn {
        TableColumn {
            name,
            kind,
            sql_type,
            nullable: false,
            index: Index::None,
            default: None,
            visible: true,
            comet_strings: false,
            comment,
        }
    }

    pub const fn primary(self) -> TableColumn {
        TableColumn { index: Index::Primary, ..self }
    }

    pub const fn indexed(self) -> TableColumn {
        TableColumn { index: Index::Many, ..self }
    }

    pub const fn default(self, default: &'static str) -> TableColumn {
        TableColumn { default: Some(default), ..self }
    }

    pub const fn invisible(self) -> TableColumn {
        TableColumn { visible: false, nullable: true, default: Some("NULL"), ..self }
    }

    pub const fn comet_strings(self) -> TableColumn {
        TableColumn { comet_strings: true, ..self }
    }
}

/// One column of anything that can be read: a table, a list of SHOW, a view of information_schema.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub name: Cow<'static, str>,
    pub kind: ColumnKind,
    pub nullable: bool,
    pub primary: bool,
    pub visible: bool,
    /// Texts are compared without regard to case.
    pub any_case: bool,
}

impl Heading {
    /// A column of a list the catalog makes.
    pub fn listed(name: impl Into<Cow<'static, str>>, kind: ColumnKind) -> Heading {
        Heading { name: name.into(), kind, nullable: true, primary: false, visible: true, any_case: true }
    }
}

pub(super) fn headings_of(table: &dyn Table) -> Vec<Heading> {
    table
        .columns()
        .iter()
        .map(|column| Heading {
            name: Cow::Borrowed(column.name),
            kind: column.kind,
            nullable: column.nullable,
            primary: column.index == Index::Primary,
            visible: column.visible,
            any_case: false,
        })
        .collect()
}

/// Where in the table's order a column stands.
pub(super) fn column_index(table: &dyn Table, name: &str) -> Option<usize> {
    table.columns().iter().position(|column| column.name.eq_ignore_ascii_case(name))
}
