//! A browser says which pipes it wants.

use std::collections::HashSet;

use super::following::{Otherwise, Start};
use super::{Next, Session, Surroundings};
use crate::frame;
use crate::pipe::{NameError, Pipe, PipeKind, PipeName};

/// Most private pipes of one list that are refused by name.
const PRIVATE_NAMES_MAX: usize = 20;

impl Session {
    /// Names that are none; `unnamed` is how many more there were.
    pub(super) fn tell_refused(&self, refused: &[(String, NameError)], unnamed: usize, around: &mut Surroundings<'_>) {
        let named = refused.iter().map(|(name, error)| format!("Not subscribed to {name}, which {error}"));
        let others = (unnamed > 0).then(|| format!("Not subscribed to {unnamed} more, whose names are none either"));
        for text in named.chain(others) {
            around.outboxes.push(self.id.slot, frame::subscription_error(400, &text, around.now));
        }
    }

    /// From now on exactly these, as far as they are allowed. What stays is not touched.
    pub(super) fn replace_subscriptions(&mut self, names: Vec<PipeName>, around: &mut Surroundings<'_>) -> Next {
        let allowed = self.allowed(names, around);
        let mut leave = Vec::new();
        self.subscriptions.retain(|subscription| {
            let stays = allowed.binary_search(around.hub.pipe(*subscription)).is_ok();
            if !stays {
                leave.push(around.hub.unsubscribe(*subscription));
            }
            stays
        });
        let had: HashSet<&Pipe> =
            self.subscriptions.iter().map(|subscription| around.hub.pipe(*subscription)).collect();
        let take: Vec<Pipe> = allowed.into_iter().filter(|pipe| !had.contains(pipe)).collect();
        self.subscriptions.reserve_exact(take.len());
        let mut wanted = Vec::with_capacity(take.len());
        for pipe in &take {
            let subscription = around.hub.subscribe(self.id.slot, self.generation, pipe);
            self.subscriptions.push(subscription);
            wanted.push((subscription, Start { behind: None, otherwise: Otherwise::Now }));
        }
        if take.is_empty() && leave.is_empty() {
            return Next::NOTHING;
        }
        self.follow(None, wanted, leave, around)
    }

    /// The pipes this browser may subscribe to, sorted as the names are; it is told of the others.
    fn allowed(&self, mut names: Vec<PipeName>, around: &mut Surroundings<'_>) -> Vec<Pipe> {
        let mut private_names = 0;
        names.retain(|name| {
            let is_allowed = self.may_read(name);
            if !is_allowed && private_names < PRIVATE_NAMES_MAX {
                let text = format!("Not subscribed to {name}: private pipes need a login");
                around.outboxes.push(self.id.slot, frame::subscription_error(403, &text, around.now));
            }
            private_names += usize::from(!is_allowed);
            is_allowed
        });
        if private_names > PRIVATE_NAMES_MAX {
            let text = format!("Not subscribed to {private_names} private pipes, which need a login");
            around.outboxes.push(self.id.slot, frame::subscription_error(403, &text, around.now));
        }
        if names.len() > around.terms.subscriptions_max {
            let (most, asked) = (around.terms.subscriptions_max, names.len());
            let text =
                format!("Subscribed to {most} of {asked} pipes: a connection has at most subscriptions_max = {most}");
            around.outboxes.push(self.id.slot, frame::subscription_error(429, &text, around.now));
            names.truncate(most);
        }
        names.into_iter().map(|name| Pipe::Named(self.tenant, name)).collect()
    }

    /// `private_*` pipes are for who is logged in: to hear and to look up.
    pub(super) fn may_read(&self, name: &PipeName) -> bool {
        name.kind() != PipeKind::Private || self.user.is_some()
    }
}
