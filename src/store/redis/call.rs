//! A command on its way to Redis, and which of its servers has the keys.

use redis::{Cmd, ToRedisArgs};

/// A part of the keys of a Redis Cluster, which one of its servers has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(u16);

/// How many slots there are.
pub const SLOT_COUNT: u16 = 16_384;

/// A command all of whose keys are in one slot.
pub struct Call {
    pub slot: Slot,
    pub command: Cmd,
    /// The first of its keys; empty if it has none.
    key: String,
}

impl Slot {
    /// The slot of a key: of what stands between its first `{` and the next `}`, if anything does, else of all of it
    /// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>).
    pub fn of(key: &str) -> Slot {
        Slot(crc16(tag_of(key).unwrap_or(key).as_bytes()) % SLOT_COUNT)
    }

    /// One of [`SLOT_COUNT`].
    pub fn numbered(number: u16) -> Slot {
        Slot(number % SLOT_COUNT)
    }

    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

fn tag_of(key: &str) -> Option<&str> {
    let (tag, _) = key.split_once('{')?.1.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

/// The key of this name in the slot of another one that has a tag.
pub fn beside(key: &str, name: &str) -> String {
    match tag_of(key) {
        Some(tag) => format!("cometql:{{{tag}}}:{name}"),
        None => format!("cometql:{name}"),
    }
}

/// CRC-16/XMODEM, as the specification of Redis Cluster has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    })
}

impl Call {
    /// A command whose first argument is its only key.
    pub fn new(name: &str, key: &str) -> Call {
        let mut command = redis::cmd(name);
        command.arg(key);
        Call::with(command, key)
    }

    /// A command whose keys are in the slot of this one.
    pub fn with(command: Cmd, key: &str) -> Call {
        Call { slot: Slot::of(key), command, key: key.to_owned() }
    }

    /// The key of this name in the same slot.
    pub fn beside(&self, name: &str) -> String {
        beside(&self.key, name)
    }

    pub fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Call {
        self.command.arg(argument);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_redis_says_they_are() {
        // As CLUSTER KEYSLOT answers.
        for (key, slot) in [("123456789", 12_739), ("foo", 12_182), ("{foo}:bar", 12_182), ("a{}b", 13_694), ("", 0)] {
            assert_eq!(Slot::of(key).number(), slot, "{key}");
        }
        assert_eq!(Call::new("GET", "cometql:{7}:name").beside("other"), "cometql:{7}:other");
    }
}
