//! What a case is: bytes that are sent, and frames that are seen.

use super::browser::masked;

#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub sent: Vec<u8>,
    /// In order. When the last is a close the connection ends, otherwise it goes on.
    pub seen: Vec<Seen>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// What a text was published as, once its answer is there.
    Text(String),
    Pong(Vec<u8>),
    /// The code of a close frame, if it has one.
    Close(Vec<u8>),
}

pub fn case(name: impl Into<String>, sent: &[Vec<u8>], seen: &[Seen]) -> Case {
    Case { name: name.into(), sent: sent.concat(), seen: seen.to_vec() }
}

/// What stands behind the text in [`echoed`], in bytes.
pub const BEHIND_ECHOED: usize = 2;

/// The payload of a command that publishes a text.
pub fn echoed(text: &[u8]) -> Vec<u8> {
    // Only what is no text at all stands there as it is.
    let in_quotes = match std::str::from_utf8(text) {
        Ok(text) => serde_json::to_vec(text).expect("JSON"),
        Err(_) => [b"\"", text, b"\""].concat(),
    };
    [b"{\"do\":\"publish\",\"id\":1,\"pipe\":\"web_e\",\"data\":", in_quotes.as_slice(), b"}"].concat()
}

pub fn closed(code: u16) -> Seen {
    Seen::Close(code.to_be_bytes().to_vec())
}

pub fn text_seen(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

/// A message in fragments that end at these places.
pub fn fragmented(payload: &[u8], ends: &[usize]) -> Vec<u8> {
    let mut frames = Vec::new();
    let mut from = 0;
    for (nth, end) in ends.iter().copied().chain([payload.len()]).enumerate() {
        let first = if nth == 0 { 0x01 } else { 0x00 };
        let is_last = nth == ends.len();
        frames.extend(masked(first | if is_last { 0x80 } else { 0 }, &payload[from..end]));
        from = end;
    }
    frames
}
