//! How a message looks in Redis, kept or announced: a head that the script writes, and a body that it does not read.
//!
//! Head: version, epoch, index, time in milliseconds. Body: id, user (0: none), 1 and the origin's node, shard, slot and
//! serial or 0 alone, length of the event, event, text. Numbers are big-endian.

use uuid::Uuid;

use crate::clock::UnixMillis;
use crate::pipe::{ConnectionId, Delivery, Encoded, Event, Message, MessageId, Pipe, Position};
use crate::store::Publish;
use crate::user::UserId;

/// The version that `publish.lua` writes; every one there has been is read.
const VERSION: u8 = 1;
/// What stands in place of a version when no message is announced but that a user is dismissed; behind it stands when.
const DISMISSAL: u8 = 0;

/// The body of a message that has no place yet.
pub fn body_of(publish: &Publish) -> Vec<u8> {
    let Publish { id, user, origin, event, message, .. } = publish;
    let mut body = Vec::new();
    put_body(&mut body, *id, *user, *origin, event, message);
    body
}

/// A message that has its place, whole.
pub fn record_of(delivery: &Delivery) -> Vec<u8> {
    let Delivery { position, id, user, origin, event, message, sent_at, .. } = delivery;
    let mut record = vec![VERSION];
    for number in [position.epoch, position.index, sent_at.0] {
        record.extend_from_slice(&number.to_be_bytes());
    }
    put_body(&mut record, *id, *user, *origin, event, message);
    record
}

fn put_body(
    body: &mut Vec<u8>,
    id: MessageId,
    user: Option<UserId>,
    origin: Option<ConnectionId>,
    event: &Event,
    message: &Message,
) {
    let (event, text) = (event.as_str().as_bytes(), message.as_str().as_bytes());
    body.reserve_exact(16 + 4 + 14 + 1 + event.len() + text.len());
    body.extend_from_slice(id.0.as_bytes());
    body.extend_from_slice(&user.map_or(0, UserId::number).to_be_bytes());
    match origin {
        None => body.push(0),
        Some(ConnectionId { node, shard, slot, serial }) => {
            body.push(1);
            body.extend_from_slice(&node.to_be_bytes());
            body.push(shard);
            body.extend_from_slice(&slot.to_be_bytes());
            body.extend_from_slice(&serial.to_be_bytes());
        }
    }
    // An event has at most 64 bytes by its type.
    body.push(u8::try_from(event.len()).unwrap_or(0));
    body.extend_from_slice(event);
    body.extend_from_slice(text);
}

/// The message of a record, unless it is none.
pub fn delivery_of(pipe: &Pipe, record: &[u8]) -> Option<Delivery> {
    let mut rest = Rest(record);
    if rest.array()? != [VERSION] {
        return None;
    }
    let position = Position { epoch: u64::from_be_bytes(rest.array()?), index: u64::from_be_bytes(rest.array()?) };
    let sent_at = UnixMillis(u64::from_be_bytes(rest.array()?));
    let id = MessageId(Uuid::from_bytes(rest.array()?));
    let user = UserId::new(u64::from(u32::from_be_bytes(rest.array()?)));
    let origin = match rest.array()? {
        [0] => None,
        [1] => Some(ConnectionId {
            node: u32::from_be_bytes(rest.array()?),
            shard: u8::from_be_bytes(rest.array()?),
            slot: u32::from_be_bytes(rest.array()?),
            serial: u32::from_be_bytes(rest.array()?),
        }),
        _ => return None,
    };
    let [event_bytes] = rest.array()?;
    let (event, text) = rest.0.split_at_checked(usize::from(event_bytes))?;
    Some(Delivery {
        pipe: pipe.clone(),
        position,
        id,
        event: std::str::from_utf8(event).ok()?.parse::<Event>().ok()?,
        message: Message::new(String::from_utf8(text.to_vec()).ok()?, usize::MAX).ok()?,
        user,
        origin,
        sent_at,
        encoded: Encoded::default(),
    })
}

