//! Values as prepared statements send them: parameters that come, rows that go.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>

use bytes::{BufMut, BytesMut};
use mysql_common::constants::ColumnType;

use crate::tables::{Column, ColumnKind, Value};

use super::fields::{Fields, Malformed, put_counted};
use super::reply::text;

/// The type of a parameter, as EXECUTE announces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ParameterType {
    pub kind: ColumnType,
    pub unsigned: bool,
}

/// What a parameter's bytes are.
#[derive(PartialEq, Debug)]
pub(super) enum Parameter<'p> {
    Value(Value),
    /// Bytes that ought to be UTF-8.
    Text(&'p [u8]),
}

/// The next parameter of an EXECUTE.
pub(super) fn parameter<'p>(fields: &mut Fields<'p>, of: ParameterType) -> Result<Parameter<'p>, Malformed> {
    use ColumnType::*;
    let value = match (of.kind, of.unsigned) {
        (MYSQL_TYPE_NULL, _) => Value::Null,
        (MYSQL_TYPE_TINY, true) => Value::Unsigned(u64::from(fields.u8()?)),
        (MYSQL_TYPE_TINY, false) => Value::Integer(i64::from(i8::from_le_bytes(fields.array()?))),
        (MYSQL_TYPE_SHORT, true) | (MYSQL_TYPE_YEAR, _) => Value::Unsigned(u64::from(fields.u16()?)),
        (MYSQL_TYPE_SHORT, false) => Value::Integer(i64::from(i16::from_le_bytes(fields.array()?))),
        (MYSQL_TYPE_LONG | MYSQL_TYPE_INT24, true) => Value::Unsigned(u64::from(fields.u32()?)),
        (MYSQL_TYPE_LONG | MYSQL_TYPE_INT24, false) => Value::Integer(i64::from(i32::from_le_bytes(fields.array()?))),
        (MYSQL_TYPE_LONGLONG, true) => Value::Unsigned(u64::from_le_bytes(fields.array()?)),
        (MYSQL_TYPE_LONGLONG, false) => Value::Integer(i64::from_le_bytes(fields.array()?)),
        (MYSQL_TYPE_FLOAT, _) => Value::Real(widened(f32::from_le_bytes(fields.array()?))),
        (MYSQL_TYPE_DOUBLE, _) => Value::Real(f64::from_le_bytes(fields.array()?)),
        (MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE, _) => Value::Text(date_time(fields, true)?),
        (MYSQL_TYPE_DATETIME | MYSQL_TYPE_TIMESTAMP, _) => Value::Text(date_time(fields, false)?),
        (MYSQL_TYPE_TIME, _) => Value::Text(time(fields)?),
        (
            MYSQL_TYPE_DECIMAL
            | MYSQL_TYPE_NEWDECIMAL
            | MYSQL_TYPE_VARCHAR
            | MYSQL_TYPE_VAR_STRING
            | MYSQL_TYPE_STRING
            | MYSQL_TYPE_TINY_BLOB
            | MYSQL_TYPE_MEDIUM_BLOB
            | MYSQL_TYPE_LONG_BLOB
            | MYSQL_TYPE_BLOB
            | MYSQL_TYPE_JSON
            | MYSQL_TYPE_ENUM
            | MYSQL_TYPE_SET
            | MYSQL_TYPE_BIT
            | MYSQL_TYPE_GEOMETRY,
            _,
        ) => return Ok(Parameter::Text(fields.counted()?)),
        _ => return Err(Malformed),
    };
    Ok(Parameter::Value(value))
}

