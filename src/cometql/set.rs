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
            _ => {
                let first = self.name("the name of a variable")?;
                self.rest_of_column(first)?.column.text.to_ascii_lowercase()
            }
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

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Expression, parse, prepare};
    use super::*;

    /// The names that are set; a dash stands for what is ignored.
    fn names(text: &str) -> Result<String, String> {
        let statement = parse(text, Dialect::default()).map_err(|error| error.message)?.remove(0);
        let Statement::Set(assignments) = statement else { panic!("{statement:?}") };
        let name = |assignment| match assignment {
            Assignment::Variable { name, .. } => name,
            Assignment::Ignored => "-".into(),
        };
        Ok(assignments.into_iter().map(name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_list_is_read_item_by_item() {
        for (text, expected) in [
            ("SET NAMES utf8mb4 COLLATE 'x', autocommit=1", "- autocommit"),
            ("SET sql_mode=(SELECT CONCAT(@@sql_mode, ',x')),time_zone='+00:00',NAMES utf8mb4", "sql_mode time_zone -"),
            ("SET @a = (1, 2), @@SESSION.B := 2, GLOBAL c = ON, `D` = DEFAULT", "- b c d"),
            ("SET a = CASE 1 WHEN (3, 4) END, b = 1", "- b"),
            ("SET SESSION TRANSACTION READ ONLY, x = 1", "-"),
            ("SET names = 1, session = 2, transaction = 3", "names session transaction"),
            ("SET a b, @@c d, GLOBAL e f, g h i", "a c e -"),
            ("SET a.b = 1", "b"),
        ] {
            assert_eq!(names(text), Ok(expected.into()), "{text}");
        }
    }

    #[test]
    fn a_value_keeps_what_it_says() {
        let statement = parse("SET autocommit = OFF", Dialect::default()).unwrap().remove(0);
        let Statement::Set(assignments) = statement else { panic!("{statement:?}") };
        let [Assignment::Variable { value: Expression::Column(name), .. }] = &assignments[..] else { panic!() };
        assert_eq!(name.column.text, "OFF");
    }

    #[test]
    fn a_parameter_that_is_passed_over_counts() {
        assert_eq!(prepare("SET a = ? ? ?, NAMES ?", Dialect::default()).unwrap().1, 4);
    }

    #[test]
    fn a_mistake_says_what_was_expected() {
        for (text, expected) in [
            ("SET", "expected the name of a variable, found the end of the text at line 1, column 4"),
            ("SET a", "expected = and a value, found the end of the text at line 1, column 6"),
            ("SET a = , b = 1", "expected a value, found \",\" at line 1, column 9"),
            ("SET a = 'x", "the string in quotes that begins with \"'x\" has no end at line 1, column 9"),
            ("SET STATEMENT a=1 FOR SELECT 1", "SET STATEMENT is not supported at line 1, column 5"),
            ("SET PASSWORD = 'x'", "SET PASSWORD is not supported at line 1, column 5"),
        ] {
            assert_eq!(names(text), Err(expected.into()), "{text}");
        }
    }
}
