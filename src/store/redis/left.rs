//! What nodes have left behind that are gone.

use std::collections::HashSet;
use std::sync::Arc;

use super::answer::{Answer, unexpected};
use super::call::Call;
use super::commands::Again;
use super::keys;
use super::registry::Registry;
use super::script::Script;
use super::together::{ask_all, ask_each};
use super::wills;
use crate::store::{LeftBehind, StoreError};

/// So long whoever sees to a node does so alone, in milliseconds.
const CLAIM_MILLIS: u64 = 10_000;
/// So long after a node is gone something of it may still arrive: longer than a command may wait, in milliseconds.
const FORGET_MILLIS: u64 = 120_000;
/// How much is seen to at a time: pipes, wills of one, and bytes of wills.
const PIPES_MAX: usize = 100;
const WILLS_MAX: usize = 200;
const WILLS_BYTES_MAX: usize = 1_024 * 1_024;

/// A pipe that a node listened to, with some of its wills: connections and what was kept for them.
struct Left {
    base: String,
    wills: Vec<(String, Vec<u8>)>,
}

/// Some of what a node has left, and whether it could be asked for everywhere.
struct Found {
    left: Vec<Left>,
    outcome: Result<(), StoreError>,
}

impl Registry {
    /// Some of what nodes had to do with that are gone, for this node alone for a while.
    pub async fn left_behind(&self) -> Result<Vec<LeftBehind>, StoreError> {
        let outdated = self.listened.outdated.some(&self.nodes.name());
        if !outdated.is_empty() {
            return Ok(outdated);
        }
        let Some(node) = self.claim("").await? else { return Ok(Vec::new()) };
        let Found { left, outcome } = self.left_by(&node).await;
        if left.is_empty() {
            outcome?;
            let mut call = self.commands.scripts().on(Script::Forget, &[keys::GONE]);
            call.arg(&node).arg(FORGET_MILLIS);
            self.commands.ask(&call, Again::Yes).await?;
        }
        let mut behind = Vec::with_capacity(left.len());
        for Left { base, wills } in left {
            let mut key = node.clone();
            let mut told = Vec::with_capacity(wills.len());
            for (connection, kept) in wills {
                // What is none of ours goes with the others.
                told.extend(wills::left_by(&node, &base, &connection, &kept));
                key.push(' ');
                key.push_str(&connection);
            }
            match keys::pipe_of(base.as_bytes()) {
                Some(pipe) => {
                    behind.push(LeftBehind { pipe, node: node.as_str().into(), wills: told, key: key.into() });
                }
                None => self.settle(&base, &node, None).await?,
            }
        }
        Ok(behind)
    }

    /// What was left was seen to.
    pub async fn settled(&self, left: &LeftBehind) -> Result<(), StoreError> {
        let mut parts = left.key.split(' ');
        let node = parts.next().unwrap_or_default();
        // Of this node itself there is no more to settle than that its user has gone.
        if node == self.nodes.name() {
            self.listened.outdated.seen_to(&keys::base_of(&left.pipe));
            return Ok(());
        }
        let connections: Vec<&str> = parts.collect();
        self.settle(&keys::base_of(&left.pipe), node, Some(&connections)).await
    }

    /// Takes back all that this node has said under a name that it had, as far as it can be asked for.
    pub async fn take_back(self: &Arc<Registry>, node: &str) -> Result<(), StoreError> {
        loop {
            // If another node has claimed it, that publishes wills of connections that are there: the fewer the better.
            self.claim(node).await?;
            let Found { left, outcome } = self.left_by(node).await;
            if left.is_empty() {
                return outcome;
            }
            let calls = left.iter().map(|left| self.settling(&left.base, node, None)).collect();
            ask_each(&self.commands, calls).await.into_iter().try_for_each(|settled| settled.map(drop))?;
        }
    }

    /// Names under which something is left and that neither are there nor are said to be gone: whoever knew of them has
    /// lost its memory.
    pub async fn unknown(&self) -> Result<HashSet<String>, StoreError> {
        let sets = keys::nodes();
        // Those who are there are asked for behind them, so that who comes meanwhile is known.
        let known = [keys::LEASES, keys::GONE];
        let named = ask_all(&self.commands, sets.iter().map(|set| Call::new("SMEMBERS", set)).collect()).await?;
        let known = ask_all(&self.commands, known.iter().map(|hash| Call::new("HKEYS", hash)).collect()).await?;
        Ok(&names(named)? - &names(known)?)
    }

    /// Says that a node is gone, so that what it leaves is seen to.
    pub async fn give_up(&self, node: &str) -> Result<(), StoreError> {
        let mut call = self.commands.scripts().on(Script::Leave, &[keys::LEASES, keys::GONE]);
        call.arg(node);
        self.commands.ask(&call, Again::Yes).await.map(drop)
    }

    /// A node that is gone, this one or (if that is empty) any, if nobody else sees to it.
    async fn claim(&self, node: &str) -> Result<Option<String>, StoreError> {
        let mut call = self.commands.scripts().on(Script::Claim, &[keys::GONE]);
        call.arg(self.nodes.name()).arg(CLAIM_MILLIS).arg(node);
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        if answer.is_empty() { Ok(None) } else { answer.text().map(Some) }
    }

    async fn left_by(&self, node: &str) -> Found {
        let sets = keys::pipes_of(node);
        let counts = ask_each(&self.commands, sets.iter().map(|set| Call::new("SCARD", set)).collect()).await;
        let mut found = Found { left: Vec::new(), outcome: Ok(()) };
        for (set, count) in sets.iter().zip(counts) {
            let looked = match count.and_then(|mut count| count.number()) {
                Ok(count) if count > 0 && found.left.len() < PIPES_MAX => {
                    self.left_in(set, node, PIPES_MAX - found.left.len()).await
                }
                count => count.map(|_| Vec::new()),
            };
            match looked {
                Ok(left) => found.left.extend(left),
                Err(error) => found.outcome = Err(error),
            }
        }
        found
    }

    async fn left_in(&self, set: &str, node: &str, count_max: usize) -> Result<Vec<Left>, StoreError> {
        let mut call = self.commands.scripts().on(Script::Left, &[set]);
        call.arg(node).arg(count_max).arg(WILLS_MAX).arg(WILLS_BYTES_MAX);
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        let mut left = Vec::new();
        while !answer.is_empty() {
            let (base, count) = (answer.text()?, answer.number()?);
            let mut wills = Vec::new();
            for _ in 0..count {
                wills.push((answer.text()?, answer.bytes()?));
            }
            if !wills.iter().all(|(connection, _)| connection.bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(unexpected("the name of a connection"));
            }
            left.push(Left { base, wills });
        }
        Ok(left)
    }

    async fn settle(&self, base: &str, node: &str, connections: Option<&[&str]>) -> Result<(), StoreError> {
        self.commands.ask(&self.settling(base, node, connections), Again::Yes).await.map(drop)
    }

    /// The call that takes back a node's count and the wills of these connections, or all of them.
    fn settling(&self, base: &str, node: &str, connections: Option<&[&str]>) -> Call {
        let mut call = self.commands.scripts().on(Script::Settle, &[base]);
        call.arg(&*self.nodes.gone()).arg(node).arg(self.clock.now().0).arg(u8::from(connections.is_none()));
        call.arg(connections.unwrap_or_default());
        call
    }
}

fn names(answers: Vec<Answer>) -> Result<HashSet<String>, StoreError> {
    let mut names = HashSet::new();
    for mut answer in answers {
        while !answer.is_empty() {
            names.insert(answer.text()?);
        }
    }
    Ok(names)
}
