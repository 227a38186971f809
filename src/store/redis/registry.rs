//! What Redis is told of this node: that it is there, how many connections listen to which pipe, and their wills.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::answer::Answer;
use super::call::{Call, Slot};
use super::commands::{Again, Commands};
use super::letters::Letters;
use super::listened::{Count, Listened, Mark, Newest, Told};
use super::nodes::{Lease, Leased, Nodes};
use super::registering::{Joined, LineId, Registering, Registration};
use super::script::Script;
use super::wills::{self, Wills};
use super::{begin, keys, new_epoch};
use crate::clock::Clock;
use crate::pipe::{MessageId, Pipe, Position};
use crate::store::{Listening, StoreError};

/// How often this node says that it is there.
const LEASE_RENEWED: Duration = Duration::from_secs(1);
/// How often it looks for what nobody knows of.
const SWEPT: Duration = Duration::from_secs(15);
/// Pipes that one call looks at, and calls that wait for their answers at a time.
pub const PIPES_A_CALL: usize = 100;
const CALLS_MAX: usize = 256;

pub struct Registry {
    pub nodes: Nodes,
    pub commands: Arc<Commands>,
    pub listened: Arc<Listened>,
    pub wills: Wills,
    pub letters: Letters,
    pub clock: Arc<dyn Clock>,
    registering: Registering,
    /// Logs whose users are marked as here again, and of whom nobody has said so.
    appeared: Mutex<Vec<Pipe>>,
}

impl Registry {
    /// One that has not told anything yet.
    pub fn new(
        commands: Arc<Commands>,
        listened: Arc<Listened>,
        clock: Arc<dyn Clock>,
    ) -> Result<Registry, StoreError> {
        let (wills, letters) = (Wills::default(), Letters::default());
        let (nodes, registering, appeared) = (Nodes::new()?, Registering::default(), Mutex::default());
        Ok(Registry { nodes, commands, listened, wills, letters, clock, registering, appeared })
    }

