//! What the node says to browsers.

use std::io::Write;

use bytes::Bytes;

use super::json::{data, string};
use crate::clock::UnixMillis;
use crate::node::{Present, Seen};
use crate::pipe::{Delivery, Pipe, PipeKind, PipeName};
use crate::user::UserId;

/// The header of a text frame, FIN set, from the server (RFC 6455, 5.2).
const TEXT_FRAME: u8 = 0x81;
const PING_FRAME: u8 = 0x89;

/// A message on its way to who subscribes.
pub(super) fn message(delivery: &Delivery) -> Bytes {
    encode(delivery, Copy::Live)
}

/// A private message that has waited for its user.
pub fn of_queued(delivery: &Delivery) -> Bytes {
    encode(delivery, Copy::Queued)
}

/// A message of a history that was asked for.
pub fn of_history(delivery: &Delivery) -> Bytes {
    encode(delivery, Copy::History)
}

/// Which copy of a message this is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    Live,
    Queued,
    /// Without its `uuid`: the client drops one that it has seen in the last three minutes, and would show nothing
    /// of a history it asks for twice.
    History,
}

fn encode(delivery: &Delivery, copy: Copy) -> Bytes {
    let mut json = Vec::with_capacity(delivery.message.bytes() + 256);
    json.extend_from_slice(b"{\"data\":");
    let is_track = matches!(&delivery.pipe, Pipe::Named(_, name) if name.kind() == PipeKind::Track);
    if is_track && delivery.origin.is_some() {
        // The node's own event is an object, not text.
        json.extend_from_slice(delivery.message.as_str().replace('\'', "\\u0027").as_bytes());
    } else {
        data(&mut json, delivery.message.as_str());
    }
    json.extend_from_slice(b",\"event\":");
    string(&mut json, delivery.event.as_str());
    if copy != Copy::Live {
        json.extend_from_slice(b",\"fromQueue\":true");
    }
    if copy == Copy::History {
        json.extend_from_slice(b",\"history\":true");
    }
    // Writing to a Vec cannot fail.
    let _ = write!(json, ",\"message_send_time\":{},\"pipe\":", delivery.sent_at.seconds());
    string(&mut json, delivery.pipe.shown_name());
    if copy == Copy::History || (delivery.origin.is_some() && !is_track) {
        let _ = write!(json, ",\"user_id\":{}", delivery.user.map_or(0, UserId::number));
    }
    if copy != Copy::History {
        let _ = write!(json, ",\"uuid\":\"{}\"", delivery.id);
    }
    json.push(b'}');
    text_frame(&json)
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

/// What became of a message a browser has published.
pub fn delivery_report(name: &PipeName, text: &str, receivers: u64, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"message\":".to_vec();
    data(&mut json, text);
    let _ = write!(json, ",\"number_messages\":{receivers}}},\"event\":\"answer\"");
    ending(json, now, &format!("_answer_to_{name}"))
}

/// How many subscribe to a pipe: an object that old programs may also read as the array it once was.
pub fn count(count: u64, marker: &str, now: UnixMillis) -> Bytes {
    let mut json = Vec::new();
    let _ = write!(json, "{{\"data\":{{\"0\":\"user_in_pipe\",\"1\":{count},\"user_in_pipe\":{count}}}");
    json.extend_from_slice(b",\"event\":\"user_in_pipe\",\"marker\":");
    string(&mut json, marker);
    ending(json, now, "_answer_pipe_count")
}

/// Who subscribes to a pipe.
pub fn users(users: &[Present], marker: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":[".to_vec();
    for (nth, present) in users.iter().enumerate() {
        let comma = if nth == 0 { "" } else { "," };
        let _ = write!(json, "{comma}{{\"user_id\":{},\"uuid\":", present.user.map_or(0, UserId::number));
        string(&mut json, &present.about.uuid);
        json.push(b'}');
    }
    json.extend_from_slice(b"],\"event\":\"answer\",\"marker\":");
    string(&mut json, marker);
    ending(json, now, "_answer")
}

/// What a backend has written down about a user; a string, whatever is in it.
pub fn user_data(user: UserId, text: &str, marker: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"user_data\":".to_vec();
    string(&mut json, text);
    let _ = write!(json, ",\"user_id\":{}}},\"event\":\"answer\",\"marker\":", user.number());
    string(&mut json, marker);
    ending(json, now, "_answer")
}

/// When a user was last here. The number is the original's: seconds since, the time of day for who is here now, and
/// one more than that for who never was; `status` says which.
pub fn user_status(user: UserId, seen: Seen, now: UnixMillis) -> Bytes {
    let (ago, status) = match seen {
        Seen::Now => (now.seconds(), "online"),
        Seen::At(seconds) => (now.seconds().saturating_sub(seconds), "offline"),
        Seen::Never => (now.seconds() + 1, "unknown"),
    };
    let mut json = Vec::new();
    let _ = write!(json, "{{\"data\":{{\"data\":{ago},\"last_online_time\":{ago},\"status\":\"{status}\"}}");
    let _ = write!(json, ",\"event\":\"user_status_{}\"", user.number());
    ending(json, now, "_answer_user_status")
}

/// A command that was not understood or not allowed; the connection goes on. `number_messages` is -1, as a program
/// that waits for a delivery report expects.
pub fn command_error(text: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"error\":".to_vec();
    string(&mut json, text);
    json.extend_from_slice(b",\"number_messages\":-1},\"event\":\"error\"");
    ending(json, now, "sys")
}

/// A question about a user that cannot be answered.
pub fn user_error(text: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"error\":".to_vec();
    string(&mut json, text);
    json.extend_from_slice(b",\"user_data\":\"\",\"user_id\":-1},\"event\":\"error\"");
    ending(json, now, "sys")
}

/// A subscription that was refused; the others stand.
pub fn subscription_error(code: u16, text: &str, now: UnixMillis) -> Bytes {
    let mut json = Vec::new();
    let _ = write!(json, "{{\"data\":{{\"code\":\"{code}\",\"error\":");
    string(&mut json, text);
    json.extend_from_slice(b"},\"event\":\"error\"");
    ending(json, now, "sys")
}

/// The connection is refused for good: `error` at the top makes the original client stop coming back.
pub fn refusal(code: u16, text: &str, now: UnixMillis) -> Bytes {
    let mut json = b"{\"data\":{\"error\":".to_vec();
    string(&mut json, text);
    let _ = write!(json, ",\"error_code\":{code}}},\"error\":{code},\"event\":\"error\"");
    ending(json, now, "sys")
}

/// A ping that carries an index: its pong says that everything up to there has arrived.
pub fn receipt_request(index: u64) -> Bytes {
    let mut frame = vec![PING_FRAME, 8];
    frame.extend_from_slice(&index.to_be_bytes());
    Bytes::from(frame)
}

fn ending(mut json: Vec<u8>, now: UnixMillis, pipe: &str) -> Bytes {
    let _ = write!(json, ",\"message_send_time\":{},\"pipe\":\"{pipe}\"}}", now.seconds());
    text_frame(&json)
}

pub(super) fn text_frame(payload: &[u8]) -> Bytes {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::{ConnectionId, Message, MessageId, Position};
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
        let frame = message(&delivery("{\"k\":1}"));
        let expected = "{\"data\":\"{\\\"k\\\":1}\",\"event\":\"evt\",\"message_send_time\":1700000000,\
                        \"pipe\":\"room\",\"uuid\":\"00000000-0000-0000-0000-000000000001\"}";
        assert_eq!(std::str::from_utf8(payload(&frame)).unwrap(), expected);
        let from_browser = Delivery {
            origin: Some(ConnectionId { node: 0, shard: 0, slot: 0, serial: 0 }),
            user: UserId::new(42),
            ..delivery("x")
        };
        let frame = message(&from_browser);
        assert!(std::str::from_utf8(payload(&frame)).unwrap().contains("\"user_id\":42"));
    }

    #[test]
    fn the_original_client_shows_what_was_published() {
        let texts =
            ["plain", "it's", "C:\\dir", "a \\' b", "A::7;not a sender", "two\nlines\tand a \u{1} byte", "😀 é", ""];
        for text in texts {
            let shown = as_the_original_client_reads_it(payload(&message(&delivery(text))));
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
            let shown = as_the_original_client_reads_it(payload(&message(&delivery(json))));
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
    fn refusals_name_themselves_where_the_client_looks() {
        let now = UnixMillis(1_700_000_000_000);
        let parse = |frame: Bytes| serde_json::from_slice::<serde_json::Value>(payload(&frame)).unwrap();
        assert_eq!(parse(refusal(418, "old", now))["error"], 418);
        assert_eq!(parse(subscription_error(403, "no", now))["data"]["code"], "403");
        assert_eq!(parse(command_error("what", now))["data"]["number_messages"], -1);
        let info = parse(server_info(true, "it's", now));
        assert_eq!((&info["authorized"], &info["data"], &info["pipe"]), (&true.into(), &"it's".into(), &"sys".into()));
    }

    #[test]
    fn copies_of_a_message_say_what_they_are() {
        let parse = |frame: Bytes| serde_json::from_slice::<serde_json::Value>(payload(&frame)).unwrap();
        let history = parse(of_history(&delivery("x")));
        assert_eq!(
            (&history["fromQueue"], &history["history"], &history["user_id"]),
            (&true.into(), &true.into(), &0.into())
        );
        assert!(history.get("uuid").is_none() && history.get("marker").is_none());
        let queued = parse(of_queued(&Delivery { pipe: Pipe::Log(TenantId(0), UserId::FIRST), ..delivery("x") }));
        assert_eq!((&queued["fromQueue"], &queued["pipe"]), (&true.into(), &"msg".into()));
        assert!(queued.get("uuid").is_some() && queued.get("history").is_none());
    }

    #[test]
    fn answers_are_those_of_the_original() {
        let now = UnixMillis(1_700_000_000_000);
        let text = |frame: Bytes| String::from_utf8(payload(&frame).to_vec()).unwrap();
        let name = PipeName::for_publish("web_room").unwrap();
        assert_eq!(
            text(delivery_report(&name, "\"it's\"", 2, now)),
            "{\"data\":{\"message\":\"\\\"it\\u0027s\\\"\",\"number_messages\":2},\"event\":\"answer\",\
             \"message_send_time\":1700000000,\"pipe\":\"_answer_to_web_room\"}"
        );
        assert_eq!(
            text(count(3, "48", now)),
            "{\"data\":{\"0\":\"user_in_pipe\",\"1\":3,\"user_in_pipe\":3},\"event\":\"user_in_pipe\",\
             \"marker\":\"48\",\"message_send_time\":1700000000,\"pipe\":\"_answer_pipe_count\"}"
        );
        assert_eq!(
            text(user_data(UserId::FIRST, "{}", "m", now)),
            "{\"data\":{\"user_data\":\"{}\",\"user_id\":1},\"event\":\"answer\",\"marker\":\"m\",\
             \"message_send_time\":1700000000,\"pipe\":\"_answer\"}"
        );
        assert!(text(user_status(UserId::FIRST, Seen::At(1_699_999_983), now)).contains("\"last_online_time\":17,"));
    }
}
