//! How pipes and records are called in Redis. All keys of one pipe have its hash tag, `{…}`, so that they stand on one
//! node of a cluster.

use crate::pipe::{Pipe, PipeName};
use crate::store::{Record, Shelf};
use crate::user::{TenantId, UserId};

/// What every key of ours begins with.
const PREFIX: &str = "cometql:";

/// The key of a pipe's hash, which its other keys begin with, and the channel of its announcements.
pub fn base_of(pipe: &Pipe) -> String {
    match pipe {
        Pipe::Named(tenant, name) => format!("{PREFIX}{{{tenant}:n:{name}}}"),
        Pipe::Log(tenant, user) => format!("{PREFIX}{{{tenant}:l:{}}}", user.number()),
    }
}

/// The name a pipe has in the listings of its tenant.
pub fn listed_name(text: &[u8]) -> Option<PipeName> {
    PipeName::for_subscription(std::str::from_utf8(text).ok()?).ok()
}

/// The user a log belongs to, by its name in the listing.
pub fn listed_user(text: &[u8]) -> Option<UserId> {
    UserId::new(std::str::from_utf8(text).ok()?.parse().ok()?)
}

/// The hash of a tenant's records of one kind.
pub fn shelf(tenant: TenantId, shelf: Shelf) -> String {
    let kind = match shelf {
        Shelf::Keys => "keys",
        Shelf::Data => "data",
        Shelf::Seen => "seen",
        Shelf::Revoked => "revoked",
    };
    format!("{PREFIX}{{{tenant}:{kind}}}")
}

/// The tenant whose listing or shelf this key is; `None` for every other key.
pub fn tenant_of(key: &[u8]) -> Option<TenantId> {
    let (tag, rest) = std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)?.strip_prefix('{')?.split_once('}')?;
    match (tag.split_once(':'), rest) {
        (None, ":settings" | ":kept" | ":logs") => TenantId::parse(tag),
        (Some((tenant, "keys" | "data" | "seen" | "revoked")), "") => TenantId::parse(tenant),
        _ => None,
    }
}

/// The name of a record on its shelf; users stand in the order of their numbers.
pub fn record_name(record: &Record) -> String {
    match record {
        Record::Key(user) | Record::Data(user) | Record::Seen(user) => format!("{:010}", user.number()),
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

    #[test]
    fn every_pipe_has_a_tag_of_its_own() {
        let named = |tenant, name| base_of(&Pipe::Named(TenantId(tenant), PipeName::for_publish(name).unwrap()));
        assert_eq!(named(1, "room"), "cometql:{1:n:room}");
        assert_eq!(base_of(&Pipe::Log(TenantId(1), UserId::new(7).unwrap())), "cometql:{1:l:7}");
    }

    #[test]
    fn listings_and_shelves_say_whose_they_are() {
        let key = shelf(TenantId(7), Shelf::Seen);
        assert_eq!(tenant_of(key.as_bytes()), Some(TenantId(7)));
        for (key, tenant) in [
            ("cometql:{7}:kept", Some(TenantId(7))),
            ("cometql:{7}:heard", None),
            ("cometql:{7:n:room}", None),
            ("cometql:{7:n:room}:kept", None),
            ("cometql:{7:keys}:names", None),
            ("cometql:lease:7", None),
            ("{7}:kept", None),
        ] {
            assert_eq!(tenant_of(key.as_bytes()), tenant, "{key}");
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
