//! How pipes, messages and settings are written down. Every value ends with a checksum over its key and itself,
//! because the engine does not look at what it reads back.

use uuid::Uuid;

use super::head::Head;
use super::repeats::First;
use super::words;
use crate::clock::UnixMillis;
use crate::pipe::{ConnectionId, Delivery, Encoded, Event, Message, MessageId, Pipe, PipeName, Position, Retention};
use crate::store::{Published, Record, Shelf, StoreError};
use crate::user::{TenantId, UserId};

/// What a connection takes in a record.
const ORIGIN_BYTES: usize = 13;

const NAMED: u8 = 1;
const LOG: u8 = 2;

/// The key of a pipe: tenant, kind, name; so that the named pipes of a tenant stand together, by name.
pub fn key_of(pipe: &Pipe) -> Vec<u8> {
    match pipe {
        Pipe::Named(tenant, name) => key_of_named(*tenant, name.as_str()),
        Pipe::Log(tenant, user) => {
            let mut key = tenant.0.to_be_bytes().to_vec();
            key.push(LOG);
            key.extend_from_slice(&user.number().to_be_bytes());
            key
        }
    }
}

/// The key a named pipe has, or would have: `""` stands before the first name of the tenant.
pub fn key_of_named(tenant: TenantId, name: &str) -> Vec<u8> {
    let mut key = tenant.0.to_be_bytes().to_vec();
    key.push(NAMED);
    key.extend_from_slice(name.as_bytes());
    key
}

/// The first key behind all named pipes of a tenant.
pub fn key_behind_named(tenant: TenantId) -> Vec<u8> {
    let mut key = tenant.0.to_be_bytes().to_vec();
    key.push(LOG);
    key
}

/// The first key behind a user's log, or without a user the first that a log can have.
pub fn key_behind_log(tenant: TenantId, user: Option<UserId>) -> Vec<u8> {
    let mut key = key_behind_named(tenant);
    key.extend_from_slice(&user.map_or(0, |user| user.number() + 1).to_be_bytes());
    key
}

pub fn pipe_of(key: &[u8]) -> Result<Pipe, StoreError> {
    parse_key(key).ok_or_else(|| StoreError::Damaged(format!("{key:02x?} is no key of a pipe")))
}

fn parse_key(key: &[u8]) -> Option<Pipe> {
    let (tenant, rest) = key.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first()?;
    let tenant = TenantId(u32::from_be_bytes(*tenant));
    match *kind {
        NAMED => {
            let name = PipeName::for_subscription(std::str::from_utf8(rest).ok()?).ok()?;
            Some(Pipe::Named(tenant, name))
        }
        LOG => {
            let number = u32::from_be_bytes(rest.try_into().ok()?);
            Some(Pipe::Log(tenant, UserId::new(u64::from(number))?))
        }
        _ => None,
    }
}

/// The key of a record: tenant, shelf, then the user's number or the token.
pub fn key_of_record(tenant: TenantId, record: &Record) -> Vec<u8> {
    let mut key = shelf_key(tenant, record.shelf());
    match record {
        Record::Key(user) | Record::Data(user) | Record::Seen(user) => {
            key.extend_from_slice(&user.number().to_be_bytes());
        }
        Record::Revoked(token) => key.extend_from_slice(token.as_bytes()),
    }
    key
}

/// What the keys of a tenant's records of one kind begin with.
pub fn shelf_key(tenant: TenantId, shelf: Shelf) -> Vec<u8> {
    let mut key = tenant.0.to_be_bytes().to_vec();
    key.push(match shelf {
        Shelf::Keys => 1,
        Shelf::Data => 2,
        Shelf::Seen => 3,
        Shelf::Revoked => 4,
    });
    key
}

