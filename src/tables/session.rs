//! What one SQL client has set, and what the server remembers of its last statement.

use std::sync::Arc;

use super::{Encryption, Login, Value};
use crate::cometql::Dialect;
use crate::node::{self, CometStrings};
use crate::user::TenantId;

/// Longest value a client may set a variable to, in bytes; a longer one is not remembered.
const VARIABLE_BYTES_MAX: usize = 1_024;

#[derive(Clone)]
pub(super) struct Session {
    pub connection_id: u32,
    pub user: String,
    pub host: String,
    /// None when it is not encrypted.
    pub encryption: Option<Encryption>,
    /// Whose login it is, wherever it has gone since.
    pub login: TenantId,
    /// `CometQL_v1`, `mysql` or `information_schema`; `None` until one is chosen.
    pub database: Option<String>,
    pub autocommit: bool,
    pub in_transaction: bool,
    pub dialect: Dialect,
    pub comet_strings: CometStrings,
    /// What it is when nobody sets it.
    pub comet_strings_by_default: CometStrings,
    /// What the operator has set, for SHOW VARIABLES.
    pub shown: Arc<[(&'static str, Box<str>)]>,
    pub last_insert_id: u64,
    /// ROW_COUNT(): rows changed by the last statement, -1 when it was one that reads.
    pub row_count: i64,
    /// FOUND_ROWS(): rows of the last answer, of one that is read page by page those of its first page.
    pub found_rows: u64,
    /// Variables that have been set and have no effect but being read back. As many as there are names in
    /// the table of variables, at most.
    set: Vec<(&'static str, Value)>,
}

impl Session {
    pub fn new(login: &Login, config: &node::Config) -> Session {
        Session {
            connection_id: login.connection_id,
            user: login.user.clone(),
            host: login.host.clone(),
            encryption: None,
            login: login.tenant,
            database: None,
            autocommit: true,
            in_transaction: false,
            dialect: Dialect::default(),
            comet_strings: config.comet_strings,
            comet_strings_by_default: config.comet_strings,
            shown: Arc::clone(&config.shown),
            last_insert_id: 0,
            row_count: 0,
            found_rows: 0,
            set: Vec::new(),
        }
    }

    /// As after a new login, but in the same database, over the same connection.
    pub fn reset(&mut self, login: &Login, config: &node::Config) {
        let (database, encryption) = (self.database.take(), self.encryption.take());
        *self = Session { database, encryption, ..Session::new(login, config) };
    }

    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.set.iter().find(|(set, _)| *set == name).map(|(_, value)| value)
    }

    /// `None` is the value it has when nobody sets it.
    pub fn set_variable(&mut self, name: &'static str, value: Option<Value>) {
        if matches!(&value, Some(Value::Text(text)) if text.len() > VARIABLE_BYTES_MAX) {
            return;
        }
        self.set.retain(|(set, _)| *set != name);
        self.set.extend(value.map(|value| (name, value)));
    }
}
