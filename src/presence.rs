//! The arithmetic of who is here. Who has gone may be back in a moment (a page that reloads): only when it is not
//! back after the grace was it really gone.

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
    /// The first connection of a user has come. Answers whether the user was away before.
    pub fn came(&mut self, who: Who) -> bool {
        self.users.insert(who, State::Here).is_none()
    }

    /// The last connection of a user has gone. The ticket is to be shown when the grace is over.
    pub fn went(&mut self, who: Who) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.users.insert(who, State::Leaving(ticket));
        ticket
    }

    /// The grace of a departure is over, and so many connections of the user are here now. Answers whether the user
    /// has really gone. Coming and going are told one after the other but may be heard crosswise, so the count
    /// decides.
    pub fn is_gone(&mut self, who: Who, ticket: Ticket, connections: u64) -> bool {
        if self.users.get(&who) != Some(&State::Leaving(ticket)) {
            return false;
        }
        if connections > 0 {
            self.users.insert(who, State::Here);
            return false;
        }
        self.users.remove(&who);
        true
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
        assert!(presence.came(WHO));
        let ticket = presence.went(WHO);
        assert!(presence.is_gone(WHO, ticket, 0));
        assert!(!presence.is_gone(WHO, ticket, 0), "once");
        assert!(presence.came(WHO), "and comes anew");
    }

    #[test]
    fn who_is_back_in_time_was_never_away() {
        let mut presence = Presence::default();
        presence.came(WHO);
        let first = presence.went(WHO);
        assert!(!presence.came(WHO));
        assert!(!presence.is_gone(WHO, first, 1));
        let second = presence.went(WHO);
        assert!(!presence.is_gone(WHO, first, 0), "the first departure no longer counts");
        assert!(presence.is_gone(WHO, second, 0));
    }

    #[test]
    fn a_coming_that_is_heard_before_the_going_is_not_lost() {
        let mut presence = Presence::default();
        presence.came(WHO);
        // The last connection goes and another comes; the coming is heard first.
        assert!(!presence.came(WHO));
        let ticket = presence.went(WHO);
        assert!(!presence.is_gone(WHO, ticket, 1));
        assert!(!presence.came(WHO), "it is here");
    }
}
