//! How pipes and records are called in Redis. They are dealt to 256 buckets; all keys of a bucket have its hash tag,
//! `{…}`, so that they are in one slot, and the buckets' slots are spread evenly over a Redis Cluster.

use std::sync::LazyLock;

use super::call::{SLOT_COUNT, Slot};
use crate::pipe::{ConnectionId, Pipe, PipeName};
use crate::store::{Peer, Record, Shelf};
use crate::user::{TenantId, UserId};

/// What every key of ours begins with.
const PREFIX: &str = "cometql:";
/// How many buckets there are. Another number would be another place for everything.
const BUCKET_COUNT: usize = 256;
/// Of each bucket, the first of these slots: the bucket's number times this.
const SLOTS_A_BUCKET: usize = SLOT_COUNT as usize / BUCKET_COUNT;

/// Until when each node is believed to be there.
pub const LEASES: &str = "cometql:{nodes}:leases";
/// Nodes that are there no more, as long as something of theirs may be.
pub const GONE: &str = "cometql:{nodes}:gone";

/// The tag of each bucket: the smallest number whose slot is among the bucket's.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut tags = vec![String::new(); BUCKET_COUNT];
    let mut missing = BUCKET_COUNT;
    for tag in (0_u32..).map(|number| number.to_string()) {
        if missing == 0 {
            break;
        }
        let free = tags.get_mut(bucket_of(&tag)).filter(|known| known.is_empty());
        if let Some(free) = free {
            *free = tag;
            missing -= 1;
        }
    }
    tags
});

fn bucket_of(text: &str) -> usize {
    Slot::of(text).number() / SLOTS_A_BUCKET
}

/// The key that is called `name`, in the bucket that belongs to `owner`.
fn key_in_bucket_of(owner: &str, name: &str) -> String {
    // There are as many tags as buckets.
    let tag = TAGS.get(bucket_of(owner)).map_or("", String::as_str);
    format!("{PREFIX}{{{tag}}}:{name}")
}

/// The key of this name in each bucket.
fn key_in_each(name: &str) -> Vec<String> {
    TAGS.iter().map(|tag| format!("{PREFIX}{{{tag}}}:{name}")).collect()
}

/// The key of a pipe's hash, which its other keys begin with, and the channel of its announcements.
pub fn base_of(pipe: &Pipe) -> String {
    let name = match pipe {
        Pipe::Named(tenant, name) => format!("{tenant}:n:{name}"),
        Pipe::Log(tenant, user) => format!("{tenant}:l:{}", user.number()),
    };
    key_in_bucket_of(&name, &name)
}

/// The pipe of a base, if it is one.
pub fn pipe_of(base: &[u8]) -> Option<Pipe> {
    let base = std::str::from_utf8(base).ok()?;
    let (_, name) = base.strip_prefix(PREFIX)?.split_once(':')?;
    let mut parts = name.splitn(3, ':');
    let (tenant, kind, name) = (TenantId::parse(parts.next()?)?, parts.next()?, parts.next()?);
    let pipe = match kind {
        "n" => Pipe::Named(tenant, listed_name(name.as_bytes())?),
        "l" => Pipe::Log(tenant, listed_user(name.as_bytes())?),
        _ => return None,
    };
    (base_of(&pipe) == base).then_some(pipe)
}

/// The parts of a tenant's listing, one a bucket: of pipes that are `kept`, are `heard`, have `settings`, or are `logs`.
pub fn listing(tenant: TenantId, what: &str) -> Vec<String> {
    key_in_each(&format!("{tenant}:{what}"))
}

/// The bases of each bucket that must be seen to when a node dies.
pub fn pipes_of(node: &str) -> Vec<String> {
    key_in_each(&format!("pipes_of:{node}"))
}

/// The nodes that have such bases, of each bucket.
pub fn nodes() -> Vec<String> {
    key_in_each("nodes")
}

/// Where a node is sent letters.
pub fn letters_to(node: Peer) -> String {
    format!("{PREFIX}{{nodes}}:letters:{}", node.0)
}

/// The name a connection has among the wills for a pipe.
pub fn connection_name(connection: ConnectionId) -> String {
    let ConnectionId { node, shard, slot, serial } = connection;
    format!("{node}.{shard}.{slot}.{serial}")
}

/// The name a pipe has in the listings of its tenant.
pub fn listed_name(text: &[u8]) -> Option<PipeName> {
    PipeName::for_subscription(std::str::from_utf8(text).ok()?).ok()
}

/// The user a log belongs to, by its name in the listing.
pub fn listed_user(text: &[u8]) -> Option<UserId> {
    UserId::new(std::str::from_utf8(text).ok()?.parse().ok()?)
}

/// The name that has a user in listings and on shelves: they stand in the order of their numbers.
pub fn user_name(user: UserId) -> String {
    format!("{:010}", user.number())
}

fn shelf_name(shelf: Shelf) -> &'static str {
    match shelf {
        Shelf::Keys => "keys",
        Shelf::Data => "data",
        Shelf::Seen => "seen",
        Shelf::Revoked => "revoked",
    }
}

