//! The tables as SHOW and DESCRIBE tell of them.

use super::super::source::DATABASE;
use super::super::table::{Heading, Index, Row, Table, TableColumn};
use super::super::{ColumnKind, TABLES, Value};
use super::Listing;

/// Texts of the tables compare byte by byte.
pub(super) const COLLATION: &str = "utf8mb4_bin";

/// The most characters of a key in MariaDB and MySQL, four bytes each.
const KEY_CHARACTERS_MAX: i64 = 768;

/// DESCRIBE and SHOW [FULL] COLUMNS.
pub(in super::super) fn described(table: &dyn Table, full: bool) -> Listing {
    let mut names = vec!["Field", "Type", "Null", "Key", "Default", "Extra"];
    if full {
        names.insert(2, "Collation");
        names.extend(["Privileges", "Comment"]);
    }
    let rows = table.columns().iter().map(|column| column_row(column, full)).collect();
    Listing { name: "columns", headings: texts(&names), rows }
}

fn column_row(column: &TableColumn, full: bool) -> Row {
    let is_text = matches!(column.kind, ColumnKind::ShortText | ColumnKind::LongText);
    let mut row = vec![
        text(column.name),
        text(column.sql_type),
        text(if column.nullable { "YES" } else { "NO" }),
        text(key_of(column.index)),
        default_value(column),
        text(if column.visible { "" } else { "INVISIBLE" }),
    ];
    if full {
        row.insert(2, if is_text { text(COLLATION) } else { Value::Null });
        row.extend([text("select,insert,update,references"), text(column.comment)]);
    }
    row
}

pub(super) fn table_names(database: &str, full: bool, pattern: Option<&str>, ours: bool) -> Listing {
    let heading = match pattern {
        Some(pattern) => format!("Tables_in_{database} ({pattern})"),
        None => format!("Tables_in_{database}"),
    };
    let mut headings = vec![Heading::listed(heading, ColumnKind::ShortText)];
    if full {
        headings.push(Heading::listed("Table_type", ColumnKind::ShortText));
    }
    let tables: &[&dyn Table] = if ours { TABLES } else { &[] };
    let rows = tables.iter().map(|table| {
        let mut row = vec![text(table.name())];
        if full {
            row.push(text("BASE TABLE"));
        }
        row
    });
    Listing { name: "tables", headings, rows: rows.collect() }
}

/// SHOW TABLE STATUS: MySQL's eighteen columns. FEDERATED and SPIDER read Rows, Avg_row_length,
/// Data_length and the dates before each SELECT.
pub(super) fn table_status(ours: bool) -> Listing {
    let kinds = [
        ("Name", ColumnKind::ShortText),
        ("Engine", ColumnKind::ShortText),
        ("Version", ColumnKind::Integer),
        ("Row_format", ColumnKind::ShortText),
        ("Rows", ColumnKind::Integer),
        ("Avg_row_length", ColumnKind::Integer),
        ("Data_length", ColumnKind::Integer),
        ("Max_data_length", ColumnKind::Integer),
        ("Index_length", ColumnKind::Integer),
        ("Data_free", ColumnKind::Integer),
        ("Auto_increment", ColumnKind::Integer),
        ("Create_time", ColumnKind::DateTime),
        ("Update_time", ColumnKind::DateTime),
        ("Check_time", ColumnKind::DateTime),
        ("Collation", ColumnKind::ShortText),
        ("Checksum", ColumnKind::Integer),
        ("Create_options", ColumnKind::ShortText),
        ("Comment", ColumnKind::ShortText),
    ];
    let tables: &[&dyn Table] = if ours { TABLES } else { &[] };
    Listing {
        name: "table status",
        headings: kinds.into_iter().map(|(name, kind)| Heading::listed(name, kind)).collect(),
        rows: tables.iter().map(|table| status_row(*table)).collect(),
    }
}

fn status_row(table: &dyn Table) -> Row {
    let mut row = vec![text(table.name()), text("InnoDB"), Value::Integer(10), text("Dynamic")];
    // FEDERATED takes 0 rows for an empty table and does not ask further.
    row.extend([Value::Integer(1_000), Value::Integer(256), Value::Integer(256_000)]);
    row.extend([Value::Integer(0), Value::Integer(0), Value::Integer(0)]);
    row.extend([Value::Null, Value::Null, Value::Null, Value::Null]);
    row.extend([text(COLLATION), Value::Null, text(""), text(table.comment())]);
    row
}

