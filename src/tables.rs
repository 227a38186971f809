//! What a statement does. One file a table; the catalog answers what clients ask about the server itself.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cometql::{Dialect, Expression, Kill, ShowSubject, Statement, Transaction};
use crate::node::{Client, ClientEntry, End, Missing, Node};
use crate::user::TenantId;

mod aggregate;
mod at_once;
mod calendar;
mod catalog;
mod checks;
mod derived;
mod distinct;
mod each_pipe;
mod errors;
mod expression;
mod functions;
mod histories;
mod insert;
mod keyed;
mod keys;
mod matching;
mod paging;
mod pipes;
mod pipes_messages;
mod pipes_settings;
mod profiler;
mod revoked_tokens;
mod scope;
mod select;
mod session;
mod shape;
mod sort;
mod source;
mod table;
mod user_id;
mod users_auth;
mod users_data;
mod users_in_pipes;
mod users_messages;
mod users_time;
mod value;
mod walk;
mod warnings;

use catalog::Destination;
use expression::{Context, Evaluator};
use scope::Scope;
use session::Session;
use source::Source;
use table::{Domain, Table};

/// The tables, in the order of SHOW TABLES: first those the original listed.
static TABLES: &[&dyn Table] = &[
    &users_auth::UsersAuth,
    &users_time::UsersTime,
    &users_messages::UsersMessages,
    &pipes_messages::PipesMessages,
    &users_in_pipes::UsersInPipes,
    &pipes::Pipes,
    &pipes_settings::PipesSettings,
    &users_data::UsersData,
    &revoked_tokens::RevokedTokens,
    &profiler::Profiler,
];