/// The hash a record is in: a user's records are in the bucket of its log.
pub fn shelf_of(tenant: TenantId, record: &Record) -> String {
    let owner = match record {
        Record::Key(user) | Record::Data(user) | Record::Seen(user) => format!("{tenant}:l:{}", user.number()),
        Record::Revoked(token) => format!("{tenant}:t:{token}"),
    };
    key_in_bucket_of(&owner, &format!("{tenant}:{}", shelf_name(record.shelf())))
}

/// The hashes of a tenant's records of one kind, one a bucket.
pub fn shelves(tenant: TenantId, shelf: Shelf) -> Vec<String> {
    key_in_each(&format!("{tenant}:{}", shelf_name(shelf)))
}

/// The tenant whose listing or shelf this key is; `None` for every other key.
pub fn tenant_of(key: &[u8]) -> Option<TenantId> {
    let (_, name) = std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)?.split_once("}:")?;
    let (tenant, what) = name.split_once(':')?;
    let is_stored = ["settings", "kept", "logs", "keys", "data", "seen", "revoked"].contains(&what);
    TenantId::parse(tenant).filter(|_| is_stored)
}

/// The name of a record on its shelf.
pub fn record_name(record: &Record) -> String {
    match record {
        Record::Key(user) | Record::Data(user) | Record::Seen(user) => user_name(*user),
        Record::Revoked(token) => token.to_string(),
    }
}

/// The record that has this name on its shelf.
pub fn record_of(shelf: Shelf, name: &[u8]) -> Option<Record> {
    match shelf {
        Shelf::Keys => listed_user(name).map(Record::Key),
        Shelf::Data => listed_user(name).map(Record::Data),
        Shelf::Seen => listed_user(name).map(Record::Seen),
        Shelf::Revoked => std::str::from_utf8(name).ok().map(|token| Record::Revoked(token.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(tenant: u32, name: &str) -> Pipe {
        Pipe::Named(TenantId(tenant), PipeName::for_publish(name).unwrap())
    }

    fn log(tenant: u32, user: u64) -> Pipe {
        Pipe::Log(TenantId(tenant), UserId::new(user).unwrap())
    }

    #[test]
    fn the_slots_of_the_buckets_are_spread_evenly() {
        assert_eq!(TAGS.len(), BUCKET_COUNT);
        for (bucket, key) in pipes_of("node").iter().enumerate() {
            let slots = bucket * SLOTS_A_BUCKET..(bucket + 1) * SLOTS_A_BUCKET;
            assert!(slots.contains(&Slot::of(key).number()), "{key}");
        }
    }

    /// What is stored would not be found again.
    #[test]
    fn everything_stays_where_it_is_in_every_version() {
        assert_eq!(base_of(&named(1, "room")), "cometql:{14}:1:n:room");
        assert_eq!(base_of(&log(1, 7)), "cometql:{16}:1:l:7");
        let revoked = Record::Revoked("a.{b}.c".into());
        assert_eq!(shelf_of(TenantId(1), &revoked), "cometql:{420}:1:revoked");
    }

    #[test]
    fn a_base_tells_its_pipe_and_nothing_else_does() {
        for pipe in [named(1, "room"), named(0, "web_a-b"), log(99_999, 2_147_483_647)] {
            assert_eq!(pipe_of(base_of(&pipe).as_bytes()), Some(pipe));
        }
        for other in ["", "cometql:", "cometql:{0}:1:n:room", "cometql:{1}:1:x:room", "1:n:room", "cometql:{0}:leases"]
        {
            assert_eq!(pipe_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_user_and_its_log_are_in_one_bucket() {
        for number in [1, 300, 2_147_483_647] {
            let record = Record::Key(UserId::new(number).unwrap());
            assert_eq!(Slot::of(&shelf_of(TenantId(1), &record)), Slot::of(&base_of(&log(1, number))));
        }
    }

    #[test]
    fn listings_and_shelves_say_whose_they_are() {
        let user = UserId::new(7).unwrap();
        for record in [Record::Key(user), Record::Data(user), Record::Seen(user), Record::Revoked("a.b.c".into())] {
            assert_eq!(tenant_of(shelf_of(TenantId(7), &record).as_bytes()), Some(TenantId(7)), "{record:?}");
        }
        for what in ["settings", "kept", "logs"] {
            assert_eq!(tenant_of(listing(TenantId(99_999), what)[0].as_bytes()), Some(TenantId(99_999)), "{what}");
        }
        for other in [
            "cometql:{14}:7:heard",
            "cometql:{14}:7:n:kept",
            "cometql:{14}:7:n:room:kept",
            "cometql:{14}:7:keys:names",
            "cometql:{14}:replicated",
            "cometql:{nodes}:leases",
            "{14}:7:kept",
        ] {
            assert_eq!(tenant_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn records_have_names_that_sort_as_they_do() {
        let user = |number| UserId::new(number).unwrap();
        assert!(record_name(&Record::Key(user(9))) < record_name(&Record::Key(user(300))));
        for (shelf, record) in [
            (Shelf::Keys, Record::Key(user(9))),
            (Shelf::Data, Record::Data(user(1))),
            (Shelf::Seen, Record::Seen(user(2_147_483_647))),
            (Shelf::Revoked, Record::Revoked("a.b.c".into())),
        ] {
            assert_eq!(record_of(shelf, record_name(&record).as_bytes()), Some(record));
        }
        assert_eq!(record_of(Shelf::Keys, b"nobody"), None);
    }
}
