//! What the columns of an expression may be called.

use super::SqlError;
use super::errors::{column_without_table, unknown_column};
use super::table::Heading;
use super::walk::children;
use crate::cometql::{ColumnName, Expression, Operator};

/// The columns an expression can name.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The table's name, for messages and for `table.column`; empty when nothing is read.
    pub table: String,
    pub alias: Option<String>,
    pub headings: Vec<Heading>,
    /// A view of information_schema that is always empty has every column one asks for.
    pub any_column: bool,
}

impl Scope {
    /// Of a SELECT without FROM.
    pub fn nothing() -> Scope {
        Scope { table: String::new(), alias: None, headings: Vec::new(), any_column: false }
    }

    pub fn index(&self, name: &ColumnName) -> Option<usize> {
        if name.table.as_ref().is_some_and(|table| !self.is_called(&table.text)) {
            return None;
        }
        self.headings.iter().position(|heading| heading.name.eq_ignore_ascii_case(&name.column.text))
    }

    pub fn is_called(&self, table: &str) -> bool {
        self.table.eq_ignore_ascii_case(table)
            || self.alias.as_ref().is_some_and(|alias| alias.eq_ignore_ascii_case(table))
    }

    /// Fails on the first column the scope does not have.
    pub fn check(&self, expression: &Expression) -> Result<(), SqlError> {
        match expression {
            Expression::Column(name) => self.require(name),
            Expression::Binary { operator: Operator::Equal, left, right } if self.is_bare_word(right) => {
                self.check(left)?;
                if self.names_column(left) { Ok(()) } else { self.check(right) }
            }
            Expression::In { value, list, .. } => {
                self.check(value)?;
                let words = self.names_column(value);
                list.iter().filter(|item| !(words && self.is_bare_word(item))).try_for_each(|item| self.check(item))
            }
            other => children(other).into_iter().try_for_each(|child| self.check(child)),
        }
    }

    fn require(&self, name: &ColumnName) -> Result<(), SqlError> {
        if self.any_column || self.index(name).is_some() {
            return Ok(());
        }
        if self.headings.is_empty() {
            return Err(column_without_table(&name.column.text));
        }
        let columns: Vec<&str> = self.headings.iter().map(|heading| &*heading.name).collect();
        let asked = match &name.table {
            Some(table) => format!("{}.{}", table.text, name.column.text),
            None => name.column.text.clone(),
        };
        Err(unknown_column(&asked, &self.table, &columns))
    }

    fn names_column(&self, expression: &Expression) -> bool {
        matches!(expression, Expression::Column(name) if self.any_column || self.index(name).is_some())
    }

    /// `WHERE name = abc`: the original took a bare word for a text, and so does a comparison with a column.
    fn is_bare_word(&self, expression: &Expression) -> bool {
        matches!(expression, Expression::Column(name) if name.table.is_none() && self.index(name).is_none())
    }
}
