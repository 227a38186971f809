//! Values that are one token: strings, numbers, bytes, variables.

use super::Expression;
use super::lexer::{Kind, Token};
use super::mistake::Parsed;
use super::parser::Parser;

impl Parser<'_> {
    pub fn literal(&mut self) -> Parsed<Expression> {
        let token = self.token;
        let place = token.place();
        let value = match token.kind {
            Kind::Text(_) => return Ok(Expression::Text(self.string())),
            Kind::Integer => match token.text.parse() {
                Ok(number) => Expression::Integer(number, place),
                Err(_) => Expression::Decimal(token.text.to_owned(), place),
            },
            Kind::Decimal => Expression::Decimal(token.text.to_owned(), place),
            Kind::Hexadecimal => match bytes_of(token) {
                Some(bytes) => Expression::Bytes(bytes, place),
                None => {
                    return Err(self.mistake(format!("x'…' takes pairs of hexadecimal digits, not {:?}", near(token))));
                }
            },
            Kind::Bits => match bits_of(token.text) {
                Some(number) => Expression::Integer(number, place),
                None => return Err(self.mistake(format!("b'…' takes up to 126 digits 0 and 1, not {:?}", near(token)))),
            },
            Kind::SystemVariable if !token.text.is_empty() => {
                Expression::SystemVariable { name: without_scope(token.text), place }
            }
            Kind::UserVariable => Expression::UserVariable { name: token.text.to_owned(), place },
            _ => return Err(self.expected("a value")),
        };
        self.next();
        Ok(value)
    }
}

/// `SESSION.Autocommit` is `autocommit`.
pub(super) fn without_scope(name: &str) -> String {
    let name = name.replace('`', "").to_ascii_lowercase();
    match name.split_once('.') {
        Some(("session" | "global" | "local" | "persist" | "persist_only", rest)) => rest.to_owned(),
        _ => name,
    }
}

/// `0xabc` has a zero in front; `x'abc'` is a mistake, as in MySQL.
fn bytes_of(token: Token<'_>) -> Option<Vec<u8>> {
    let digits = token.text.as_bytes();
    let quoted = token.end > token.start + 2 + digits.len();
    let odd = digits.len() % 2;
    if quoted && odd == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(2));
    let (first, rest) = digits.split_at_checked(odd)?;
    if let [digit] = first {
        bytes.push(half(*digit)?);
    }
    for pair in rest.chunks_exact(2) {
        let [high, low] = pair else { return None };
        bytes.push(half(*high)? << 4 | half(*low)?);
    }
    Some(bytes)
}

fn half(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn bits_of(digits: &str) -> Option<i128> {
    if digits.is_empty() {
        return Some(0);
    }
    // A sign would be read as well.
    if digits.len() > 126 || !digits.bytes().all(|digit| matches!(digit, b'0' | b'1')) {
        return None;
    }
    i128::from_str_radix(digits, 2).ok()
}

fn near(token: Token<'_>) -> String {
    token.text.chars().take(24).collect()
}
