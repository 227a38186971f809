//! The arithmetic of who is here, on this node. Who has gone may be back in a moment (a page that reloads): only when
//! it is not back after the grace was it really gone.

use std::collections::HashMap;

use crate::user::{TenantId, UserId};

/// A user of a tenant.
pub type Who = (TenantId, UserId);

/// The users that are here, or of whom this node has seen the last connection go only just now.
#[derive(Default)]
pub struct Presence {
    users: HashMap<Who, State>,
    last_ticket: u64,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// On this node.
    connections: u32,
    leaving: Option<Ticket>,
}

/// One departure; worth nothing once the user has come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(u64);

impl Presence {
    /// A connection of a user comes.
    pub fn came(&mut self, who: Who) {
        let state = self.users.entry(who).or_default();
        *state = State { connections: state.connections.saturating_add(1), leaving: None };
    }

    /// A connection of a user has gone; others may still be here, or on another node.
    pub fn left(&mut self, who: Who) {
        if let Some(state) = self.users.get_mut(&who) {
            state.connections = state.connections.saturating_sub(1);
        }
        self.forget_absent(who);
    }

    /// The last connection of a user has gone, of all nodes. The ticket is to be shown when the grace is over.
    pub fn went(&mut self, who: Who) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.users.entry(who).or_default().leaving = Some(ticket);
        ticket
    }

    /// The grace of a departure is over. Answers whether the user has not come back to this node meanwhile.
    pub fn is_over(&mut self, who: Who, ticket: Ticket) -> bool {
        let Some(state) = self.users.get_mut(&who).filter(|state| state.leaving == Some(ticket)) else { return false };
        state.leaving = None;
        self.forget_absent(who);
        true
    }

    /// Whether a user is here on this node, or his grace is not over yet.
    pub fn knows(&self, who: Who) -> bool {
        self.users.contains_key(&who)
    }

    /// Whether the grace of somebody is not over yet.
    pub fn is_anybody_leaving(&self) -> bool {
        self.users.values().any(|state| state.leaving.is_some())
    }

    /// All who are here or have only just gone; from now on nobody is.
    pub fn take_all(&mut self) -> Vec<Who> {
        self.users.drain().map(|(who, _)| who).collect()
    }

    fn forget_absent(&mut self, who: Who) {
        if self.users.get(&who).is_some_and(|state| state.connections == 0 && state.leaving.is_none()) {
            self.users.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Who = (TenantId(1), UserId::FIRST);

    #[test]
    fn who_stays_away_has_gone() {
        let mut presence = Presence::default();
        presence.came(WHO);
        presence.left(WHO);
        let ticket = presence.went(WHO);
        assert!(presence.is_anybody_leaving() && presence.knows(WHO));
        assert!(presence.is_over(WHO, ticket));
        assert!(!presence.knows(WHO));
        assert!(!presence.is_over(WHO, ticket), "once");
        assert_eq!(presence.take_all(), []);
        presence.came(WHO);
        assert_eq!(presence.take_all(), [WHO]);
    }

    #[test]
    fn who_is_back_in_time_was_never_away() {
        let mut presence = Presence::default();
        presence.came(WHO);
        presence.left(WHO);
        let first = presence.went(WHO);
        presence.came(WHO);
        assert!(!presence.is_over(WHO, first));
        presence.left(WHO);
        let second = presence.went(WHO);
        assert!(!presence.is_over(WHO, first), "the first departure no longer counts");
        assert!(presence.is_over(WHO, second));
    }

    #[test]
    fn who_stays_elsewhere_is_forgotten_with_the_last_connection_here() {
        let mut presence = Presence::default();
        presence.came(WHO);
        presence.came(WHO);
        presence.left(WHO);
        assert_eq!(presence.users.len(), 1, "one is left");
        presence.left(WHO);
        presence.left(WHO);
        assert_eq!(presence.users.len(), 0);
        // The store could not be asked: nobody knows whether this was the last.
        presence.came(WHO);
        let ticket = presence.went(WHO);
        assert!(presence.is_over(WHO, ticket));
        assert_eq!(presence.take_all(), [WHO], "one is still here");
    }
}