/// One SQL client that has logged in: its tenant, its database, the variables it has set.
pub struct Caller {
    domain: Domain,
    login: Login,
    /// Shared with answers that are still being read: they see it as it was when they began.
    session: Arc<Session>,
    client: ClientEntry,
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

/// How a connection is encrypted, in the words of OpenSSL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encryption {
    /// `TLSv1.3`
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`
    pub cipher: String,
}

impl Caller {
    /// Fails when the login names a database that does not exist (error 1049).
    pub fn new(node: Arc<Node>, login: Login) -> Result<Caller, SqlError> {
        let session = Arc::new(Session::new(&login, node.config()));
        let now = node.clock().now();
        let client = node.clients().enter(login.connection_id, &login.user, &login.host, login.tenant, now);
        let domain = Domain { node, tenant: login.tenant, warnings: Arc::default() };
        let mut caller = Caller { domain, login, session, client };
        if let Some(database) = caller.login.database.clone().filter(|database| !database.is_empty()) {
            caller.use_database(&database)?;
        }
        Ok(caller)
    }

    /// Runs one statement with the values of its `?`. Statements of one caller run one after the other.
    ///
    /// A transaction holds nothing back: what is published goes out at once, and ROLLBACK takes nothing back.
    pub async fn run(&mut self, statement: &Statement, parameters: &[Value]) -> Result<Reply, SqlError> {
        let wanted = walk::parameter_count(statement);
        if wanted != parameters.len() {
            let text = format!("Incorrect arguments to EXECUTE: {wanted} parameters and {} values", parameters.len());
            return Err(SqlError::new(1210, "HY000", text));
        }
        if !asks_about_last(statement) {
            self.domain.warnings = Arc::default();
        }
        let reply = self.answer(statement, parameters).await;
        self.remember(statement, reply.as_ref());
        reply
    }

    async fn answer(&mut self, statement: &Statement, parameters: &[Value]) -> Result<Reply, SqlError> {
        let context = self.context(parameters);
        let domain = &self.domain;
        match statement {
            Statement::Insert(insert) => insert::run(domain, insert, context).await.map(Reply::Done),
            Statement::Select(select) => select::run(domain, select, context).await.map(Reply::Rows),
            Statement::Delete(delete) => matching::delete(domain, delete, context).await.map(Reply::Done),
            Statement::Update(update) => matching::update(domain, update, context).await.map(Reply::Done),
            Statement::Truncate(table) => matching::truncate(domain, table, &context).await.map(Reply::Done),
            Statement::Show(show) => catalog::show(domain, show, context).await.map(Reply::Rows),
            Statement::Describe(describe) => {
                let table = source::described(&describe.table, &context.session)?;
                catalog::described(table, false).rows(describe.column.as_deref(), None, &context).map(Reply::Rows)
            }
            Statement::Set(assignments) => {
                drop(context);
                catalog::set(self, assignments, parameters).await.map(|()| Reply::Done(Done::default()))
            }
            Statement::Use(name) => self.use_database(&name.text).map(|()| Reply::Done(Done::default())),
            Statement::Transaction(_) | Statement::Nothing => Ok(Reply::Done(Done::default())),
            Statement::Kill(kill) => self.kill(kill, context).await.map(|()| Reply::Done(Done::default())),
        }
    }

    /// What the next statement may ask about this one, and what the status flags say.
    fn remember(&mut self, statement: &Statement, reply: Result<&Reply, &SqlError>) {
        let writes = matches!(
            statement,
            Statement::Insert(_) | Statement::Delete(_) | Statement::Update(_) | Statement::Truncate(_)
        );
        let session = self.session_mut();
        match reply {
            Ok(Reply::Done(done)) => {
                session.row_count = i64::try_from(done.affected).unwrap_or(i64::MAX);
                if writes && done.insert_id != 0 {
                    session.last_insert_id = done.insert_id;
                }
                session.in_transaction |= writes && !session.autocommit;
            }
            Ok(Reply::Rows(rows)) => {
                session.row_count = -1;
                session.found_rows = rows.rows.len() as u64;
            }
            Err(_) => session.row_count = -1,
        }
        match statement {
            Statement::Transaction(Transaction::Begin) => session.in_transaction = true,
            Statement::Transaction(Transaction::Commit | Transaction::Rollback) => session.in_transaction = false,
            _ => {}
        }
    }

    /// The columns [`Caller::run`] would answer with, known when a statement is prepared; none for a
    /// statement that answers OK. Names and number are exact; the kind of a parameter is a text here, and
    /// that of its value when the statement runs.
    pub fn columns(&self, statement: &Statement) -> Result<Vec<Column>, SqlError> {
        match statement {
            Statement::Select(select) => {
                let source = Source::of(select.from.as_ref(), &self.session, &[])?;
                let scope = shape::scope_of(select, &source);
                if let Some(condition) = &select.condition {
                    scope.check(condition)?;
                }
                Ok(shape::shape_of(select, &scope, &self.session, &[])?.columns)
            }
            Statement::Show(show) => catalog::show_columns(&self.domain, show, &self.context(&[])),
            Statement::Describe(describe) => {
                Ok(catalog::described(source::described(&describe.table, &self.session)?, false).columns())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// USE and COM_INIT_DB. `db_N` leads `root` to the tables of tenant N.
    pub fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        let database = match catalog::destination(name, self.login.tenant)? {
            Destination::Database(database) => database,
            Destination::Tenant(tenant) => {
                self.domain.tenant = tenant;
                source::DATABASE.to_owned()
            }
        };
        self.client.uses(&database);
        self.session_mut().database = Some(database);
        Ok(())
    }

    /// For clients that look whether their wish for TLS has come true: `SHOW STATUS LIKE 'Ssl_cipher'`.
    pub fn is_encrypted(&mut self, encryption: Encryption) {
        self.session_mut().encryption = Some(encryption);
    }

    /// This client as SHOW PROCESSLIST has it. The wire says here what it runs, and hears when another client ends it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn kill(&self, kill: &Kill, context: Context) -> Result<(), SqlError> {
        let evaluator = Evaluator { context: &context, scope: &Scope::nothing(), row: &[] };
        let id = evaluator.value(&kill.id).ok().as_ref().and_then(value::text_of);
        let mut missing = Vec::new();
        if let Some(number) = id.as_ref().and_then(|id| id.parse().ok()) {
            let (node, login) = (&self.domain.node, self.login.tenant);
            let end = if kill.query_only { End::Statement } else { End::Connection };
            if node.end_here(login, number, end).await {
                return Ok(());
            }
            let mut others = node.others().await;
            if node.end_elsewhere(login, number, end, &mut others).await {
                return Ok(());
            }
            missing = others.take_missing();
        }
        let id = id.unwrap_or_else(|| if matches!(kill.id, Expression::Null(_)) { "NULL" } else { "?" }.to_owned());
        Err(unknown_thread(&id, &missing))
    }

    /// From now on statements are about the tenant with this number, which only `root` may choose. Answers whom they
    /// were about, for [`Caller::speak_for_own`].
    pub fn speak_for(&mut self, number: &str) -> Result<TenantId, SqlError> {
        let tenant = catalog::spoken_for(number, self.login.tenant)?;
        Ok(std::mem::replace(&mut self.domain.tenant, tenant))
    }

    /// Statements are about this tenant again.
    pub fn speak_for_own(&mut self, own: TenantId) {
        self.domain.tenant = own;
    }

    /// COM_RESET_CONNECTION: the variables and the transaction are forgotten, tenant and database stay.
    pub fn reset(&mut self) {
        let Caller { session, login, domain, .. } = self;
        Arc::make_mut(session).reset(login, domain.node.config());
    }

    /// How the client's texts are read: it may have set NO_BACKSLASH_ESCAPES or ANSI_QUOTES.
    pub fn dialect(&self) -> Dialect {
        self.session.dialect
    }

    /// For every reply: how many warnings the last statement has left, as far as its rows have been read.
    pub fn warning_count(&self) -> u16 {
        self.domain.warnings.count()
    }

    /// For the status flags of every reply: autocommit is on.
    pub fn autocommit(&self) -> bool {
        self.session.autocommit
    }

    /// For the status flags of every reply: BEGIN without COMMIT, or something written while autocommit is off.
    pub fn in_transaction(&self) -> bool {
        self.session.in_transaction
    }

    fn session_mut(&mut self) -> &mut Session {
        Arc::make_mut(&mut self.session)
    }

    fn context(&self, parameters: &[Value]) -> Context {
        let config = self.domain.node.config();
        Context {
            session: Arc::clone(&self.session),
            parameters: parameters.into(),
            now: self.domain.node.clock().now(),
            message_bytes_max: config.message_bytes_max,
            packet_bytes_max: config.packet_bytes_max,
            idle_seconds_max: config.idle_seconds_max,
            warning_count: self.warning_count(),
            known: Vec::new(),
        }
    }
}

/// Whether a statement is about what the one before has left, and leaves that as it is.
fn asks_about_last(statement: &Statement) -> bool {
    match statement {
        Statement::Show(show) => matches!(show.subject, ShowSubject::Warnings | ShowSubject::Errors),
        // SELECT @@warning_count
        Statement::Select(select) => select.from.is_none(),
        _ => false,
    }
}

fn unknown_thread(id: &str, missing: &[Missing]) -> SqlError {
    let mut message = format!("Unknown thread id: {id}");
    if let Some(missing) = missing.first() {
        message += &format!(", as far as the answers go: {missing}, so try again");
    }
    SqlError::new(1094, "HY000", message)
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
