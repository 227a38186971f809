//! The arithmetic of who is here, on this node. Who has gone may be back in a moment (a page that reloads): only when
//! it is not back after the grace was it really gone.

use std::collections::HashMap;

use crate::user::{TenantId, UserId};

type Who = (TenantId, UserId);

/// The users that are here or have only just gone.
#[derive(Default)]
pub struct Presence {
    users: HashMap<Who, State>,
    last_ticket: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Here,
    Leaving(Ticket),
}

/// One departure; worth nothing once the user has come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(u64);

impl Presence {
    /// A connection of a user has come.
    pub fn came(&mut self, who: Who) {
        self.users.insert(who, State::Here);
    }

    /// The last connection of a user has gone. The ticket is to be shown when the grace is over.
    pub fn went(&mut self, who: Who) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.users.insert(who, State::Leaving(ticket));
        ticket
    }

    /// The grace of a departure is over. Answers whether the user has not come back meanwhile.
    pub fn is_over(&mut self, who: Who, ticket: Ticket) -> bool {
        let has_gone = self.users.get(&who) == Some(&State::Leaving(ticket));
        if has_gone {
            self.users.remove(&who);
        }
        has_gone
    }

    /// All who are here or have only just gone; from now on nobody is.
    pub fn take_all(&mut self) -> Vec<Who> {
        self.users.drain().map(|(who, _)| who).collect()
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
        let ticket = presence.went(WHO);
        assert!(presence.is_over(WHO, ticket));
        assert!(!presence.is_over(WHO, ticket), "once");
        presence.came(WHO);
        assert_eq!(presence.take_all(), [WHO]);
    }

    #[test]
    fn who_is_back_in_time_was_never_away() {
        let mut presence = Presence::default();
        presence.came(WHO);
        let first = presence.went(WHO);
        presence.came(WHO);
        assert!(!presence.is_over(WHO, first));
        let second = presence.went(WHO);
        assert!(!presence.is_over(WHO, first), "the first departure no longer counts");
        assert!(presence.is_over(WHO, second));
    }
}
