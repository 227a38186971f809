//! The variables: one table of names and values behind `@@name`, SHOW VARIABLES and SET.

use super::super::expression::Context;
use super::super::keys::KEYS_MAX;
use super::super::session::Session;
use super::super::shape::COLUMNS_MAX;
use super::super::sort::SORT_BYTES_MAX;
use super::super::table::ROWS_MAX;
use super::super::value::{fitted, number_of, text_of};
use super::super::{ColumnKind, SqlError, Value};
use super::processes::BROWSERS_LISTED_MAX;
use super::{Heading, Listing};
use crate::cometql::Dialect;
use crate::node::CometStrings;
use crate::pipe::{HISTORY_LENGTH_MAX, LOG_TTL_SECONDS, NAME_BYTES_MAX};
use crate::status::SERVER_VERSION;

struct Variable {
    name: &'static str,
    value: Given,
    /// A client may set it and reads back what it has set.
    settable: bool,
}

enum Given {
    Text(&'static str),
    Number(i64),
    Large(u64),
    /// 1 or 0 as `@@name`, ON or OFF in SHOW VARIABLES.
    Switch(bool),
    Null,
    /// Worked out from the session or the configuration.
    Live(ColumnKind, fn(&Context) -> Value),
}

const fn fixed(name: &'static str, value: Given) -> Variable {
    Variable { name, value, settable: false }
}

const fn settable(name: &'static str, value: Given) -> Variable {
    Variable { name, value, settable: true }
}

use Given::{Large, Live, Null, Number, Switch, Text};

/// By name. The values are those of a MySQL 8 whose clients need nothing of it.
static VARIABLES: [Variable; 99] = [
    settable("auto_increment_increment", Number(1)),
    settable("auto_increment_offset", Number(1)),
    fixed("autocommit", Live(ColumnKind::Integer, |context| Value::Integer(i64::from(context.session.autocommit)))),
    fixed("back_log", Number(1_024)),
    fixed("basedir", Text("")),
    settable("big_tables", Switch(false)),
    fixed("browsers_listed_max", Number(BROWSERS_LISTED_MAX as i64)),
    fixed("character_set_client", Text("utf8mb4")),
    fixed("character_set_connection", Text("utf8mb4")),
    fixed("character_set_database", Text("utf8mb4")),
    fixed("character_set_filesystem", Text("binary")),
    fixed("character_set_results", Text("utf8mb4")),
    fixed("character_set_server", Text("utf8mb4")),
    fixed("character_set_system", Text("utf8mb4")),
    settable("collation_connection", Text("utf8mb4_general_ci")),
    settable("collation_database", Text("utf8mb4_general_ci")),
    settable("collation_server", Text("utf8mb4_general_ci")),
    fixed("columns_max", Number(COLUMNS_MAX as i64)),
    fixed(
        "comet_strings",
        Live(ColumnKind::ShortText, |context| Value::Text(context.session.comet_strings.name().to_owned())),
    ),
    fixed("datadir", Text("")),
    settable("default_storage_engine", Text("InnoDB")),
    settable("default_tmp_storage_engine", Text("InnoDB")),
    fixed("disabled_storage_engines", Text("")),
    fixed("event_bytes_max", Number(NAME_BYTES_MAX as i64)),
    fixed("event_scheduler", Text("OFF")),
    settable("explicit_defaults_for_timestamp", Switch(true)),
    settable("foreign_key_checks", Switch(true)),
    settable("group_concat_max_len", Number(1_024)),
    fixed("gtid_mode", Text("OFF")),
    fixed("have_openssl", Text("YES")),
    fixed("have_profiling", Text("NO")),
    fixed("have_query_cache", Text("NO")),
    fixed("have_ssl", Text("YES")),
    fixed("history_length_max", Number(HISTORY_LENGTH_MAX as i64)),
    fixed("hostname", Text("")),
    fixed("init_connect", Text("")),
    fixed("innodb_version", Text(SERVER_VERSION)),
    settable("innodb_lock_wait_timeout", Number(50)),
    settable("interactive_timeout", Live(ColumnKind::Integer, |context| limit(context.idle_seconds_max))),
    fixed("key_values_max", Number(KEYS_MAX as i64)),
    settable("lc_messages", Text("en_US")),
    settable("lc_time_names", Text("en_US")),
    fixed("license", Text("MIT OR Apache-2.0")),
    fixed("local_infile", Switch(false)),
    settable("lock_wait_timeout", Number(31_536_000)),
    fixed("log_bin", Switch(false)),
    fixed("lower_case_file_system", Switch(false)),
    fixed("lower_case_table_names", Number(0)),
    fixed("max_allowed_packet", Live(ColumnKind::Integer, |context| limit(context.packet_bytes_max as u64))),
    settable("max_execution_time", Number(0)),
    settable("max_join_size", Large(u64::MAX)),
    settable("max_user_connections", Number(0)),
    fixed("message_bytes_max", Live(ColumnKind::Integer, |context| limit(context.message_bytes_max as u64))),
    fixed("net_buffer_length", Number(16_384)),
    settable("net_read_timeout", Number(30)),
    settable("net_write_timeout", Number(60)),
    settable("old_passwords", Number(0)),
    settable("optimizer_switch", Text("")),
    fixed("performance_schema", Switch(false)),
    fixed("pipe_name_bytes_max", Number(NAME_BYTES_MAX as i64)),
    fixed("protocol_version", Number(10)),
    settable(
        "pseudo_thread_id",
        Live(ColumnKind::Unsigned, |context| Value::Unsigned(u64::from(context.session.connection_id))),
    ),
    settable("profiling", Switch(false)),
    fixed("query_cache_size", Number(0)),
    fixed("query_cache_type", Text("OFF")),
    fixed("read_only", Switch(false)),
    fixed("rows_max", Number(ROWS_MAX as i64)),
    fixed("server_id", Number(1)),
    fixed("server_uuid", Text("")),
    settable("session_track_schema", Switch(true)),
    settable("session_track_system_variables", Text("")),
    fixed("skip_networking", Switch(false)),
    fixed("socket", Null),
    fixed("sort_bytes_max", Number(SORT_BYTES_MAX as i64)),
    settable("sql_auto_is_null", Switch(false)),
    settable("sql_big_selects", Switch(true)),
    settable("sql_mode", Text("STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION")),
    settable("sql_notes", Switch(true)),
    settable("sql_quote_show_create", Switch(true)),
    settable("sql_safe_updates", Switch(false)),
    settable("sql_select_limit", Large(u64::MAX)),
    settable("sql_warnings", Switch(false)),
    settable("storage_engine", Text("InnoDB")),
    fixed("super_read_only", Switch(false)),
    fixed("system_time_zone", Text("UTC")),
    settable("time_zone", Text("SYSTEM")),
    settable("transaction_isolation", Text("REPEATABLE-READ")),
    settable("transaction_read_only", Switch(false)),
    settable("tx_isolation", Text("REPEATABLE-READ")),
    settable("tx_read_only", Switch(false)),
    settable("unique_checks", Switch(true)),
    fixed("users_messages_seconds_max", Number(LOG_TTL_SECONDS as i64)),
    fixed("version", Text(SERVER_VERSION)),
    fixed("version_comment", Text("cometql: a push server that any MySQL driver can publish through")),
    fixed("version_compile_machine", Text(std::env::consts::ARCH)),
    fixed("version_compile_os", Text(std::env::consts::OS)),
    fixed("version_compile_zlib", Text("")),
    settable("wait_timeout", Live(ColumnKind::Integer, |context| limit(context.idle_seconds_max))),
    settable("warning_count", Live(ColumnKind::Integer, |context| limit(u64::from(context.warning_count)))),
];

/// `@@name`; a name that is not known is an empty text, because clients ask for many and miss none.
pub(in super::super) fn value(name: &str, context: &Context) -> Value {
    let shown = || shown(&context.session).find(|(shown, _)| shown.eq_ignore_ascii_case(name));
    match find(name) {
        Some(variable) => variable.value(context),
        None => Value::Text(shown().map(|(_, value)| value.to_owned()).unwrap_or_default()),
    }
}

pub(in super::super) fn kind(name: &str) -> ColumnKind {
    find(name).map_or(ColumnKind::ShortText, |variable| match &variable.value {
        Text(_) | Null => ColumnKind::ShortText,
        Number(_) | Switch(_) => ColumnKind::Integer,
        Large(_) => ColumnKind::Unsigned,
        Live(kind, _) => *kind,
    })
}

/// `SET name = value`, `None` for DEFAULT. Only a few variables have an effect; the others are accepted.
pub(super) fn set(session: &mut Session, name: &str, value: Option<Value>) -> Result<(), SqlError> {
    match name {
        "autocommit" => {
            session.autocommit = value.as_ref().is_none_or(is_on);
            if session.autocommit {
                session.in_transaction = false;
            }
        }
        "comet_strings" => session.comet_strings = comet_strings_of(session, value.as_ref())?,
        "sql_mode" => {
            let modes = value.as_ref().and_then(text_of).unwrap_or_default();
            let has = |mode: &str| modes.split(',').any(|set| set.trim().eq_ignore_ascii_case(mode));
            session.dialect = Dialect {
                backslash_escapes: !has("NO_BACKSLASH_ESCAPES"),
                ansi_quotes: has("ANSI_QUOTES") || has("ANSI"),
            };
        }
        _ => {}
    }
    let Some(variable) = find(name).filter(|variable| variable.settable) else { return Ok(()) };
    let value = match (&variable.value, value) {
        (_, None) => None,
        (Switch(_), Some(value)) => Some(Value::Integer(i64::from(is_on(&value)))),
        (_, Some(value)) => Some(fitted(value, kind(variable.name))),
    };
    session.set_variable(variable.name, value);
    Ok(())
}

pub(super) fn listing(context: &Context) -> Listing {
    let rows = VARIABLES.iter().map(|variable| {
        let value = match (&variable.value, variable.value(context)) {
            (Switch(_), value) => on_or_off(number_of(&value) == Some(1.0)),
            (Live(..), value) if variable.name == "autocommit" => on_or_off(number_of(&value) == Some(1.0)),
            (_, value) => Value::Text(text_of(&value).unwrap_or_default()),
        };
        (variable.name, value)
    });
    let shown = shown(&context.session).map(|(name, value)| (name, Value::Text(value.to_owned())));
    let mut rows: Vec<(&str, Value)> = rows.chain(shown).collect();
    rows.sort_by_key(|(name, _)| *name);
    Listing {
        name: "variables",
        headings: vec![
            Heading::listed("Variable_name", ColumnKind::ShortText),
            Heading::listed("Value", ColumnKind::ShortText),
        ],
        rows: rows.into_iter().map(|(name, value)| vec![Value::Text(name.to_owned()), value]).collect(),
    }
}

/// What the operator has set and the table does not have.
fn shown(session: &Session) -> impl Iterator<Item = (&'static str, &str)> {
    let shown = session.shown.iter().map(|(name, value)| (*name, value.as_ref()));
    shown.filter(|(name, _)| find(name).is_none())
}

fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name.eq_ignore_ascii_case(name))
}

