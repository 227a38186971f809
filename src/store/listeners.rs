//! The ears that hear a pipe, with how many connections stand behind each. A pipe of a user's own has one of one, and
//! there are as many of those as users: it owns no list.

use crate::store::EarId;

pub enum Listeners {
    Nobody,
    One(EarId, u32),
    Many(Vec<(EarId, u32)>),
}

impl Listeners {
    /// One more connection listens behind `ear`.
    pub fn add(&mut self, ear: EarId) {
        match self {
            Listeners::Nobody => *self = Listeners::One(ear, 1),
            Listeners::One(only, connections) if *only == ear => *connections += 1,
            Listeners::One(only, connections) => *self = Listeners::Many(vec![(*only, *connections), (ear, 1)]),
            Listeners::Many(ears) => match ears.iter_mut().find(|(hearing, _)| *hearing == ear) {
                Some((_, connections)) => *connections += 1,
                None => ears.push((ear, 1)),
            },
        }
    }

    /// One less; one that was never there changes nothing.
    pub fn remove(&mut self, ear: EarId) {
        match self {
            Listeners::One(only, 1) if *only == ear => *self = Listeners::Nobody,
            Listeners::One(only, connections) if *only == ear => *connections -= 1,
            Listeners::Nobody | Listeners::One(..) => {}
            Listeners::Many(ears) => {
                if let Some((_, connections)) = ears.iter_mut().find(|(hearing, _)| *hearing == ear) {
                    *connections -= 1;
                }
                ears.retain(|(_, connections)| *connections > 0);
                if ears.is_empty() {
                    *self = Listeners::Nobody;
                }
            }
        }
    }

    /// Connections, over all ears.
    pub fn count(&self) -> u64 {
        self.counts().map(|(_, connections)| u64::from(connections)).sum()
    }

    pub fn ears(&self) -> impl Iterator<Item = EarId> + '_ {
        self.counts().map(|(ear, _)| ear)
    }

    fn counts(&self) -> impl Iterator<Item = (EarId, u32)> + '_ {
        let (one, many) = match self {
            Listeners::Nobody => (None, [].as_slice()),
            Listeners::One(ear, connections) => (Some((*ear, *connections)), [].as_slice()),
            Listeners::Many(ears) => (None, ears.as_slice()),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_right_whichever_form_they_have() {
        let mut listeners = Listeners::Nobody;
        listeners.remove(EarId(0));
        assert_eq!(listeners.count(), 0);
        for ear in [1, 1, 2, 1] {
            listeners.add(EarId(ear));
        }
        assert_eq!((listeners.count(), listeners.ears().collect::<Vec<_>>()), (4, vec![EarId(1), EarId(2)]));
        for (ear, count) in [(1, 3), (3, 3), (2, 2), (1, 1), (1, 0), (1, 0)] {
            listeners.remove(EarId(ear));
            assert_eq!(listeners.count(), count, "after {ear}");
        }
        assert_eq!(listeners.ears().count(), 0);
    }
}
