//! What nodes leave behind that have died: users who are said to be here, and subscribers of `track_*` pipes of whom nobody
//! has said that they have gone. One of the living sees to it; if that dies halfway, another does it over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::presence::Word;
use super::together::do_each;
use super::{Node, StoreError};
use crate::pipe::{ConnectionId, Pipe};
use crate::store::LeftBehind;

/// How often it is looked for, in milliseconds.
const LOOKS_EVERY_MILLIS: u64 = 1_000;
/// The connection that something is said for, which is gone: no other is called so. What comes from no connection would look
/// otherwise to browsers.
const GONE: ConnectionId = ConnectionId { node: 0, shard: u8::MAX, slot: u32::MAX, serial: 0 };
/// Most dead nodes that are remembered: more do not share a store.
const DEAD_MAX: usize = 1_024;

impl Node {
    pub(super) async fn see_to_what_is_left(self: &Arc<Node>) {
        let mut turns = tokio::time::interval(Duration::from_millis(LOOKS_EVERY_MILLIS));
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut deaths = Deaths::since(Instant::now());
        loop {
            turns.tick().await;
            if let Err(error) = self.learn_number().await {
                tracing::debug!("this node does not know its number: {error}");
            }
            self.welcomes_back().await;
            if let Err(error) = self.sees_to_some(&mut deaths).await {
                tracing::debug!("it is not known what other nodes left behind: {error}");
            }
        }
    }

    /// This node was taken for dead, and its users for gone.
    async fn welcomes_back(&self) {
        for log in self.store.appeared().await {
            if let Pipe::Log(tenant, user) = log {
                self.has_appeared(tenant, user).await;
            }
        }
    }

    /// Sees to one portion after the other, until there is none or nothing of it can be done yet.
    async fn sees_to_some(self: &Arc<Node>, deaths: &mut Deaths) -> Result<(), StoreError> {
        loop {
            let looked_at = Instant::now();
            let left = self.store.left_behind().await?;
            deaths.seen(left.iter().map(|left| &left.node), looked_at);
            let is_over = |node: &str| deaths.after(node).is_some_and(|died| looked_at >= died + self.grace());
            let due: Vec<LeftBehind> =
                left.into_iter().filter(|left| is_over(&left.node) || !matches!(left.pipe, Pipe::Log(..))).collect();
            if self.sees_to(due).await == 0 {
                return Ok(());
            }
        }
    }

    /// Answers how much was seen to.
    async fn sees_to(self: &Arc<Node>, due: Vec<LeftBehind>) -> usize {
        let settled = |left: LeftBehind| {
            let node = Arc::clone(self);
            async move {
                let settled = node.settles(&left).await;
                let later =
                    |error: &StoreError| tracing::warn!("what another node left behind is seen to later: {error}");
                settled.inspect_err(later).is_ok()
            }
        };
        do_each(due, settled).await
    }

    /// Says what there is to say, and only then that it was said.
    pub(super) async fn settles(&self, left: &LeftBehind) -> Result<(), StoreError> {
        if let Pipe::Log(tenant, user) = left.pipe {
            self.has_gone((tenant, user)).await?;
        }
        for (id, event, message) in &left.wills {
            let (event, message) = (event.clone(), message.clone());
            let word = Word { pipe: left.pipe.clone(), event, message, id: Some(*id), origin: Some(GONE) };
            self.tell(word).await?;
        }
        self.store.settle(left).await
    }
}

/// When nodes died. Those who were on one may be back on another within the grace.
struct Deaths {
    /// Of each that left something: it died after this, or hardly before.
    after: HashMap<Box<str>, Instant>,
    /// When nothing was left, if so it was the last time: whoever left something the next time was not dead.
    nothing_was_left_at: Option<Instant>,
}

impl Deaths {
    fn since(now: Instant) -> Deaths {
        Deaths { after: HashMap::new(), nothing_was_left_at: Some(now) }
    }

    /// This was left when it was looked for at `now`: by whom. What a node left can be hidden behind what others left.
    fn seen<'n>(&mut self, left_by: impl Iterator<Item = &'n Box<str>>, now: Instant) {
        let died_after = self.nothing_was_left_at.take().unwrap_or(now);
        let mut is_anything_left = false;
        for node in left_by {
            is_anything_left = true;
            if !self.after.contains_key(node) {
                if self.after.len() >= DEAD_MAX {
                    self.after.clear();
                }
                self.after.insert(node.clone(), died_after);
            }
        }
        if !is_anything_left {
            *self = Deaths::since(now);
        }
    }

    fn after(&self, node: &str) -> Option<Instant> {
        self.after.get(node).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dead_node_has_its_own_grace() {
        let (one, other): (Box<str>, Box<str>) = ("one".into(), "other".into());
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        let mut deaths = Deaths::since(at(0));
        deaths.seen([].iter(), at(1));
        deaths.seen([&one].into_iter(), at(2));
        assert_eq!(deaths.after("one"), Some(at(1)), "nothing was left then");
        deaths.seen([&one].into_iter(), at(30));
        deaths.seen([&other, &one].into_iter(), at(60));
        assert_eq!((deaths.after("one"), deaths.after("other")), (Some(at(1)), Some(at(60))));
        deaths.seen([&other].into_iter(), at(61));
        assert_eq!((deaths.after("one"), deaths.after("other")), (Some(at(1)), Some(at(60))));
        deaths.seen([].iter(), at(62));
        assert_eq!(deaths.after("one"), None, "all was settled");
        deaths.seen([&one].into_iter(), at(63));
        assert_eq!(deaths.after("one"), Some(at(62)));
    }

    #[test]
    fn no_more_dead_are_remembered_than_there_can_be() {
        let now = Instant::now();
        let mut deaths = Deaths::since(now);
        for number in 0..3 * DEAD_MAX {
            deaths.seen([&number.to_string().into()].into_iter(), now);
            assert!(deaths.after.len() <= DEAD_MAX);
        }
    }
}