impl Variable {
    fn value(&self, context: &Context) -> Value {
        if let Some(value) = context.session.variable(self.name) {
            return value.clone();
        }
        match &self.value {
            Text(text) => Value::Text((*text).to_owned()),
            Number(number) => Value::Integer(*number),
            Large(number) => Value::Unsigned(*number),
            Switch(on) => Value::Integer(i64::from(*on)),
            Null => Value::Null,
            Live(_, value) => value(context),
        }
    }
}

fn limit(limit: u64) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}

fn on_or_off(on: bool) -> Value {
    Value::Text(if on { "ON" } else { "OFF" }.to_owned())
}

fn is_on(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.eq_ignore_ascii_case("on") || text.eq_ignore_ascii_case("true") || text == "1",
        other => number_of(other).is_some_and(|number| number != 0.0),
    }
}

fn comet_strings_of(session: &Session, value: Option<&Value>) -> Result<CometStrings, SqlError> {
    let Some(value) = value else { return Ok(session.comet_strings_by_default) };
    let name = text_of(value).unwrap_or_default();
    CometStrings::named(&name).ok_or_else(|| {
        SqlError::new(
            1231,
            "42000",
            format!("Variable 'comet_strings' can't be set to the value of '{name}': it is 'auto' or 'mysql'"),
        )
    })
}
