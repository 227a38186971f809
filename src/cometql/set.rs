//! SET. Most of what clients set has no effect here, so what cannot be read in a value is passed over.

use super::lexer::Kind;
use super::literal::without_scope;
use super::mistake::Parsed;
use super::parser::Parser;
use super::{Assignment, Statement};

/// Words in front of a name, or of TRANSACTION.
const SCOPES: &[&str] = &["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"];

impl Parser<'_> {
    pub fn set(&mut self) -> Parsed<Statement> {
        self.next();
        if self.token.is_one_of(&["STATEMENT", "PASSWORD"]) {
            return Err(self.unsupported(&format!("SET {}", self.token.text.to_ascii_uppercase())));
        }
        let mut assignments = Vec::new();
        loop {
            self.count_part()?;
            assignments.push(self.assignment()?);
            if !self.skip(Kind::Comma) {
                return Ok(Statement::Set(assignments));
            }
        }
    }

    fn assignment(&mut self) -> Parsed<Assignment> {
        let named = !matches!(self.second().kind, Kind::Equal | Kind::Assign);
        if named && self.token.is_one_of(&["NAMES", "CHARACTER", "CHARSET", "CHAR"]) {
            return self.ignored();
        }
        if named && self.token.is_one_of(SCOPES) {
            self.next();
        }
        if self.token.is("TRANSACTION") && named {
            // Its words have commas of their own: ISOLATION LEVEL READ COMMITTED, READ ONLY.
            self.skip_statement()?;
            return Ok(Assignment::Ignored);
        }
        let place = self.token.place();
        let name = match self.token.kind {
            Kind::UserVariable => return self.ignored(),
            Kind::SystemVariable if !self.token.text.is_empty() => without_scope(self.next().text),
            _ => self.column_name()?.column.text.to_ascii_lowercase(),
        };
        if self.at_end() || self.token.kind == Kind::Comma {
            return Err(self.expected("= and a value"));
        }
        // The original took `SET name value`.
        if !self.skip(Kind::Equal) {
            self.skip(Kind::Assign);
        }
        let before = *self;
        match self.expression() {
            Ok(value) if self.at_end() || self.token.kind == Kind::Comma => {
                Ok(Assignment::Variable { name, value, place })
            }
            _ => {
                *self = before;
                self.ignored()
            }
        }
    }

    /// Skips to the next comma outside brackets.
    fn ignored(&mut self) -> Parsed<Assignment> {
        let start = self.token.start;
        let mut open = 0_usize;
        while !self.at_end() {
            match self.token.kind {
                Kind::Comma if open == 0 => break,
                Kind::Open => open += 1,
                Kind::Close => open = open.saturating_sub(1),
                _ => {}
            }
            self.skip_any()?;
        }
        if self.token.start == start { Err(self.expected("a value")) } else { Ok(Assignment::Ignored) }
    }
}
