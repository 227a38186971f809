//! What Redis refuses, what is done about it, and what the operator can do.

use redis::RedisError;

/// What is done when a command was refused. In all these cases it was not executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// Somebody has made the server forget the scripts, or it never knew them.
    Teach,
    /// Somebody else has the slot, or soon will: it is asked who.
    Look,
    /// It will be otherwise in a moment. A slot that is on its way to another server is waited for, too: there a pipe
    /// would be without what has not arrived yet.
    Pause,
    /// The server takes no writes any more: it may be somewhere else now.
    Reconnect,
    /// Whoever asked is told.
    Tell,
}

pub fn remedy(error: &RedisError, are_many: bool) -> Remedy {
    match error.code() {
        Some("NOSCRIPT") => Remedy::Teach,
        Some("MOVED" | "CLUSTERDOWN") if are_many => Remedy::Look,
        Some("ASK" | "TRYAGAIN") if are_many => Remedy::Pause,
        Some("LOADING") => Remedy::Pause,
        Some("READONLY" | "MASTERDOWN") if are_many => Remedy::Look,
        Some("READONLY" | "MASTERDOWN") => Remedy::Reconnect,
        _ => Remedy::Tell,
    }
}

/// What Redis refused, and what to do about it.
pub fn explained(error: &RedisError) -> String {
    let remedy = match error.code() {
        Some("OOM") => "it is out of memory: raise its maxmemory, or keep less; nothing was done",
        Some("READONLY" | "MASTERDOWN") => "it is a replica that takes no writes: name the primary; nothing was done",
        Some("LOADING") => "it is still loading its data; try again; nothing was done",
        Some("MISCONF") => "it cannot save to its disk and takes no writes; nothing was done",
        Some("NOREPLICAS") => "it has too few replicas (min-replicas-to-write) and takes no writes; nothing was done",
        Some("NOAUTH" | "WRONGPASS") => "it wants another user or password in the setting `store`",
        Some("NOPERM") => "the user in the setting `store` may not do that",
        Some("BUSY") => "it is busy with somebody's script; try again; nothing was done",
        Some("WRONGTYPE") => "somebody else writes to the keys of this node: give it a database of its own",
        Some("MOVED") => {
            "it is one server of a Redis Cluster: write redis+cluster:// in the setting `store`; nothing was done"
        }
        Some("CLUSTERDOWN") => "its cluster is down: too few of its servers see each other; nothing was done",
        Some("ASK" | "TRYAGAIN") => "what was asked for is on its way to another server; try again; nothing was done",
        _ => return error.to_string(),
    };
    format!("{remedy} ({error})")
}