/// The record a key names, within its shelf.
fn parse_record(shelf: Shelf, key: &[u8]) -> Option<Record> {
    let rest = key.get(5..)?;
    let user = || UserId::new(u64::from(u32::from_be_bytes(rest.try_into().ok()?)));
    match shelf {
        Shelf::Keys => user().map(Record::Key),
        Shelf::Data => user().map(Record::Data),
        Shelf::Seen => user().map(Record::Seen),
        Shelf::Revoked => std::str::from_utf8(rest).ok().map(|token| Record::Revoked(token.into())),
    }
}

/// The record a key names, with its tenant.
pub fn tenant_and_record(key: &[u8]) -> Option<(TenantId, Record)> {
    let (tenant, rest) = key.split_first_chunk::<4>()?;
    let shelf = match rest.first()? {
        1 => Shelf::Keys,
        2 => Shelf::Data,
        3 => Shelf::Seen,
        4 => Shelf::Revoked,
        _ => return None,
    };
    Some((TenantId(u32::from_be_bytes(*tenant)), parse_record(shelf, key)?))
}

pub fn value_record(key: &[u8], value: &str) -> Vec<u8> {
    sealed(value.as_bytes().to_vec(), key, 0)
}

pub fn value_of(key: &[u8], record: &[u8]) -> Result<String, StoreError> {
    opened(record, key, 0)
        .and_then(|value| String::from_utf8(value.to_vec()).ok())
        .ok_or_else(|| StoreError::Damaged(words::of_record_key(key)))
}

pub fn record_of(shelf: Shelf, key: &[u8], record: &[u8]) -> Result<(Record, String), StoreError> {
    let named =
        parse_record(shelf, key).ok_or_else(|| StoreError::Damaged(format!("{key:02x?} is no record's key")))?;
    Ok((named, value_of(key, record)?))
}

/// Message: epoch, id, time in milliseconds, user (0: none), connection that sent it (zeros: none), length of the event,
/// event, text.
pub fn message_record(key: &[u8], delivery: &Delivery) -> Vec<u8> {
    let event = delivery.event.as_str().as_bytes();
    let text = delivery.message.as_str().as_bytes();
    let mut record = Vec::with_capacity(8 + 16 + 8 + 4 + ORIGIN_BYTES + 1 + event.len() + text.len() + 4);
    record.extend_from_slice(&delivery.position.epoch.to_be_bytes());
    record.extend_from_slice(delivery.id.0.as_bytes());
    record.extend_from_slice(&delivery.sent_at.0.to_be_bytes());
    record.extend_from_slice(&delivery.user.map_or(0, UserId::number).to_be_bytes());
    record.extend_from_slice(&delivery.origin.map_or([0; ORIGIN_BYTES], origin_record));
    // An event has at most 64 bytes by its type.
    record.push(u8::try_from(event.len()).unwrap_or(0));
    record.extend_from_slice(event);
    record.extend_from_slice(text);
    sealed(record, key, delivery.position.index)
}

pub fn message_of(pipe: &Pipe, key: &[u8], index: u64, record: &[u8]) -> Result<Delivery, StoreError> {
    opened(record, key, index)
        .and_then(|record| parse_message(pipe, index, record))
        .ok_or_else(|| StoreError::Damaged(format!("message {index} of {}", words::of_pipe(pipe))))
}

/// The id of a message, of which nothing else is looked at.
pub fn id_of(record: &[u8]) -> Option<MessageId> {
    let (_epoch, rest) = record.split_first_chunk::<8>()?;
    let (id, _) = rest.split_first_chunk::<16>()?;
    Some(MessageId(Uuid::from_bytes(*id)))
}

