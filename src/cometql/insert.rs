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

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Place, Statement, SyntaxError, parse};
    use super::*;

    fn insert(text: &str) -> Result<Insert, SyntaxError> {
        match parse(text, Dialect::default())?.remove(0) {
            Statement::Insert(insert) => Ok(insert),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_insert_keeps_columns_rows_and_places() {
        let insert = insert("INSERT INTO `db`.pipes (\"name\", 'a``b', t.`c``d`)VALUES('x', 1, ?), (?, NULL)").unwrap();
        assert_eq!(insert.table.database.map(|name| name.text).as_deref(), Some("db"));
        assert_eq!(insert.table.table, Identifier { text: "pipes".into(), place: Place(17) });
        let columns: Vec<String> = insert.columns.unwrap().into_iter().map(|column| column.text).collect();
        assert_eq!(columns, ["name", "a``b", "c`d"]);
        assert_eq!(insert.rows.len(), 2);
        assert_eq!(insert.rows[0][2], Expression::Parameter(0, Place(64)));
        assert_eq!(insert.rows[1], [Expression::Parameter(1, Place(69)), Expression::Null(Place(72))]);
    }

    #[test]
    fn the_verb_and_the_duplicates_are_told() {
        assert_eq!(insert("replace t values (1)").unwrap().verb, InsertVerb::Replace);
        assert_eq!(insert("insert ignore t values (1)").unwrap().verb, InsertVerb::InsertIgnore);
        let by_function = insert("insert t (a) values (1) on duplicate key update a = values(a)").unwrap();
        let by_alias = insert("insert t (a) values (1) as new on duplicate key update a = new.a").unwrap();
        for insert in [by_function, by_alias] {
            let [Change { value: Expression::Call { function, arguments, .. }, .. }] = &insert.on_duplicate[..] else {
                panic!("{insert:?}")
            };
            assert_eq!(function, "values");
            assert!(matches!(&arguments[..], [Expression::Column(ColumnName { table: None, .. })]));
        }
        let assigned = insert("insert into t set a = 1, b = default").unwrap();
        assert_eq!((assigned.columns.unwrap().len(), assigned.rows[0].len()), (2, 2));
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (text, expected) in [
            (
                "INSERT INTO t (name, event)\n VALEUS ('a')",
                "expected VALUES or SET, found \"VALEUS\" at line 2, column 2",
            ),
            ("INSERT INTO (a)", "expected the name of a table, found \"(\" at line 1, column 13"),
            ("INSERT INTO t (a b)", "expected , or ) in the column list, found \"b\" at line 1, column 18"),
            ("INSERT INTO t VALUES 1", "expected ( before a row of values, found \"1\" at line 1, column 22"),
            ("INSERT INTO t VALUES (1 2)", "expected , or ) in the row of values, found \"2\" at line 1, column 25"),
            (
                "INSERT INTO t VALUES (1),",
                "expected ( before a row of values, found the end of the text at line 1, column 26",
            ),
            ("INSERT INTO t SELECT 1", "INSERT … SELECT is not supported at line 1, column 15"),
            ("INSERT INTO t VALUES (1) RETURNING a", "RETURNING is not supported at line 1, column 26"),
            ("INSERT INTO t VALUES (1) ON KEY", "expected DUPLICATE, found \"KEY\" at line 1, column 29"),
            ("INSERT INTO t VALUES ('it's')", "expected , or ) in the row of values, found \"s\" at line 1, column 27"),
        ] {
            assert_eq!(insert(text).map_err(|error| error.message), Err(expected.into()), "{text}");
        }
    }
}
