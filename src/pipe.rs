//! What a valid pipe is, what its prefix means, and what travels through it.
//!
//! A text becomes a [`PipeName`], an [`Event`] or a [`Message`] once, here; from then on nobody checks again.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use uuid::Uuid;

use crate::clock::UnixMillis;
use crate::user::{Generation, TenantId, UserId};

/// Longest pipe name and longest event name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Shortest pipe name a browser may subscribe to, in bytes.
const SUBSCRIBE_NAME_BYTES_MIN: usize = 2;
/// Shortest pipe name anyone may publish to, in bytes.
const PUBLISH_NAME_BYTES_MIN: usize = 3;
/// Most messages the history of one pipe keeps.
pub const HISTORY_LENGTH_MAX: u16 = 1_000;
/// How long a `trust_*` pipe keeps a message, in seconds.
const TRUST_TTL_SECONDS: u32 = 120;
/// How long a user's log keeps a message, in seconds: a week.
pub const LOG_TTL_SECONDS: u32 = 7 * 86_400;

/// One pipe of one tenant: a named one, or the log of a user, which no text can spell.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Pipe {
    Named(TenantId, PipeName),
    Log(TenantId, UserId),
}

impl Pipe {
    pub fn tenant(&self) -> TenantId {
        match self {
            Pipe::Named(tenant, _) | Pipe::Log(tenant, _) => *tenant,
        }
    }

    /// The name browsers know the pipe by; a user's log is `msg` to that user.
    pub fn shown_name(&self) -> &str {
        match self {
            Pipe::Named(_, name) => name.as_str(),
            Pipe::Log(..) => "msg",
        }
    }
}

/// The name of a pipe: 2 to 64 bytes of `A-Za-z0-9_-`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeName(Arc<str>);

/// What the prefix of a name means (`spec` of the original protocol, permission matrix).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PipeKind {
    /// Any other name: browsers listen, backends publish.
    Plain,
    /// `web_*`: browsers publish too.
    Web,
    /// `webauth_*`: browsers that are logged in publish too.
    WebAuth,
    /// `private_*`: only who is logged in may listen.
    Private,
    /// `trust_*`: always kept, for two minutes.
    Trust,
    /// `track_*`: says who comes and goes.
    Track,
}

impl PipeName {
    /// A name a browser may subscribe to.
    pub fn for_subscription(text: &str) -> Result<PipeName, NameError> {
        PipeName::checked(text, SUBSCRIBE_NAME_BYTES_MIN)
    }

    /// A name a message may be published to.
    pub fn for_publish(text: &str) -> Result<PipeName, NameError> {
        PipeName::checked(text, PUBLISH_NAME_BYTES_MIN)
    }

    fn checked(text: &str, bytes_min: usize) -> Result<PipeName, NameError> {
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if text.len() < bytes_min {
            return Err(NameError::TooShort);
        }
        if !has_only_name_bytes(text) {
            return Err(NameError::BadByte);
        }
        Ok(PipeName(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn kind(&self) -> PipeKind {
        let name = self.as_str();
        let kinds = [
            ("webauth_", PipeKind::WebAuth),
            ("web_", PipeKind::Web),
            ("private_", PipeKind::Private),
            ("trust_", PipeKind::Trust),
            ("track_", PipeKind::Track),
        ];
        kinds.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or(PipeKind::Plain, |(_, kind)| *kind)
    }
}

impl fmt::Display for PipeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for PipeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", &*self.0)
    }
}

/// The name of an event: 0 to 64 bytes of `A-Za-z0-9_-`. Empty is allowed and stays empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event(Arc<str>);

impl Event {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Event {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Event, NameError> {
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if !has_only_name_bytes(text) {
            return Err(NameError::BadByte);
        }
        Ok(Event(Arc::from(text)))
    }
}

/// Why a text is not a pipe name or an event name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    TooLong,
    TooShort,
    BadByte,
}

impl fmt::Display for NameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            NameError::TooLong => "has a name longer than 64 bytes",
            NameError::TooShort => "has a name that is too short",
            NameError::BadByte => "has other bytes in its name than A-Za-z0-9_-",
        })
    }
}

