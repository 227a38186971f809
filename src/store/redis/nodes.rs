//! Which nodes there are, as this one knows it, and by which name and number it is known to them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::{Answer, unexpected};
use super::call::Call;
use super::keys;
use super::script::Scripts;
use crate::clock::UnixMillis;
use crate::store::{Peer, StoreError};

/// So long a node is believed to be there that says nothing, in milliseconds.
const LEASE_MILLIS: u64 = 6_000;

pub struct Nodes {
    state: Mutex<State>,
}

struct State {
    /// No other node has it, or has had it.
    name: String,
    number: Peer,
    /// What it was called before it was said to be gone; empty if that never was.
    name_before: String,
    /// Names that it has had and under which something may be left.
    former: Vec<String>,
    /// Names of those who are gone, with blanks between.
    gone: Arc<str>,
    others: Vec<Peer>,
    /// When Redis last said that it knows this node, by this node's clock.
    leased_at: Option<UnixMillis>,
}

/// What says that a node is there that is called so.
pub struct Lease {
    pub call: Call,
    name: String,
}

/// What became of a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leased {
    /// The others have counted this node all the time.
    Still,
    /// Redis knew nothing of this node: it is the first time, or it has lost its memory.
    Anew,
    /// The same, and this node was away for so long that the others may have taken it for dead, and forgotten it since.
    Forgotten,
    /// This node was said to be gone, and has another name now, under which nothing was told yet.
    Renamed,
    /// It was of a name that this node has had. Several ask at once, and the answer to the first may give it another.
    Outdated,
}

impl Nodes {
    pub fn new() -> Result<Nodes, StoreError> {
        let state = State {
            name: new_name()?,
            number: Peer(0),
            name_before: String::new(),
            former: Vec::new(),
            gone: "".into(),
            others: Vec::new(),
            leased_at: None,
        };
        Ok(Nodes { state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn name(&self) -> String {
        self.state().name.clone()
    }

    /// Those whose listeners do not count, as scripts take them.
    pub fn gone(&self) -> Arc<str> {
        Arc::clone(&self.state().gone)
    }

    /// This node, then the others.
    pub fn peers(&self) -> Vec<Peer> {
        let state = self.state();
        std::iter::once(state.number).chain(state.others.iter().copied()).collect()
    }

    /// What says that this node is there.
    pub fn lease(&self, scripts: &Scripts) -> Lease {
        let state = self.state();
        let mut call = scripts.lease.on(&[keys::LEASES, keys::GONE]);
        call.arg(&state.name).arg(state.number.0).arg(&state.name_before).arg(LEASE_MILLIS);
        Lease { call, name: state.name.clone() }
    }

    /// Whether this node has the smallest number, and does what one of them must do.
    pub fn is_first(&self) -> bool {
        let state = self.state();
        state.others.iter().all(|other| *other > state.number)
    }

    /// What Redis answered to a lease.
    pub fn leased(&self, lease: &Lease, mut answer: Answer, now: UnixMillis) -> Result<Leased, StoreError> {
        let (status, number) = (answer.number()?, peer(&mut answer)?);
        let gone: Vec<String> = (0..answer.number()?).map(|_| answer.text()).collect::<Result<_, _>>()?;
        let mut others = Vec::new();
        while !answer.is_empty() {
            others.push(peer(&mut answer)?);
        }
        let mut state = self.state();
        if lease.name != state.name {
            return Ok(Leased::Outdated);
        }
        if status == 2 {
            let name = new_name()?;
            state.name_before = std::mem::replace(&mut state.name, name);
            let before = state.name_before.clone();
            state.former.push(before);
            return Ok(Leased::Renamed);
        }
        state.number = number;
        state.gone = gone.join(" ").into();
        state.others = others;
        let before = state.leased_at.replace(now);
        let was_away = before.is_some_and(|before| now.0.saturating_sub(before.0) > LEASE_MILLIS);
        Ok(match status {
            1 if was_away => Leased::Forgotten,
            1 => Leased::Anew,
            _ => Leased::Still,
        })
    }

    /// A name that this node has had and that is still to be cleaned up behind.
    pub fn former(&self) -> Option<String> {
        self.state().former.first().cloned()
    }

    /// It was cleaned up behind this name.
    pub fn forget(&self, name: &str) {
        self.state().former.retain(|former| former != name);
    }
}

fn peer(answer: &mut Answer) -> Result<Peer, StoreError> {
    u16::try_from(answer.number()?).map(Peer).map_err(|_| unexpected("the number of a node"))
}

fn new_name() -> Result<String, StoreError> {
    let random = getrandom::u64().map_err(|error| StoreError::Unavailable(format!("no random bytes: {error}")))?;
    Ok(format!("{random:016x}"))
}