    /// Tells how many connections of this node listen to a pipe now, and hears where it stands.
    pub async fn tell(self: &Arc<Registry>, base: &str, pipe: &Pipe, mark: Mark) -> Result<Listening, StoreError> {
        let line = self.commands.servers().are_many().then(|| Slot::of(base));
        let (answer, mut answered) = oneshot::channel();
        let registration = Registration { base: base.to_owned(), pipe: pipe.clone(), mark, answer };
        let Joined { number, must_call } = self.registering.join(line, registration);
        if must_call {
            tokio::spawn(Arc::clone(self).call(line));
        }
        let late = || self.commands.unavailable("it was not told who listens");
        match timeout(self.commands.wait(), &mut answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(late())),
            Err(_) if self.registering.take_back(line, number) => Err(late()),
            // It is on its way, for which it has as long.
            Err(_) => answered.await.unwrap_or_else(|_| Err(late())),
        }
    }

    /// Registers those who wait in a line until nobody does.
    async fn call(self: Arc<Registry>, line: LineId) {
        while let Some(registrations) = self.registering.take(line) {
            match self.register(&registrations).await {
                Ok(told) => {
                    for (Registration { pipe, answer, .. }, listening) in registrations.into_iter().zip(told) {
                        // Who has appeared is told of by others if nobody waits here any more.
                        if let (true, Err(_)) = (listening.has_appeared, answer.send(Ok(listening))) {
                            self.appears(pipe);
                        }
                    }
                }
                Err(error) => {
                    registrations.into_iter().for_each(|one| drop(one.answer.send(Err(error.clone()))));
                }
            }
        }
    }

    /// Tells how many connections listen to each of these now, in one call. They are in one slot, if there are many
    /// servers.
    async fn register(&self, registrations: &[Registration]) -> Result<Vec<Listening>, StoreError> {
        let bases: Vec<&str> = registrations.iter().map(|registration| registration.base.as_str()).collect();
        let mut call = self.commands.scripts().on(Script::Register, &bases);
        call.arg(&*self.nodes.gone()).arg(self.nodes.name()).arg(self.clock.now().0);
        let mut counts = Vec::with_capacity(registrations.len());
        for Registration { base, pipe, mark, .. } in registrations {
            let count = self.listened.count(base, *mark);
            call.arg(count.connections).arg(count.version).arg(count.mark.name());
            begin(&mut call, pipe);
            counts.push(count);
        }
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        bases.iter().zip(counts).map(|(base, count)| self.registered(base, count, &mut answer)).collect()
    }

    /// What Redis has answered to one count.
    fn registered(&self, base: &str, count: Count, answer: &mut Answer) -> Result<Listening, StoreError> {
        let position = Position { epoch: answer.number()?, index: answer.number()? };
        let id = <[u8; 16]>::try_from(answer.bytes()?).ok();
        let id = id.map(|bytes| MessageId(uuid::Uuid::from_bytes(bytes)));
        let listeners = answer.number()?;
        let dismissed_at = answer.number()?;
        self.listened.told(base, count, Told { newest: Newest { position, id }, dismissed_at });
        Ok(Listening { position, listeners, has_appeared: answer.truth()? })
    }

    /// The same once more. Of a user who was taken for gone meanwhile the others are to be told.
    async fn tell_again(self: &Arc<Registry>, base: &str, pipe: &Pipe) -> Result<(), StoreError> {
        if self.tell(base, pipe, Mark::Leave).await?.has_appeared {
            self.appears(pipe.clone());
        }
        Ok(())
    }

    /// The same in a call of its own.
    async fn register_one(&self, base: &str, pipe: &Pipe) -> Result<(), StoreError> {
        // Nobody waits for the answer there.
        let (answer, _) = oneshot::channel();
        let one = Registration { base: base.to_owned(), pipe: pipe.clone(), mark: Mark::Leave, answer };
        if self.register(&[one]).await?.iter().any(|listening| listening.has_appeared) {
            self.appears(pipe.clone());
        }
        Ok(())
    }

    fn appears(&self, log: Pipe) {
        self.appeared.lock().unwrap_or_else(PoisonError::into_inner).push(log);
    }

    /// Of whom they are to be told, each once.
    pub fn take_appeared(&self) -> Vec<Pipe> {
        std::mem::take(&mut *self.appeared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells a will as it is now.
    pub async fn tell_will(&self, of: &wills::Of) -> Result<(), StoreError> {
        let (base, connection) = of;
        let kept = self.wills.kept(of);
        let mut call = self.commands.scripts().on(Script::Will, &[base]);
        call.arg(self.nodes.name()).arg(keys::connection_name(*connection));
        if let Some(kept) = &kept {
            call.arg(kept);
        }
        self.commands.ask(&call, Again::Yes).await?;
        self.wills.told(of, kept.as_deref());
        Ok(())
    }

    /// Tells what has not been told or was not answered.
    pub async fn tell_untold(self: &Arc<Registry>) -> NotTold {
        let counts = self.listened.untold().into_iter().filter_map(|(base, pipe)| Some(Untold::Count(base, pipe?)));
        let wills = self.wills.untold().into_iter().map(Untold::Will);
        self.tell_each(counts.chain(wills)).await
    }

    /// Tells once more who listens to each of these pipes.
    pub async fn tell_counts(self: &Arc<Registry>, pipes: impl Iterator<Item = (String, Pipe)>) -> NotTold {
        self.tell_each(pipes.map(|(base, pipe)| Untold::Count(base, pipe))).await
    }

    async fn tell_each(self: &Arc<Registry>, all: impl Iterator<Item = Untold>) -> NotTold {
        let mut calls = JoinSet::new();
        let mut not = NotTold::default();
        let mut failed = Vec::new();
        for untold in all {
            if calls.len() >= CALLS_MAX
                && let Some(told) = calls.join_next().await
            {
                failed.extend(not.note(told));
            }
            let registry = Arc::clone(self);
            calls.spawn(async move {
                match untold {
                    Untold::Count(base, pipe) => {
                        let told = registry.tell_again(&base, &pipe).await;
                        (told, Some((base, pipe)))
                    }
                    Untold::Will(of) => (registry.tell_will(&of).await, None),
                }
            });
        }
        while let Some(told) = calls.join_next().await {
            failed.extend(not.note(told));
        }
        if failed.is_empty() { not } else { self.tell_alone(failed).await }
    }

    /// A pipe that cannot be registered is refused with those that are told in the same call: now each has its own.
    async fn tell_alone(self: &Arc<Registry>, pipes: Vec<(String, Pipe)>) -> NotTold {
        let mut calls = JoinSet::new();
        let mut not = NotTold::default();
        for (base, pipe) in pipes {
            if calls.len() >= CALLS_MAX
                && let Some(told) = calls.join_next().await
            {
                not.note(told);
            }
            let registry = Arc::clone(self);
            calls.spawn(async move { (registry.register_one(&base, &pipe).await, Some((base, pipe))) });
        }
        while let Some(told) = calls.join_next().await {
            not.note(told);
        }
        not
    }

    /// Has a new epoch begin for every pipe that Redis has in an older state than was heard.
    pub async fn renew(&self, heard: &[(String, Newest)]) -> Result<(), StoreError> {
        let mut renewed = 0_u64;
        for call in self.renewals(heard) {
            renewed = self.commands.ask(&call, Again::Yes).await?.number()?.saturating_add(renewed);
        }
        say_renewed(renewed);
        Ok(())
    }

    /// The calls for that, each for pipes of one slot.
    pub fn renewals(&self, heard: &[(String, Newest)]) -> Vec<Call> {
        let mut by_slot: BTreeMap<Slot, Vec<&(String, Newest)>> = BTreeMap::new();
        for one in heard {
            by_slot.entry(Slot::of(&one.0)).or_default().push(one);
        }
        let parts = by_slot.values().flat_map(|heard| heard.chunks(PIPES_A_CALL));
        let calls = parts.map(|heard| {
            let bases: Vec<&str> = heard.iter().map(|(base, _)| base.as_str()).collect();
            let mut call = self.commands.scripts().on(Script::Renew, &bases);
            for (_, newest) in heard {
                let id = newest.id.map_or_else(Vec::new, |id| id.0.as_bytes().to_vec());
                call.arg(newest.position.epoch).arg(newest.position.index).arg(id).arg(new_epoch());
            }
            call
        });
        calls.collect()
    }

    /// What says that this node is there.
    pub fn lease(&self) -> Lease {
        self.nodes.lease(self.commands.scripts())
    }

    /// What Redis answered to it. If it must be told again who listens here, that is remembered.
    pub fn leased(&self, lease: &Lease, answer: Answer) -> Result<Leased, StoreError> {
        let leased = self.nodes.leased(lease, answer, self.clock.now())?;
        match leased {
            Leased::Renamed => {
                tracing::warn!("the other nodes took this one for dead; it comes back to them as another");
                self.listened.unmark_all();
            }
            // Who is said to be here a second time takes no harm.
            Leased::Forgotten => {
                tracing::warn!("Redis knows nothing of this node any more; the others may have taken it for dead");
                self.listened.unmark_all();
            }
            Leased::Anew => {}
            Leased::Still | Leased::Outdated => return Ok(leased),
        }
        self.listened.tell_all();
        self.wills.tell_all();
        Ok(leased)
    }

    /// Says that this node is there, and learns who else is.
    pub async fn renew_lease(&self) -> Result<(), StoreError> {
        loop {
            let lease = self.lease();
            let answer = self.commands.ask(&lease.call, Again::Yes).await?;
            if !matches!(self.leased(&lease, answer)?, Leased::Renamed | Leased::Outdated) {
                break;
            }
        }
        if let Some(number) = self.nodes.peers().first() {
            self.listened.open_letters(keys::letters_to(*number));
        }
        Ok(())
    }

    /// Says for ever that this node is there.
    pub async fn keep_lease(self: Arc<Registry>) {
        let mut is_renewed = true;
        loop {
            let renewed = self.renew_lease().await;
            if let (true, Err(error)) = (is_renewed, &renewed) {
                tracing::warn!("other nodes may not count who listens here: {error}");
            }
            is_renewed = renewed.is_ok();
            tokio::time::sleep(LEASE_RENEWED).await;
        }
    }

    /// Tells for ever what could not be told at once, cleans up behind names that this node has had, and looks for what
    /// nobody knows of. None of it waits for the others: a server of a cluster that is away may hold up each.
    pub async fn keep_told(self: Arc<Registry>) {
        let telling = async {
            loop {
                let told = self.tell_untold().await.why.map_or(Ok(()), Err);
                rest_after("who listens here is told once more", told, LEASE_RENEWED).await;
            }
        };
        let taking_back = async {
            loop {
                let taken_back = self.take_back_former().await;
                rest_after("what was told under another name is taken back once more", taken_back, LEASE_RENEWED).await;
            }
        };
        let sweeping = async {
            let mut unknown = HashSet::new();
            loop {
                tokio::time::sleep(SWEPT).await;
                if self.nodes.is_first() {
                    let swept = self.sweep(&mut unknown).await;
                    rest_after("what nobody knows of is looked for later", swept, Duration::ZERO).await;
                }
            }
        };
        tokio::join!(telling, taking_back, sweeping);
    }

    async fn take_back_former(self: &Arc<Registry>) -> Result<(), StoreError> {
        while let Some(former) = self.nodes.former() {
            self.take_back(&former).await?;
            self.nodes.forget(&former);
        }
        Ok(())
    }

    /// Gives up who was unknown at the last time as well: nodes come back within seconds.
    async fn sweep(&self, before: &mut HashSet<String>) -> Result<(), StoreError> {
        let unknown = self.unknown().await?;
        for node in unknown.intersection(before) {
            tracing::warn!("something is left of node {node}, which nobody knows any more; it is seen to");
            self.give_up(node).await?;
        }
        *before = unknown;
        Ok(())
    }
}

/// Says what could not be done, and waits.
async fn rest_after(what: &str, done: Result<(), StoreError>, rest: Duration) {
    if let Err(error) = done {
        tracing::debug!("{what}: {error}");
    }
    tokio::time::sleep(rest).await;
}

/// What could not be told.
#[derive(Default)]
pub struct NotTold {
    /// Of the pipes whose listeners it is.
    pub bases: HashSet<String>,
    /// Of the last of it.
    pub why: Option<StoreError>,
}

/// What became of telling something: of the listeners of a pipe, or of a will.
type Outcome = (Result<(), StoreError>, Option<(String, Pipe)>);

impl NotTold {
    /// Answers the pipe, if it is one that was not told.
    fn note(&mut self, told: Result<Outcome, JoinError>) -> Option<(String, Pipe)> {
        // A task that ends without an answer has panicked, or the runtime stops.
        let Ok((Err(error), pipe)) = told else { return None };
        self.bases.extend(pipe.iter().map(|(base, _)| base.clone()));
        self.why = Some(error);
        pipe
    }
}

/// Says, once for many, that numbers of messages could not go on.
pub fn say_renewed(count: u64) {
    if count > 0 {
        tracing::warn!("{count} pipes had gone back and began new epochs");
    }
}

enum Untold {
    Count(String, Pipe),
    Will(wills::Of),
}
