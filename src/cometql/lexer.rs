//! Text becomes tokens, one at a time, when they are asked for. A token borrows the text.

use super::{Dialect, Place};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The end of the text.
    End,
    Word,
    /// A name between backticks, or between double quotes after ANSI_QUOTES.
    Name(char),
    /// A string, with the quote it stands in.
    Text(char),
    Integer,
    Decimal,
    /// The digits of `0x…` and `x'…'`.
    Hexadecimal,
    /// The digits of `0b…` and `b'…'`.
    Bits,
    /// `@name`, without the sign and the quotes.
    UserVariable,
    /// `@@scope.name`, without the signs.
    SystemVariable,
    Parameter,
    Open,
    Close,
    Comma,
    Dot,
    Semicolon,
    Star,
    Plus,
    Minus,
    Slash,
    Percent,
    Equal,
    NullSafeEqual,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `:=`
    Assign,
    /// `&&`
    BothSigns,
    /// `||`
    EitherSign,
    /// `!`
    NotSign,
    /// A sign the language does not have.
    Other,
    /// What begins here has no end: a string, a name or a comment. The text says which.
    Endless(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    /// What the kind says; for the rest the token as typed.
    pub text: &'a str,
    /// Byte offsets of the whole token, its quotes included.
    pub start: usize,
    pub end: usize,
}

impl Token<'_> {
    /// Is it this keyword, in any case? A quoted word is never one.
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub fn is_one_of(&self, keywords: &[&str]) -> bool {
        self.kind == Kind::Word && keywords.iter().any(|keyword| self.text.eq_ignore_ascii_case(keyword))
    }

    pub fn place(&self) -> Place {
        Place(u32::try_from(self.start).unwrap_or(u32::MAX))
    }
}

