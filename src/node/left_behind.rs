//! What nodes leave behind that have died: users who are said to be here, and subscribers of `track_*` pipes of whom nobody
//! has said that they have gone. One of the living sees to it; if that dies halfway, another does it over.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::presence::Word;
use super::{Node, StoreError};
use crate::pipe::{ConnectionId, Pipe};
use crate::store::LeftBehind;

/// How often it is looked for, in milliseconds.
const LOOKS_EVERY_MILLIS: u64 = 1_000;
/// The connection that something is said for, which is gone: no other is called so. What comes from no connection would look
/// otherwise to browsers.
const GONE: ConnectionId = ConnectionId { node: 0, shard: u8::MAX, slot: u32::MAX, serial: 0 };
/// So much of it is seen to at a time.
const SEEN_TO_AT_ONCE: usize = 64;

impl Node {
    pub(super) async fn see_to_what_is_left(self: &Arc<Node>) {
        let mut turns = tokio::time::interval(Duration::from_millis(LOOKS_EVERY_MILLIS));
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Those who were on a node that is gone may be back on another within the grace. When it died is not known, but
        // that it had not died when nothing was left.
        let mut nothing_was_left_at = Instant::now();
        loop {
            turns.tick().await;
            if let Err(error) = self.learn_number().await {
                tracing::debug!("this node does not know its number: {error}");
            }
            self.welcomes_back().await;
            let looked_at = Instant::now();
            match self.sees_to_some(nothing_was_left_at + self.grace()).await {
                Ok(Found::Nothing) => nothing_was_left_at = looked_at,
                Ok(Found::Some) => {}
                Err(error) => tracing::debug!("it is not known what other nodes left behind: {error}"),
            }
        }
    }

    /// This node was taken for dead, and its users for gone.
    async fn welcomes_back(&self) {
        for log in self.store.appeared().await {
            if let Pipe::Log(tenant, user) = log
                && let Err(error) = self.has_appeared(tenant, user).await
            {
                tracing::warn!("nobody was told that user {} of tenant {tenant} is here: {error}", user.number());
            }
        }
    }

    /// Sees to one portion after the other, until there is none or nothing of it can be done yet.
    async fn sees_to_some(self: &Arc<Node>, grace_ends: Instant) -> Result<Found, StoreError> {
        loop {
            let left = self.store.left_behind().await?;
            if left.is_empty() {
                return Ok(Found::Nothing);
            }
            let is_over = Instant::now() >= grace_ends;
            let due: Vec<LeftBehind> =
                left.into_iter().filter(|left| is_over || !matches!(left.pipe, Pipe::Log(..))).collect();
            if self.sees_to(due).await == 0 {
                return Ok(Found::Some);
            }
        }
    }

    /// Answers how much was seen to.
    async fn sees_to(self: &Arc<Node>, due: Vec<LeftBehind>) -> usize {
        let (mut due, mut at_work, mut settled) = (due.into_iter(), JoinSet::new(), 0);
        loop {
            while at_work.len() < SEEN_TO_AT_ONCE
                && let Some(left) = due.next()
            {
                let node = Arc::clone(self);
                at_work.spawn(async move { node.settles(&left).await });
            }
            match at_work.join_next().await {
                None => return settled,
                Some(Ok(Ok(()))) => settled += 1,
                Some(Ok(Err(error))) => tracing::warn!("what another node left behind is seen to later: {error}"),
                Some(Err(error)) => tracing::error!("what another node left behind: {error}"),
            }
        }
    }

    /// Says what there is to say, and only then that it was said.
    pub(super) async fn settles(&self, left: &LeftBehind) -> Result<(), StoreError> {
        if let Pipe::Log(tenant, user) = left.pipe {
            self.has_gone(tenant, user).await?;
        }
        for (id, event, message) in &left.wills {
            let (event, message) = (event.clone(), message.clone());
            let word = Word { pipe: left.pipe.clone(), event, message, id: Some(*id), origin: Some(GONE) };
            self.tell(word).await?;
        }
        self.store.settle(left).await
    }
}

enum Found {
    Nothing,
    Some,
}
