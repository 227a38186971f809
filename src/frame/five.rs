//! Generation 5: `docs/PROTOCOL.md`. What a client says is a [`Command`]; what it is told is made by the functions.

mod command;

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

pub use self::command::{Command, Mistake, Misunderstood, Spoken, Wanted};
use super::json::string;
use super::server::text_frame;
use crate::node::{Present, Published, Seen};
use crate::pipe::{Delivery, MessageId, Position, is_json};
use crate::user::UserId;

/// What a client may count on, told in the greeting.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub ping_seconds: u64,
    pub message_bytes_max: usize,
    pub subscriptions_max: usize,
}

/// The answer to `hello`; `user` is who the client has proved to be.
pub fn welcome(user: Option<UserId>, terms: Terms) -> Bytes {
    let mut json = b"{\"is\":\"welcome\",\"user\":".to_vec();
    user_or_null(&mut json, user);
    let _ = write!(
        json,
        ",\"server\":\"cometql {}\",\"ping_seconds\":{},\"message_bytes_max\":{},\"subscriptions_max\":{}}}",
        env!("CARGO_PKG_VERSION"),
        terms.ping_seconds,
        terms.message_bytes_max,
        terms.subscriptions_max
    );
    text_frame(&json)
}

/// A pipe is subscribed to. Without a position it was before, and nothing has changed.
pub fn subscribed(id: Option<u64>, pipe: &str, position: Option<Position>, recovered: Option<bool>) -> Bytes {
    let mut json = b"{\"is\":\"subscribed\"".to_vec();
    id_of(&mut json, id);
    json.extend_from_slice(b",\"pipe\":");
    string(&mut json, pipe);
    if let Some(position) = position {
        position_of(&mut json, position);
    }
    if let Some(recovered) = recovered {
        let _ = write!(json, ",\"recovered\":{recovered}");
    }
    json.push(b'}');
    text_frame(&json)
}

/// What was published up to `position`, and has not arrived, is lost to this client.
pub fn gap(pipe: &str, position: Position) -> Bytes {
    let mut json = b"{\"is\":\"gap\",\"pipe\":".to_vec();
    string(&mut json, pipe);
    position_of(&mut json, position);
    json.push(b'}');
    text_frame(&json)
}

/// A message on its way to who subscribes.
pub fn message(delivery: &Delivery) -> Bytes {
    let mut json = Vec::with_capacity(delivery.message.bytes() + 256);
    json.extend_from_slice(b"{\"is\":\"message\",\"pipe\":");
    string(&mut json, delivery.pipe.shown_name());
    json.push(b',');
    body(&mut json, delivery);
    text_frame(&json)
}

/// A page of what a pipe keeps, for a command or ahead of a subscription.
pub fn history(id: Option<u64>, pipe: &str, messages: &[Arc<Delivery>], more: bool) -> Bytes {
    let mut json = b"{\"is\":\"history\"".to_vec();
    id_of(&mut json, id);
    json.extend_from_slice(b",\"pipe\":");
    string(&mut json, pipe);
    json.extend_from_slice(b",\"messages\":[");
    for (nth, delivery) in messages.iter().enumerate() {
        json.extend_from_slice(if nth == 0 { b"{" } else { b",{" });
        body(&mut json, delivery);
    }
    let _ = write!(json, "],\"more\":{more}}}");
    text_frame(&json)
}

/// The keys that every message has, up to the closing brace.
fn body(json: &mut Vec<u8>, delivery: &Delivery) {
    json.extend_from_slice(b"\"event\":");
    string(json, delivery.event.as_str());
    json.extend_from_slice(b",\"data\":");
    let text = delivery.message.as_str();
    if is_json(text) {
        json.extend_from_slice(text.as_bytes());
    } else {
        string(json, text);
    }
    position_of(json, delivery.position);
    let _ = write!(json, ",\"uuid\":\"{}\",\"time\":{}", delivery.id, delivery.sent_at.0);
    if let Some(user) = delivery.user {
        let _ = write!(json, ",\"user\":{}", user.number());
    }
    json.push(b'}');
}

