//! What Redis is told of this node: that it is there, and how many connections listen to which pipe.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::answer::Answer;
use super::call::Call;
use super::commands::{Again, Commands};
use super::listened::{Listened, Newest};
use super::{begin, new_epoch};
use crate::clock::Clock;
use crate::pipe::{MessageId, Pipe, Position};
use crate::store::{Listening, StoreError};

/// So long a node is believed to be there that says nothing, in milliseconds.
const LEASE_MILLIS: u64 = 10_000;
/// How often it says so.
const LEASE_RENEWED: Duration = Duration::from_secs(2);
/// Pipes that one call looks at, and calls that wait for their answers at a time.
const PIPES_A_CALL: usize = 100;
const CALLS_MAX: usize = 256;

pub struct Registry {
    pub node: String,
    pub commands: Arc<Commands>,
    pub listened: Arc<Listened>,
    pub clock: Arc<dyn Clock>,
}

impl Registry {
    /// Tells how many connections of this node listen to a pipe now, and hears where it stands.
    pub async fn tell(&self, base: &str, pipe: &Pipe) -> Result<Listening, StoreError> {
        let count = self.listened.count(base);
        let mut call = self.commands.scripts().register.on(&[base]);
        call.arg(&self.node).arg(count.connections).arg(count.version).arg(self.clock.now().0);
        begin(&mut call, pipe);
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        let position = Position { epoch: answer.number()?, index: answer.number()? };
        let id = <[u8; 16]>::try_from(answer.bytes()?).ok();
        let id = id.map(|bytes| MessageId(uuid::Uuid::from_bytes(bytes)));
        let listeners = answer.number()?;
        self.listened.told(base, count, Newest { position, id });
        Ok(Listening { position, listeners, has_appeared: matches!(pipe, Pipe::Log(..)) && listeners == 1 })
    }

    /// Tells what has not been told or was not answered.
    pub async fn tell_untold(self: &Arc<Registry>) -> Result<(), StoreError> {
        let untold = self.listened.untold().into_iter();
        self.tell_each(untold.filter_map(|(base, pipe)| Some((base, pipe?)))).await
    }

    /// Tells of each of these pipes.
    pub async fn tell_each(
        self: &Arc<Registry>,
        pipes: impl Iterator<Item = (String, Pipe)>,
    ) -> Result<(), StoreError> {
        let mut calls = JoinSet::new();
        let mut outcome = Ok(());
        for (base, pipe) in pipes {
            let registry = Arc::clone(self);
            if calls.len() >= CALLS_MAX
                && let Some(Ok(Err(error))) = calls.join_next().await
            {
                outcome = Err(error);
            }
            calls.spawn(async move { registry.tell(&base, &pipe).await.map(drop) });
        }
        while let Some(told) = calls.join_next().await {
            if let Ok(Err(error)) = told {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Has a new epoch begin for every pipe that Redis has in an older state than was heard.
    pub async fn renew(&self, heard: &[(String, Newest)]) -> Result<(), StoreError> {
        for call in self.renewals(heard) {
            self.commands.ask(&call, Again::Yes).await?;
        }
        Ok(())
    }

    /// The calls for that.
    pub fn renewals(&self, heard: &[(String, Newest)]) -> Vec<Call> {
        let calls = heard.chunks(PIPES_A_CALL).map(|heard| {
            let bases: Vec<&str> = heard.iter().map(|(base, _)| base.as_str()).collect();
            let mut call = self.commands.scripts().renew.on(&bases);
            for (_, newest) in heard {
                let id = newest.id.map_or_else(Vec::new, |id| id.0.as_bytes().to_vec());
                call.arg(newest.position.epoch).arg(newest.position.index).arg(id).arg(new_epoch());
            }
            call
        });
        calls.collect()
    }

    /// Says for ever that this node is there, and takes back what nodes have said that are not any more.
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

    /// The call that says so once.
    pub fn lease(&self) -> Call {
        let mut call = self.commands.scripts().lease.on::<&str>(&[]);
        call.arg(&self.node).arg(LEASE_MILLIS);
        call
    }

    pub async fn renew_lease(self: &Arc<Registry>) -> Result<(), StoreError> {
        let mut answer = self.commands.ask(&self.lease(), Again::Yes).await?;
        if !answer.truth()? {
            // Others may have taken back what this node has said.
            self.listened.tell_all();
        }
        self.tell_untold().await?;
        while !answer.is_empty() {
            let gone = answer.text()?;
            self.take_back(&gone).await?;
        }
        Ok(())
    }

    /// Takes back what a node has said of its listeners whose lease is gone.
    async fn take_back(&self, node: &str) -> Result<(), StoreError> {
        loop {
            let mut call = self.commands.scripts().reap.on::<&str>(&[]);
            call.arg(node).arg(self.clock.now().0).arg(PIPES_A_CALL);
            if self.commands.ask(&call, Again::Yes).await?.number()? == 0 {
                return Ok(());
            }
        }
    }

    /// This node goes.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let call = Call::new("DEL", &format!("cometql:lease:{}", self.node));
        let _: Answer = self.commands.ask(&call, Again::Yes).await?;
        self.take_back(&self.node).await
    }
}