/// When a user was dismissed, if that is what is announced.
pub fn dismissal_of(record: &[u8]) -> Option<u64> {
    let mut rest = Rest(record);
    (rest.array()? == [DISMISSAL]).then_some(u64::from_be_bytes(rest.array()?))
}

/// What has not been read of a record.
struct Rest<'r>(&'r [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::PipeName;
    use crate::user::TenantId;

    fn pipe() -> Pipe {
        Pipe::Named(TenantId(2), PipeName::for_publish("room").unwrap())
    }

    fn publish(origin: Option<ConnectionId>) -> Publish {
        Publish {
            pipe: pipe(),
            id: MessageId(Uuid::from_u128(0x1234)),
            id_is_chosen: true,
            event: "greeting".parse().unwrap(),
            message: Message::new("a 😀 'quoted' \\ text".into(), 100).unwrap(),
            user: UserId::new(7),
            origin,
            sender_listens: true,
        }
    }

    fn record(publish: &Publish) -> Vec<u8> {
        let mut record = vec![VERSION];
        for number in [9_u64, 3, 1_700_000_000_123] {
            record.extend_from_slice(&number.to_be_bytes());
        }
        record.extend_from_slice(&body_of(publish));
        record
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        for origin in [None, Some(ConnectionId { node: 1, shard: 2, slot: 3, serial: 4 })] {
            let written = publish(origin);
            let read = delivery_of(&pipe(), &record(&written)).unwrap();
            assert_eq!(read.position, Position { epoch: 9, index: 3 });
            assert_eq!((read.id, read.user, read.origin), (written.id, written.user, origin));
            assert_eq!((&read.event, &read.message), (&written.event, &written.message));
            assert_eq!(read.sent_at, UnixMillis(1_700_000_000_123));
            assert_eq!(record_of(&read), record(&written));
        }
    }

    #[test]
    fn what_is_cut_or_of_another_version_is_no_message() {
        let whole = record(&publish(Some(ConnectionId { node: 1, shard: 2, slot: 3, serial: 4 })));
        let text_begins = whole.len() - publish(None).message.bytes();
        for length in 0..text_begins {
            assert!(delivery_of(&pipe(), &whole[..length]).is_none(), "cut at {length}");
        }
        assert!(delivery_of(&pipe(), &[&[VERSION + 1], &whole[1..]].concat()).is_none());
        assert!(delivery_of(&pipe(), &[&whole[..], &[0xff]].concat()).is_none(), "no UTF-8");
    }

    #[test]
    fn a_dismissal_is_no_message() {
        let announced = b"\0\0\0\x01\x8b\xcf\xe5\x68\0";
        assert_eq!(dismissal_of(announced), Some(1_700_000_000_000));
        assert!(delivery_of(&pipe(), announced).is_none());
        assert_eq!(dismissal_of(&record(&publish(None))), None);
        assert_eq!(dismissal_of(&announced[..8]), None);
    }

    /// As they lie in the streams of those who have run the first version.
    #[test]
    fn a_record_of_the_first_version_is_read() {
        let old = b"\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x02\0\0\x01\x8b\xcf\xe5\x68\0\
            \x01\x90\0\0\0\0\x70\0\x80\0\0\0\0\0\0\x01\0\0\0\x07\x01\0\0\0\x09\x01\0\0\0\x02\0\0\0\x03\x02evtext";
        let read = delivery_of(&pipe(), old).unwrap();
        assert_eq!((read.position.epoch, read.position.index, read.sent_at.0), (5, 2, 1_700_000_000_000));
        assert_eq!((read.event.as_str(), read.message.as_str(), read.user), ("ev", "text", UserId::new(7)));
        assert_eq!(read.origin, Some(ConnectionId { node: 9, shard: 1, slot: 2, serial: 3 }));
    }
}
