//! Texts as the original has kept them: bytes that nobody had looked at.

use crate::cometql::{Place, Text};
use crate::pipe::is_json;

pub const NOT_UTF8: &str = "the text is no UTF-8";
const TWICE: &str = "was UTF-8 written down as Latin-1 and encoded once more, and was put right";
const ESCAPED: &str = "had the backslashes of an SQL literal, which the original kept (see docs/STRINGS.md)";

/// Who wrote a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A program, in an SQL literal.
    Program,
    /// A browser.
    Browser,
}

/// A text, and how it differs from what was kept.
#[derive(PartialEq, Eq, Debug)]
pub struct Read {
    pub text: String,
    pub changed: Option<&'static str>,
}

/// Reads what the original has kept. It kept literals without undoing their escapes, and put its bytes through a
/// connection whose character set may have been another than theirs.
pub fn read(bytes: Vec<u8>, writer: Writer) -> Result<Read, &'static str> {
    let kept = String::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
    let once = encoded_once(&kept);
    let text = once.unwrap_or(kept.clone());
    let meant = match writer {
        Writer::Program => meant(&text),
        Writer::Browser => None,
    };
    Ok(match meant {
        Some(text) => Read { text, changed: Some(ESCAPED) },
        None => Read { changed: (text != kept).then_some(TWICE), text },
    })
}

/// What a literal means of which only the doubled quotes were undone, unless it means what it is.
fn meant(text: &str) -> Option<String> {
    if !text.contains('\\') || is_json(text) {
        return None;
    }
    // The quotes around it are gone, so none of those in it is doubled.
    let literal = Text { raw: text.to_owned(), quote: '\0', backslash_escapes: true, place: Place(0) };
    Some(literal.comet()).filter(|meant| meant != text)
}

/// The text whose UTF-8 was taken for Latin-1 (MySQL's, which is Windows-1252) and encoded a second time. No text that
/// anybody writes looks like that by chance.
fn encoded_once(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(latin1_byte).collect();
    String::from_utf8(bytes?).ok()
}

fn latin1_byte(letter: char) -> Option<u8> {
    /// The letters that Windows-1252 has from 0x80 to 0x9f; where it has none MySQL keeps the number.
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match u32::from(letter) {
        number @ (0..=0x7f | 0xa0..=0xff) => u8::try_from(number).ok(),
        _ => HIGH.iter().position(|high| *high == letter).and_then(|at| u8::try_from(0x80 + at).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice(text: &str) -> String {
        text.bytes()
            .map(|byte| {
                (0..=0x10_ffff).filter_map(char::from_u32).find(|letter| latin1_byte(*letter) == Some(byte)).unwrap()
            })
            .collect()
    }

    #[test]
    fn texts_are_read_as_they_were_meant() {
        let cyrillic = twice("Привет, 😀");
        for (kept, program, changed) in [
            ("plain", "plain", None),
            ("it''s", "it''s", None),
            (r"it\'s", "it's", Some(ESCAPED)),
            (r#"{\"a\":\"b\"}"#, r#"{"a":"b"}"#, Some(ESCAPED)),
            (r#"{"u":"\u043f"}"#, r#"{"u":"\u043f"}"#, None),
            (r#"{"say":"\"hi\""}"#, r#"{"say":"\"hi\""}"#, None),
            ("Привет, 😀", "Привет, 😀", None),
            ("déjà vu", "déjà vu", None),
            (&cyrillic, "Привет, 😀", Some(TWICE)),
        ] {
            let found = read(kept.as_bytes().to_vec(), Writer::Program);
            assert_eq!(found, Ok(Read { text: program.to_owned(), changed }), "{kept}");
        }
        let of_browser = read(br"C:\new".to_vec(), Writer::Browser);
        assert_eq!(of_browser, Ok(Read { text: r"C:\new".to_owned(), changed: None }));
        assert_eq!(read(vec![b'a', 0xff], Writer::Program), Err(NOT_UTF8));
    }
}
