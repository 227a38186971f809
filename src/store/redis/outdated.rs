//! What Redis says of this node that is so no more. A Redis that has gone back, as after a failover, knows of listeners and
//! wills that are gone since, and nobody would ever take them back: what a node tells anew is what it has.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::call::Call;
use super::keys;
use super::registry::Registry;
use super::script::Script;
use super::subscriber::BACKOFF_MAX;
use super::together::ask_all;
use crate::pipe::{Pipe, PipeKind};
use crate::store::{LeftBehind, StoreError};

/// Sets that are read at a time: all pipes of this node are in 256 of them.
const SETS_AT_A_TIME: usize = 16;
/// Logs that are handed on at a time.
const LOGS_MAX: usize = 100;

#[derive(Default)]
pub struct Outdated {
    /// Told when a server may have gone back.
    pub suspected: Notify,
    /// Logs of users who are here, as far as Redis knows, and not on this node. By base.
    logs: Mutex<HashMap<String, Pipe>>,
}

impl Outdated {
    fn logs(&self) -> std::sync::MutexGuard<'_, HashMap<String, Pipe>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some of those logs: as long as it is not said that they are seen to, they are handed on again and again.
    pub fn some(&self, node: &str) -> Vec<LeftBehind> {
        let logs = self.logs();
        let left =
            |pipe: &Pipe| LeftBehind { pipe: pipe.clone(), node: node.into(), wills: Vec::new(), key: node.into() };
        logs.values().take(LOGS_MAX).map(left).collect()
    }

    pub fn seen_to(&self, base: &str) {
        self.logs().remove(base);
    }
}

impl Registry {
    /// Takes back for ever what is outdated.
    pub async fn keep_up_to_date(self: Arc<Registry>) {
        loop {
            self.listened.outdated.suspected.notified().await;
            while let Err(error) = self.take_back_outdated().await {
                tracing::debug!("what Redis knows of this node may be outdated: {error}");
                tokio::time::sleep(BACKOFF_MAX).await;
            }
        }
    }

    async fn take_back_outdated(self: &Arc<Registry>) -> Result<(), StoreError> {
        let node = self.nodes.name();
        for sets in keys::pipes_of(&node).chunks(SETS_AT_A_TIME) {
            let answers = ask_all(&self.commands, sets.iter().map(|set| Call::new("SMEMBERS", set)).collect()).await?;
            let mut pipes = Vec::new();
            for mut answer in answers {
                while !answer.is_empty() {
                    let base = answer.text()?;
                    pipes.extend(keys::pipe_of(base.as_bytes()).map(|pipe| (base, pipe)));
                }
            }
            self.take_back_wills(&node, &pipes).await?;
            pipes.retain(|(base, _)| !self.listened.is_listened(base));
            // Whoever comes meanwhile is counted later, and that is what counts.
            self.tell_counts(pipes.iter().cloned()).await.why.map_or(Ok(()), Err)?;
            // The user of a log is here until somebody has told the others that he has gone.
            let logs = pipes.into_iter().filter(|(_, pipe)| matches!(pipe, Pipe::Log(..)));
            self.listened.outdated.logs().extend(logs);
        }
        Ok(())
    }

    async fn take_back_wills(&self, node: &str, pipes: &[(String, Pipe)]) -> Result<(), StoreError> {
        let has_wills = |pipe: &Pipe| matches!(pipe, Pipe::Named(_, name) if name.kind() == PipeKind::Track);
        let bases: Vec<&str> =
            pipes.iter().filter(|(_, pipe)| has_wills(pipe)).map(|(base, _)| base.as_str()).collect();
        let kept = bases.iter().map(|base| Call::new("HKEYS", &format!("{base}:wills:{node}")));
        let kept = ask_all(&self.commands, kept.collect()).await?;
        // Behind that, so that nothing is taken for outdated that has come meanwhile.
        let known: HashSet<(String, String)> = self.wills.names();
        let mut outdated = Vec::new();
        for (base, mut answer) in bases.into_iter().zip(kept) {
            while !answer.is_empty() {
                let will = (base.to_owned(), answer.text()?);
                if !known.contains(&will) {
                    let mut call = self.commands.scripts().on(Script::Will, &[base]);
                    call.arg(node).arg(will.1);
                    outdated.push(call);
                }
            }
        }
        ask_all(&self.commands, outdated).await.map(drop)
    }
}
