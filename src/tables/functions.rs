//! The functions that clients call.

use super::calendar::date_time;
use super::expression::Context;
use super::value::{fitted, number_of, text_of, truth, whole_of};
use super::{ColumnKind, SqlError, Value};
use crate::cometql::Expression;
use crate::status::SERVER_VERSION;

/// Functions that look at many rows; the SELECT works them out.
pub(super) fn is_aggregate(function: &str) -> bool {
    matches!(function, "count" | "min" | "max" | "sum")
}

pub(super) fn call(function: &str, arguments: &[Value], context: &Context) -> Result<Value, SqlError> {
    if let Some(value) = of_session(function, arguments, context) {
        return Ok(value);
    }
    let text = |text: &str| Value::Text(text.to_owned());
    Ok(match (function, arguments) {
        // There is no other time zone than UTC here, and MySQL answers NULL for zones it does not know.
        ("convert_tz", [time, from, to]) => {
            if from == to {
                time.clone()
            } else {
                Value::Null
            }
        }
        ("coalesce" | "ifnull", [_, ..]) => first_not_null(arguments),
        ("nullif", [left, right]) => {
            if left == right {
                Value::Null
            } else {
                left.clone()
            }
        }
        ("if", [condition, yes, no]) => {
            if truth(condition) == Some(true) {
                yes.clone()
            } else {
                no.clone()
            }
        }
        ("concat", [_, ..]) => concat(arguments),
        ("length" | "octet_length", [value]) => size_of(value, str::len),
        ("char_length" | "character_length", [value]) => size_of(value, |text| text.chars().count()),
        ("lower" | "lcase", [value]) => text_of(value).map_or(Value::Null, |text| Value::Text(text.to_lowercase())),
        ("upper" | "ucase", [value]) => text_of(value).map_or(Value::Null, |text| Value::Text(text.to_uppercase())),
        ("trim", [value]) => text_of(value).map_or(Value::Null, |text| Value::Text(text.trim_matches(' ').to_owned())),
        ("abs", [value]) => absolute(value),
        ("cast", [value, Value::Text(wanted)]) => fitted(value.clone(), kind_of_type(wanted)),
        // Everything is UTF-8 here.
        ("convert", [value, Value::Text(_)]) => text_of(value).map_or(Value::Null, Value::Text),
        ("quote", [value]) => text_of(value).map_or_else(|| text("NULL"), |text| Value::Text(quoted(&text))),
        ("sleep", [_]) | ("release_lock" | "is_free_lock", [_]) | ("get_lock", [_, _]) => {
            return Err(SqlError::new(
                2,
                "HY000",
                format!("Function {function}() is not yet implemented: this server has neither locks nor pauses"),
            ));
        }
        _ => return Err(unknown(function, arguments.len())),
    })
}

/// The functions that tell of the session and of the time; a time may name its digits, which are none here.
fn of_session(function: &str, arguments: &[Value], context: &Context) -> Option<Value> {
    let session = &context.session;
    let text = |text: &str| Value::Text(text.to_owned());
    let now = || date_time(context.now.seconds());
    Some(match (function, arguments) {
        ("version", []) => text(SERVER_VERSION),
        ("database" | "schema", []) => session.database.as_deref().map_or(Value::Null, text),
        ("user" | "session_user" | "system_user", []) => Value::Text(format!("{}@{}", session.user, session.host)),
        ("current_user", []) => Value::Text(format!("{}@%", session.user)),
        ("current_role", []) => text("NONE"),
        ("connection_id", []) => Value::Unsigned(u64::from(session.connection_id)),
        ("last_insert_id", []) => Value::Unsigned(session.last_insert_id),
        ("row_count", []) => Value::Integer(session.row_count),
        ("found_rows", []) => Value::Unsigned(session.found_rows),
        ("now" | "current_timestamp" | "utc_timestamp" | "localtime" | "localtimestamp" | "sysdate", [] | [_]) => {
            Value::Text(now())
        }
        ("curdate" | "current_date" | "utc_date", []) => now().split(' ').next().map_or(Value::Null, text),
        ("curtime" | "current_time" | "utc_time", [] | [_]) => now().split(' ').nth(1).map_or(Value::Null, text),
        ("unix_timestamp", []) => Value::Integer(i64::try_from(context.now.seconds()).unwrap_or(i64::MAX)),
        _ => return None,
    })
}

/// What kind of value a function answers with; `first` is the kind of its first argument.
pub(super) fn kind(function: &str, first: Option<ColumnKind>) -> ColumnKind {
    match function {
        "connection_id" | "last_insert_id" | "found_rows" => ColumnKind::Unsigned,
        "count" | "row_count" | "unix_timestamp" | "length" | "octet_length" | "char_length" | "character_length" => {
            ColumnKind::Integer
        }
        "now" | "current_timestamp" | "utc_timestamp" | "localtime" | "localtimestamp" | "sysdate" => {
            ColumnKind::DateTime
        }
        "sum" | "abs" if matches!(first, Some(ColumnKind::ShortText | ColumnKind::LongText)) => ColumnKind::Real,
        "min" | "max" | "sum" | "abs" | "nullif" => first.unwrap_or(ColumnKind::ShortText),
        "concat" | "quote" | "lower" | "upper" | "lcase" | "ucase" | "trim" => match first {
            Some(ColumnKind::LongText) => ColumnKind::LongText,
            _ => ColumnKind::ShortText,
        },
        _ => ColumnKind::ShortText,
    }
}

/// What CAST(value AS type) makes; `wanted` is its second argument.
pub(super) fn cast_kind(wanted: Option<&Expression>) -> ColumnKind {
    match wanted {
        Some(Expression::Text(wanted)) => kind_of_type(&wanted.mysql()),
        _ => ColumnKind::LongText,
    }
}

fn kind_of_type(wanted: &str) -> ColumnKind {
    let word = wanted.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "signed" | "integer" | "int" | "bigint" => ColumnKind::Integer,
        "unsigned" => ColumnKind::Unsigned,
        "decimal" | "double" | "float" | "real" => ColumnKind::Real,
        "datetime" | "timestamp" => ColumnKind::DateTime,
        _ => ColumnKind::LongText,
    }
}

fn unknown(function: &str, arguments: usize) -> SqlError {
    SqlError::new(
        1305,
        "42000",
        format!(
            "FUNCTION {function} does not exist with {arguments} arguments: this server has only those that clients were seen to call"
        ),
    )
}

fn first_not_null(arguments: &[Value]) -> Value {
    arguments.iter().find(|value| **value != Value::Null).cloned().unwrap_or(Value::Null)
}

fn concat(arguments: &[Value]) -> Value {
    let texts: Option<Vec<String>> = arguments.iter().map(text_of).collect();
    texts.map_or(Value::Null, |texts| Value::Text(texts.concat()))
}

fn size_of(value: &Value, size: fn(&str) -> usize) -> Value {
    text_of(value).map_or(Value::Null, |text| Value::Integer(i64::try_from(size(&text)).unwrap_or(i64::MAX)))
}

fn absolute(value: &Value) -> Value {
    match value {
        Value::Integer(_) | Value::Unsigned(_) => {
            whole_of(value).map_or(Value::Null, |number| super::value::whole(number.abs()))
        }
        other => number_of(other).map_or(Value::Null, |number| Value::Real(number.abs())),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
