//! SELECT DISTINCT: of equal rows the first.

use std::collections::HashSet;

use super::errors::conditions;
use super::sort::SORT_BYTES_MAX;
use super::table::ROWS_MAX;
use super::value::text_of;
use super::{SqlError, Value};

/// The rows that have been there.
#[derive(Default)]
pub(super) struct Seen {
    rows: HashSet<Vec<Option<String>>>,
    bytes: usize,
}

impl Seen {
    /// Whether no row like this one has been there.
    pub fn is_new(&mut self, row: &[Value]) -> Result<bool, SqlError> {
        let row: Vec<Option<String>> = row.iter().map(text_of).collect();
        let bytes: usize = row.iter().map(|text| size_of::<String>() + text.as_ref().map_or(0, String::len)).sum();
        let is_new = self.rows.insert(row);
        if is_new {
            self.bytes += bytes;
        }
        if self.rows.len() > ROWS_MAX || self.bytes > SORT_BYTES_MAX {
            return Err(conditions(format!(
                "SELECT DISTINCT tells at most {ROWS_MAX} rows of {SORT_BYTES_MAX} bytes apart: ask for fewer with WHERE"
            )));
        }
        Ok(is_new)
    }
}
