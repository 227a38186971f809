//! The connections of browsers as SQL clients see them: who they are, and how one of them is ended.

use tokio::sync::oneshot;

use super::Node;
use crate::clock::UnixMillis;
use crate::pipe::ConnectionId;
use crate::user::{About, TenantId, UserId};

/// The numbers of SQL clients have 32 bits; those of browsers' connections are above.
const SERIAL_BITS: u32 = 32;

/// One connection of a browser.
#[derive(Clone, PartialEq, Eq, Debug)]
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
        ((u64::from(self.id.shard) + 1) << SERIAL_BITS) | u64::from(self.id.serial)
    }
}

/// Some connections of a shard, and behind which slot the list goes on; `None` is its end.
#[derive(Debug, Default)]
pub struct ConnectedPage {
    pub connected: Vec<Connected>,
    pub next_after: Option<u32>,
}

/// How far a list of connections has been read: which shard, and behind which of its slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectedSince {
    shard: usize,
    after: Option<u32>,
}

impl Node {
    /// Some of the connections that a login of `tenant` may see, perhaps none, and where the list goes on; `None` is
    /// its end.
    pub async fn connected(&self, tenant: TenantId, since: ConnectedSince) -> (Vec<Connected>, Option<ConnectedSince>) {
        let Some(shard) = self.shards.get(since.shard) else { return (Vec::new(), None) };
        let (reply, answer) = oneshot::channel();
        shard.connected(tenant, since.after, reply);
        // A shard that is stopping has nobody left.
        let ConnectedPage { connected, next_after } = answer.await.unwrap_or_default();
        let next = match next_after {
            Some(slot) => ConnectedSince { after: Some(slot), ..since },
            None => ConnectedSince { shard: since.shard + 1, after: None },
        };
        (connected, (next.shard < self.shards.len()).then_some(next))
    }

    /// Closes the connection with this number, for a login of `tenant`. Answers whether there is one that it may see.
    pub async fn disconnect(&self, tenant: TenantId, number: u64) -> bool {
        let serial = (number & u64::from(u32::MAX)) as u32;
        let shard = usize::try_from(number >> SERIAL_BITS).ok().and_then(|above| above.checked_sub(1));
        let Some(shard) = shard.and_then(|shard| self.shards.get(shard)) else { return false };
        let (reply, answer) = oneshot::channel();
        shard.disconnect(tenant, serial, reply);
        answer.await.unwrap_or(false)
    }
}
