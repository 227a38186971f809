//! The scripts. Each is one step that other nodes see done or not begun.

use sha1::{Digest, Sha1};

use super::call::{Call, beside};
use crate::store::{REPEAT_MILLIS, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX, WINDOW_MILLIS_MAX};

/// A pipe that nobody keeps or hears is forgotten when it has been quiet for so long, in milliseconds.
const IDLE_MILLIS: u64 = 600_000;

/// One of them; what it does stands at the head of its file.
#[derive(Clone, Copy)]
pub enum Script {
    Publish,
    Register,
    Recover,
    History,
    Erase,
    Take,
    Retain,
    Look,
    Listed,
    SetRecord,
    Adopt,
    Records,
    Renew,
    Disappear,
    Dismiss,
    Will,
    Lease,
    Leave,
    Claim,
    Forget,
    Left,
    Settle,
    Heads,
}

/// What they are made of, in the order of their names.
const SOURCES: [(Script, Effect, &str); 23] = [
    (Script::Publish, Effect::Fills, include_str!("publish.lua")),
    (Script::Register, Effect::TakesNone, include_str!("register.lua")),
    (Script::Recover, Effect::Reads, include_str!("recover.lua")),
    (Script::History, Effect::Reads, include_str!("history.lua")),
    (Script::Erase, Effect::TakesNone, include_str!("erase.lua")),
    (Script::Take, Effect::TakesNone, include_str!("take.lua")),
    (Script::Retain, Effect::TakesNone, include_str!("retain.lua")),
    (Script::Look, Effect::Reads, include_str!("look.lua")),
    (Script::Listed, Effect::TakesNone, include_str!("listed.lua")),
    (Script::SetRecord, Effect::Fills, include_str!("set_record.lua")),
    (Script::Adopt, Effect::Fills, include_str!("adopt.lua")),
    (Script::Records, Effect::Reads, include_str!("records.lua")),
    (Script::Renew, Effect::TakesNone, include_str!("renew.lua")),
    (Script::Disappear, Effect::TakesNone, include_str!("disappear.lua")),
    (Script::Dismiss, Effect::TakesNone, include_str!("dismiss.lua")),
    (Script::Will, Effect::Fills, include_str!("will.lua")),
    (Script::Lease, Effect::TakesNone, include_str!("lease.lua")),
    (Script::Leave, Effect::TakesNone, include_str!("leave.lua")),
    (Script::Claim, Effect::TakesNone, include_str!("claim.lua")),
    (Script::Forget, Effect::TakesNone, include_str!("forget.lua")),
    (Script::Left, Effect::Reads, include_str!("left.lua")),
    (Script::Settle, Effect::TakesNone, include_str!("settle.lua")),
    (Script::Heads, Effect::Reads, include_str!("heads.lua")),
];

/// Each is where it is looked for.
const _: () = {
    let mut at = 0;
    while at < SOURCES.len() {
        assert!(SOURCES[at].0 as usize == at);
        at += 1;
    }
};

/// A script as Redis is taught it.
pub struct Written {
    text: String,
    /// What EVALSHA names it by.
    hash: String,
}

/// What a script does with the memory of Redis, by which Redis knows when to refuse it.
#[derive(Clone, Copy)]
enum Effect {
    /// It writes nothing: it is done although Redis takes no writes.
    Reads,
    /// It makes memory free, or takes next to none: it is done although Redis has no more to give.
    TakesNone,
    Fills,
}

impl Written {
    fn new(text: &str, effect: Effect) -> Written {
        let flags = match effect {
            Effect::Reads => " flags=no-writes",
            Effect::TakesNone => " flags=allow-oom",
            Effect::Fills => "",
        };
        let text = format!(
            "#!lua{flags}\n\
             local WINDOW_MESSAGES_MAX, WINDOW_BYTES_MAX = {WINDOW_MESSAGES_MAX}, {WINDOW_BYTES_MAX}\n\
             local WINDOW_MILLIS_MAX, REPEAT_MILLIS, IDLE_MILLIS = {WINDOW_MILLIS_MAX}, {REPEAT_MILLIS}, {IDLE_MILLIS}\n\
             {prelude}\n{text}",
            prelude = include_str!("prelude.lua"),
        );
        let hash = Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Written { text, hash }
    }

    /// What teaches it to a server.
    pub fn load(&self) -> redis::Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&self.text);
        load
    }
}

/// All of them, read once.
pub struct Scripts([Written; SOURCES.len()]);

impl Scripts {
    pub fn new() -> Scripts {
        Scripts(SOURCES.map(|(_, effect, text)| Written::new(text, effect)))
    }

    pub fn all(&self) -> &[Written] {
        &self.0
    }

    /// The call of a script, with its keys; arguments are added behind.
    ///
    /// The keys must be in one slot: in a Redis Cluster a script may touch no other.
    ///
    /// Behind them stands a key that never exists. While a slot goes from server to server, key by key, Redis executes
    /// nothing that names a key which is not there: so no script finds a part of a pipe.
    pub fn on<K: AsRef<str>>(&self, script: Script, keys: &[K]) -> Call {
        let first = keys.first().map_or("", AsRef::as_ref);
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.0[script as usize].hash).arg(keys.len() + 1);
        for key in keys {
            command.arg(key.as_ref());
        }
        command.arg(beside(first, "never"));
        Call::with(command, first)
    }
}
