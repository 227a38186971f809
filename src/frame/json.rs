//! JSON strings, written so that the original client reads them unharmed.

use std::io::Write;

use crate::pipe::is_json;

/// The text of a message as the original client must get it to show it unharmed: always a string, which the client
/// tries to read as JSON, after replacing `\'` by `'` and, failing that, after removing backslashes.
pub(super) fn data(json: &mut Vec<u8>, text: &str) {
    if is_json(text) {
        if text.contains("\\'") {
            // In JSON an apostrophe stands only inside strings, where it may be written as an escape.
            string(json, &text.replace('\'', "\\u0027"));
        } else {
            string(json, text);
        }
    } else if text.contains('\\') || text.starts_with("A::") {
        // Left alone, the client would eat the backslashes, or take the start for a sender's number.
        let mut once_more = Vec::with_capacity(text.len() + 16);
        string(&mut once_more, text);
        string(json, &String::from_utf8_lossy(&once_more));
    } else {
        string(json, text);
    }
}

/// A JSON string. Apostrophes are written as escapes: behind a backslash they would make the frame unreadable for
/// the original client.
pub(super) fn string(json: &mut Vec<u8>, text: &str) {
    json.push(b'"');
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\'' => b"\\u0027",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        json.extend_from_slice(&bytes[plain_from..at]);
        if escape.is_empty() {
            let _ = write!(json, "\\u{byte:04x}");
        } else {
            json.extend_from_slice(escape);
        }
        plain_from = at + 1;
    }
    json.extend_from_slice(&bytes[plain_from..]);
    json.push(b'"');
}
