//! What EXECUTE carries: the values of the parameters.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>

use mysql_common::constants::{ColumnType, CursorType};

use crate::tables::{SqlError, Value};

use super::binary::{Parameter, ParameterType, parameter};
use super::fields::{Fields, Malformed};
use super::prepared::LongData;
use super::query::utf8;

const UNSIGNED: u8 = 0x80;

/// The part of EXECUTE that says which statement.
pub(super) struct Execute<'p> {
    pub statement: u32,
    /// The client wants to fetch the rows piece by piece.
    pub wants_cursor: bool,
    /// Values follow, if the statement has parameters.
    pub values: Fields<'p>,
}

pub(super) fn parse(payload: &[u8]) -> Result<Execute<'_>, Malformed> {
    let mut fields = Fields::new(payload);
    let statement = fields.u32()?;
    let wants_cursor = CursorType::from_bits_retain(fields.u8()?).contains(CursorType::CURSOR_TYPE_READ_ONLY);
    // The number of runs: always 1.
    fields.u32()?;
    Ok(Execute { statement, wants_cursor, values: fields })
}

/// Reads the values of `count` parameters. `types` are those of the last run; those that come replace them.
pub(super) fn values(
    fields: &mut Fields<'_>,
    count: usize,
    types: &mut Vec<ParameterType>,
    long_data: &LongData,
) -> Result<Vec<Value>, SqlError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let nulls = fields.bytes(count.div_ceil(8)).map_err(malformed)?;
    match fields.u8().map_err(malformed)? {
        0 if types.len() == count => {}
        0 => return Err(incorrect("the types of the parameters were never sent")),
        _ => *types = new_types(fields, count)?,
    }
    let mut values = Vec::with_capacity(count);
    for (place, of) in types.iter().enumerate() {
        let long = u16::try_from(place).ok().and_then(|place| long_data.parameters.get(&place));
        let value = match long {
            Some(bytes) => Value::Text(utf8_parameter(bytes, place)?),
            None if nulls[place / 8] & (1 << (place % 8)) != 0 => Value::Null,
            None => match parameter(fields, *of).map_err(malformed)? {
                Parameter::Value(value) => value,
                Parameter::Text(bytes) => Value::Text(utf8_parameter(bytes, place)?),
            },
        };
        values.push(value);
    }
    Ok(values)
}

fn new_types(fields: &mut Fields<'_>, count: usize) -> Result<Vec<ParameterType>, SqlError> {
    let bytes = fields.bytes(count * 2).map_err(malformed)?;
    let read = |pair: &[u8]| match *pair {
        [kind, flags] => match ColumnType::try_from(kind) {
            Ok(kind) => Ok(ParameterType { kind, unsigned: flags & UNSIGNED != 0 }),
            Err(_) => Err(incorrect(&format!("{kind} is no type of a parameter"))),
        },
        _ => Err(malformed(Malformed)),
    };
    bytes.chunks(2).map(read).collect()
}

fn utf8_parameter(bytes: &[u8], place: usize) -> Result<String, SqlError> {
    utf8(bytes, &format!("parameter {}", place + 1)).map(str::to_owned)
}

fn incorrect(why: &str) -> SqlError {
    SqlError::new(1210, "HY000", format!("Incorrect arguments to mysqld_stmt_execute: {why}"))
}

fn malformed(_: Malformed) -> SqlError {
    incorrect("the packet does not hold the values it announces")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LONG_DATA: LongData = LongData { parameters: std::collections::BTreeMap::new(), refused: None };

    fn read(bytes: &[u8], count: usize, types: &mut Vec<ParameterType>) -> Result<Vec<Value>, SqlError> {
        values(&mut Fields::new(bytes), count, types, &NO_LONG_DATA)
    }

    #[test]
    fn types_are_sent_once_and_kept() {
        let mut types = Vec::new();
        let first = b"\x02\x01\xfd\0\x03\0\x08\x80\x02hi\xff\xff\xff\xff\xff\xff\xff\xff";
        let expected = vec![Value::Text("hi".into()), Value::Null, Value::Unsigned(u64::MAX)];
        assert_eq!(read(first, 3, &mut types), Ok(expected));
        let second = b"\0\0\x02yo\x07\0\0\0\x01\0\0\0\0\0\0\0";
        let expected = vec![Value::Text("yo".into()), Value::Integer(7), Value::Unsigned(1)];
        assert_eq!(read(second, 3, &mut types), Ok(expected));
        assert_eq!(read(second, 3, &mut Vec::new()).expect_err("no types").code, 1210);
        assert_eq!(read(b"", 0, &mut Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn long_data_stands_for_a_value_that_is_not_in_the_packet() {
        let mut long_data = LongData::default();
        long_data.parameters.insert(0, b"long".to_vec());
        let bytes = b"\0\x01\xfc\0\x01\0\x05";
        let read = values(&mut Fields::new(bytes), 2, &mut Vec::new(), &long_data);
        assert_eq!(read, Ok(vec![Value::Text("long".into()), Value::Integer(5)]));
    }

    #[test]
    fn what_is_cut_or_no_utf_8_is_refused() {
        let whole = b"\0\x01\xfd\0\x03\0\x02hi\x07\0\0\0";
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut], 2, &mut Vec::new()).expect_err("it is cut").code, 1210, "at {cut}");
        }
        let error = read(b"\0\x01\xfd\0\x03a\xffb", 1, &mut Vec::new()).expect_err("0xFF is not UTF-8");
        assert_eq!(error.code, 1300);
        assert!(error.message.contains("byte 1 of parameter 1"), "{}", error.message);
        assert_eq!(read(b"\0\x01\xc8\0\0", 1, &mut Vec::new()).expect_err("no such type").code, 1210);
    }

    #[test]
    fn the_head_says_which_statement_and_whether_with_a_cursor() {
        let head = parse(b"\x07\0\0\0\x01\x01\0\0\0").expect("it is whole");
        assert_eq!((head.statement, head.wants_cursor, head.values.is_empty()), (7, true, true));
        assert!(parse(b"\x07\0\0\0\x01\x01\0\0").is_err());
    }
}
