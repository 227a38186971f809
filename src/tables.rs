//! What a statement does. One file a table; the catalog answers what clients ask about the server itself.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cometql::Statement;
use crate::node::Node;
use crate::user::TenantId;

/// One SQL client that has logged in: its tenant, its database, the variables it has set.
pub struct Caller {
    node: Arc<Node>,
    tenant: TenantId,
    login: Login,
}

/// What the wire knows of a client when it has logged in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The number in the greeting: CONNECTION_ID().
    pub connection_id: u32,
    /// As typed: `root`, `1`, …
    pub user: String,
    /// The peer's address, without its port.
    pub host: String,
    pub tenant: TenantId,
    pub database: Option<String>,
}

impl Caller {
    /// Fails when the login names a database that does not exist (error 1049).
    pub fn new(node: Arc<Node>, login: Login) -> Result<Caller, SqlError> {
        Ok(Caller { node, tenant: login.tenant, login })
    }

    /// Runs one statement with the values of its `?`. Statements of one caller run one after the other.
    pub async fn run(&mut self, statement: &Statement, parameters: &[Value]) -> Result<Reply, SqlError> {
        let _ = (&self.node, self.tenant, &self.login, statement, parameters);
        Err(SqlError::new(2, "HY000", "not built yet"))
    }

    /// The columns [`Caller::run`] would answer with, known when a statement is prepared; none for a
    /// statement that answers OK. Names and number are exact.
    pub fn columns(&self, statement: &Statement) -> Result<Vec<Column>, SqlError> {
        let _ = statement;
        Ok(Vec::new())
    }

    /// USE and COM_INIT_DB.
    pub fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        let _ = name;
        Ok(())
    }

    /// COM_RESET_CONNECTION: the variables and the transaction are forgotten, tenant and database stay.
    pub fn reset(&mut self) {}

    /// Whether the client has set NO_BACKSLASH_ESCAPES: how its next texts are to be read.
    pub fn backslash_escapes(&self) -> bool {
        true
    }

    /// For the status flags of every reply: autocommit is on.
    pub fn autocommit(&self) -> bool {
        true
    }

    /// For the status flags of every reply: BEGIN without COMMIT, or something written while autocommit is off.
    pub fn in_transaction(&self) -> bool {
        false
    }
}

pub enum Reply {
    Done(Done),
    Rows(Rows),
}

/// An answer without rows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Done {
    pub affected: u64,
    pub insert_id: u64,
    /// Human-readable, often empty: `Records: 3  Duplicates: 0  Warnings: 0`.
    pub info: String,
}

/// An answer with rows: the first of them at once, the rest page by page as the client takes them.
pub struct Rows {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    pub more: Option<Box<dyn Pages>>,
}

/// Rows that are not read before they are wanted.
#[async_trait]
pub trait Pages: Send {
    /// The next rows; an empty page is the end.
    async fn next(&mut self) -> Result<Vec<Vec<Value>>, SqlError>;
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    pub name: String,
    /// The column's name in its table; empty for an expression.
    pub original_name: String,
    /// The table, empty for an expression.
    pub table: String,
    pub kind: ColumnKind,
    pub nullable: bool,
    pub primary: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnKind {
    /// A signed 64-bit integer.
    Integer,
    /// An unsigned 64-bit integer.
    Unsigned,
    Real,
    /// UTF-8 text of at most 255 characters.
    ShortText,
    /// UTF-8 text of any length.
    LongText,
    DateTime,
}

/// A value of a row or of a parameter. Texts are UTF-8 by type; parameters that are not are refused by the wire.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Integer(i64),
    Unsigned(u64),
    Real(f64),
    Text(String),
}

/// An error as MySQL clients know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SqlError {
    pub code: u16,
    /// SQLSTATE, five characters.
    pub state: &'static str,
    pub message: String,
}

impl SqlError {
    pub fn new(code: u16, state: &'static str, message: impl Into<String>) -> SqlError {
        SqlError { code, state, message: message.into() }
    }
}