fn has_only_name_bytes(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The text of a message: UTF-8, within the node's `message_bytes_max`.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Bytes);

impl Message {
    /// Fails with the length of a text that is longer than `bytes_max`.
    pub fn new(text: String, bytes_max: usize) -> Result<Message, MessageTooLong> {
        if text.len() > bytes_max {
            return Err(MessageTooLong { bytes: text.len(), bytes_max });
        }
        Ok(Message(Bytes::from(text)))
    }

    pub fn as_str(&self) -> &str {
        // Built from a String, so this never takes the fallback.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.as_str())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageTooLong {
    pub bytes: usize,
    pub bytes_max: usize,
}

/// Whether a text is JSON (RFC 8259), however deeply nested: nothing of it is kept. What cannot be is seen by its first byte.
pub fn is_json(text: &str) -> bool {
    let may_begin = |byte: &u8| matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n');
    text.trim_ascii_start().as_bytes().first().is_some_and(may_begin)
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The id of one message, unique everywhere and ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub Uuid);

impl MessageId {
    pub fn new() -> MessageId {
        MessageId(Uuid::now_v7())
    }
}

impl Default for MessageId {
    fn default() -> Self {
        MessageId::new()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0.as_hyphenated())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Where a message stands in its pipe. Indexes of one epoch count 1, 2, 3 …; a new epoch says that
/// what came before can no longer be vouched for. An index is never used twice within an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    pub epoch: u64,
    /// 0 is the place before the first message.
    pub index: u64,
}

impl Position {
    /// Of the message behind this one.
    pub fn next(self) -> Position {
        Position { index: self.index + 1, ..self }
    }
}

/// How much of a pipe is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// The newest so many messages, at most [`HISTORY_LENGTH_MAX`]; 0 keeps none.
    pub length: u16,
    /// A message older than this is gone.
    pub ttl_seconds: Option<u32>,
}

impl Retention {
    pub const NOTHING: Retention = Retention { length: 0, ttl_seconds: None };

    /// The retention `pipes_settings` asks for with `length`: more than the most is the most, and so is
    /// a negative number, as in the original.
    pub fn of_length(length: i64) -> Retention {
        let length = u16::try_from(length).map_or(HISTORY_LENGTH_MAX, |length| length.min(HISTORY_LENGTH_MAX));
        Retention { length, ttl_seconds: None }
    }

    /// What a pipe keeps when nobody has set anything.
    pub fn default_of(pipe: &Pipe) -> Retention {
        match pipe {
            Pipe::Named(_, name) if name.kind() == PipeKind::Trust => {
                Retention { length: HISTORY_LENGTH_MAX, ttl_seconds: Some(TRUST_TTL_SECONDS) }
            }
            Pipe::Log(..) => Retention { length: HISTORY_LENGTH_MAX, ttl_seconds: Some(LOG_TTL_SECONDS) },
            Pipe::Named(..) => Retention::NOTHING,
        }
    }

    pub fn keeps(&self) -> bool {
        self.length > 0
    }

    /// A message sent before this is gone at `now`.
    pub fn oldest_kept(&self, now: UnixMillis) -> UnixMillis {
        match self.ttl_seconds {
            Some(seconds) => UnixMillis(now.0.saturating_sub(u64::from(seconds) * 1_000)),
            None => UnixMillis(0),
        }
    }
}

/// One browser connection, anywhere. `serial` makes it unique over time: a late answer never reaches
/// the next tenant of the slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnectionId {
    pub node: u32,
    pub shard: u8,
    pub slot: u32,
    pub serial: u32,
}

/// A message that has its place: what the store keeps, announces and gives back.
pub struct Delivery {
    pub pipe: Pipe,
    pub position: Position,
    pub id: MessageId,
    pub event: Event,
    pub message: Message,
    /// Who sent it; `None` when a backend did.
    pub user: Option<UserId>,
    /// The connection that must not get its own message back (generation 4).
    pub origin: Option<ConnectionId>,
    pub sent_at: UnixMillis,
    pub encoded: Encoded,
}

/// The wire bytes of a message for browsers of each generation, made by the first shard that needs them.
#[derive(Default)]
pub struct Encoded {
    four: OnceLock<Bytes>,
    five: OnceLock<Bytes>,
}

impl Encoded {
    /// The bytes for one generation, made by `encode` if nobody has made them yet.
    pub fn get_or_init(&self, generation: Generation, encode: impl FnOnce() -> Bytes) -> Bytes {
        let bytes = match generation {
            Generation::Four => &self.four,
            Generation::Five => &self.five,
        };
        bytes.get_or_init(encode).clone()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Delivery { pipe, position, event, message, .. } = self;
        write!(out, "{pipe:?} {position:?} {} {message:?}", event.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_by_length_and_byte() {
        let cases = [
            ("ab", Ok(()), Err(NameError::TooShort)),
            ("abc", Ok(()), Ok(())),
            ("a", Err(NameError::TooShort), Err(NameError::TooShort)),
            ("", Err(NameError::TooShort), Err(NameError::TooShort)),
            ("a.b", Err(NameError::BadByte), Err(NameError::BadByte)),
            ("Chat_1-x", Ok(()), Ok(())),
            ("früh", Err(NameError::BadByte), Err(NameError::BadByte)),
        ];
        for (text, subscription, publish) in cases {
            assert_eq!(PipeName::for_subscription(text).map(drop), subscription, "{text}");
            assert_eq!(PipeName::for_publish(text).map(drop), publish, "{text}");
        }
        assert!(PipeName::for_publish(&"a".repeat(64)).is_ok());
        assert_eq!(PipeName::for_publish(&"a".repeat(65)), Err(NameError::TooLong));
        assert!("".parse::<Event>().is_ok());
        assert_eq!("a b".parse::<Event>(), Err(NameError::BadByte));
    }

    #[test]
    fn a_prefix_makes_the_kind() {
        let cases = [
            ("web_room", PipeKind::Web),
            ("webauth_room", PipeKind::WebAuth),
            ("private_x", PipeKind::Private),
            ("trust_x", PipeKind::Trust),
            ("track_x", PipeKind::Track),
            ("website", PipeKind::Plain),
        ];
        for (name, kind) in cases {
            assert_eq!(PipeName::for_publish(name).map(|name| name.kind()), Ok(kind), "{name}");
        }
    }

    #[test]
    fn a_length_is_clamped_as_the_original_did() {
        for (asked, kept) in [(0, 0), (10, 10), (1_000, 1_000), (1_001, 1_000), (70_000, 1_000), (-1, 1_000)] {
            assert_eq!(Retention::of_length(asked).length, kept, "{asked}");
        }
    }
}
