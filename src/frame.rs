//! The JSON that browsers and node exchange, in both directions.
//!
//! What is encoded here is ready for the socket, WebSocket header included, because the fan-out shares those bytes.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::UnixMillis;
use crate::pipe::{Delivery, NameError, PipeName, is_json};
use crate::user::UserId;

/// The header of a text frame, FIN set, from the server (RFC 6455, 5.2).
const TEXT_FRAME: u8 = 0x81;

/// What a browser asks for in one text frame.
#[derive(PartialEq, Eq, Debug)]
pub enum ClientFrame {
    /// Replaces all subscriptions. Names that are none are told apart, never the end of the list.
    Subscription {
        names: Vec<PipeName>,
        refused: Vec<(String, NameError)>,
    },
    /// Understood and without effect: telemetry, and calls the original never answered.
    Ignored,
    Unknown,
}

impl ClientFrame {
    /// The original client's form: a command, one separating byte, arguments.
    pub fn parse(text: &str) -> ClientFrame {
        let (command, arguments) = text.split_at(text.find(|c: char| !is_command_byte(c)).unwrap_or(text.len()));
        match command {
            "subscription" => subscription(arguments),
            "statistics" | "cgi_call" | "CometQL_call" => ClientFrame::Ignored,
            _ => ClientFrame::Unknown,
        }
    }
}

