//! What a quoted string means: to MySQL, and in the columns that carry a program's own text.

use std::borrow::Cow;

use super::Text;
use crate::pipe::is_json;

impl Text {
    /// What the string means to MySQL: escapes and doubled quotes undone.
    pub fn mysql(&self) -> String {
        if self.has_backslash() { self.unescaped() } else { self.undoubled().into_owned() }
    }

    /// What the string means in the columns `message` and `data`.
    ///
    /// Programs written for the original paste JSON between quotes and escape nothing in it; drivers escape
    /// everything. Where the two readings differ, the one that is JSON is taken; where both are, the backslashes
    /// tell: a pair that no driver writes (`\u`, `\/`, `\t`) proves that nothing was escaped.
    pub fn comet(&self) -> String {
        if !self.has_backslash() {
            return self.undoubled().into_owned();
        }
        let unescaped = self.unescaped();
        let driver = self.is_escaped_by_driver();
        if driver && is_json(&unescaped) {
            return unescaped;
        }
        let pasted = self.pasted();
        if is_json(&pasted) && (driver || !is_json(&unescaped)) {
            return pasted;
        }
        if driver || !is_json(&pasted) { unescaped } else { pasted }
    }

    /// Adds a string that stands next to this one. Its quotes become this one's.
    pub(super) fn join(&mut self, raw: &str, quote: char) {
        if quote == self.quote {
            self.raw.push_str(raw);
            return;
        }
        let mut letters = raw.chars();
        while let Some(letter) = letters.next() {
            self.raw.push(letter);
            if letter == '\\' && self.backslash_escapes {
                self.raw.extend(letters.next());
            } else if letter == self.quote {
                self.raw.push(letter);
            } else if letter == quote {
                letters.next();
            }
        }
    }

    fn has_backslash(&self) -> bool {
        self.backslash_escapes && self.raw.contains('\\')
    }

