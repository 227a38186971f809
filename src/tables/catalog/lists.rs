//! The short lists that clients read when they connect.

use super::super::table::{Heading, Row};
use super::super::warnings::Warning;
use super::super::{ColumnKind, Value};
use super::Listing;
use super::schema::{text, texts};

use ColumnKind::{Integer, LongText, ShortText};

fn headings(columns: &[(&'static str, ColumnKind)]) -> Vec<Heading> {
    columns.iter().map(|(name, kind)| Heading::listed(*name, *kind)).collect()
}

/// What the last statement has left: warnings, and no errors, because who makes one is told at once.
pub(super) fn warnings(name: &'static str, warnings: &[Warning]) -> Listing {
    let columns = [("Level", ShortText), ("Code", Integer), ("Message", LongText)];
    let row = |warning: &Warning| vec![text("Warning"), Value::Integer(warning.code.into()), text(&warning.message)];
    Listing { name, headings: headings(&columns), rows: warnings.iter().map(row).collect() }
}

/// Collations: name, character set, MySQL's number, whether it is the set's default.
const COLLATIONS: [(&str, &str, i64, &str); 8] = [
    ("binary", "binary", 63, "Yes"),
    ("utf8mb4_0900_ai_ci", "utf8mb4", 255, "Yes"),
    ("utf8mb4_bin", "utf8mb4", 46, ""),
    ("utf8mb4_general_ci", "utf8mb4", 45, ""),
    ("utf8mb4_unicode_520_ci", "utf8mb4", 246, ""),
    ("utf8mb4_unicode_ci", "utf8mb4", 224, ""),
    ("utf8_bin", "utf8", 83, ""),
    ("utf8_general_ci", "utf8", 33, "Yes"),
];

pub(super) fn collations() -> Listing {
    let columns = [
        ("Collation", ShortText),
        ("Charset", ShortText),
        ("Id", Integer),
        ("Default", ShortText),
        ("Compiled", ShortText),
        ("Sortlen", Integer),
        ("Pad_attribute", ShortText),
    ];
    let rows = COLLATIONS.map(|(name, set, id, default)| {
        let pad = if matches!(id, 63 | 255) { "NO PAD" } else { "PAD SPACE" };
        vec![text(name), text(set), Value::Integer(id), text(default), text("Yes"), Value::Integer(1), text(pad)]
    });
    Listing { name: "collation", headings: headings(&columns), rows: rows.into() }
}

pub(super) fn character_sets() -> Listing {
    let columns =
        [("Charset", ShortText), ("Description", ShortText), ("Default collation", ShortText), ("Maxlen", Integer)];
    let row = |set: &str, description: &str, collation: &str, bytes: i64| -> Row {
        vec![text(set), text(description), text(collation), Value::Integer(bytes)]
    };
    let rows = vec![
        row("binary", "Binary pseudo charset", "binary", 1),
        row("utf8", "UTF-8 Unicode", "utf8_general_ci", 3),
        row("utf8mb4", "UTF-8 Unicode", "utf8mb4_0900_ai_ci", 4),
    ];
    Listing { name: "character set", headings: headings(&columns), rows }
}

pub(super) fn engines() -> Listing {
    let names = ["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"];
    let row =
        ["InnoDB", "DEFAULT", "The tables of cometql, named after what clients expect", "NO", "NO", "NO"].map(text);
    Listing { name: "engines", headings: texts(&names), rows: vec![row.into()] }
}

pub(super) fn grants(user: &str) -> Listing {
    let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `CometQL_v1`.* TO `{user}`@`%`");
    Listing {
        name: "grants",
        headings: vec![Heading::listed(format!("Grants for {user}@%"), LongText)],
        rows: vec![vec![text(&grant)]],
    }
}
