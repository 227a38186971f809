//! The scripts. Each is one step that other nodes see done or not begun.

use sha1::{Digest, Sha1};

use super::call::{Call, beside};
use crate::store::{REPEAT_MILLIS, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX, WINDOW_MILLIS_MAX};

/// A pipe that nobody keeps or hears is forgotten when it has been quiet for so long, in milliseconds.
const IDLE_MILLIS: u64 = 600_000;

pub struct Script {
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

impl Script {
    fn new(text: &str, effect: Effect) -> Script {
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
        Script { text, hash }
    }

    /// The call of this script, with its keys; arguments are added behind.
    ///
    /// The keys must be in one slot: in a Redis Cluster a script may touch no other.
    ///
    /// Behind them stands a key that never exists. While a slot goes from server to server, key by key, Redis executes
    /// nothing that names a key which is not there: so no script finds a part of a pipe.
    pub fn on<K: AsRef<str>>(&self, keys: &[K]) -> Call {
        let first = keys.first().map_or("", AsRef::as_ref);
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len() + 1);
        for key in keys {
            command.arg(key.as_ref());
        }
        command.arg(beside(first, "never"));
        Call::with(command, first)
    }

    /// What teaches it to a server.
    pub fn load(&self) -> redis::Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&self.text);
        load
    }
}

/// All of them, read once.
pub struct Scripts {
    pub publish: Script,
    pub register: Script,
    pub recover: Script,
    pub history: Script,
    pub erase: Script,
    pub take: Script,
    pub retain: Script,
    pub look: Script,
    pub listed: Script,
    pub set_record: Script,
    pub adopt: Script,
    pub records: Script,
    pub renew: Script,
    pub disappear: Script,
    pub dismiss: Script,
    pub will: Script,
    pub lease: Script,
    pub leave: Script,
    pub claim: Script,
    pub forget: Script,
    pub left: Script,
    pub settle: Script,
    pub heads: Script,
}

impl Scripts {
    pub fn new() -> Scripts {
        Scripts {
            publish: Script::new(include_str!("publish.lua"), Effect::Fills),
            register: Script::new(include_str!("register.lua"), Effect::TakesNone),
            recover: Script::new(include_str!("recover.lua"), Effect::Reads),
            history: Script::new(include_str!("history.lua"), Effect::Reads),
            erase: Script::new(include_str!("erase.lua"), Effect::TakesNone),
            take: Script::new(include_str!("take.lua"), Effect::TakesNone),
            retain: Script::new(include_str!("retain.lua"), Effect::TakesNone),
            look: Script::new(include_str!("look.lua"), Effect::Reads),
            listed: Script::new(include_str!("listed.lua"), Effect::TakesNone),
            set_record: Script::new(include_str!("set_record.lua"), Effect::Fills),
            adopt: Script::new(include_str!("adopt.lua"), Effect::Fills),
            records: Script::new(include_str!("records.lua"), Effect::Reads),
            renew: Script::new(include_str!("renew.lua"), Effect::TakesNone),
            disappear: Script::new(include_str!("disappear.lua"), Effect::TakesNone),
            dismiss: Script::new(include_str!("dismiss.lua"), Effect::TakesNone),
            will: Script::new(include_str!("will.lua"), Effect::Fills),
            lease: Script::new(include_str!("lease.lua"), Effect::TakesNone),
            leave: Script::new(include_str!("leave.lua"), Effect::TakesNone),
            claim: Script::new(include_str!("claim.lua"), Effect::TakesNone),
            forget: Script::new(include_str!("forget.lua"), Effect::TakesNone),
            left: Script::new(include_str!("left.lua"), Effect::Reads),
            settle: Script::new(include_str!("settle.lua"), Effect::TakesNone),
            heads: Script::new(include_str!("heads.lua"), Effect::Reads),
        }
    }

    pub fn all(&self) -> [&Script; 23] {
        [
            &self.publish,
            &self.register,
            &self.recover,
            &self.history,
            &self.erase,
            &self.take,
            &self.retain,
            &self.look,
            &self.listed,
            &self.set_record,
            &self.adopt,
            &self.records,
            &self.renew,
            &self.disappear,
            &self.dismiss,
            &self.will,
            &self.lease,
            &self.leave,
            &self.claim,
            &self.forget,
            &self.left,
            &self.settle,
            &self.heads,
        ]
    }
}
