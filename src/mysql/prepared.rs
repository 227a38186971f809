//! The prepared statements of one connection, and what was sent ahead for their next run.

use std::collections::{BTreeMap, HashMap};

use crate::cometql::Statement;
use crate::node::shortened;
use crate::tables::{Column, SqlError};

use super::binary::ParameterType;
use super::query::RowSource;
use super::{CURSORS_MAX, PREPARED_BYTES_MAX, PREPARED_STATEMENTS_MAX};

pub(super) struct Prepared {
    pub statement: Statement,
    pub parameters: usize,
    /// As the client last announced them: it says them once and then leaves them out.
    pub types: Vec<ParameterType>,
    pub long_data: LongData,
    pub cursor: Option<Cursor>,
    /// As much of its text as others may see.
    text: Box<str>,
    text_bytes: usize,
}

/// Rows of a statement that its client takes in pieces.
pub(super) struct Cursor {
    pub columns: Vec<Column>,
    pub rows: RowSource,
}

/// Parameters that came in pieces before EXECUTE.
#[derive(Default)]
pub(super) struct LongData {
    pub parameters: BTreeMap<u16, Vec<u8>>,
    /// SEND_LONG_DATA has no reply: what was wrong with it is said by EXECUTE.
    pub refused: Option<SqlError>,
}

impl LongData {
    fn bytes(&self) -> usize {
        self.parameters.values().map(Vec::len).sum()
    }
}

#[derive(Default)]
pub(super) struct PreparedStatements {
    by_id: HashMap<u32, Prepared>,
    last_id: u32,
    text_bytes: usize,
    long_data_bytes: usize,
}

impl PreparedStatements {
    /// Keeps a statement and answers its number.
    pub(super) fn add(&mut self, statement: Statement, parameters: usize, text: &str) -> Result<u32, SqlError> {
        let text_bytes = text.len();
        if self.by_id.len() >= PREPARED_STATEMENTS_MAX || self.text_bytes + text_bytes > PREPARED_BYTES_MAX {
            let message = format!(
                "Can't create more than max_prepared_stmt_count statements (current value: {PREPARED_STATEMENTS_MAX}, \
                 with texts of {PREPARED_BYTES_MAX} bytes together): close some"
            );
            return Err(SqlError::new(1461, "42000", message));
        }
        self.last_id = self.free_id();
        self.text_bytes += text_bytes;
        let (types, long_data) = (Vec::new(), LongData::default());
        let text = shortened(text).into();
        self.by_id
            .insert(self.last_id, Prepared { statement, parameters, types, long_data, cursor: None, text, text_bytes });
        Ok(self.last_id)
    }

    /// 0 and 2^32 - 1 mean something else to some clients.
    fn free_id(&self) -> u32 {
        let mut id = self.last_id;
        loop {
            id = id.wrapping_add(1);
            if !matches!(id, 0 | u32::MAX) && !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    pub(super) fn get(&mut self, id: u32, command: &str) -> Result<&mut Prepared, SqlError> {
        self.by_id.get_mut(&id).ok_or_else(|| unknown(id, command))
    }

    pub(super) fn text(&self, id: u32) -> Option<&str> {
        self.by_id.get(&id).map(|prepared| &*prepared.text)
    }

    pub(super) fn close(&mut self, id: u32) {
        if let Some(closed) = self.by_id.remove(&id) {
            self.text_bytes -= closed.text_bytes;
            self.long_data_bytes -= closed.long_data.bytes();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = PreparedStatements { last_id: self.last_id, ..PreparedStatements::default() };
    }

    /// Takes a piece of a parameter; all pieces together may have `bytes_max`.
    pub(super) fn append(&mut self, id: u32, parameter: u16, bytes: &[u8], bytes_max: usize) {
        let Some(prepared) = self.by_id.get_mut(&id) else { return };
        if usize::from(parameter) >= prepared.parameters {
            prepared.long_data.refused = Some(SqlError::new(
                1210,
                "HY000",
                format!("Incorrect arguments to mysqld_stmt_send_long_data: there is no parameter {parameter}"),
            ));
        } else if self.long_data_bytes + bytes.len() > bytes_max {
            prepared.long_data.refused = Some(SqlError::new(
                1153,
                "08S01",
                format!("Got a packet bigger than 'max_allowed_packet' bytes: {bytes_max}, in pieces"),
            ));
        } else {
            self.long_data_bytes += bytes.len();
            prepared.long_data.parameters.entry(parameter).or_default().extend_from_slice(bytes);
        }
    }

    /// What was sent ahead for a statement; it is forgotten.
    pub(super) fn take_long_data(&mut self, id: u32) -> LongData {
        let taken = self.by_id.get_mut(&id).map(|prepared| std::mem::take(&mut prepared.long_data));
        let taken = taken.unwrap_or_default();
        self.long_data_bytes -= taken.bytes();
        taken
    }

    /// Whether one more cursor may be open.
    pub(super) fn may_open_cursor(&self) -> Result<(), SqlError> {
        let open = self.by_id.values().filter(|prepared| prepared.cursor.is_some()).count();
        if open < CURSORS_MAX {
            return Ok(());
        }
        let message = format!("More than {CURSORS_MAX} cursors are open in this connection: fetch or close some");
        Err(SqlError::new(1461, "42000", message))
    }
}

fn unknown(id: u32, command: &str) -> SqlError {
    SqlError::new(1243, "HY000", format!("Unknown prepared statement handler ({id}) given to {command}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_numbered_counted_and_forgotten() {
        let mut statements = PreparedStatements::default();
        let first = statements.add(Statement::Nothing, 0, "SELECT ?+?").expect("there is room");
        let second =
            statements.add(Statement::Nothing, 0, &"x".repeat(PREPARED_BYTES_MAX - 10)).expect("there is room");
        assert_eq!((first, second), (1, 2));
        assert_eq!(statements.add(Statement::Nothing, 0, ";").expect_err("it is too long").code, 1461);
        statements.close(second);
        for _ in 1..PREPARED_STATEMENTS_MAX {
            statements.add(Statement::Nothing, 0, ";").expect("there is room");
        }
        assert_eq!(statements.add(Statement::Nothing, 0, ";").expect_err("they are too many").code, 1461);
        statements.clear();
        assert_eq!(statements.get(1, "mysqld_stmt_execute").err().expect("it is gone").code, 1243);
        assert_eq!(statements.text_bytes, 0);
    }

    #[test]
    fn pieces_of_parameters_are_joined_and_bounded() {
        let mut statements = PreparedStatements::default();
        let id = statements.add(Statement::Nothing, 2, ";").expect("there is room");
        for piece in ["ab", "", "cd"] {
            statements.append(id, 1, piece.as_bytes(), 6);
        }
        statements.append(99, 1, b"nobody's", 6);
        let long_data = statements.take_long_data(id);
        assert_eq!(long_data.parameters.get(&1).map(Vec::as_slice), Some(&b"abcd"[..]));
        assert_eq!(long_data.refused, None);
        statements.append(id, 0, b"abcdef", 6);
        statements.append(id, 0, b"g", 6);
        assert_eq!(statements.take_long_data(id).refused.map(|error| error.code), Some(1153));
        statements.append(id, 2, b"", 6);
        assert_eq!(statements.take_long_data(id).refused.map(|error| error.code), Some(1210));
        assert_eq!(statements.long_data_bytes, 0);
    }
}
