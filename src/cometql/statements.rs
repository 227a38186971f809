//! Several statements in one text, each parsed when its turn comes.

use std::ops::Range;

use super::lexer::Kind;
use super::mistake::{Mistake, Parsed, SyntaxError};
use super::parser::Parser;
use super::{Dialect, Statement};

/// Statements in one text.
pub const STATEMENTS_MAX: usize = 65_536;

/// All statements of a text, or its first mistake. Blanks, comments and empty statements give none.
pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Statement>, SyntaxError> {
    Statements::new(text, dialect).collect()
}

/// The one statement of a text that is prepared, and how many `?` it has.
pub fn prepare(text: &str, dialect: Dialect) -> Result<(Statement, usize), SyntaxError> {
    let mut statements = Statements::new(text, dialect);
    let error = |message: &str, at| Err(SyntaxError::new(&Mistake { message: message.into(), at }, text));
    let Some(statement) = statements.next().transpose()? else {
        return error("expected a statement to prepare, found nothing", 0);
    };
    let (parameters, end) = (statements.parameters(), statements.range().end);
    if statements.next().is_some() {
        return error("expected one statement to prepare, found several", end);
    }
    Ok((statement, parameters))
}

/// Yields one statement after the other, so that those before a mistake can run; ends after a mistake.
pub struct Statements<'a> {
    parser: Parser<'a>,
    range: Range<usize>,
    count: usize,
    failed: bool,
}

impl<'a> Statements<'a> {
    pub fn new(text: &'a str, dialect: Dialect) -> Statements<'a> {
        Statements { parser: Parser::new(text, dialect), range: 0..0, count: 0, failed: false }
    }

    /// How many `?` the statement yielded last has.
    pub fn parameters(&self) -> usize {
        self.parser.parameters
    }

    /// Where in the text the statement yielded last stands, without its `;`.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Is there nothing after the statement yielded last but `;`, blanks and comments?
    pub fn is_last(&self) -> bool {
        let mut parser = self.parser;
        while parser.skip(Kind::Semicolon) {}
        self.failed || parser.token.kind == Kind::End || self.is_stray_quote(&parser)
    }

    fn parse_next(&mut self) -> Parsed<Option<Statement>> {
        while self.parser.skip(Kind::Semicolon) {}
        if self.parser.token.kind == Kind::End || self.is_stray_quote(&self.parser) {
            return Ok(None);
        }
        if self.count == STATEMENTS_MAX {
            return Err(self.parser.mistake(format!("more than {STATEMENTS_MAX} statements in one text")));
        }
        self.count += 1;
        self.parser.begin_statement();
        let start = self.parser.token.start;
        let statement = self.parser.statement()?;
        self.range = start..self.parser.read_to;
        self.parser.expect_end()?;
        Ok(Some(statement))
    }

    /// Programs of the original's time send `INSERT …;'`.
    fn is_stray_quote(&self, parser: &Parser<'_>) -> bool {
        let rest = parser.text.get(parser.token.start..).unwrap_or("");
        self.count > 0 && matches!(parser.token.kind, Kind::Endless(_)) && matches!(rest.trim_end(), "'" | "\"")
    }
}

impl Iterator for Statements<'_> {
    type Item = Result<Statement, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.parse_next() {
            Ok(statement) => statement.map(Ok),
            Err(mistake) => {
                self.failed = true;
                Some(Err(SyntaxError::new(&mistake, self.parser.text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PARAMETERS_MAX, Transaction};
    use super::*;

    /// One word a statement, and how it ends.
    fn run(text: &str) -> String {
        let words = Statements::new(text, Dialect::default()).map(|statement| match statement {
            Ok(Statement::Transaction(Transaction::Begin)) => "begin".into(),
            Ok(Statement::Transaction(Transaction::Commit)) => "commit".into(),
            Ok(Statement::Set(_)) => "set".into(),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.message,
        });
        words.collect::<Vec<String>>().join("; ")
    }

    #[test]
    fn statements_run_one_after_the_other() {
        for (text, expected) in [
            ("", ""),
            (" \n\t\0", ""),
            (";;; ; ", ""),
            ("/* nothing */ -- at all", ""),
            ("begin", "begin"),
            (";begin;;commit;", "begin; commit"),
            ("begin;set a=1;start transaction", "begin; set; begin"),
            ("begin;'", "begin"),
            ("begin;\"\n", "begin"),
            ("begin;;' ", "begin"),
            ("begin'", "the string in quotes that begins with \"'\" has no end at line 1, column 6"),
            ("'", "the string in quotes that begins with \"'\" has no end at line 1, column 1"),
            ("begin; 'x", "begin; the string in quotes that begins with \"'x\" has no end at line 1, column 8"),
            (
                "begin;\nwrong;commit",
                "begin; expected a statement (INSERT, SELECT, DELETE, UPDATE, SHOW, SET, …), \
              found \"wrong\" at line 2, column 1",
            ),
            ("begin work or not; commit", "expected the end of the statement, found \"or\" at line 1, column 12"),
            ("create table t (a int)", "a CREATE statement is not supported at line 1, column 1"),
            ("load data local infile 'x'", "a LOAD statement is not supported at line 1, column 1"),
            ("(select 1)", "a statement in brackets is not supported at line 1, column 1"),
            ("delete t from t", "expected FROM, found \"t\" at line 1, column 8"),
            (
                "commit /* without an end",
                "the comment that begins with \"/* without an end\" has no end at line 1, \
              column 8",
            ),
        ] {
            assert_eq!(run(text), expected, "{text}");
        }
    }

    #[test]
    fn each_statement_has_its_range_and_its_parameters() {
        let text = " begin ; select ?, ?;select ? ;";
        let mut statements = Statements::new(text, Dialect::default());
        for (range, parameters, last) in [("begin", 0, false), ("select ?, ?", 2, false), ("select ?", 1, true)] {
            statements.next().unwrap().unwrap();
            assert_eq!(&text[statements.range()], range);
            assert_eq!((statements.parameters(), statements.is_last()), (parameters, last));
        }
        assert!(statements.next().is_none());
    }

    #[test]
    fn one_statement_is_prepared() {
        assert_eq!(prepare("select ? + ?;", Dialect::default()).unwrap().1, 2);
        for text in ["", ";", "begin; commit", "begin; wrong"] {
            assert!(prepare(text, Dialect::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_counted_has_its_limit() {
        let statement = |parameters| format!("select {}?", "?,".repeat(parameters - 1));
        assert_eq!(prepare(&statement(PARAMETERS_MAX), Dialect::default()).unwrap().1, PARAMETERS_MAX);
        assert!(prepare(&statement(PARAMETERS_MAX + 1), Dialect::default()).is_err());
        assert_eq!(
            parse(&"begin;".repeat(STATEMENTS_MAX), Dialect::default()).map(|all| all.len()),
            Ok(STATEMENTS_MAX)
        );
        assert!(parse(&"begin;".repeat(STATEMENTS_MAX + 1), Dialect::default()).is_err());
    }
}