/// A command is done, and there is nothing to say about it.
pub fn done(id: u64) -> Bytes {
    answer(id, |_| {})
}

/// A message that a client has published.
pub fn published(id: u64, published: &Published, uuid: MessageId) -> Bytes {
    answer(id, |json| {
        position_of(json, published.position);
        let _ = write!(json, ",\"receivers\":{},\"uuid\":\"{uuid}\"", published.receivers);
    })
}

pub fn count(id: u64, count: u64) -> Bytes {
    answer(id, |json| {
        let _ = write!(json, ",\"count\":{count}");
    })
}

pub fn users(id: u64, present: &[Present]) -> Bytes {
    answer(id, |json| {
        json.extend_from_slice(b",\"users\":[");
        for (nth, present) in present.iter().enumerate() {
            json.extend_from_slice(if nth == 0 { b"{\"user\":" } else { b",{\"user\":" });
            user_or_null(json, present.user);
            json.extend_from_slice(b",\"uuid\":");
            string(json, &present.about.uuid);
            json.push(b'}');
        }
        json.push(b']');
    })
}

pub fn user_data(id: u64, text: &str) -> Bytes {
    answer(id, |json| {
        json.extend_from_slice(b",\"data\":");
        string(json, text);
    })
}

pub fn seen(id: u64, seen: Seen) -> Bytes {
    answer(id, |json| {
        let _ = match seen {
            Seen::Now => write!(json, ",\"status\":\"online\""),
            Seen::At(seconds) => write!(json, ",\"status\":\"offline\",\"seen_at\":{seconds}"),
            Seen::Never => write!(json, ",\"status\":\"unknown\""),
        };
    })
}

/// A command, or one pipe of it, that was refused. The connection goes on.
pub fn error(id: Option<u64>, code: u16, text: &str, pipe: Option<&str>) -> Bytes {
    let mut json = b"{\"is\":\"error\"".to_vec();
    id_of(&mut json, id);
    let _ = write!(json, ",\"code\":{code},\"text\":");
    string(&mut json, text);
    if let Some(pipe) = pipe {
        json.extend_from_slice(b",\"pipe\":");
        string(&mut json, pipe);
    }
    json.push(b'}');
    text_frame(&json)
}

/// The node is going away: connect anew within so many seconds.
pub fn move_away(within_seconds: u64) -> Bytes {
    text_frame(format!("{{\"is\":\"move\",\"within_seconds\":{within_seconds}}}").as_bytes())
}

fn answer(id: u64, rest: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut json = b"{\"is\":\"answer\"".to_vec();
    id_of(&mut json, Some(id));
    rest(&mut json);
    json.push(b'}');
    text_frame(&json)
}

fn id_of(json: &mut Vec<u8>, id: Option<u64>) {
    if let Some(id) = id {
        // Writing to a Vec cannot fail.
        let _ = write!(json, ",\"id\":{id}");
    }
}

fn position_of(json: &mut Vec<u8>, Position { epoch, index }: Position) {
    let _ = write!(json, ",\"position\":[{epoch},{index}]");
}

