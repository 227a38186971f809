//! What SQL clients see of the connections, and how they end one.

use super::{Connection, Shard, State};
use crate::clock::UnixMillis;
use crate::node::{Connected, ConnectedPage};
use crate::user::TenantId;
use crate::ws::codec::CloseCode;

/// Most slots that are looked at in one go: the others' turn comes in between.
const SLOTS_A_PAGE_MAX: usize = 4_096;

impl Shard {
    /// The connections that a login of `tenant` may see, by slot, behind the slot `after`.
    pub fn connected(&self, tenant: TenantId, after: Option<u32>) -> ConnectedPage {
        let begin = after.map_or(0, |after| after as usize + 1);
        let end = begin.saturating_add(SLOTS_A_PAGE_MAX).min(self.connections.capacity());
        let slots = (begin..end).filter_map(|slot| self.connections.get(slot));
        let connected = slots.filter_map(Connection::connected).filter(|connected| tenant.sees(connected.tenant));
        let next_after = (end < self.connections.capacity()).then(|| end as u32 - 1);
        ConnectedPage { connected: connected.collect(), next_after }
    }

    /// Closes the connection with this [`Connected::number`] if a login of `tenant` may see it, as one that is dismissed.
    /// Answers whether there was one. It is looked for, because that costs the connections nothing.
    pub fn disconnect(&mut self, tenant: TenantId, number: u64, now: UnixMillis) -> bool {
        let serial = (number & u64::from(u32::MAX)) as u32;
        let mut connections = self.connections.iter().map(|(_, connection)| connection);
        let found = connections.find(|connection| connection.id.serial == serial).and_then(Connection::connected);
        let seen = found.filter(|connected| connected.number() == number && tenant.sees(connected.tenant));
        if let Some(connected) = &seen {
            self.close_with(connected.id.slot, CloseCode::EndedByOperator, now);
        }
        seen.is_some()
    }
}

impl Connection {
    /// As others see it; one that is not a WebSocket yet, or is being closed, they do not see.
    fn connected(&self) -> Option<Connected> {
        let State::Open(session, _) = &self.state else { return None };
        (!self.is_closing).then(|| Connected {
            id: self.id,
            tenant: session.tenant(),
            user: session.user(),
            about: session.about().clone(),
            heard_at: self.heard_at,
            subscription_count: session.subscription_count(),
        })
    }
}