    fn undoubled(&self) -> Cow<'_, str> {
        let doubled = if self.quote == '\'' { "''" } else { "\"\"" };
        match self.raw.contains(self.quote) {
            true => Cow::Owned(self.raw.replace(doubled, &doubled[1..])),
            false => Cow::Borrowed(&self.raw),
        }
    }

    fn unescaped(&self) -> String {
        self.rewritten(|meaning, escaped| match escaped {
            '0' => meaning.push('\0'),
            'b' => meaning.push('\u{8}'),
            'n' => meaning.push('\n'),
            'r' => meaning.push('\r'),
            't' => meaning.push('\t'),
            'Z' => meaning.push('\u{1a}'),
            // LIKE reads them; elsewhere they stay two characters, as in MySQL.
            '%' | '_' => meaning.extend(['\\', escaped]),
            _ => meaning.push(escaped),
        })
    }

    /// Only what the quotes around the string forced upon it is undone.
    fn pasted(&self) -> String {
        self.rewritten(|meaning, escaped| {
            if escaped != '\'' && escaped != self.quote {
                meaning.push('\\');
            }
            meaning.push(escaped);
        })
    }

    /// Undoes doubled quotes, and asks what a backslash with the letter behind it means.
    fn rewritten(&self, mut escape: impl FnMut(&mut String, char)) -> String {
        let mut meaning = String::with_capacity(self.raw.len());
        let mut rest = self.raw.as_str();
        while let Some(at) = rest.bytes().position(|byte| byte == b'\\' || char::from(byte) == self.quote) {
            let (plain, special) = rest.split_at(at);
            meaning.push_str(plain);
            let mut letters = special.chars();
            let first = letters.next();
            match (first, letters.next()) {
                (Some('\\'), Some(escaped)) => escape(&mut meaning, escaped),
                (first, _) => meaning.extend(first),
            }
            rest = letters.as_str();
        }
        meaning.push_str(rest);
        meaning
    }

    /// Does every backslash begin a pair that mysql_real_escape_string and its like write?
    fn is_escaped_by_driver(&self) -> bool {
        let mut letters = self.raw.bytes();
        while let Some(letter) = letters.next() {
            if letter == b'\\' && !matches!(letters.next(), Some(b'\\' | b'\'' | b'"' | b'n' | b'r' | b'0' | b'Z')) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Expression, Item, Place, Statement, parse};
    use super::*;

    fn text(raw: &str) -> Text {
        Text { raw: raw.into(), quote: '\'', backslash_escapes: true, place: Place(0) }
    }

    fn parsed(literal: &str, dialect: Dialect) -> Text {
        let statement = parse(&format!("SELECT {literal}"), dialect).unwrap().remove(0);
        let Statement::Select(mut select) = statement else { panic!("{statement:?}") };
        match select.items.remove(0) {
            Item::One { expression: Expression::Text(text), .. } => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_string_means_what_mysql_says() {
        for (raw, meaning) in [
            ("", ""),
            ("plain", "plain"),
            (r"it\'s", "it's"),
            ("it''s", "it's"),
            ("''''", "''"),
            (r#"\""#, "\""),
            (r"\0\b\n\r\t\Z\\", "\0\u{8}\n\r\t\u{1a}\\"),
            (r"50\%\_", r"50\%\_"),
            (r"\\%", r"\%"),
            (r"\x\я\😀", "xя😀"),
            (r"\u043f \/", "u043f /"),
            ("\"", "\""),
        ] {
            assert_eq!(text(raw).mysql(), meaning, "{raw}");
        }
    }

    #[test]
    fn both_kinds_of_programs_mean_their_json() {
        for (style, raw, meaning) in [
            ("no escapes at all", r#"{"a":1}"#, r#"{"a":1}"#),
            ("plain text", "hello", "hello"),
            ("plain text of a driver", r"it\'s", "it's"),
            ("plain text, quotes doubled", "it''s", "it's"),
            ("plain text with a path", r"C:\\dir\\new", r"C:\dir\new"),
            ("plain text with a line", r"one\ntwo", "one\ntwo"),
            ("raw JSON", r#"{"u":"\u043f"}"#, r#"{"u":"\u043f"}"#),
            ("raw JSON of PHP", r#"{"u":"\u043f","p":"a\/b"}"#, r#"{"u":"\u043f","p":"a\/b"}"#),
            ("raw JSON with \\\"", r#"{"say":"\"hi\""}"#, r#"{"say":"\"hi\""}"#),
            ("raw JSON with \\n", r#"{"t":"a\nb"}"#, r#"{"t":"a\nb"}"#),
            ("raw JSON with \\t", r#"{"t":"a\tb"}"#, r#"{"t":"a\tb"}"#),
            ("raw JSON with \\b \\f", r#"["\b\f"]"#, r#"["\b\f"]"#),
            ("raw JSON with \\'", r#"{"t":"it\'s \u0430"}"#, r#"{"t":"it's \u0430"}"#),
            ("raw JSON with ''", r#"{"t":"it''s \u0430"}"#, r#"{"t":"it's \u0430"}"#),
            ("raw JSON with a surrogate pair", r#"{"t":"\ud83d\ude00"}"#, r#"{"t":"\ud83d\ude00"}"#),
            ("raw JSON with an emoji", r#"{"t":"😀 \/"}"#, r#"{"t":"😀 \/"}"#),
            ("driver: quotes", r#"{\"a\":\"b\"}"#, r#"{"a":"b"}"#),
            ("driver: quotes in strings", r#"{\"a\":\"\\\"b\\\"\"}"#, r#"{"a":"\"b\""}"#),
            ("driver: PHP's JSON", r#"{\"u\":\"\\u043f\",\"p\":\"a\\/b\"}"#, r#"{"u":"\u043f","p":"a\/b"}"#),
            ("driver: an apostrophe", r#"{\"t\":\"it\'s\"}"#, r#"{"t":"it's"}"#),
            ("driver: an emoji", r#"{\"t\":\"😀\"}"#, r#"{"t":"😀"}"#),
            ("driver: a line in JSON", "{\\\"a\\\":1,\\n\\\"b\\\":2}", "{\"a\":1,\n\"b\":2}"),
            ("driver: escaped line in a string", r#"{\"t\":\"a\\nb\"}"#, r#"{"t":"a\nb"}"#),
            ("FEDERATED", r#"{"u":"\\u043f","p":"a\\/b"}"#, r#"{"u":"\u043f","p":"a\/b"}"#),
            ("FEDERATED: quotes in strings", r#"{"a":"say \\"hi\\""}"#, r#"{"a":"say \"hi\""}"#),
            ("FEDERATED: an apostrophe", r#"{"a":"it\'s"}"#, r#"{"a":"it's"}"#),
            ("Connector/J", r#"{"u":"\\u043f","t":"it''s"}"#, r#"{"u":"\u043f","t":"it's"}"#),
            ("Connector/J: a line in JSON", "{\"a\":1,\\n\"b\":2}", "{\"a\":1,\n\"b\":2}"),
            ("a JSON string", r#""\u043f""#, r#""\u043f""#),
            ("a driver's JSON string", r#"\"\\u043f\""#, r#""\u043f""#),
            ("neither is JSON", r#"{\"a\":"#, r#"{"a":"#),
            ("neither is JSON, and no driver", r"a\tb\u", "a\tbu"),
        ] {
            assert_eq!(text(raw).comet(), meaning, "{style}");
        }
    }

    #[test]
    fn in_double_quotes_the_double_quote_is_the_one_undone() {
        let text = |raw: &str| Text { quote: '"', ..text(raw) };
        assert_eq!(text(r#"{\"u\":\"\u043f\"}"#).comet(), r#"{"u":"\u043f"}"#);
        assert_eq!(text(r#"{\"u\":\"\\u043f\"}"#).comet(), r#"{"u":"\u043f"}"#);
        assert_eq!(text(r#"{""u"":""it''s""}"#).comet(), r#"{"u":"it''s"}"#);
        assert_eq!(text(r#"say ""hi"" it's"#).mysql(), r#"say "hi" it's"#);
    }

    #[test]
    fn what_a_driver_escapes_always_arrives_as_it_was() {
        let letters = ['{', '"', '\\', '\'', 'n', 'u', ':', '\n', ']', '1'];
        let mut texts = vec![String::new()];
        let mut longer = texts.clone();
        for _ in 0..4 {
            longer = longer.iter().flat_map(|text| letters.map(|letter| format!("{text}{letter}"))).collect();
            texts.extend(longer.iter().cloned());
        }
        for meant in texts.into_iter().flat_map(|middle| [format!("[\"{middle}\"]"), middle]) {
            let escaped: String = meant.chars().fold(String::new(), |mut escaped, letter| {
                match letter {
                    '\n' => escaped.push_str("\\n"),
                    '"' | '\\' | '\'' => escaped.extend(['\\', letter]),
                    _ => escaped.push(letter),
                }
                escaped
            });
            assert_eq!(text(&escaped).comet(), meant, "{escaped}");
        }
    }

    #[test]
    fn the_page_about_strings_tells_the_truth() {
        let page = include_str!("../../docs/STRINGS.md");
        let rows: Vec<Vec<String>> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').replace('⏎', "\n"))
            })
            .map(Iterator::collect)
            .collect();
        let mut wrong = 0;
        for row in &rows {
            let [literal, _, meant @ .., auto, mysql] = row.as_slice() else { panic!("too short: {row:?}") };
            let text = parsed(literal, Dialect::default());
            assert_eq!((&text.comet(), &text.mysql()), (auto, mysql), "{literal}");
            if let [meant] = meant {
                assert_ne!(meant, auto, "{literal} is read right");
                wrong += 1;
            }
        }
        assert!(rows.len() - wrong > 10 && wrong > 3, "the tables were not found: {rows:?}");
    }

    #[test]
    fn without_backslash_escapes_only_quotes_are_undone() {
        let literal = r#"'a\n''{"u":"\\u043f"}'"#;
        let text = parsed(literal, Dialect { backslash_escapes: false, ..Dialect::default() });
        assert_eq!(text.mysql(), r#"a\n'{"u":"\\u043f"}"#);
        assert_eq!(text.comet(), text.mysql());
    }

    #[test]
    fn strings_side_by_side_are_one() {
        for (literal, meaning) in [
            ("'a' 'b'", "ab"),
            ("'a' \"b\"", "ab"),
            (r#"'it' "'s ""so"" \"it\" \'is\'""#, r#"it's "so" "it" 'is'"#),
            (r#""say " '"hi"' 'it''s'"#, r#"say "hi"it's"#),
            ("_utf8mb4'a' 'b'", "ab"),
            ("_utf8mb4 'a'", "a"),
            ("N'a'\n'b'", "ab"),
            (r"'a\\' 'b'", r"a\b"),
            ("'a''' '''b'", "a''b"),
        ] {
            assert_eq!(parsed(literal, Dialect::default()).mysql(), meaning, "{literal}");
        }
    }
}
