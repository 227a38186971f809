//! What is to be published for connections of this node should it die, as Redis was told or is to be told.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::keys;
use crate::pipe::{ConnectionId, Event, Message, MessageId};

/// Of which pipe, by its base, and for whom.
pub type Of = (String, ConnectionId);

#[derive(Default)]
pub struct Wills {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wills: HashMap<Of, (Event, Message)>,
    /// Those that Redis has not been told of, or has forgotten.
    untold: HashSet<Of>,
}

impl State {
    fn kept(&self, of: &Of) -> Option<Vec<u8>> {
        let (event, message) = self.wills.get(of)?;
        Some([event.as_str().as_bytes(), &[0], message.as_str().as_bytes()].concat())
    }
}

impl Wills {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a will, or takes it back.
    pub fn set(&self, of: &Of, will: Option<(Event, Message)>) {
        let mut state = self.state();
        match will {
            Some(will) => state.wills.insert(of.clone(), will),
            None => state.wills.remove(of),
        };
        state.untold.insert(of.clone());
    }

    /// The will as Redis keeps it.
    pub fn kept(&self, of: &Of) -> Option<Vec<u8>> {
        self.state().kept(of)
    }

    /// Redis was told this of it.
    pub fn told(&self, of: &Of, kept: Option<&[u8]>) {
        let mut state = self.state();
        if state.kept(of).as_deref() == kept {
            state.untold.remove(of);
        } else {
            // Two may be on their way at once, and the one that arrives last is what is kept there.
            state.untold.insert(of.clone());
        }
    }

    pub fn tell_all(&self) {
        let mut state = self.state();
        let all: Vec<Of> = state.wills.keys().cloned().collect();
        state.untold.extend(all);
    }

    /// The same for pipes of these bases.
    pub fn tell_of(&self, bases: &HashSet<&str>) {
        let mut state = self.state();
        let of_these = state.wills.keys().filter(|(base, _)| bases.contains(base.as_str()));
        let of_these: Vec<Of> = of_these.cloned().collect();
        state.untold.extend(of_these);
    }

    /// All of them, by base and by the name of the connection.
    pub fn names(&self) -> HashSet<(String, String)> {
        let state = self.state();
        state.wills.keys().map(|(base, connection)| (base.clone(), keys::connection_name(*connection))).collect()
    }

    pub fn untold(&self) -> Vec<Of> {
        self.state().untold.iter().cloned().collect()
    }
}

/// The will of a connection of a node that is gone, with the id it has whoever publishes it.
pub fn left_by(node: &str, base: &str, connection: &str, kept: &[u8]) -> Option<(MessageId, Event, Message)> {
    let at = kept.iter().position(|byte| *byte == 0)?;
    let (event, text) = kept.split_at_checked(at)?;
    let event = std::str::from_utf8(event).ok()?.parse().ok()?;
    let text = String::from_utf8(text.get(1..)?.to_vec()).ok()?;
    let hash = Sha1::digest(format!("{node} {base} {connection}"));
    let id = MessageId(Uuid::from_bytes(<[u8; 16]>::try_from(hash.get(..16)?).ok()?));
    Some((id, event, Message::new(text, usize::MAX).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_will_comes_back_as_it_was_set_under_one_id() {
        let wills = Wills::default();
        let of = ("base".to_owned(), ConnectionId { node: 1, shard: 2, slot: 3, serial: 4 });
        let will = ("gone".parse::<Event>().unwrap(), Message::new("{\"id\":7}\0".into(), 99).unwrap());
        wills.set(&of, Some(will.clone()));
        let kept = wills.kept(&of).unwrap();
        let (id, event, message) = left_by("node", "base", "1.2.3.4", &kept).unwrap();
        assert_eq!((event, message), will);
        assert_eq!(left_by("node", "base", "1.2.3.4", &kept).unwrap().0, id);
        for (node, base, connection) in [("other", "base", "1.2.3.4"), ("node", "b", "1.2.3.4"), ("node", "base", "1")]
        {
            assert_ne!(left_by(node, base, connection, &kept).unwrap().0, id);
        }
        for other in [b"".as_slice(), b"no end", b"no event!\0text", b"e\0\xff"] {
            assert!(left_by("node", "base", "1", other).is_none());
        }
    }

    #[test]
    fn a_will_that_changed_on_its_way_is_told_once_more() {
        let wills = Wills::default();
        let of = ("base".to_owned(), ConnectionId { node: 1, shard: 2, slot: 3, serial: 4 });
        let will = |text: &str| Some(("e".parse().unwrap(), Message::new(text.into(), 99).unwrap()));
        wills.set(&of, will("first"));
        let first = wills.kept(&of);
        wills.set(&of, will("second"));
        wills.told(&of, first.as_deref());
        assert_eq!(wills.untold(), std::slice::from_ref(&of));
        wills.told(&of, wills.kept(&of).as_deref());
        assert_eq!(wills.untold(), []);
        // Whoever told the first will was overtaken by that, and Redis has it now.
        wills.told(&of, first.as_deref());
        assert_eq!(wills.untold(), std::slice::from_ref(&of));
        wills.told(&of, wills.kept(&of).as_deref());
        assert_eq!(wills.untold(), []);
        wills.tell_of(&HashSet::from(["another"]));
        assert_eq!(wills.untold(), []);
        wills.tell_of(&HashSet::from(["base"]));
        assert_eq!(wills.untold().len(), 1);
        wills.set(&of, None);
        wills.told(&of, None);
        wills.tell_all();
        assert_eq!(wills.untold(), []);
    }
}
