//! What others are still to be told of users: it could not be told when it came true. Of each user the newest counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::together::do_each;
use super::{CallId, Node};
use crate::presence::Who;

/// Most users of whom something is kept. Of more nothing is told.
const USERS_MAX: usize = 65_536;
/// How often it is tried, in milliseconds.
const TRIES_EVERY_MILLIS: u64 = 1_000;

/// Of one user.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Untold {
    /// The store is to be asked whether he has gone: it may have done this call without an answer, and is asked by the
    /// same.
    pub departure: Option<CallId>,
    /// The newest that could not be said of him.
    pub word: Option<StatusWord>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatusWord {
    Online,
    Offline,
}

#[derive(Default)]
pub(super) struct UntoldOfUsers(Mutex<HashMap<Who, Untold>>);

impl UntoldOfUsers {
    /// Answers whether there was room.
    pub fn keep(&self, who: Who, untold: Untold) -> bool {
        let mut users = self.users();
        let has_room = users.len() < USERS_MAX || users.contains_key(&who);
        if has_room {
            users.insert(who, untold);
        }
        has_room
    }

    pub fn of(&self, who: Who) -> Option<Untold> {
        self.users().get(&who).copied()
    }

    /// The newest has been told of him.
    pub fn is_told(&self, who: Who) {
        self.users().remove(&who);
    }

    /// He is here, or it is known that he has gone: that is not to be asked.
    pub fn is_not_leaving(&self, who: Who) {
        let mut users = self.users();
        if let Some(untold) = users.get_mut(&who) {
            untold.departure = None;
            if untold.word.is_none() {
                users.remove(&who);
            }
        }
    }

    pub fn of_whom(&self) -> Vec<Who> {
        self.users().keys().copied().collect()
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Who, Untold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    pub(super) async fn tells_what_is_untold(self: &Arc<Node>) {
        let mut turns = tokio::time::interval(Duration::from_millis(TRIES_EVERY_MILLIS));
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            self.tells_untold_once().await;
        }
    }

    /// Tries each once.
    pub(super) async fn tells_untold_once(self: &Arc<Node>) {
        let tell = |who| {
            let node = Arc::clone(self);
            async move {
                node.tells_once_more(who).await;
                true
            }
        };
        do_each(self.untold.of_whom(), tell).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::{TenantId, UserId};

    fn who(number: usize) -> Who {
        (TenantId(number as u32 / 60_000), UserId::new(number as u64 % 60_000 + 1).expect("a user"))
    }

    const ONLINE: Untold = Untold { departure: None, word: Some(StatusWord::Online) };

    #[test]
    fn of_a_user_the_newest_counts_and_of_too_many_users_nothing_is_kept() {
        let untold = UntoldOfUsers::default();
        for number in 0..USERS_MAX {
            assert!(untold.keep(who(number), ONLINE));
        }
        assert!(!untold.keep(who(USERS_MAX), ONLINE));
        let offline = Untold { word: Some(StatusWord::Offline), ..ONLINE };
        assert!(untold.keep(who(7), offline), "it has its place");
        assert_eq!(untold.of(who(7)), Some(offline));
        untold.is_told(who(7));
        assert_eq!(untold.of(who(7)), None);
        assert!(untold.keep(who(USERS_MAX), ONLINE));
        assert_eq!(untold.of_whom().len(), USERS_MAX);
    }

    #[test]
    fn who_is_back_is_asked_after_no_longer_and_told_of_all_the_same() {
        let (untold, departure) = (UntoldOfUsers::default(), Some(CallId(1)));
        untold.keep(who(1), Untold { departure, word: None });
        untold.keep(who(2), Untold { departure, ..ONLINE });
        untold.is_not_leaving(who(1));
        untold.is_not_leaving(who(2));
        assert_eq!((untold.of_whom(), untold.of(who(2))), (vec![who(2)], Some(ONLINE)));
    }
}
