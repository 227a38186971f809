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
