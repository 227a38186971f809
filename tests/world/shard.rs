//! A shard without browsers: some connections that are always there, and a list of who was sent away.

use std::sync::{Mutex, PoisonError};

use cometql::node::{Present, Shard};
use cometql::pipe::Pipe;
use cometql::user::{About, TenantId, UserId};
use tokio::sync::oneshot;

#[derive(Default)]
pub struct StillShard {
    pub here: Vec<(Pipe, Present)>,
    sent_away: Mutex<Vec<(TenantId, UserId)>>,
}

impl StillShard {
    pub fn with(here: Vec<(Pipe, Present)>) -> StillShard {
        StillShard { here, ..StillShard::default() }
    }

    /// Who was sent away since the last time this was asked: tenant and user.
    pub fn sent_away(&self) -> Vec<(u32, u32)> {
        let mut sent_away = self.sent_away.lock().unwrap_or_else(PoisonError::into_inner);
        sent_away.drain(..).map(|(tenant, user)| (tenant.0, user.number())).collect()
    }
}

impl Shard for StillShard {
    fn kick(&self, tenant: TenantId, user: UserId) {
        self.sent_away.lock().unwrap_or_else(PoisonError::into_inner).push((tenant, user));
    }

    fn census(&self, pipe: Pipe, after: Option<u32>, count_max: usize, reply: oneshot::Sender<Vec<Present>>) {
        let of_pipe = self.here.iter().filter(|(of, _)| *of == pipe).map(|(_, present)| present);
        let behind = of_pipe.filter(|present| after.is_none_or(|after| present.slot > after));
        let _ = reply.send(behind.take(count_max).cloned().collect());
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