pub(super) fn indexes(table: &dyn Table) -> Listing {
    let kinds = [
        ("Table", ColumnKind::ShortText),
        ("Non_unique", ColumnKind::Integer),
        ("Key_name", ColumnKind::ShortText),
        ("Seq_in_index", ColumnKind::Integer),
        ("Column_name", ColumnKind::ShortText),
        ("Collation", ColumnKind::ShortText),
        ("Cardinality", ColumnKind::Integer),
        ("Sub_part", ColumnKind::Integer),
        ("Packed", ColumnKind::ShortText),
        ("Null", ColumnKind::ShortText),
        ("Index_type", ColumnKind::ShortText),
        ("Comment", ColumnKind::ShortText),
        ("Index_comment", ColumnKind::ShortText),
        ("Visible", ColumnKind::ShortText),
        ("Expression", ColumnKind::ShortText),
    ];
    let rows = table.columns().iter().filter(|column| column.index != Index::None).map(|column| {
        let primary = column.index == Index::Primary;
        let mut row = vec![text(table.name()), Value::Integer(i64::from(!primary))];
        row.extend([text(if primary { "PRIMARY" } else { column.name }), Value::Integer(1), text(column.name)]);
        row.extend([text("A"), Value::Integer(1_000), number_or_null(key_prefix(column)), Value::Null, text("")]);
        row.extend([text("BTREE"), text(""), text(""), text("YES"), Value::Null]);
        row
    });
    Listing {
        name: "index",
        headings: kinds.into_iter().map(|(name, kind)| Heading::listed(name, kind)).collect(),
        rows: rows.collect(),
    }
}

/// SHOW CREATE TABLE: one column a line, which MariaDB and MySQL 8 accept as it is.
pub(super) fn create_table(table: &dyn Table) -> Listing {
    let mut lines: Vec<String> = table.columns().iter().map(column_definition).collect();
    for column in table.columns() {
        match column.index {
            Index::Primary => lines.push(format!("  PRIMARY KEY ({})", key_part(column))),
            Index::Many => lines.push(format!("  KEY `{}` ({})", column.name, key_part(column))),
            Index::None => {}
        }
    }
    let definition = format!(
        "CREATE TABLE `{}` (\n{}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={COLLATION}",
        table.name(),
        lines.join(",\n")
    );
    Listing {
        name: "create table",
        headings: texts(&["Table", "Create Table"]),
        rows: vec![vec![text(table.name()), text(&definition)]],
    }
}

/// The column as a key names it.
fn key_part(column: &TableColumn) -> String {
    match key_prefix(column) {
        Some(characters) => format!("`{}`({characters})", column.name),
        None => format!("`{}`", column.name),
    }
}

/// Of a longer text only the beginning can be a key in MariaDB and MySQL, which allow 3,072 bytes.
fn key_prefix(column: &TableColumn) -> Option<i64> {
    let is_text = matches!(column.kind, ColumnKind::ShortText | ColumnKind::LongText);
    (is_text && character_length(column) > KEY_CHARACTERS_MAX).then_some(KEY_CHARACTERS_MAX)
}

fn column_definition(column: &TableColumn) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    let default = column.default.map_or_else(String::new, |default| format!(" DEFAULT {default}"));
    let invisible = if column.visible { "" } else { " INVISIBLE" };
    format!("  `{}` {}{null}{default}{invisible} COMMENT '{}'", column.name, column.sql_type, column.comment)
}

pub(super) fn create_database(name: &str) -> Listing {
    let definition = format!("CREATE DATABASE `{name}` /*!40100 DEFAULT CHARACTER SET utf8mb4 */");
    Listing {
        name: "create database",
        headings: texts(&["Database", "Create Database"]),
        rows: vec![vec![text(name), text(&definition)]],
    }
}

pub(super) fn databases(pattern: Option<&str>) -> Listing {
    let heading = pattern.map_or_else(|| "Database".to_owned(), |pattern| format!("Database ({pattern})"));
    Listing {
        name: "databases",
        headings: vec![Heading::listed(heading, ColumnKind::ShortText)],
        rows: vec![vec![text(DATABASE)]],
    }
}

pub(super) fn texts(names: &[&'static str]) -> Vec<Heading> {
    names.iter().map(|name| Heading::listed(*name, ColumnKind::LongText)).collect()
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn number_or_null(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

/// The type without its length.
pub(super) fn data_type(column: &TableColumn) -> &'static str {
    column.sql_type.split('(').next().unwrap_or(column.sql_type)
}

/// How many characters a text column holds.
pub(super) fn character_length(column: &TableColumn) -> i64 {
    let length = column.sql_type.split(['(', ')']).nth(1);
    length.and_then(|length| length.parse().ok()).unwrap_or(65_535)
}

pub(super) fn key_of(index: Index) -> &'static str {
    match index {
        Index::Primary => "PRI",
        Index::Many => "MUL",
        Index::None => "",
    }
}

pub(super) fn default_value(column: &TableColumn) -> Value {
    match column.default {
        None | Some("NULL") => Value::Null,
        Some(default) => text(default.trim_matches('\'')),
    }
}