fn parse_message(pipe: &Pipe, index: u64, record: &[u8]) -> Option<Delivery> {
    let (epoch, rest) = record.split_first_chunk::<8>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (sent_at, rest) = rest.split_first_chunk::<8>()?;
    let (user, rest) = rest.split_first_chunk::<4>()?;
    let (origin, rest) = rest.split_first_chunk::<ORIGIN_BYTES>()?;
    let (event_bytes, rest) = rest.split_first()?;
    let (event, text) = rest.split_at_checked(usize::from(*event_bytes))?;
    Some(Delivery {
        pipe: pipe.clone(),
        position: Position { epoch: u64::from_be_bytes(*epoch), index },
        id: MessageId(Uuid::from_bytes(*id)),
        event: std::str::from_utf8(event).ok()?.parse::<Event>().ok()?,
        message: Message::new(String::from_utf8(text.to_vec()).ok()?, usize::MAX).ok()?,
        user: UserId::new(u64::from(u32::from_be_bytes(*user))),
        origin: origin_of(origin),
        sent_at: UnixMillis(u64::from_be_bytes(*sent_at)),
        encoded: Encoded::default(),
    })
}

/// Connection: node, shard, slot, serial. Its own messages do not come back to it, not even from here.
fn origin_record(origin: ConnectionId) -> [u8; ORIGIN_BYTES] {
    let mut record = [0; ORIGIN_BYTES];
    record[..4].copy_from_slice(&origin.node.to_be_bytes());
    record[4] = origin.shard;
    record[5..9].copy_from_slice(&origin.slot.to_be_bytes());
    record[9..].copy_from_slice(&origin.serial.to_be_bytes());
    record
}

fn origin_of(record: &[u8; ORIGIN_BYTES]) -> Option<ConnectionId> {
    let (node, rest) = record.split_first_chunk::<4>()?;
    let (shard, rest) = rest.split_first()?;
    let (slot, serial) = rest.split_first_chunk::<4>()?;
    let number = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes);
    let (node, slot, serial) = (number(node), number(slot), number(serial.try_into().ok()?));
    // A serial number begins with 1.
    (serial > 0).then_some(ConnectionId { node, shard: *shard, slot, serial })
}

/// Head: epoch, index of the newest message, how many messages are kept, how many bytes their records have, up to
/// which index they have been taken, the highest index that was trimmed.
pub fn head_record(key: &[u8], head: &Head) -> Vec<u8> {
    let Position { epoch, index } = head.position;
    let numbers = [epoch, index, head.kept_count, head.kept_bytes, head.taken, head.floor, head.first];
    sealed(numbers.iter().flat_map(|number| number.to_be_bytes()).collect(), key, 0)
}

/// What a head record says, with the retention of the pipe to be filled in.
pub fn head_of(key: &[u8], record: &[u8], retention: Retention) -> Result<Head, StoreError> {
    let numbers: Option<Vec<u64>> = opened(record, key, 0).map(|record| {
        record.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok()).map(u64::from_be_bytes).collect()
    });
    let (&[epoch, index, kept_count, kept_bytes, taken], rest) = numbers
        .as_deref()
        .and_then(|numbers| numbers.split_first_chunk::<5>())
        .filter(|(_, rest)| rest.len() <= 2)
        .ok_or_else(|| StoreError::Damaged(format!("the position of {}", words::of_pipe_key(key))))?;
    // Of a head that was written before floors were, nothing up to here is vouched for.
    let floor = rest.first().copied().unwrap_or(index);
    // And before they said from where on a pipe keeps, it kept all that was there.
    let first = rest.get(1).copied().unwrap_or(0);
    Ok(Head { position: Position { epoch, index }, kept_count, kept_bytes, taken, floor, first, retention })
}

/// The key of a first publish under a chosen id, besides its time: id, pipe.
pub fn key_of_first(first: &First) -> Vec<u8> {
    let mut key = first.id.0.as_bytes().to_vec();
    key.extend_from_slice(&key_of(&first.pipe));
    key
}

/// First publish under a chosen id: epoch, index, receivers.
pub fn first_record(key: &[u8], first: &First) -> Vec<u8> {
    let Published { position: Position { epoch, index }, receivers, is_repeat: _ } = first.published;
    sealed([epoch, index, receivers].iter().flat_map(|number| number.to_be_bytes()).collect(), key, first.at.0)
}

