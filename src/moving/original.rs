//! The database of an original installation, read row by row.

mod messages;
mod rows;
mod users;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use super::report::{Report, What};
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Where the original keeps what it keeps.
pub struct Database {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub name: String,
}

/// What the new store takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest text of one message, in bytes.
    pub message_bytes_max: usize,
    /// Most bytes of history one pipe keeps.
    pub history_bytes_max_per_pipe: usize,
}

/// Why nothing more comes over: what is the matter, and what to do.
#[derive(Debug)]
pub struct OriginalError(String);

impl fmt::Display for OriginalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for OriginalError {}

impl From<mysql_async::Error> for OriginalError {
    fn from(error: mysql_async::Error) -> OriginalError {
        OriginalError(format!("the original's database: {error}; what has come over stays, see --merge"))
    }
}

impl From<StoreError> for OriginalError {
    fn from(error: StoreError) -> OriginalError {
        OriginalError(format!("{error}; what has come over stays, see --merge"))
    }
}

/// The tables that are read.
const TABLES: [&str; 7] =
    ["users_auth", "users_time", "users_data", "users_messages", "pipe_messages", "pipes_settings", "revoked_tokens"];
/// Tables of which nothing can come over, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("conference", "table conference: telephony has no counterpart"),
    ("log_query", "table log_query: queries are not logged"),
    ("log_event", "table log_event: starts are in the log"),
    ("dev_config", "table dev_config: the original did not read it, either"),
];

/// An installation whose tables are there.
pub struct Original {
    connection: Conn,
    /// Of each table the columns, each with its character set if it has texts.
    tables: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

impl Original {
    /// Opens what `comet.ini` names.
    pub async fn open(database: Database) -> Result<Original, OriginalError> {
        let Database { host, port, user, password, name } = database;
        let options = OptsBuilder::default().ip_or_hostname(host).tcp_port(port).prefer_socket(false);
        Original::connect(options.user(Some(user)).pass(Some(password)).db_name(Some(name))).await
    }

    /// Opens `mysql://user:password@host:port/database`; `?socket=/path` goes by a socket.
    pub async fn open_url(url: &str) -> Result<Original, OriginalError> {
        let wrong = "write --mysql mysql://user:password@host:port/database";
        let options =
            Opts::from_url(url).map_err(|_| OriginalError(format!("this is no address of a MySQL: {wrong}")))?;
        if options.db_name().is_none() {
            return Err(OriginalError(format!("the address of the MySQL names no database: {wrong}")));
        }
        let by_socket = options.socket().is_some();
        Original::connect(OptsBuilder::from_opts(options).prefer_socket(by_socket)).await
    }

    async fn connect(options: OptsBuilder) -> Result<Original, OriginalError> {
        let refused = |error: mysql_async::Error| {
            OriginalError(format!(
                "the original's database cannot be opened: {error}; check [db] in the file, or --mysql"
            ))
        };
        let mut connection = Conn::new(options).await.map_err(refused)?;
        // What is read is of one moment, as far as the tables can do that, and a reader who takes its time is waited for.
        for statement in
            ["SET NAMES utf8mb4", "SET SESSION net_write_timeout = 3600", "START TRANSACTION WITH CONSISTENT SNAPSHOT"]
        {
            connection.query_drop(statement).await.map_err(refused)?;
        }
        let columns = "SELECT table_name, column_name, character_set_name FROM information_schema.columns \
                       WHERE table_schema = DATABASE()";
        let columns: Vec<(String, String, Option<String>)> = connection.query(columns).await.map_err(refused)?;
        let mut tables: BTreeMap<String, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for (table, column, charset) in columns {
            tables.entry(table).or_default().insert(column, charset);
        }
        if let Some(missing) = TABLES.iter().find(|table| !tables.contains_key(**table)) {
            return Err(OriginalError(format!(
                "the original's database has no table `{missing}`: is it the one that [db] name says?"
            )));
        }
        Ok(Original { connection, tables })
    }

    /// Brings everything that has a counterpart into a store.
    pub async fn bring_over(
        mut self,
        into: &Arc<dyn Store>,
        limits: Limits,
        clock: &Arc<dyn Clock>,
        report: &mut Report,
    ) -> Result<(), OriginalError> {
        self.settings(into, report).await?;
        self.users(into, limits, clock, report).await?;
        self.messages(messages::Kind::Pipes, into, limits, clock, report).await?;
        self.messages(messages::Kind::Logs, into, limits, clock, report).await?;
        for (table, why) in LEFT_OUT.into_iter().filter(|(table, _)| self.tables.contains_key(*table)) {
            let count: Option<u64> = self.connection.query_first(format!("SELECT COUNT(*) FROM `{table}`")).await?;
            match count.unwrap_or(0) {
                0 => {}
                count => report.leave(What::Other, why, count, || format!("{count} rows")),
            }
        }
        self.connection.disconnect().await?;
        Ok(())
    }

    /// A column as its bytes are stored, when those may be UTF-8 whatever the column is declared as.
    fn column(&self, table: &str, column: &str) -> Result<String, OriginalError> {
        let missing = || OriginalError(format!("the original's table `{table}` has no column `{column}`"));
        let charset = self.tables.get(table).and_then(|columns| columns.get(column)).ok_or_else(missing)?;
        Ok(match charset.as_deref() {
            None => format!("`{column}`"),
            Some("utf8" | "utf8mb3" | "utf8mb4" | "latin1" | "ascii" | "binary") => {
                format!("CAST(`{column}` AS BINARY)")
            }
            Some(_) => format!("CONVERT(`{column}` USING utf8mb4)"),
        })
    }

    fn select(&self, table: &str, columns: &[&str]) -> Result<String, OriginalError> {
        let columns: Result<Vec<String>, OriginalError> =
            columns.iter().map(|column| self.column(table, column)).collect();
        Ok(format!("SELECT {} FROM `{table}`", columns?.join(", ")))
    }
}
