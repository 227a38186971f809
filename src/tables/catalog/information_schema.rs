//! The views of information_schema: four with rows, all others empty.

use super::super::expression::Context;
use super::super::source::DATABASE;
use super::super::table::{Domain, Heading, Listed, Row, Scan, Table, TableColumn};
use super::super::{ColumnKind, TABLES, Value};
use super::processes::{self, Processes};
use super::schema::{COLLATION, character_length, data_type, default_value, key_of, number_or_null, text};

pub(in super::super) enum View {
    Schemata,
    Tables,
    Columns,
    Processlist,
    /// Any other one: it has every column that is asked for, and no rows.
    Empty(String),
}

const SCHEMATA: [&str; 6] = [
    "CATALOG_NAME",
    "SCHEMA_NAME",
    "DEFAULT_CHARACTER_SET_NAME",
    "DEFAULT_COLLATION_NAME",
    "SQL_PATH",
    "DEFAULT_ENCRYPTION",
];

const TABLES_COLUMNS: [&str; 21] = [
    "TABLE_CATALOG",
    "TABLE_SCHEMA",
    "TABLE_NAME",
    "TABLE_TYPE",
    "ENGINE",
    "VERSION",
    "ROW_FORMAT",
    "TABLE_ROWS",
    "AVG_ROW_LENGTH",
    "DATA_LENGTH",
    "MAX_DATA_LENGTH",
    "INDEX_LENGTH",
    "DATA_FREE",
    "AUTO_INCREMENT",
    "CREATE_TIME",
    "UPDATE_TIME",
    "CHECK_TIME",
    "TABLE_COLLATION",
    "CHECKSUM",
    "CREATE_OPTIONS",
    "TABLE_COMMENT",
];

const COLUMNS_COLUMNS: [&str; 22] = [
    "TABLE_CATALOG",
    "TABLE_SCHEMA",
    "TABLE_NAME",
    "COLUMN_NAME",
    "ORDINAL_POSITION",
    "COLUMN_DEFAULT",
    "IS_NULLABLE",
    "DATA_TYPE",
    "CHARACTER_MAXIMUM_LENGTH",
    "CHARACTER_OCTET_LENGTH",
    "NUMERIC_PRECISION",
    "NUMERIC_SCALE",
    "DATETIME_PRECISION",
    "CHARACTER_SET_NAME",
    "COLLATION_NAME",
    "COLUMN_TYPE",
    "COLUMN_KEY",
    "EXTRA",
    "PRIVILEGES",
    "COLUMN_COMMENT",
    "GENERATION_EXPRESSION",
    "SRS_ID",
];

/// Columns that are numbers; all others are texts.
const NUMBERS: [&str; 15] = [
    "VERSION",
    "TABLE_ROWS",
    "AVG_ROW_LENGTH",
    "DATA_LENGTH",
    "MAX_DATA_LENGTH",
    "INDEX_LENGTH",
    "DATA_FREE",
    "AUTO_INCREMENT",
    "CHECKSUM",
    "ORDINAL_POSITION",
    "CHARACTER_MAXIMUM_LENGTH",
    "CHARACTER_OCTET_LENGTH",
    "NUMERIC_PRECISION",
    "NUMERIC_SCALE",
    "DATETIME_PRECISION",
];

impl View {
    pub fn named(name: &str) -> View {
        match name.to_ascii_lowercase().as_str() {
            "schemata" => View::Schemata,
            "tables" => View::Tables,
            "columns" => View::Columns,
            "processlist" => View::Processlist,
            _ => View::Empty(name.to_owned()),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            View::Schemata => "SCHEMATA",
            View::Tables => "TABLES",
            View::Columns => "COLUMNS",
            View::Processlist => "PROCESSLIST",
            View::Empty(name) => name,
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, View::Empty(_))
    }

    pub fn headings(&self) -> Vec<Heading> {
        let names: &[&'static str] = match self {
            View::Schemata => &SCHEMATA,
            View::Tables => &TABLES_COLUMNS,
            View::Columns => &COLUMNS_COLUMNS,
            View::Processlist => return processes::headings_of_view(),
            View::Empty(_) => &[],
        };
        let kind = |name| if NUMBERS.contains(&name) { ColumnKind::Integer } else { ColumnKind::LongText };
        names.iter().map(|name| Heading::listed(*name, kind(*name))).collect()
    }

    pub fn scan(&self, domain: &Domain, context: &Context) -> Box<dyn Scan> {
        match self {
            View::Processlist => Box::new(Processes::new(domain, context)),
            other => Box::new(Listed(Some(other.rows()))),
        }
    }

    fn rows(&self) -> Vec<Row> {
        match self {
            View::Schemata => [DATABASE, "information_schema"].map(schema_row).into(),
            View::Tables => TABLES.iter().map(|table| table_row(*table)).collect(),
            View::Columns => TABLES.iter().flat_map(|table| column_rows(*table)).collect(),
            View::Processlist | View::Empty(_) => Vec::new(),
        }
    }
}

fn schema_row(name: &str) -> Row {
    vec![text("def"), text(name), text("utf8mb4"), text("utf8mb4_general_ci"), Value::Null, text("NO")]
}

fn table_row(table: &dyn Table) -> Row {
    let zero = || Value::Integer(0);
    vec![
        text("def"),
        text(DATABASE),
        text(table.name()),
        text("BASE TABLE"),
        text("InnoDB"),
        Value::Integer(10),
        text("Dynamic"),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        text(COLLATION),
        Value::Null,
        text(""),
        text(table.comment()),
    ]
}

fn column_rows(table: &dyn Table) -> Vec<Row> {
    table.columns().iter().enumerate().map(|(index, column)| column_row(table, column, index + 1)).collect()
}

fn column_row(table: &dyn Table, column: &TableColumn, ordinal: usize) -> Row {
    let is_text = matches!(column.kind, ColumnKind::ShortText | ColumnKind::LongText);
    let if_text = |value: &str| if is_text { text(value) } else { Value::Null };
    let characters = if is_text { Some(character_length(column)) } else { None };
    vec![
        text("def"),
        text(DATABASE),
        text(table.name()),
        text(column.name),
        number_or_null(i64::try_from(ordinal).ok()),
        default_value(column),
        text(if column.nullable { "YES" } else { "NO" }),
        text(data_type(column)),
        number_or_null(characters),
        number_or_null(characters.map(|characters| characters * 4)),
        if is_text { Value::Null } else { Value::Integer(19) },
        if is_text { Value::Null } else { Value::Integer(0) },
        Value::Null,
        if_text("utf8mb4"),
        if_text(COLLATION),
        text(column.sql_type),
        text(key_of(column.index)),
        text(if column.visible { "" } else { "INVISIBLE" }),
        text("select,insert,update,references"),
        text(column.comment),
        text(""),
        Value::Null,
    ]
}