pub fn first_of(at: UnixMillis, key: &[u8], record: &[u8]) -> Result<First, StoreError> {
    let parse = |record: &[u8]| {
        let (id, pipe) = key.split_first_chunk::<16>()?;
        let (epoch, rest) = record.split_first_chunk::<8>()?;
        let (index, receivers) = rest.split_first_chunk::<8>()?;
        let position = Position { epoch: u64::from_be_bytes(*epoch), index: u64::from_be_bytes(*index) };
        let receivers = u64::from_be_bytes(receivers.try_into().ok()?);
        let published = Published { position, receivers, is_repeat: false };
        Some(First { pipe: parse_key(pipe)?, id: MessageId(Uuid::from_bytes(*id)), published, at })
    };
    opened(record, key, at.0)
        .and_then(parse)
        .ok_or_else(|| StoreError::Damaged(format!("the id {key:02x?} chosen at {}", at.0)))
}

/// Setting: length, then the time to live in seconds, 0 for none.
pub fn retention_record(key: &[u8], retention: Retention) -> Vec<u8> {
    let mut record = retention.length.to_be_bytes().to_vec();
    record.extend_from_slice(&retention.ttl_seconds.unwrap_or(0).to_be_bytes());
    sealed(record, key, 0)
}

pub fn retention_of(key: &[u8], record: &[u8]) -> Result<Retention, StoreError> {
    let parse = |record: &[u8]| {
        let (length, ttl) = record.split_first_chunk::<2>()?;
        let ttl_seconds = u32::from_be_bytes(ttl.try_into().ok()?);
        Some(Retention { length: u16::from_be_bytes(*length), ttl_seconds: (ttl_seconds > 0).then_some(ttl_seconds) })
    };
    opened(record, key, 0)
        .and_then(parse)
        .ok_or_else(|| StoreError::Damaged(format!("the setting of {}", words::of_pipe_key(key))))
}

fn sealed(mut record: Vec<u8>, key: &[u8], index: u64) -> Vec<u8> {
    let checksum = checksum(&record, key, index);
    record.extend_from_slice(&checksum.to_be_bytes());
    record
}

/// Whether a record is as it was written under this key and, if it is a message, this index; otherwise 0.
pub fn is_sealed(key: &[u8], index: u64, record: &[u8]) -> bool {
    opened(record, key, index).is_some()
}

fn opened<'r>(record: &'r [u8], key: &[u8], index: u64) -> Option<&'r [u8]> {
    let (record, seal) = record.split_last_chunk::<4>()?;
    (checksum(record, key, index) == u32::from_be_bytes(*seal)).then_some(record)
}

