//! Payloads of replies: OK, ERR, EOF, column definitions, rows as text.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html>

use bytes::{BufMut, BytesMut};
use mysql_common::constants::{CapabilityFlags, ColumnFlags, ColumnType, StatusFlags};

use crate::tables::{Column, ColumnKind, Done, SqlError, Value};

use super::fields::{put_counted, put_length};
use super::greeting::UTF8MB4_GENERAL_CI;

/// The database every column says it is from.
const DATABASE: &[u8] = b"CometQL_v1";
/// The collation of numbers and dates: none.
const BINARY: u16 = 63;
/// Decimals of a number that has as many as it has.
const DECIMALS_OPEN: u8 = 31;

pub(super) const NULL_IN_TEXT: u8 = 0xFB;

/// How this client wants its replies.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// It takes an OK packet where others take EOF, and none behind the column definitions.
    pub deprecates_eof: bool,
    /// The collation of texts.
    pub collation: u16,
}

impl Manner {
    pub(super) fn new(capabilities: CapabilityFlags, collation: u16) -> Manner {
        let deprecates_eof = capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        // A client that announced another character set sends and takes UTF-8 all the same.
        let is_utf8mb4 = matches!(collation, 45 | 46 | 224..=247 | 255..=323);
        Manner { deprecates_eof, collation: if is_utf8mb4 { collation } else { u16::from(UTF8MB4_GENERAL_CI) } }
    }
}

pub(super) fn ok(out: &mut BytesMut, done: &Done, status: StatusFlags, warnings: u16) {
    out.put_u8(0);
    put_length(out, done.affected);
    put_length(out, done.insert_id);
    out.put_u16_le(status.bits());
    out.put_u16_le(warnings);
    if !done.info.is_empty() {
        put_counted(out, done.info.as_bytes());
    }
}

pub(super) fn error(out: &mut BytesMut, error: &SqlError) {
    out.put_u8(0xFF);
    out.put_u16_le(error.code);
    out.put_u8(b'#');
    out.put_slice(error.state.as_bytes());
    out.put_slice(error.message.as_bytes());
}

pub(super) fn eof(out: &mut BytesMut, status: StatusFlags, warnings: u16) {
    out.put_u8(0xFE);
    out.put_u16_le(warnings);
    out.put_u16_le(status.bits());
}

/// What ends the rows: EOF, or the OK packet that looks like it.
pub(super) fn rows_end(out: &mut BytesMut, status: StatusFlags, warnings: u16, manner: Manner) {
    if manner.deprecates_eof {
        out.put_slice(&[0xFE, 0, 0]);
        out.put_u16_le(status.bits());
        out.put_u16_le(warnings);
    } else {
        eof(out, status, warnings);
    }
}

/// A column definition.
pub(super) fn column(out: &mut BytesMut, column: &Column, manner: Manner) {
    let form = Form::of(column.kind, manner);
    let mut flags = form.flags;
    if !column.nullable {
        flags |= ColumnFlags::NOT_NULL_FLAG;
    }
    if column.primary {
        flags |= ColumnFlags::PRI_KEY_FLAG;
    }
    put_counted(out, b"def");
    put_counted(out, if column.table.is_empty() { b"" } else { DATABASE });
    put_counted(out, column.table.as_bytes());
    put_counted(out, column.table.as_bytes());
    put_counted(out, column.name.as_bytes());
    put_counted(out, column.original_name.as_bytes());
    out.put_u8(0x0C);
    out.put_u16_le(form.collation);
    out.put_u32_le(form.length);
    out.put_u8(form.kind as u8);
    out.put_u16_le(flags.bits());
    out.put_u8(form.decimals);
    out.put_u16_le(0);
}

/// The definition of a `?`: nothing is known of it.
pub(super) fn parameter(out: &mut BytesMut, manner: Manner) {
    let unknown = Column {
        name: "?".into(),
        original_name: String::new(),
        table: String::new(),
        kind: ColumnKind::ShortText,
        nullable: true,
        primary: false,
    };
    column(out, &unknown, manner);
}

/// How MySQL describes a kind of column.
struct Form {
    kind: ColumnType,
    collation: u16,
    length: u32,
    flags: ColumnFlags,
    decimals: u8,
}