fn is_command_byte(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names stand between any bytes that cannot be part of one. A name given twice counts once.
fn subscription(arguments: &str) -> ClientFrame {
    let mut names: Vec<PipeName> = Vec::new();
    let mut refused = Vec::new();
    for text in arguments.split(|c: char| !is_command_byte(c) && c != '-').filter(|text| !text.is_empty()) {
        match PipeName::for_subscription(text) {
            Ok(name) => names.push(name),
            Err(error) => refused.push((shortened(text), error)),
        }
    }
    names.sort_unstable();
    names.dedup();
    ClientFrame::Subscription { names, refused }
}

/// Enough of a bad name to recognise it.
fn shortened(text: &str) -> String {
    text.chars().take(72).collect()
}

/// The wire bytes of a message, encoded once for all shards.
pub fn of_delivery(delivery: &Delivery) -> Bytes {
    delivery.encoded.get_or_init(|| encode_delivery(delivery)).clone()
}

fn encode_delivery(delivery: &Delivery) -> Bytes {
    let mut json = Vec::with_capacity(delivery.message.bytes() + 256);
    json.extend_from_slice(b"{\"data\":");
    data(&mut json, delivery.message.as_str());
    json.extend_from_slice(b",\"event\":");
    string(&mut json, delivery.event.as_str());
    // Writing to a Vec cannot fail.
    let _ = write!(json, ",\"message_send_time\":{},\"pipe\":", delivery.sent_at.seconds());
    string(&mut json, delivery.pipe.shown_name());
    if delivery.origin.is_some() {
        let _ = write!(json, ",\"user_id\":{}", delivery.user.map_or(0, UserId::number));
    }
    let _ = write!(json, ",\"uuid\":\"{}\"}}", delivery.id);
    text_frame(&json)
}

/// The text of a message as the original client must get it to show it unharmed: always a string, which the client
/// tries to read as JSON, after replacing `\'` by `'` and, failing that, after removing backslashes.
fn data(json: &mut Vec<u8>, text: &str) {
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
fn string(json: &mut Vec<u8>, text: &str) {
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

/// The first frame of every connection. `key` is what the browser may log in with the next time.
pub fn server_info(authorized: bool, key: &str, now: UnixMillis) -> Bytes {
    let mut json = Vec::new();
    let _ = write!(json, "{{\"authorized\":{authorized},\"data\":");
    string(&mut json, key);
    let _ = write!(json, ",\"event\":\"serverInfo\",\"message_send_time\":{},\"pipe\":\"sys\"", now.seconds());
    let _ = write!(json, ",\"server\":\"cometql {}\"}}", env!("CARGO_PKG_VERSION"));
    text_frame(&json)
}

/// A command that was not understood or not allowed; the connection goes on. `number_messages` is -1, as a program
/// that waits for a delivery report expects.
pub fn command_error(text: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"error\":".to_vec();
    string(&mut json, text);
    json.extend_from_slice(b",\"number_messages\":-1}");
    sys_error(json, now)
}

/// A subscription that was refused; the others stand.
pub fn subscription_error(code: u16, text: &str, now: UnixMillis) -> Bytes {
    let mut json = Vec::new();
    let _ = write!(json, "{{\"data\":{{\"code\":\"{code}\",\"error\":");
    string(&mut json, text);
    json.push(b'}');
    sys_error(json, now)
}

/// The connection is refused for good: `error` at the top makes the original client stop coming back.
pub fn refusal(code: u16, text: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"error\":".to_vec();
    string(&mut json, text);
    let _ = write!(json, ",\"error_code\":{code}}},\"error\":{code}");
    sys_error(json, now)
}

fn sys_error(mut json: Vec<u8>, now: UnixMillis) -> Bytes {
    let _ = write!(json, ",\"event\":\"error\",\"message_send_time\":{},\"pipe\":\"sys\"}}", now.seconds());
    text_frame(&json)
}

fn text_frame(payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(TEXT_FRAME);
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    Bytes::from(frame)
}

/// The frames of a run of messages of one pipe: what a subscriber gets in one piece.
pub fn of_run(run: &[Arc<Delivery>]) -> Bytes {
    match run {
        [one] => of_delivery(one),
        many => {
            let frames: Vec<Bytes> = many.iter().map(|delivery| of_delivery(delivery)).collect();
            Bytes::from(frames.concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{ConnectionId, Message, MessageId, Pipe, Position};
    use crate::user::TenantId;

    fn delivery(text: &str) -> Delivery {
        Delivery {
            pipe: Pipe::Named(TenantId(0), PipeName::for_publish("room").unwrap()),
            position: Position { epoch: 1, index: 1 },
            id: MessageId(uuid::Uuid::from_u128(1)),
            event: "evt".parse().unwrap(),
            message: Message::new(text.to_owned(), usize::MAX).unwrap(),
            user: None,
            origin: None,
            sent_at: UnixMillis(1_700_000_000_999),
            encoded: Default::default(),
        }
    }

    fn payload(frame: &[u8]) -> &[u8] {
        match frame[1] {
            126 => &frame[4..],
            127 => &frame[10..],
            length => {
                assert_eq!(usize::from(length), frame.len() - 2);
                &frame[2..]
            }
        }
    }

    /// What the original client does with a frame (spec of its incoming pipeline, steps 1 and 7).
    fn as_the_original_client_reads_it(frame: &[u8]) -> serde_json::Value {
        let frame = std::str::from_utf8(frame).unwrap();
        assert!(!frame.contains('\n'));
        let envelope: serde_json::Value = serde_json::from_str(&frame.replace("\\'", "'")).unwrap();
        let data = envelope["data"].as_str().unwrap();
        assert!(!data.starts_with("A::"));
        serde_json::from_str(&data.replace("\\'", "'"))
            .or_else(|_| serde_json::from_str(&data.replace('\\', "")))
            .unwrap_or_else(|_| data.replace('\\', "").into())
    }

    #[test]
    fn a_message_is_the_envelope_of_the_original() {
        let frame = of_delivery(&delivery("{\"k\":1}"));
        let expected = "{\"data\":\"{\\\"k\\\":1}\",\"event\":\"evt\",\"message_send_time\":1700000000,\
                        \"pipe\":\"room\",\"uuid\":\"00000000-0000-0000-0000-000000000001\"}";
        assert_eq!(std::str::from_utf8(payload(&frame)).unwrap(), expected);
        let from_browser = Delivery {
            origin: Some(ConnectionId { node: 0, shard: 0, slot: 0, serial: 0 }),
            user: UserId::new(42),
            ..delivery("x")
        };
        let frame = of_delivery(&from_browser);
        assert!(std::str::from_utf8(payload(&frame)).unwrap().contains("\"user_id\":42"));
    }

    #[test]
    fn the_original_client_shows_what_was_published() {
        let texts =
            ["plain", "it's", "C:\\dir", "a \\' b", "A::7;not a sender", "two\nlines\tand a \u{1} byte", "😀 é", ""];
        for text in texts {
            let shown = as_the_original_client_reads_it(payload(&of_delivery(&delivery(text))));
            assert_eq!(shown, serde_json::Value::from(text), "{text:?}");
        }
        let jsons = [
            r#"{"a":"it's","b":"x\\'y","c":"\"q\"","d":"\u043f\/"}"#,
            r#""a \\' b""#,
            r#"[1,2.5,null,true,"A::1;"]"#,
            "123",
            " {} ",
        ];
        for json in jsons {
            let shown = as_the_original_client_reads_it(payload(&of_delivery(&delivery(json))));
            assert_eq!(shown, serde_json::from_str::<serde_json::Value>(json).unwrap(), "{json}");
        }
    }

    #[test]
    fn every_length_has_its_header() {
        for length in [0, 1, 30, 100, 123, 124, 125, 126, 127, 65_534, 65_535, 65_536, 200_000] {
            let frame = text_frame(&vec![b'x'; length]);
            let header: &[u8] = match length {
                0..=125 => &[0x81, length as u8],
                126..=65_535 => &[0x81, 126, (length >> 8) as u8, length as u8],
                _ => &[0x81, 127, 0, 0, 0, 0, 0, (length >> 16) as u8, (length >> 8) as u8, length as u8],
            };
            assert_eq!(frame[..header.len()], *header, "{length}");
            assert_eq!(frame.len(), header.len() + length);
        }
    }

    #[test]
    fn a_subscription_takes_every_name_that_is_one() {
        let name = |text| PipeName::for_subscription(text).unwrap();
        let parse = |text: &str| match ClientFrame::parse(text) {
            ClientFrame::Subscription { names, refused } => (names, refused.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(parse("subscription\nweb_room\ntrack_hall"), (vec![name("track_hall"), name("web_room")], 0));
        assert_eq!(parse("subscription\na\nbb\nbb\n\ncc.dd"), (vec![name("bb"), name("cc"), name("dd")], 1));
        assert_eq!(parse(&format!("subscription\n{}\nok", "x".repeat(65))), (vec![name("ok")], 1));
        assert_eq!(parse("subscription\n"), (vec![], 0));
        assert_eq!(parse("subscription"), (vec![], 0));
        assert_eq!(ClientFrame::parse("statistics\n{}"), ClientFrame::Ignored);
        for text in ["", "\n", "subscriptions\nxx", "привет", "{\"json\":1}"] {
            assert_eq!(ClientFrame::parse(text), ClientFrame::Unknown, "{text}");
        }
    }

    #[test]
    fn refusals_name_themselves_where_the_client_looks() {
        let now = UnixMillis(1_700_000_000_000);
        let parse = |frame: Bytes| serde_json::from_slice::<serde_json::Value>(payload(&frame)).unwrap();
        assert_eq!(parse(refusal(418, "old", now))["error"], 418);
        assert_eq!(parse(subscription_error(403, "no", now))["data"]["code"], "403");
        assert_eq!(parse(command_error("what", now))["data"]["number_messages"], -1);
        let info = parse(server_info(true, "it's", now));
        assert_eq!((&info["authorized"], &info["data"], &info["pipe"]), (&true.into(), &"it's".into(), &"sys".into()));
    }
}