fn checksum(record: &[u8], key: &[u8], index: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&index.to_be_bytes());
    hasher.update(record);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(pipe: &Pipe) -> Delivery {
        Delivery {
            pipe: pipe.clone(),
            position: Position { epoch: 9, index: 3 },
            id: MessageId(Uuid::from_u128(0x1234)),
            event: "greeting".parse().unwrap(),
            message: Message::new("a 😀 'quoted' \\ text".into(), 100).unwrap(),
            user: UserId::new(7),
            origin: Some(ConnectionId { node: 9, shard: 1, slot: 0, serial: 70_000 }),
            sent_at: UnixMillis(1_700_000_000_123),
            encoded: Default::default(),
        }
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let pipe = Pipe::Named(TenantId(2), PipeName::for_publish("room").unwrap());
        let key = key_of(&pipe);
        let written = delivery(&pipe);
        let read = message_of(&pipe, &key, 3, &message_record(&key, &written)).unwrap();
        assert_eq!(read.position, written.position);
        assert_eq!(read.id, written.id);
        assert_eq!(read.event, written.event);
        assert_eq!(read.message, written.message);
        assert_eq!(read.user, written.user);
        assert_eq!(read.sent_at, written.sent_at);
        assert_eq!(read.origin, written.origin);
        let of_backend = Delivery { origin: None, ..delivery(&pipe) };
        assert_eq!(message_of(&pipe, &key, 3, &message_record(&key, &of_backend)).unwrap().origin, None);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let pipe = Pipe::Log(TenantId(2), UserId::new(8).unwrap());
        let key = key_of(&pipe);
        let record = message_record(&key, &delivery(&pipe));
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(message_of(&pipe, &key, 3, &flipped).is_err(), "bit {bit}");
        }
        assert!(message_of(&pipe, &key, 4, &record).is_err(), "a record in the wrong place");
        for length in 0..record.len() {
            assert!(message_of(&pipe, &key, 3, &record[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn keys_sort_by_tenant_and_name() {
        let named = |tenant, name| key_of(&Pipe::Named(TenantId(tenant), PipeName::for_publish(name).unwrap()));
        let log = key_of(&Pipe::Log(TenantId(1), UserId::new(5).unwrap()));
        let mut keys = vec![named(2, "aaa"), log.clone(), named(1, "zzz"), named(1, "aaa")];
        keys.sort();
        assert_eq!(keys, vec![named(1, "aaa"), named(1, "zzz"), log.clone(), named(2, "aaa")]);
        assert!(key_of_named(TenantId(1), "") < named(1, "aaa"));
        assert!(named(1, "zzz") < key_behind_named(TenantId(1)));
        assert!(key_behind_named(TenantId(1)) <= log);
    }

    #[test]
    fn records_come_back_and_stand_in_the_order_of_their_keys() {
        let user = |number| UserId::new(number).unwrap();
        let records = [
            (Shelf::Keys, Record::Key(user(2))),
            (Shelf::Keys, Record::Key(user(300))),
            (Shelf::Data, Record::Data(user(1))),
            (Shelf::Seen, Record::Seen(user(1))),
            (Shelf::Revoked, Record::Revoked("a.b.c".into())),
        ];
        let keys: Vec<Vec<u8>> = records.iter().map(|(_, record)| key_of_record(TenantId(1), record)).collect();
        assert!(keys.is_sorted());
        for ((shelf, record), key) in records.into_iter().zip(keys) {
            let value = value_record(&key, "value");
            assert_eq!(record_of(shelf, &key, &value), Ok((record, "value".to_owned())));
            assert!(value_of(&key, &value[1..]).is_err());
        }
    }

    #[test]
    fn settings_chosen_ids_and_heads_come_back() {
        let retention = Retention { length: 10, ttl_seconds: Some(60) };
        assert_eq!(retention_of(b"k", &retention_record(b"k", retention)), Ok(retention));
        assert!(retention_of(b"other", &retention_record(b"k", retention)).is_err());
        let position = Position { epoch: 1, index: 2 };
        let published = Published { position, receivers: 9, is_repeat: false };
        let pipe = Pipe::Log(TenantId(2), UserId::new(8).unwrap());
        let first = First { pipe, id: MessageId::new(), published, at: UnixMillis(5) };
        let key = key_of_first(&first);
        assert_eq!(first_of(first.at, &key, &first_record(&key, &first)), Ok(first.clone()));
        assert!(first_of(UnixMillis(6), &key, &first_record(&key, &first)).is_err());
        let head = Head { position, kept_count: 3, kept_bytes: 4, taken: 1, floor: 2, first: 2, retention };
        assert_eq!(head_of(b"k", &head_record(b"k", &head), retention), Ok(head));
        let without_first: Vec<u8> = [1_u64, 2, 3, 4, 1, 2].iter().flat_map(|number| number.to_be_bytes()).collect();
        let old = Head { first: 0, ..head };
        assert_eq!(head_of(b"k", &sealed(without_first, b"k", 0), retention), Ok(old), "it keeps all that is there");
        let without_floor: Vec<u8> = [1_u64, 7, 3, 4, 1].iter().flat_map(|number| number.to_be_bytes()).collect();
        let older = Head { position: Position { epoch: 1, index: 7 }, floor: 7, first: 0, ..head };
        assert_eq!(head_of(b"k", &sealed(without_floor, b"k", 0), retention), Ok(older));
    }
}