/// The double that prints the same digits: 0.1 stays 0.1.
fn widened(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn date_time(fields: &mut Fields<'_>, date_only: bool) -> Result<String, Malformed> {
    let count = fields.u8()?;
    if !matches!(count, 0 | 4 | 7 | 11) {
        return Err(Malformed);
    }
    let [year, month, day] = match count {
        0 => [0; 3],
        _ => [fields.u16()?, u16::from(fields.u8()?), u16::from(fields.u8()?)],
    };
    let [hour, minute, second] = if count >= 7 { fields.array()? } else { [0; 3] };
    let micros = if count == 11 { fields.u32()? } else { 0 };
    let date = format!("{year:04}-{month:02}-{day:02}");
    if date_only && count <= 4 {
        return Ok(date);
    }
    Ok(format!("{date} {hour:02}:{minute:02}:{second:02}{}", fraction(micros)))
}

fn time(fields: &mut Fields<'_>) -> Result<String, Malformed> {
    let count = fields.u8()?;
    if !matches!(count, 0 | 8 | 12) {
        return Err(Malformed);
    }
    if count == 0 {
        return Ok("00:00:00".into());
    }
    let sign = if fields.u8()? == 0 { "" } else { "-" };
    let days = fields.u32()?;
    let [hour, minute, second] = fields.array()?;
    let micros = if count == 12 { fields.u32()? } else { 0 };
    let hours = u64::from(days) * 24 + u64::from(hour);
    Ok(format!("{sign}{hours:02}:{minute:02}:{second:02}{}", fraction(micros)))
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

/// A row in the binary form, each value as its column says.
pub(super) fn row(out: &mut BytesMut, columns: &[Column], row: &[Value]) {
    // The map of NULLs begins at bit 2.
    let mut nulls = vec![0u8; (columns.len() + 2).div_ceil(8)];
    let start = out.len() + 1;
    out.put_u8(0);
    out.put_slice(&nulls);
    for (place, column) in columns.iter().enumerate() {
        if !row.get(place).is_some_and(|value| put_value(out, column.kind, value)) {
            nulls[(place + 2) / 8] |= 1 << ((place + 2) % 8);
        }
    }
    out[start..start + nulls.len()].copy_from_slice(&nulls);
}

/// Answers whether there was something to write, or the value is NULL.
fn put_value(out: &mut BytesMut, kind: ColumnKind, value: &Value) -> bool {
    if *value == Value::Null {
        return false;
    }
    match kind {
        ColumnKind::Integer => out.put_i64_le(integer(value)),
        ColumnKind::Unsigned => out.put_u64_le(unsigned(value)),
        ColumnKind::Real => out.put_f64_le(real(value)),
        ColumnKind::ShortText | ColumnKind::LongText => match text(value) {
            Some(text) => put_counted(out, text.as_bytes()),
            None => return false,
        },
        ColumnKind::DateTime => return put_date_time(out, value),
    }
    true
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => *number,
        Value::Unsigned(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        Value::Real(number) => *number as i64,
        Value::Text(text) => text.trim().parse().unwrap_or(0),
        Value::Null => 0,
    }
}

fn unsigned(value: &Value) -> u64 {
    match value {
        Value::Unsigned(number) => *number,
        Value::Text(text) => text.trim().parse().unwrap_or(0),
        other => u64::try_from(integer(other)).unwrap_or(0),
    }
}

fn real(value: &Value) -> f64 {
    match value {
        Value::Real(number) => *number,
        Value::Unsigned(number) => *number as f64,
        Value::Text(text) => text.trim().parse().unwrap_or(0.0),
        other => integer(other) as f64,
    }
}

/// `YYYY-MM-DD hh:mm:ss` as MySQL packs it; a text that is no date is written as the zero date.
fn put_date_time(out: &mut BytesMut, value: &Value) -> bool {
    let Some(text) = text(value) else { return false };
    let mut numbers = text.split(['-', ' ', ':', 'T', '.']).map(|part| part.parse::<u16>().ok());
    let mut next = || numbers.next().flatten().unwrap_or(0);
    let year = next();
    let [month, day, hour, minute, second] = [next(), next(), next(), next(), next()].map(|number| number as u8);
    if (year, month, day) == (0, 0, 0) {
        out.put_u8(0);
        return true;
    }
    out.put_u8(7);
    out.put_u16_le(year);
    out.put_slice(&[month, day, hour, minute, second]);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use ColumnType::*;

    fn read(kind: ColumnType, unsigned: bool, bytes: &[u8]) -> Result<Parameter<'_>, Malformed> {
        let mut fields = Fields::new(bytes);
        let parameter = parameter(&mut fields, ParameterType { kind, unsigned });
        assert!(parameter.is_err() || fields.is_empty());
        parameter
    }

    #[test]
    fn parameters_of_every_width_are_read() {
        let ones = [0xFF; 8];
        let cases = [
            (MYSQL_TYPE_TINY, false, &ones[..1], Value::Integer(-1)),
            (MYSQL_TYPE_TINY, true, &ones[..1], Value::Unsigned(255)),
            (MYSQL_TYPE_SHORT, false, &ones[..2], Value::Integer(-1)),
            (MYSQL_TYPE_SHORT, true, &ones[..2], Value::Unsigned(65_535)),
            (MYSQL_TYPE_YEAR, false, &[0xE8, 7], Value::Unsigned(2_024)),
            (MYSQL_TYPE_LONG, false, &ones[..4], Value::Integer(-1)),
            (MYSQL_TYPE_INT24, true, &ones[..4], Value::Unsigned(u64::from(u32::MAX))),
            (MYSQL_TYPE_LONGLONG, false, &ones, Value::Integer(-1)),
            (MYSQL_TYPE_LONGLONG, true, &ones, Value::Unsigned(u64::MAX)),
            (MYSQL_TYPE_FLOAT, false, &0.1f32.to_le_bytes(), Value::Real(0.1)),
            (MYSQL_TYPE_DOUBLE, false, &0.1f64.to_le_bytes(), Value::Real(0.1)),
            (MYSQL_TYPE_NULL, false, &[], Value::Null),
            (MYSQL_TYPE_DATE, false, b"\x04\xe8\x07\x0b\x18", Value::Text("2024-11-24".into())),
            (MYSQL_TYPE_DATETIME, false, b"\x04\xe8\x07\x0b\x18", Value::Text("2024-11-24 00:00:00".into())),
            (
                MYSQL_TYPE_TIMESTAMP,
                false,
                b"\x0b\xe8\x07\x0b\x18\x01\x02\x03\x07\0\0\0",
                Value::Text("2024-11-24 01:02:03.000007".into()),
            ),
            (MYSQL_TYPE_DATETIME, false, b"\0", Value::Text("0000-00-00 00:00:00".into())),
            (MYSQL_TYPE_TIME, false, b"\x08\x01\x01\0\0\0\x02\x03\x04", Value::Text("-26:03:04".into())),
            (MYSQL_TYPE_TIME, false, b"\0", Value::Text("00:00:00".into())),
        ];
        for (kind, unsigned, bytes, value) in cases {
            for short in 0..bytes.len() {
                assert_eq!(read(kind, unsigned, &bytes[..short]), Err(Malformed), "{kind:?} cut at {short}");
            }
            assert_eq!(read(kind, unsigned, bytes), Ok(Parameter::Value(value)));
        }
        assert_eq!(read(MYSQL_TYPE_BLOB, false, b"\x02ab"), Ok(Parameter::Text(b"ab")));
        assert_eq!(read(MYSQL_TYPE_STRING, false, b"\xfd\xff\xff\xffab"), Err(Malformed));
        assert_eq!(read(MYSQL_TYPE_DATETIME, false, b"\x05\0\0\0\0\0"), Err(Malformed));
        assert_eq!(read(MYSQL_TYPE_TIMESTAMP2, false, b"\0\0\0\0\0\0"), Err(Malformed));
    }

    #[test]
    fn a_binary_row_has_a_map_of_nulls_and_values_as_their_columns_say() {
        let kinds = [
            ColumnKind::Integer,
            ColumnKind::ShortText,
            ColumnKind::Unsigned,
            ColumnKind::Real,
            ColumnKind::LongText,
            ColumnKind::DateTime,
            ColumnKind::Integer,
        ];
        let columns = kinds.map(|kind| Column {
            name: String::new(),
            original_name: String::new(),
            table: String::new(),
            kind,
            nullable: true,
            primary: false,
        });
        let values = [
            Value::Text("-2".into()),
            Value::Null,
            Value::Integer(3),
            Value::Real(0.5),
            Value::Integer(12),
            Value::Text("2024-11-24 01:02:03".into()),
        ];
        let mut out = BytesMut::new();
        row(&mut out, &columns, &values);
        // Bit 3 is the text's, bit 8 that of the value that is missing.
        let mut expected = vec![0, 0b0000_1000, 0b0000_0001];
        expected.extend_from_slice(&(-2i64).to_le_bytes());
        expected.extend_from_slice(&3u64.to_le_bytes());
        expected.extend_from_slice(&0.5f64.to_le_bytes());
        expected.extend_from_slice(b"\x0212\x07\xe8\x07\x0b\x18\x01\x02\x03");
        assert_eq!(out, expected);
    }
}