/// The place in the text where the next token is looked for. A copy looks ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    /// How many `/*!` are open: as many `*/` are blanks.
    executed_comments: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, dialect: Dialect) -> Lexer<'a> {
        Lexer { text, at: 0, dialect, executed_comments: 0 }
    }

    pub fn next(&mut self) -> Token<'a> {
        if let Err(what) = self.skip_blanks() {
            let start = self.at;
            return self.token(Kind::Endless(what), start, self.text.len(), start, self.text.len());
        }
        let start = self.at;
        let second = self.byte(start + 1);
        match self.byte(start) {
            None => self.token(Kind::End, start, start, start, start),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..) => self.word(start),
            Some(b'0'..=b'9') => self.number(start),
            Some(b'.') if second.is_some_and(|byte| byte.is_ascii_digit()) && !self.follows_name(start) => {
                self.number(start)
            }
            Some(b'\'') => self.quoted(Kind::Text('\''), start, start),
            Some(b'"') if self.dialect.ansi_quotes => self.quoted(Kind::Name('"'), start, start),
            Some(b'"') => self.quoted(Kind::Text('"'), start, start),
            Some(b'`') => self.quoted(Kind::Name('`'), start, start),
            Some(b'@') => self.variable(start),
            Some(first) => self.sign(start, first),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes().get(at).copied()
    }

    /// Makes a token of `start..end` whose text is `from..to`, and goes on behind it.
    fn token(&mut self, kind: Kind, start: usize, end: usize, from: usize, to: usize) -> Token<'a> {
        self.at = end;
        Token { kind, text: self.text.get(from..to).unwrap_or(""), start, end }
    }

    fn skip_blanks(&mut self) -> Result<(), &'static str> {
        loop {
            match self.bytes().get(self.at..).unwrap_or_default() {
                // Some clients count the zero that ends their string.
                [b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c | 0, ..] => self.at += 1,
                [b'#', ..] => self.skip_line(),
                // `5--3` is a difference, `5 -- 3` is a comment.
                [b'-', b'-', rest @ ..] if rest.first().is_none_or(|byte| *byte <= b' ') => self.skip_line(),
                [b'/', b'*', rest @ ..] => self.open_comment(rest)?,
                [b'*', b'/', ..] if self.executed_comments > 0 => {
                    self.executed_comments -= 1;
                    self.at += 2;
                }
                // The mark that some editors put in front of UTF-8.
                [0xef, 0xbb, 0xbf, ..] if self.at == 0 => self.at += 3,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    /// `/*!`, `/*!50002`, `/*M!100100`: what follows is executed. All else is skipped up to `*/`.
    fn open_comment(&mut self, inside: &[u8]) -> Result<(), &'static str> {
        let marker = match inside {
            [b'!', ..] => 1,
            [b'M' | b'm', b'!', ..] => 2,
            _ => 0,
        };
        if marker > 0 {
            let digits = inside.iter().skip(marker).take(6).take_while(|byte| byte.is_ascii_digit()).count();
            let version = inside.iter().skip(marker).take(digits);
            if is_executed(version.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))) {
                self.at += 2 + marker + digits;
                self.executed_comments += 1;
                return Ok(());
            }
        }
        let end = inside.windows(2).position(|pair| pair == b"*/");
        self.at += 2 + end.ok_or("the comment")? + 2;
        Ok(())
    }

    fn word(&mut self, start: usize) -> Token<'a> {
        let end = self.end_of_name(start);
        if end == start + 1 && self.byte(end) == Some(b'\'') {
            match self.byte(start) {
                Some(b'n' | b'N') => return self.quoted(Kind::Text('\''), start, end),
                Some(b'x' | b'X') => return self.quoted(Kind::Hexadecimal, start, end),
                Some(b'b' | b'B') => return self.quoted(Kind::Bits, start, end),
                _ => {}
            }
        }
        self.token(Kind::Word, start, end, start, end)
    }

    fn end_of_name(&self, from: usize) -> usize {
        let rest = self.bytes().get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(rest.len())
    }

    fn follows_name(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|before| self.byte(before)).is_some_and(|byte| byte == b'`' || is_name_byte(byte))
    }

    /// A number, or a name that begins with a digit.
    fn number(&mut self, start: usize) -> Token<'a> {
        let end = self.end_of_name(start);
        let run = self.bytes().get(start..end).unwrap_or_default();
        match run {
            [b'0', b'x', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) => {
                return self.token(Kind::Hexadecimal, start, end, start + 2, end);
            }
            [b'0', b'b', digits @ ..]
                if !digits.is_empty() && digits.iter().all(|byte| matches!(byte, b'0' | b'1')) =>
            {
                return self.token(Kind::Bits, start, end, start + 2, end);
            }
            _ => {}
        }
        let mut kind = Kind::Integer;
        let mut at = self.end_of_digits(start);
        if self.byte(at) == Some(b'.') {
            kind = Kind::Decimal;
            at = self.end_of_digits(at + 1);
        }
        if let Some(b'e' | b'E') = self.byte(at) {
            let sign = usize::from(matches!(self.byte(at + 1), Some(b'+' | b'-')));
            let end = self.end_of_digits(at + 1 + sign);
            if end > at + 1 + sign {
                kind = Kind::Decimal;
                at = end;
            }
        }
        if kind == Kind::Integer && end > at {
            return self.token(Kind::Word, start, end, start, end);
        }
        self.token(kind, start, at, start, at)
    }

    fn end_of_digits(&self, from: usize) -> usize {
        let rest = self.bytes().get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
    }

    /// A string, a quoted name or quoted digits; `opening` is where the quote is.
    fn quoted(&mut self, kind: Kind, start: usize, opening: usize) -> Token<'a> {
        let bytes = self.bytes();
        let quote = self.byte(opening).unwrap_or(b'\'');
        let escapes = self.dialect.backslash_escapes && !matches!(kind, Kind::Name(_));
        let escape = if escapes { b'\\' } else { quote };
        let mut at = opening + 1;
        while let Some(found) = find_either(bytes, at, quote, escape) {
            let doubled = self.byte(found + 1) == Some(quote);
            if self.byte(found) == Some(quote) && !doubled {
                return self.token(kind, start, found + 1, opening + 1, found);
            }
            // A doubled quote, or a backslash with what it escapes.
            at = found + 2;
        }
        let what = match quote {
            b'`' => "the name in backticks",
            b'"' if matches!(kind, Kind::Name(_)) => "the name in double quotes",
            b'"' => "the string in double quotes",
            _ => "the string in quotes",
        };
        let end = self.text.len();
        self.token(Kind::Endless(what), start, end, start, end)
    }

    fn variable(&mut self, start: usize) -> Token<'a> {
        match self.byte(start + 1) {
            Some(b'@') => {
                let rest = self.bytes().get(start + 2..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_name_byte(*byte) && !matches!(byte, b'.' | b'`'));
                let end = start + 2 + length.unwrap_or(rest.len());
                self.token(Kind::SystemVariable, start, end, start + 2, end)
            }
            Some(b'\'' | b'"' | b'`') => self.quoted(Kind::UserVariable, start, start + 1),
            _ => {
                let rest = self.bytes().get(start + 1..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_name_byte(*byte) && *byte != b'.');
                let end = start + 1 + length.unwrap_or(rest.len());
                let kind = if end == start + 1 { Kind::Other } else { Kind::UserVariable };
                self.token(kind, start, end, start + 1, end)
            }
        }
    }

    fn sign(&mut self, start: usize, first: u8) -> Token<'a> {
        let (kind, length) = match (first, self.byte(start + 1)) {
            (b'<', Some(b'=')) if self.byte(start + 2) == Some(b'>') => (Kind::NullSafeEqual, 3),
            (b'<', Some(b'=')) => (Kind::LessOrEqual, 2),
            (b'<', Some(b'>')) | (b'!', Some(b'=')) => (Kind::NotEqual, 2),
            (b'>', Some(b'=')) => (Kind::GreaterOrEqual, 2),
            (b':', Some(b'=')) => (Kind::Assign, 2),
            (b'&', Some(b'&')) => (Kind::BothSigns, 2),
            (b'|', Some(b'|')) => (Kind::EitherSign, 2),
            (b'<', _) => (Kind::Less, 1),
            (b'>', _) => (Kind::Greater, 1),
            (b'=', _) => (Kind::Equal, 1),
            (b'!', _) => (Kind::NotSign, 1),
            (b'?', _) => (Kind::Parameter, 1),
            (b'(', _) => (Kind::Open, 1),
            (b')', _) => (Kind::Close, 1),
            (b',', _) => (Kind::Comma, 1),
            (b'.', _) => (Kind::Dot, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b'*', _) => (Kind::Star, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'/', _) => (Kind::Slash, 1),
            (b'%', _) => (Kind::Percent, 1),
            _ => (Kind::Other, 1),
        };
        self.token(kind, start, start + length, start, start + length)
    }
}

fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | 0x80..)
}

/// Versions of MySQL up to 9 and of MariaDB up to 19 are executed; 99999 and 999999 are what dumps write in
/// front of what nobody shall execute.
fn is_executed(version: u32) -> bool {
    version < 99_999 || (100_000..200_000).contains(&version)
}

/// The first of two bytes, from `from` on. Sixteen bytes are looked at together, which the compiler makes one
/// comparison: a message is mostly bytes that are neither.
fn find_either(bytes: &[u8], from: usize, one: u8, other: u8) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let holds = |chunk: &&[u8]| chunk.iter().fold(false, |found, byte| found | (*byte == one) | (*byte == other));
    let skipped = rest.chunks_exact(16).take_while(|chunk| !holds(chunk)).count() * 16;
    let left = rest.get(skipped..)?;
    Some(from + skipped + left.iter().position(|byte| *byte == one || *byte == other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(Kind, &str)> {
        let mut lexer = Lexer::new(text, Dialect::default());
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next();
            match token.kind {
                Kind::End => return tokens,
                Kind::Endless(_) => {
                    tokens.push((token.kind, token.text));
                    return tokens;
                }
                _ => tokens.push((token.kind, token.text)),
            }
        }
    }

    fn check(cases: &[(&str, &[(Kind, &str)])]) {
        for (text, expected) in cases {
            assert_eq!(tokens(text), *expected, "{text}");
        }
    }

    #[test]
    fn a_token_is_what_mysql_takes_it_for() {
        use Kind::*;
        let cases: &[(&str, &[(Kind, &str)])] = &[
            ("", &[]),
            ("\u{feff}a", &[(Word, "a")]),
            ("имя1 $x", &[(Word, "имя1"), (Word, "$x")]),
            ("`a``b`", &[(Name('`'), "a``b")]),
            ("'it''s' \"a\\\"b\"", &[(Text('\''), "it''s"), (Text('"'), "a\\\"b")]),
            (r"'a\\' 'b'", &[(Text('\''), r"a\\"), (Text('\''), "b")]),
            ("N'x'x'ff'B'01'", &[(Text('\''), "x"), (Hexadecimal, "ff"), (Bits, "01")]),
            ("0xFf 0b10 0xfg", &[(Hexadecimal, "Ff"), (Bits, "10"), (Word, "0xfg")]),
            (
                "12 1.5 .5 1e3 1.e-2 12abc 1e",
                &[
                    (Integer, "12"),
                    (Decimal, "1.5"),
                    (Decimal, ".5"),
                    (Decimal, "1e3"),
                    (Decimal, "1.e-2"),
                    (Word, "12abc"),
                    (Word, "1e"),
                ],
            ),
            ("t.5", &[(Word, "t"), (Dot, "."), (Integer, "5")]),
            (
                "@a @'b' @`c d` @@session.x @",
                &[
                    (UserVariable, "a"),
                    (UserVariable, "b"),
                    (UserVariable, "c d"),
                    (SystemVariable, "session.x"),
                    (Other, ""),
                ],
            ),
            (
                "<=> <= <> != >= := && ||",
                &[
                    (NullSafeEqual, "<=>"),
                    (LessOrEqual, "<="),
                    (NotEqual, "<>"),
                    (NotEqual, "!="),
                    (GreaterOrEqual, ">="),
                    (Assign, ":="),
                    (BothSigns, "&&"),
                    (EitherSign, "||"),
                ],
            ),
        ];
        check(cases);
    }

    #[test]
    fn a_comment_is_a_blank_unless_it_is_executed() {
        use Kind::*;
        check(&[
            ("5--3 -- 4\n6", &[(Integer, "5"), (Minus, "-"), (Minus, "-"), (Integer, "3"), (Integer, "6")]),
            ("1 # all of it", &[(Integer, "1")]),
            ("1 --", &[(Integer, "1")]),
            ("a/* b */c/*+ hint */", &[(Word, "a"), (Word, "c")]),
            (
                "/*!a*/ /*!50002 b*/ /*M!100100 c*/ /*!99999 d*/ /*M!999999\\- e */",
                &[(Word, "a"), (Word, "b"), (Word, "c")],
            ),
            ("/*! a /* b */ c */ d", &[(Word, "a"), (Word, "c"), (Word, "d")]),
            ("a */", &[(Word, "a"), (Star, "*"), (Slash, "/")]),
            ("'abc", &[(Endless("the string in quotes"), "'abc")]),
            ("'abc\\", &[(Endless("the string in quotes"), "'abc\\")]),
            ("`a", &[(Endless("the name in backticks"), "`a")]),
            ("/* a", &[(Endless("the comment"), "/* a")]),
        ]);
    }

    #[test]
    fn without_backslash_escapes_a_backslash_is_a_letter() {
        let mut lexer = Lexer::new(r"'a\' 'b'", Dialect { backslash_escapes: false, ..Dialect::default() });
        assert_eq!(lexer.next().text, r"a\");
        assert_eq!(lexer.next().text, "b");
    }

    #[test]
    fn a_long_string_ends_where_it_ends() {
        for length in 0..70 {
            let text = format!("'{}' 7", "я".repeat(length));
            assert_eq!(tokens(&text).last(), Some(&(Kind::Integer, "7")), "{length}");
        }
    }
}
