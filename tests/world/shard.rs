//! A shard without browsers: some connections that are always there, and a list of who was sent away.

use std::sync::Mutex;

use cometql::clock::UnixMillis;
use cometql::node::{Connected, ConnectedPage, Present, Shard};
use cometql::pipe::{ConnectionId, Pipe};
use cometql::user::{About, TenantId, UserId};
use tokio::sync::oneshot;

/// So many connections are told of at a time.
const CONNECTIONS_A_PAGE: usize = 1_000;

#[derive(Default)]
pub struct StillShard {
    pub here: Vec<(Pipe, Present)>,
    /// What SHOW PROCESSLIST tells of, by slot.
    pub connected: Vec<Connected>,
    /// It never answers who is in a pipe: here is who waits for it.
    pub unanswered: Option<Mutex<Vec<oneshot::Sender<Vec<Present>>>>>,
}

impl StillShard {
    pub fn with(here: Vec<(Pipe, Present)>) -> StillShard {
        StillShard { here, ..StillShard::default() }
    }
}

impl Shard for StillShard {
    fn census(&self, pipe: Pipe, after: Option<u32>, count_max: usize, reply: oneshot::Sender<Vec<Present>>) {
        if let Some(unanswered) = &self.unanswered {
            return unanswered.lock().unwrap().push(reply);
        }
        let of_pipe = self.here.iter().filter(|(of, _)| *of == pipe).map(|(_, present)| present);
        let behind = of_pipe.filter(|present| after.is_none_or(|after| present.slot > after));
        let _ = reply.send(behind.take(count_max).cloned().collect());
    }

    fn connected(&self, tenant: TenantId, after: Option<u32>, reply: oneshot::Sender<ConnectedPage>) {
        let begin = after.map_or(0, |after| after as usize + 1);
        let end = self.connected.len().min(begin + CONNECTIONS_A_PAGE);
        let page = self.connected[begin..end].iter().filter(|connected| tenant.sees(connected.tenant));
        let next_after = (end < self.connected.len()).then(|| end as u32 - 1);
        let _ = reply.send(ConnectedPage { connected: page.cloned().collect(), next_after });
    }

    fn disconnect(&self, tenant: TenantId, number: u64, reply: oneshot::Sender<bool>) {
        let mut connected = self.connected.iter();
        let found = connected.find(|connected| connected.number() == number && tenant.sees(connected.tenant));
        let _ = reply.send(found.is_some());
    }
}

/// A connection with `slot` subscriptions from which nothing was heard for a minute.
pub fn connected(slot: u32, tenant: TenantId, user: Option<UserId>) -> Connected {
    Connected {
        id: ConnectionId { node: 0, shard: 0, slot, serial: slot + 1 },
        tenant,
        user,
        about: present(slot, user).about,
        heard_at: UnixMillis(1_700_000_000_000 - 60_000),
        subscription_count: slot as usize,
    }
}

pub fn present(slot: u32, user: Option<UserId>) -> Present {
    let about = About {
        uuid: format!("browser-{slot}").into(),
        address: [192, 0, 2, 7].into(),
        user_agent: "Mozilla/5.0 (X11)".into(),
        origin: "https://shop.example".into(),
        language: "de,en;q=0.5".into(),
    };
    Present { slot, user, about }
}
