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

impl Script {
    /// What makes memory free, or takes next to none, is allowed when Redis has no more to give.
    fn new(text: &str, is_allowed_without_memory: bool) -> Script {
        let flags = if is_allowed_without_memory { " flags=allow-oom" } else { "" };
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
            publish: Script::new(include_str!("publish.lua"), false),
            register: Script::new(include_str!("register.lua"), true),
            recover: Script::new(include_str!("recover.lua"), true),
            history: Script::new(include_str!("history.lua"), true),
            erase: Script::new(include_str!("erase.lua"), true),
            take: Script::new(include_str!("take.lua"), true),
            retain: Script::new(include_str!("retain.lua"), true),
            look: Script::new(include_str!("look.lua"), true),
            listed: Script::new(include_str!("listed.lua"), true),
            set_record: Script::new(include_str!("set_record.lua"), false),
            adopt: Script::new(include_str!("adopt.lua"), false),
            records: Script::new(include_str!("records.lua"), true),
            renew: Script::new(include_str!("renew.lua"), true),
            disappear: Script::new(include_str!("disappear.lua"), true),
            dismiss: Script::new(include_str!("dismiss.lua"), true),
            will: Script::new(include_str!("will.lua"), false),
            lease: Script::new(include_str!("lease.lua"), true),
            leave: Script::new(include_str!("leave.lua"), true),
            claim: Script::new(include_str!("claim.lua"), true),
            forget: Script::new(include_str!("forget.lua"), true),
            left: Script::new(include_str!("left.lua"), true),
            settle: Script::new(include_str!("settle.lua"), true),
            heads: Script::new(include_str!("heads.lua"), true),
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
