//! `profiler`: what this node has counted since it began. The server itself writes it.

use super::table::{Domain, Listed, Row, Scan, Table, TableColumn, Verb, cannot_be_written};
use super::{ColumnKind, SqlError, Value};

pub(super) struct Profiler;

static COLUMNS: [TableColumn; 3] = [
    TableColumn::new("tag", ColumnKind::ShortText, "varchar(64)", "What was counted").primary(),
    TableColumn::new("time", ColumnKind::Integer, "bigint(20)", "Seconds for which it has been counted").default("0"),
    TableColumn::new("calls", ColumnKind::Integer, "bigint(20)", "How often it happened in this time").default("0"),
];

impl Table for Profiler {
    fn name(&self) -> &'static str {
        "profiler"
    }

    fn columns(&self) -> &'static [TableColumn] {
        &COLUMNS
    }

    fn comment(&self) -> &'static str {
        "What this node has counted since it began; read only"
    }

    fn key(&self) -> &'static str {
        "tag"
    }

    fn scan(&self, domain: &Domain, _keys: Option<Vec<String>>) -> Box<dyn Scan> {
        let status = domain.node.status();
        let row = |tag: &str, calls: u64| -> Row {
            let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
            vec![Value::Text(tag.to_owned()), number(status.uptime_seconds()), number(calls)]
        };
        Box::new(Listed(Some(vec![
            row("statements", status.statements()),
            row("messages_published", status.messages_published()),
            row("frames_delivered", status.frames_delivered()),
        ])))
    }

    fn refusal(&self, _verb: Verb) -> Option<SqlError> {
        Some(cannot_be_written(self.name()))
    }
}
