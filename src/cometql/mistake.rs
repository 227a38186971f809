//! What was expected, and where.

use std::error::Error;
use std::fmt;

use super::Place;

/// Why a text is no statement: what was expected and what stood there instead, with its line and column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    pub message: String,
    pub place: Place,
}

impl SyntaxError {
    /// Lines and columns count from 1; a column is a character.
    pub(super) fn new(mistake: &Mistake, text: &str) -> SyntaxError {
        let before = text.get(..mistake.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        SyntaxError {
            message: format!("{} at line {line}, column {column}", mistake.message),
            place: Place(u32::try_from(mistake.at).unwrap_or(u32::MAX)),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Syntax error in query: {}", self.message)
    }
}

impl Error for SyntaxError {}

/// A mistake whose line is not counted yet: SET forgives most of them, and counting costs a walk over the text.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub message: String,
    /// A byte offset.
    pub at: usize,
}

pub(super) type Parsed<T> = Result<T, Mistake>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_lines_and_characters() {
        for (text, at, place) in [
            ("", 0, "line 1, column 1"),
            ("ab", 2, "line 1, column 3"),
            ("a\nяb", 4, "line 2, column 2"),
            ("a\n", 2, "line 2, column 1"),
            ("a", 99, "line 1, column 2"),
        ] {
            let error = SyntaxError::new(&Mistake { message: "expected x".into(), at }, text);
            assert_eq!(error.to_string(), format!("Syntax error in query: expected x at {place}"));
        }
    }
}
