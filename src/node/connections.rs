//! The connections of browsers as SQL clients see them: who they are, and how one of them is ended.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Node, written};
use crate::clock::UnixMillis;
use crate::pipe::ConnectionId;
use crate::user::{About, TenantId, UserId};

/// The numbers of SQL clients have 32 bits; those of browsers' connections are above: 9 bits for the shard, counted
/// from 1, and behind them those of the node.
const SERIAL_BITS: u32 = 32;
const SHARD_BITS: u32 = 9;
/// So many bits of a number tell the node.
pub(super) const NODE_BITS: u32 = 10;

/// One connection of a browser.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "written::Connected", into = "written::Connected")]
pub struct Connected {
    pub id: ConnectionId,
    pub tenant: TenantId,
    /// Who is logged in on it.
    pub user: Option<UserId>,
    pub about: About,
    /// When something was last heard from it.
    pub heard_at: UnixMillis,
    pub subscription_count: usize,
}

impl Connected {
    /// Its number for KILL: above those of all SQL clients, and below 2^53, which is as far as some drivers can count.
    pub fn number(&self) -> u64 {
        let node = u64::from(self.id.node & ((1 << NODE_BITS) - 1));
        let shard = u64::from(self.id.shard) + 1;
        (node << (SERIAL_BITS + SHARD_BITS)) | (shard << SERIAL_BITS) | u64::from(self.id.serial)
    }
}

/// Some connections of a shard, and behind which slot the list goes on; `None` is its end.
#[derive(Debug, Default)]
pub struct ConnectedPage {
    pub connected: Vec<Connected>,
    pub next_after: Option<u32>,
}

impl Node {
    /// What tells this node's connections from all others: the node's number in the last [`NODE_BITS`] bits, before
    /// them some of `random`, so that who has the number later is told from who had it before.
    pub fn mark_of_connections(&self, random: u32) -> u32 {
        random << NODE_BITS | self.number_in_numbers()
    }

    /// Some of the connections of a shard that a login of `tenant` may see, perhaps none, and behind which slot the list
    /// goes on. `None` when there is no such shard.
    pub(super) async fn connected(
        &self,
        tenant: TenantId,
        shard: usize,
        after: Option<u32>,
    ) -> Option<(Vec<Connected>, Option<u32>)> {
        let (reply, answer) = oneshot::channel();
        self.shards.get(shard)?.connected(tenant, after, reply);
        // A shard that is stopping has nobody left.
        let ConnectedPage { connected, next_after } = answer.await.unwrap_or_default();
        Some((connected, next_after))
    }

    /// Closes the connection with this number, for a login of `tenant`. Answers whether there is one on this node that it
    /// may see.
    pub(super) async fn disconnect(&self, tenant: TenantId, number: u64) -> bool {
        let shard = (number >> SERIAL_BITS) & ((1 << SHARD_BITS) - 1);
        let shard = usize::try_from(shard).ok().and_then(|above| above.checked_sub(1));
        let Some(shard) = shard.and_then(|shard| self.shards.get(shard)) else { return false };
        let (reply, answer) = oneshot::channel();
        shard.disconnect(tenant, number, reply);
        answer.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_below_what_drivers_can_count_to_and_none_is_another() {
        let number = |node, shard, serial| {
            let about = About {
                uuid: "".into(),
                address: [127, 0, 0, 1].into(),
                user_agent: "".into(),
                origin: "".into(),
                language: "".into(),
            };
            let id = ConnectionId { node, shard, slot: 0, serial };
            let (tenant, heard_at) = (TenantId(0), UnixMillis(0));
            Connected { id, tenant, user: None, about, heard_at, subscription_count: 0 }.number()
        };
        assert_eq!(number(0, 0, 1), 4_294_967_297);
        assert!(number(u32::MAX, u8::MAX, u32::MAX) < 1 << 53);
        assert_eq!(number(7 << NODE_BITS | 3, 1, 9), number(3, 1, 9), "of a node only its number");
        let all = [number(0, 255, 5), number(1, 0, 5), number(1, 255, 5), number(2, 0, 5), number(1_023, 0, 5)];
        assert!(all.is_sorted_by(|one, other| one < other), "{all:?}");
    }
}