fn user_or_null(json: &mut Vec<u8>, user: Option<UserId>) {
    match user {
        Some(user) => drop(write!(json, "{}", user.number())),
        None => json.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;
    use crate::pipe::{Message, Pipe, PipeName};
    use crate::user::TenantId;

    const AT: Position = Position { epoch: (1 << 53) - 1, index: 7 };

    fn delivery(text: &str, user: Option<UserId>) -> Arc<Delivery> {
        Arc::new(Delivery {
            pipe: Pipe::Named(TenantId(0), PipeName::for_publish("room").unwrap()),
            position: AT,
            id: MessageId(uuid::Uuid::from_u128(1)),
            event: "evt".parse().unwrap(),
            message: Message::new(text.to_owned(), usize::MAX).unwrap(),
            user,
            origin: None,
            sent_at: UnixMillis(1_700_000_000_999),
            encoded: Default::default(),
        })
    }

    fn text(frame: &Bytes) -> &str {
        let header = if frame[1] == 126 { 4 } else { 2 };
        std::str::from_utf8(&frame[header..]).unwrap()
    }

    #[test]
    fn a_message_is_as_the_protocol_says() {
        assert_eq!(
            text(&message(&delivery("{\"k\":1}", UserId::new(42)))),
            "{\"is\":\"message\",\"pipe\":\"room\",\"event\":\"evt\",\"data\":{\"k\":1},\
             \"position\":[9007199254740991,7],\"uuid\":\"00000000-0000-0000-0000-000000000001\",\
             \"time\":1700000000999,\"user\":42}"
        );
    }

    #[test]
    fn every_text_arrives_as_it_is_or_as_the_json_it_is() {
        let jsons = ["1", "\"it's\"", "[1,\n2]", "null", " {\"a\":\"\\u043f\"} ", "1e400", "-0.0"];
        let texts = ["", "plain", "it's", "{broken", "C:\\dir", "two\nlines \u{1} \u{2028} 😀", "A::1;x", "007"];
        for text_of in jsons.into_iter().chain(texts) {
            let frame = message(&delivery(text_of, None));
            let shown: &serde_json::value::RawValue =
                serde_json::from_str::<std::collections::HashMap<&str, &serde_json::value::RawValue>>(text(&frame))
                    .unwrap()["data"];
            if jsons.contains(&text_of) {
                assert_eq!(shown.get(), text_of.trim());
            } else {
                assert_eq!(serde_json::from_str::<String>(shown.get()).unwrap(), text_of);
            }
        }
    }

    #[test]
    fn frames_say_what_they_are() {
        let published_at = Published { position: AT, receivers: 3, is_repeat: false };
        let cases = [
            (
                subscribed(Some(1), "room", Some(AT), Some(true)),
                "{\"is\":\"subscribed\",\"id\":1,\"pipe\":\"room\",\"position\":[9007199254740991,7],\"recovered\":true}",
            ),
            (subscribed(Some(2), "room", None, None), "{\"is\":\"subscribed\",\"id\":2,\"pipe\":\"room\"}"),
            (gap("msg", AT), "{\"is\":\"gap\",\"pipe\":\"msg\",\"position\":[9007199254740991,7]}"),
            (done(3), "{\"is\":\"answer\",\"id\":3}"),
            (count(4, 12), "{\"is\":\"answer\",\"id\":4,\"count\":12}"),
            (user_data(5, "it's"), "{\"is\":\"answer\",\"id\":5,\"data\":\"it\\u0027s\"}"),
            (seen(6, Seen::At(17)), "{\"is\":\"answer\",\"id\":6,\"status\":\"offline\",\"seen_at\":17}"),
            (error(None, 400, "what?", None), "{\"is\":\"error\",\"code\":400,\"text\":\"what?\"}"),
            (
                error(Some(7), 403, "no", Some("x y")),
                "{\"is\":\"error\",\"id\":7,\"code\":403,\"text\":\"no\",\"pipe\":\"x y\"}",
            ),
            (move_away(5), "{\"is\":\"move\",\"within_seconds\":5}"),
            (
                published(8, &published_at, MessageId(uuid::Uuid::from_u128(1))),
                "{\"is\":\"answer\",\"id\":8,\"position\":[9007199254740991,7],\"receivers\":3,\
                 \"uuid\":\"00000000-0000-0000-0000-000000000001\"}",
            ),
        ];
        for (frame, expected) in cases {
            assert_eq!(text(&frame), expected);
        }
        let page = history(None, "room", &[delivery("1", None), delivery("x", None)], false);
        let page: serde_json::Value = serde_json::from_str(text(&page)).unwrap();
        assert_eq!((&page["messages"][0]["data"], &page["messages"][1]["data"]), (&1.into(), &"x".into()));
        assert!(page.get("id").is_none() && page["messages"][0].get("pipe").is_none());
    }
}
