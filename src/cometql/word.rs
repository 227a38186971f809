//! A value that begins with a word: a constant, a function, a column.

use super::expression::power;
use super::lexer::Kind;
use super::mistake::Parsed;
use super::parser::{Parser, identifier};
use super::{Branch, ColumnName, Expression, Text};

impl Parser<'_> {
    pub fn word(&mut self) -> Parsed<Expression> {
        let token = self.token;
        let place = token.place();
        if token.is("NOT") {
            self.next();
            return Ok(Expression::Not(Box::new(self.expression_above(power::NOT - 1)?)));
        }
        if token.is("CASE") {
            return self.case();
        }
        let after = self.second().kind;
        if token.is("BINARY") && begins_value(after) {
            self.next();
            return Ok(Expression::Exact(Box::new(self.expression_above(power::SIGN)?)));
        }
        if after == Kind::Open && !is_reserved(token.text) {
            return self.call();
        }
        if let Some(constant) = match token.text.len() {
            4 if token.is("NULL") => Some(Expression::Null(place)),
            4 if token.is("TRUE") => Some(Expression::Integer(1, place)),
            5 if token.is("FALSE") => Some(Expression::Integer(0, place)),
            7 if token.is("DEFAULT") => Some(Expression::Default(place)),
            12.. if token.is_one_of(BRACKETLESS) => {
                Some(Expression::Call { function: token.text.to_ascii_lowercase(), arguments: Vec::new(), place })
            }
            _ => None,
        } {
            self.next();
            return Ok(constant);
        }
        if matches!(after, Kind::Text(_) | Kind::Hexadecimal | Kind::Bits) && token.is_one_of(INTRODUCERS) {
            self.next();
            return self.literal();
        }
        if is_reserved(token.text) && after != Kind::Dot {
            return Err(self.expected("a value"));
        }
        self.column()
    }

    /// CASE WHEN … THEN … and CASE value WHEN … THEN …; the token is CASE.
    fn case(&mut self) -> Parsed<Expression> {
        self.next();
        let value = if self.token.is("WHEN") { None } else { Some(Box::new(self.expression()?)) };
        let mut branches = Vec::new();
        self.expect_word("WHEN")?;
        loop {
            let when = self.expression()?;
            self.expect_word("THEN")?;
            branches.push(Branch { when, then: self.expression()? });
            if !self.skip_word("WHEN") {
                break;
            }
        }
        let otherwise = if self.skip_word("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        if !self.skip_word("END") {
            return Err(self.expected("END after the branches of CASE"));
        }
        Ok(Expression::Case { value, branches, otherwise })
    }

    /// A function with its arguments; the token is its name, a bracket follows.
    fn call(&mut self) -> Parsed<Expression> {
        let name = identifier(self.next());
        self.next();
        let function = name.text.to_ascii_lowercase();
        if function == "exists" {
            let select = self.select()?;
            self.expect(Kind::Close, ") after EXISTS (SELECT …")?;
            return Ok(Expression::Exists(Box::new(select)));
        }
        let mut arguments = Vec::new();
        if function == "count" && self.skip(Kind::Star) {
        } else if self.token.kind != Kind::Close {
            arguments = self.expressions()?;
            self.type_argument(&function, &mut arguments)?;
        }
        self.expect(Kind::Close, ", or ) after the arguments of a function")?;
        Ok(Expression::Call { function, arguments, place: name.place })
    }

    /// CAST(x AS type) and CONVERT(x USING charset): the words become a second argument, a text.
    fn type_argument(&mut self, function: &str, arguments: &mut Vec<Expression>) -> Parsed<()> {
        let separator = match function {
            "cast" => "AS",
            "convert" => "USING",
            _ => return Ok(()),
        };
        if !self.skip_word(separator) {
            return Ok(());
        }
        let start = self.token.start;
        let place = self.token.place();
        while self.token.kind == Kind::Word {
            self.next();
            if self.skip(Kind::Open) {
                while self.skip(Kind::Integer) || self.skip(Kind::Comma) {}
                self.expect(Kind::Close, ") after the length of a type")?;
            }
        }
        let words = self.text.get(start..self.read_to).unwrap_or("");
        // Words hold neither quotes nor backslashes.
        let raw = words.to_owned();
        arguments.push(Expression::Text(Text { raw, quote: '\'', backslash_escapes: false, place }));
        Ok(())
    }

    pub fn column(&mut self) -> Parsed<Expression> {
        let name = self.column_name()?;
        // In INSERT … AS new ON DUPLICATE KEY UPDATE, `new.column` is VALUES(column).
        match (&name.table, self.new_row) {
            (Some(table), Some(new)) if table.text.eq_ignore_ascii_case(new) => {
                let place = table.place;
                let arguments = vec![Expression::Column(ColumnName { table: None, column: name.column })];
                Ok(Expression::Call { function: "values".into(), arguments, place })
            }
            _ => Ok(Expression::Column(name)),
        }
    }
}

/// BINARY is a sign in front of a value, and a word where none follows, as in `SET character_set_results = binary`.
fn begins_value(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Word
            | Kind::Name(_)
            | Kind::Text(_)
            | Kind::Integer
            | Kind::Decimal
            | Kind::Hexadecimal
            | Kind::Bits
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Parameter
            | Kind::Open
            | Kind::Minus
    )
}

/// Functions that are called without brackets.
const BRACKETLESS: &[&str] =
    &["CURRENT_USER", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "UTC_TIMESTAMP"];

/// Words in front of a string that name its character set.
const INTRODUCERS: &[&str] = &[
    "_utf8mb4", "_utf8", "_utf8mb3", "_binary", "_latin1", "_ascii", "_cp1251", "_koi8r", "_koi8u", "_cp1252",
    "_latin2", "_cp1250", "_cp866", "_ucs2", "_utf16", "_utf32", "_big5", "_gbk", "_gb2312", "_gb18030", "_sjis",
];

/// Words that cannot stand for a column without quotes. MySQL has many more; INDEX and KEY are columns here,
/// and ON is a value of SET.
fn is_reserved(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN", "ORDER", "GROUP", "BY", "LIMIT",
        "HAVING", "UNION", "INTO", "AS", "SET", "DELETE", "UPDATE", "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "END",
        "XOR", "REGEXP", "RLIKE", "DIV", "INTERVAL", "JOIN", "USING", "ASC", "DESC", "FOR",
    ];
    // The longest has eight letters.
    word.len() <= 8 && WORDS.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}
