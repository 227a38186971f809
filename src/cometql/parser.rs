//! Where the parser stands: the token to be read next, and what every statement needs from it.

use super::lexer::{Kind, Lexer, Token};
use super::mistake::{Mistake, Parsed};
use super::{ColumnName, Dialect, Identifier, TableName, Text};

/// Brackets, signs and NOTs inside one another. A tree deeper than the stack could not be dropped.
pub const EXPRESSION_DEPTH_MAX: usize = 64;

/// MySQL counts the `?` of a prepared statement in two bytes.
pub const PARAMETERS_MAX: usize = 65_535;

/// Names, values and operators of one statement: what bounds the memory that a text of commas can take.
pub const PARTS_MAX: usize = 1_000_000;

/// A copy is a place to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub dialect: Dialect,
    /// The token to be read next.
    pub token: Token<'a>,
    /// Where the last token read ends.
    pub read_to: usize,
    /// The `?` read in this statement.
    pub parameters: usize,
    /// The alias of the new row in INSERT … VALUES … AS alias: `alias.column` means VALUES(column).
    pub new_row: Option<&'a str>,
    lexer: Lexer<'a>,
    depth: usize,
    parts: usize,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str, dialect: Dialect) -> Parser<'a> {
        let mut lexer = Lexer::new(text, dialect);
        let token = lexer.next();
        Parser { text, dialect, token, read_to: 0, parameters: 0, new_row: None, lexer, depth: 0, parts: 0 }
    }

    /// What is counted for each statement begins anew.
    pub fn begin_statement(&mut self) {
        (self.parameters, self.new_row, self.depth, self.parts) = (0, None, 0, 0);
    }

    // Tokens

    pub fn next(&mut self) -> Token<'a> {
        let token = self.token;
        self.read_to = token.end;
        self.token = self.lexer.next();
        token
    }

    /// The token after the one to be read next.
    pub fn second(&self) -> Token<'a> {
        let mut ahead = self.lexer;
        ahead.next()
    }

    pub fn skip(&mut self, kind: Kind) -> bool {
        let found = self.token.kind == kind;
        if found {
            self.next();
        }
        found
    }

    pub fn skip_word(&mut self, keyword: &str) -> bool {
        let found = self.token.is(keyword);
        if found {
            self.next();
        }
        found
    }

    pub fn skip_words(&mut self, keywords: &[&str]) -> bool {
        let found = self.token.is_one_of(keywords);
        if found {
            self.next();
        }
        found
    }

    pub fn expect(&mut self, kind: Kind, expected: &str) -> Parsed<()> {
        if self.skip(kind) { Ok(()) } else { Err(self.expected(expected)) }
    }

    pub fn expect_word(&mut self, keyword: &str) -> Parsed<()> {
        if self.skip_word(keyword) { Ok(()) } else { Err(self.expected(keyword)) }
    }

    pub fn at_end(&self) -> bool {
        matches!(self.token.kind, Kind::End | Kind::Semicolon)
    }

    /// Skips the rest of the statement, whatever it is.
    pub fn skip_statement(&mut self) -> Parsed<()> {
        while !self.at_end() {
            self.skip_any()?;
        }
        Ok(())
    }

    /// Skips one token; its `?` still counts, for the client sends a value for it.
    pub fn skip_any(&mut self) -> Parsed<()> {
        match self.token.kind {
            Kind::Endless(_) => return Err(self.expected("its end")),
            Kind::Parameter => {
                self.parameter()?;
            }
            _ => {
                self.next();
            }
        }
        Ok(())
    }

    /// The number of the `?` that is to be read next.
    pub fn parameter(&mut self) -> Parsed<usize> {
        if self.parameters == PARAMETERS_MAX {
            return Err(self.mistake(format!("more than {PARAMETERS_MAX} parameters in one statement")));
        }
        self.next();
        self.parameters += 1;
        Ok(self.parameters - 1)
    }

    // Limits

    /// Runs `parse` one level deeper.
    pub fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.check_depth(0)?;
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Would `links` more levels be too many?
    pub fn check_depth(&self, links: usize) -> Parsed<()> {
        if self.depth + links < EXPRESSION_DEPTH_MAX {
            return Ok(());
        }
        Err(self.mistake(format!("an expression more than {EXPRESSION_DEPTH_MAX} levels deep")))
    }

    pub fn count_part(&mut self) -> Parsed<()> {
        if self.parts == PARTS_MAX {
            return Err(self.mistake(format!("more than {PARTS_MAX} names and values; send several statements")));
        }
        self.parts += 1;
        Ok(())
    }

    // Mistakes

    pub fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake { message: message.into(), at: self.token.start }
    }

    /// `expected` ends a sentence: "expected VALUES or SET".
    pub fn expected(&self, expected: &str) -> Mistake {
        let near: String = self.text.get(self.token.start..self.token.end).unwrap_or("").chars().take(24).collect();
        self.mistake(match self.token.kind {
            Kind::End => format!("expected {expected}, found the end of the text"),
            Kind::Endless(what) => format!("{what} that begins with {near:?} has no end"),
            _ => format!("expected {expected}, found {near:?}"),
        })
    }

    pub fn unsupported(&self, what: &str) -> Mistake {
        self.mistake(format!("{what} is not supported"))
    }

    // Names

    /// Where only a name can stand, each quote makes one, as it did in the original.
    pub fn name(&mut self, expected: &str) -> Parsed<Identifier> {
        match self.token.kind {
            Kind::Word | Kind::Name(_) => Ok(identifier(self.next())),
            Kind::Text(_) => {
                let text = self.string();
                Ok(Identifier { text: text.mysql(), place: text.place })
            }
            _ => Err(self.expected(expected)),
        }
    }

    pub fn table_name(&mut self) -> Parsed<TableName> {
        let first = self.name("the name of a table")?;
        if !self.skip(Kind::Dot) {
            return Ok(TableName { database: None, table: first });
        }
        Ok(TableName { database: Some(first), table: self.name("the name of a table after the dot")? })
    }

    /// A column where nothing else can stand.
    pub fn column_name(&mut self) -> Parsed<ColumnName> {
        self.count_part()?;
        let first = self.name("the name of a column")?;
        self.rest_of_column(first)
    }

    /// `.name` and `.table.name` after a name.
    pub fn rest_of_column(&mut self, first: Identifier) -> Parsed<ColumnName> {
        let mut name = ColumnName { table: None, column: first };
        for _ in 0..2 {
            if !self.skip(Kind::Dot) {
                break;
            }
            let column = self.name("the name of a column after the dot")?;
            name = ColumnName { table: Some(name.column), column };
        }
        Ok(name)
    }

    /// `alias`, `AS alias`, in any quotes.
    pub fn alias(&mut self) -> Parsed<Option<Identifier>> {
        if self.skip_word("AS") {
            return self.name("an alias after AS").map(Some);
        }
        match self.token.kind {
            Kind::Word if ends_alias(&self.token) => Ok(None),
            Kind::Word | Kind::Name(_) | Kind::Text(_) => self.name("an alias").map(Some),
            _ => Ok(None),
        }
    }

    // Strings

    /// The string that is to be read next, joined with those that follow it.
    pub fn string(&mut self) -> Text {
        let first = self.next();
        let quote = if let Kind::Text(quote) = first.kind { quote } else { '\'' };
        let mut text = Text {
            raw: first.text.to_owned(),
            quote,
            backslash_escapes: self.dialect.backslash_escapes,
            place: first.place(),
        };
        while let Kind::Text(quote) = self.token.kind {
            text.join(self.next().text, quote);
        }
        text
    }
}

