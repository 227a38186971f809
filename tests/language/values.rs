//! Values in every way they can be written.

use crate::generator::{Generator, Quotes};

/// What is hard on a reader of strings.
const PIECES: &[&str] = &[
    "a",
    "Z",
    " ",
    "п",
    "😀",
    "'",
    "\"",
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{1a}",
    "\u{8}",
    "%",
    "_",
    "--",
    "/*",
    "*/",
    "#",
    ";",
    "`",
    "?",
    "{\"a\":1}",
    "0",
    "it's",
];
impl Generator {
    pub fn value(&mut self) {
        match self.below(10) {
            0 => self.words("NULL"),
            1 => {
                let truth = ["TRUE", "FALSE"][self.below(2)];
                self.words(truth);
            }
            2 => self.token("?"),
            3 => {
                let number = ["0", "1.5", ".5", "1e3", "2.5E-3", "18446744073709551615", "007"][self.below(7)];
                self.token(number);
            }
            4 => {
                let digits = ["0xff", "0xABC", "x'4d7953514c'", "X''"][self.below(4)];
                self.token(digits);
            }
            5 => {
                let number = self.below(2_000_000).to_string();
                self.token(number);
            }
            _ => self.string(),
        }
    }

    pub fn string(&mut self) {
        let text: String = (0..self.below(6)).map(|_| PIECES[self.below(PIECES.len())]).collect();
        let quote = if self.quotes == Quotes::Any && self.one_in(3) { '"' } else { '\'' };
        let mut literal = match self.below(8) {
            0 if quote == '\'' => "N'".to_owned(),
            1 if quote == '\'' => "_utf8mb4'".to_owned(),
            _ => quote.to_string(),
        };
        let doubles = self.one_in(2);
        for letter in text.chars() {
            match letter {
                letter if letter == quote && doubles => literal.extend([quote, quote]),
                '\\' => literal += "\\\\",
                '\'' | '"' if letter == quote || self.one_in(2) => literal.extend(['\\', letter]),
                '\n' if self.one_in(2) => literal += "\\n",
                '\r' if self.one_in(2) => literal += "\\r",
                '\t' if self.one_in(2) => literal += "\\t",
                '\0' => literal += "\\0",
                '\u{1a}' => literal += "\\Z",
                '\u{8}' => literal += "\\b",
                '%' | '_' | 'п' | 'Z' if letter != 'Z' && self.one_in(3) => literal.extend(['\\', letter]),
                letter => literal.push(letter),
            }
        }
        literal.push(quote);
        let plain = literal.starts_with(quote);
        self.token(literal);
        if plain && self.one_in(20) {
            self.token("'and more'");
        }
    }
}
