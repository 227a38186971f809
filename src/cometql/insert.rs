//! INSERT and REPLACE.

use super::lexer::Kind;
use super::mistake::Parsed;
use super::parser::Parser;
use super::{Change, ColumnName, Expression, Identifier, Insert, InsertVerb};

impl Parser<'_> {
    /// The token is INSERT or REPLACE.
    pub fn insert(&mut self) -> Parsed<Insert> {
        let first = self.next();
        let mut verb = if first.is("REPLACE") { InsertVerb::Replace } else { InsertVerb::Insert };
        self.skip_words(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"]);
        if verb == InsertVerb::Insert && self.skip_word("IGNORE") {
            verb = InsertVerb::InsertIgnore;
        }
        self.skip_word("INTO");
        let table = self.table_name()?;
        let (columns, rows) = if self.skip_word("SET") {
            let (columns, row) = self.assigned_row()?;
            (Some(columns), vec![row])
        } else {
            let columns = self.column_list()?;
            (columns, self.values()?)
        };
        let on_duplicate = self.on_duplicate()?;
        Ok(Insert { table, verb, columns, rows, on_duplicate, place: first.place() })
    }

    /// `(name, event)`; `()` is a list, too.
    fn column_list(&mut self) -> Parsed<Option<Vec<Identifier>>> {
        if !self.skip(Kind::Open) {
            return Ok(None);
        }
        if self.token.is("SELECT") {
            return Err(self.unsupported("INSERT … SELECT"));
        }
        let mut columns = Vec::with_capacity(4);
        if self.skip(Kind::Close) {
            return Ok(Some(columns));
        }
        loop {
            columns.push(self.column_name()?.column);
            if self.skip(Kind::Close) {
                return Ok(Some(columns));
            }
            self.expect(Kind::Comma, ", or ) in the column list")?;
        }
    }

    fn values(&mut self) -> Parsed<Vec<Vec<Expression>>> {
        if self.token.is("SELECT") {
            return Err(self.unsupported("INSERT … SELECT"));
        }
        if !self.skip_words(&["VALUES", "VALUE"]) {
            return Err(self.expected("VALUES or SET"));
        }
        let mut rows = Vec::with_capacity(1);
        loop {
            self.skip_word("ROW");
            self.expect(Kind::Open, "( before a row of values")?;
            rows.push(self.row()?);
            if !self.skip(Kind::Comma) {
                return Ok(rows);
            }
        }
    }

    /// What stands behind the opening bracket of a row, and its closing bracket.
    fn row(&mut self) -> Parsed<Vec<Expression>> {
        self.count_part()?;
        let mut row = Vec::with_capacity(4);
        if self.skip(Kind::Close) {
            return Ok(row);
        }
        loop {
            row.push(self.expression()?);
            if self.skip(Kind::Close) {
                return Ok(row);
            }
            self.expect(Kind::Comma, ", or ) in the row of values")?;
        }
    }

    /// INSERT … SET name = 'x', …
    fn assigned_row(&mut self) -> Parsed<(Vec<Identifier>, Vec<Expression>)> {
        Ok(self.changes()?.into_iter().map(|change| (change.column.column, change.value)).unzip())
    }

    fn on_duplicate(&mut self) -> Parsed<Vec<Change>> {
        if self.skip_word("AS") {
            let start = self.token;
            self.name("an alias of the new row")?;
            self.new_row = Some(start.text);
            if self.token.kind == Kind::Open {
                return Err(self.unsupported("a column list behind the alias of the new row"));
            }
        }
        if !self.skip_word("ON") {
            return Ok(Vec::new());
        }
        for keyword in ["DUPLICATE", "KEY", "UPDATE"] {
            self.expect_word(keyword)?;
        }
        self.changes()
    }

    /// `column = value, …`
    pub fn changes(&mut self) -> Parsed<Vec<Change>> {
        let mut changes = Vec::new();
        loop {
            let column: ColumnName = self.column_name()?;
            if !self.skip(Kind::Assign) {
                self.expect(Kind::Equal, "= after the name of a column")?;
            }
            changes.push(Change { column, value: self.expression()? });
            if !self.skip(Kind::Comma) {
                return Ok(changes);
            }
        }
    }
}