impl Form {
    fn of(kind: ColumnKind, manner: Manner) -> Form {
        let number = ColumnFlags::BINARY_FLAG | ColumnFlags::NUM_FLAG;
        let (kind, collation, length, flags, decimals) = match kind {
            ColumnKind::Integer => (ColumnType::MYSQL_TYPE_LONGLONG, BINARY, 20, number, 0),
            ColumnKind::Unsigned => {
                (ColumnType::MYSQL_TYPE_LONGLONG, BINARY, 20, number | ColumnFlags::UNSIGNED_FLAG, 0)
            }
            ColumnKind::Real => (ColumnType::MYSQL_TYPE_DOUBLE, BINARY, 22, number, DECIMALS_OPEN),
            ColumnKind::ShortText => {
                (ColumnType::MYSQL_TYPE_VAR_STRING, manner.collation, 255 * 4, ColumnFlags::empty(), 0)
            }
            // As long as a MEDIUMTEXT: there are clients that reserve what they are told.
            ColumnKind::LongText => {
                (ColumnType::MYSQL_TYPE_BLOB, manner.collation, 16_777_215, ColumnFlags::BLOB_FLAG, 0)
            }
            ColumnKind::DateTime => (ColumnType::MYSQL_TYPE_DATETIME, BINARY, 19, ColumnFlags::BINARY_FLAG, 0),
        };
        Form { kind, collation, length, flags, decimals }
    }
}

pub(super) fn text_row(out: &mut BytesMut, row: &[Value]) {
    for value in row {
        match text(value) {
            Some(text) => put_counted(out, text.as_bytes()),
            None => out.put_u8(NULL_IN_TEXT),
        }
    }
}

/// A value as text; `None` is NULL.
pub(super) fn text(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string().into()),
        Value::Unsigned(number) => Some(number.to_string().into()),
        Value::Real(number) if !number.is_finite() => None,
        Value::Real(number) if *number == 0.0 || (1e-5..1e15).contains(&number.abs()) => {
            Some(number.to_string().into())
        }
        Value::Real(number) => Some(format!("{number:e}").into()),
        Value::Text(text) => Some(text.as_str().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSIC: Manner = Manner { deprecates_eof: false, collation: 45 };
    const MODERN: Manner = Manner { deprecates_eof: true, collation: 255 };

    fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        out.to_vec()
    }

    #[test]
    fn short_replies_have_their_bytes() {
        let autocommit = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        let more = autocommit | StatusFlags::SERVER_MORE_RESULTS_EXISTS;
        let done = Done { affected: 3, insert_id: 300, info: "Records: 3".into() };
        assert_eq!(written(|out| ok(out, &Done::default(), autocommit, 0)), b"\0\0\0\x02\0\0\0");
        assert_eq!(written(|out| ok(out, &done, more, 0x102)), b"\0\x03\xfc\x2c\x01\x0a\0\x02\x01\x0aRecords: 3");
        let refused = SqlError::new(1045, "28000", "Access denied");
        assert_eq!(written(|out| error(out, &refused)), b"\xff\x15\x04#28000Access denied");
        assert_eq!(written(|out| eof(out, autocommit, 0)), b"\xfe\0\0\x02\0");
        assert_eq!(written(|out| rows_end(out, more, 0x102, CLASSIC)), b"\xfe\x02\x01\x0a\0");
        assert_eq!(written(|out| rows_end(out, more, 0x102, MODERN)), b"\xfe\0\0\x0a\0\x02\x01");
    }

    #[test]
    fn a_column_says_where_it_is_from_and_what_it_is() {
        let mut name = Column {
            name: "n".into(),
            original_name: "name".into(),
            table: "pipes_messages".into(),
            kind: ColumnKind::ShortText,
            nullable: false,
            primary: true,
        };
        let expected = b"\x03def\x0aCometQL_v1\x0epipes_messages\x0epipes_messages\x01n\x04name\
            \x0c\x2d\0\xfc\x03\0\0\xfd\x03\0\0\0\0";
        assert_eq!(written(|out| column(out, &name, CLASSIC)), expected);
        name.kind = ColumnKind::Unsigned;
        let bytes = written(|out| column(out, &name, MODERN));
        assert_eq!(bytes[bytes.len() - 13..], *b"\x0c\x3f\0\x14\0\0\0\x08\xa3\x80\0\0\0");
        name.kind = ColumnKind::LongText;
        let bytes = written(|out| column(out, &name, MODERN));
        assert_eq!(bytes[bytes.len() - 13..], *b"\x0c\xff\0\xff\xff\xff\0\xfc\x13\0\0\0\0");
    }

    #[test]
    fn texts_carry_a_collation_of_utf8mb4_whatever_was_announced() {
        let manner = |collation| Manner::new(CapabilityFlags::empty(), collation).collation;
        for (announced, used) in [(8, 45), (33, 45), (45, 45), (63, 45), (224, 224), (246, 246), (255, 255)] {
            assert_eq!(manner(announced), used);
        }
    }

    #[test]
    fn a_row_of_text_has_every_kind_of_value() {
        let row = [
            Value::Null,
            Value::Integer(-7),
            Value::Unsigned(u64::MAX),
            Value::Real(1.5),
            Value::Real(1e300),
            Value::Text("п".into()),
        ];
        let expected = "\u{2}-7\u{14}18446744073709551615\u{3}1.5\u{5}1e300\u{2}п";
        assert_eq!(written(|out| text_row(out, &row))[0], 0xFB);
        assert_eq!(written(|out| text_row(out, &row))[1..], *expected.as_bytes());
    }
}