pub(super) fn identifier(token: Token<'_>) -> Identifier {
    let text = match token.kind {
        Kind::Name('`') if token.text.contains('`') => token.text.replace("``", "`"),
        Kind::Name('"') if token.text.contains('"') => token.text.replace("\"\"", "\""),
        _ => token.text.to_owned(),
    };
    Identifier { text, place: token.place() }
}

/// Words that go on with the statement where an alias could stand.
fn ends_alias(token: &Token<'_>) -> bool {
    const WORDS: &[&str] = &[
        "FROM",
        "WHERE",
        "ORDER",
        "LIMIT",
        "GROUP",
        "HAVING",
        "UNION",
        "FOR",
        "LOCK",
        "INTO",
        "JOIN",
        "INNER",
        "LEFT",
        "RIGHT",
        "CROSS",
        "NATURAL",
        "STRAIGHT_JOIN",
        "ON",
        "USING",
        "USE",
        "FORCE",
        "IGNORE",
        "PROCEDURE",
        "SET",
        "WINDOW",
        "EXCEPT",
        "INTERSECT",
        "AND",
        "OR",
        "XOR",
        "NOT",
        "IN",
        "IS",
        "LIKE",
        "BETWEEN",
        "REGEXP",
        "RLIKE",
        "DIV",
        "MOD",
        "COLLATE",
        "PARTITION",
        "RETURNING",
    ];
    token.is_one_of(WORDS)
}
