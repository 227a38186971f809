//! The store of many nodes: everything is in one Redis, and each step is one script there.
//!
//! Two connections: commands go by one (`commands.rs`, looked after by `upkeep.rs`), announcements come by the other
//! (`subscriber.rs`) through a gate into the ears. How messages and keys look is in `record.rs` and `keys.rs`.

mod answer;
mod call;
mod commands;
mod connection;
mod gate;
mod keys;
mod listened;
mod record;
mod registry;
mod script;
mod subscriber;
mod upkeep;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::answer::{Answer, unexpected};
use self::call::Call;
use self::commands::{Again, Commands, Line};
use self::connection::Connection;
use self::gate::Gate;
use self::listened::Listened;
use self::registry::Registry;
use self::subscriber::{Subscriber, hear};
use self::upkeep::Upkeep;
use super::{
    Ear, EarId, Listening, Page, PageMax, Publish, Published, Record, Recovered, Shelf, Since, Standing, Store,
    StoreError,
};
use crate::clock::Clock;
use crate::pipe::{Delivery, Pipe, PipeName, Position, Retention};
use crate::user::{TenantId, UserId};

pub use self::connection::Address;

/// Names that one call looks at, and messages that one call erases.
const NAMES_A_CALL: usize = 500;
/// Keys that one call looks at.
const KEYS_A_CALL: usize = 5_000;

#[derive(Clone, Debug)]
pub struct Config {
    pub address: Address,
    /// How long Redis may take to answer, in milliseconds; so long publishers wait for one that is away.
    pub wait_millis_max: u64,
    /// A message is acknowledged when so many replicas have it.
    pub replicas_min: u64,
    /// Most bytes of history one pipe keeps.
    pub history_bytes_max_per_pipe: usize,
}

/// A store in Redis. Its tasks end with it.
pub struct Redis {
    commands: Arc<Commands>,
    listened: Arc<Listened>,
    registry: Arc<Registry>,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    replicas_min: u64,
    history_bytes_max_per_pipe: usize,
    lease: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the store; it will announce to `ears`, in whose order they have their [`EarId`]s.
pub async fn open(config: &Config, ears: Vec<Arc<Ear>>, clock: Arc<dyn Clock>) -> Result<Arc<Redis>, StoreError> {
    let Config { address, wait_millis_max, replicas_min, history_bytes_max_per_pipe } = config.clone();
    let wait = Duration::from_millis(wait_millis_max);
    let refused = |why: String| StoreError::Unavailable(format!("Redis at {address} cannot be used: {why}"));
    let listened = Arc::new(Listened::new(ears));
    let (line, of_line) = watch::channel(Line::Broken("it was not tried yet".into()));
    let commands = Arc::new(Commands::new(of_line, wait, address.to_string()));
    let node = format!("{:016x}", getrandom::u64().map_err(|error| refused(format!("no random bytes: {error}")))?);
    let registry = Arc::new(Registry {
        node,
        commands: Arc::clone(&commands),
        listened: Arc::clone(&listened),
        clock: Arc::clone(&clock),
    });
    let upkeep = Upkeep { address: address.clone(), wait, line, registry: Arc::clone(&registry) };
    let first = upkeep.first().await.map_err(&refused)?;
    let (gate, announcements) = Gate::new();
    let gate = Arc::new(gate);
    let announcing = Connection::open(&address, Some(Arc::clone(&gate)), wait).await.map_err(&refused)?;
    let subscriber = Subscriber {
        address: address.clone(),
        wait,
        gate: Arc::clone(&gate),
        listened: Arc::clone(&listened),
        registry: Arc::clone(&registry),
    };
    let tasks = vec![
        tokio::spawn(upkeep.run(first)),
        tokio::spawn(subscriber.run(announcing)),
        tokio::spawn(hear(announcements, Arc::clone(&gate), Arc::clone(&listened), Arc::clone(&registry))),
    ];
    // Before anybody listens: who is not believed to be there does not count.
    let leased = registry.renew_lease().await;
    let lease = tokio::spawn(Arc::clone(&registry).keep_lease());
    let store =
        Redis { commands, listened, registry, gate, clock, replicas_min, history_bytes_max_per_pipe, lease, tasks };
    leased.map(|()| Arc::new(store))
}

/// Random, and within what a JavaScript number holds exactly.
fn new_epoch() -> u64 {
    // A system that has given random bytes at the start gives them now.
    getrandom::u64().unwrap_or(1 << 63) >> 11
}

/// With what a pipe begins that is not there yet: an epoch, and what it keeps when nobody has set anything.
fn begin(call: &mut Call, pipe: &Pipe) {
    let Retention { length, ttl_seconds } = Retention::default_of(pipe);
    call.arg(new_epoch()).arg(length).arg(ttl_seconds.unwrap_or(0));
}

impl Redis {
    fn now(&self) -> u64 {
        self.clock.now().0
    }

    fn publishing(&self, batch: &[Publish], bases: &[String]) -> Call {
        let mut pipes: Vec<(&str, &Pipe)> = Vec::new();
        let mut numbers = Vec::with_capacity(batch.len());
        let mut known = std::collections::HashMap::new();
        for (publish, base) in batch.iter().zip(bases) {
            let number = *known.entry(base.as_str()).or_insert_with(|| {
                pipes.push((base, &publish.pipe));
                pipes.len()
            });
            numbers.push(number);
        }
        let keys: Vec<&str> = pipes.iter().map(|(base, _)| *base).collect();
        let mut call = self.commands.scripts().publish.on(&keys);
        call.arg(self.now()).arg(self.history_bytes_max_per_pipe);
        pipes.iter().for_each(|(_, pipe)| begin(&mut call, pipe));
        for (publish, number) in batch.iter().zip(numbers) {
            call.arg(number).arg(u8::from(publish.id_is_chosen)).arg(u8::from(publish.sender_listens));
            call.arg(record::body_of(publish));
        }
        call
    }

    /// Waits until what was published has been heard here, as far as it will be.
    async fn until_heard(&self, base: &str, position: Position) {
        let Some(mut hearing) = self.listened.hearing(base, position) else { return };
        // While an ear is full publishers wait for it. Otherwise a connection that has stopped bringing anything is
        // soon known to be broken, and then the ears are told.
        while timeout(self.commands.wait(), &mut hearing).await.is_err() && self.gate.is_held_up() {}
    }

    /// Part after part of a listing, until there are enough.
    async fn listing<T>(
        &self,
        (tenant, what): (TenantId, &str),
        after: String,
        count_max: usize,
        read: impl Fn(&[u8], u64, u64) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let mut after = after.into_bytes();
        while found.len() < count_max {
            let mut call = self.commands.scripts().listed.on::<&str>(&[]);
            call.arg(tenant.0).arg(what).arg(&after).arg(count_max.min(NAMES_A_CALL));
            let mut answer = self.commands.ask(&call, Again::Yes).await?;
            after = answer.bytes()?;
            while !answer.is_empty() {
                let (name, first, second) = (answer.bytes()?, answer.number()?, answer.number()?);
                found.push(read(&name, first, second).ok_or_else(|| unexpected("a name that can be listed"))?);
            }
            if after.is_empty() {
                break;
            }
        }
        found.truncate(count_max);
        Ok(found)
    }

    async fn look(&self, pipe: &Pipe) -> Result<Answer, StoreError> {
        let call = self.commands.scripts().look.on(&[keys::base_of(pipe)]);
        self.commands.ask(&call, Again::Yes).await
    }

    async fn retain(&self, pipe: &Pipe, retention: Option<Retention>, again: Again) -> Result<bool, StoreError> {
        let mut call = self.commands.scripts().retain.on(&[keys::base_of(pipe)]);
        call.arg(self.now());
        match retention {
            Some(Retention { length, ttl_seconds }) => call.arg(length).arg(ttl_seconds.unwrap_or(0)),
            None => call.arg("").arg(""),
        };
        begin(&mut call, pipe);
        self.commands.ask(&call, again).await?.truth()
    }

    fn limits(&self, call: &mut Call, max: PageMax, pipe: &Pipe) {
        // More than JavaScript's numbers is more than there is.
        let most = |number: usize| (number as u64).min(1 << 53);
        call.arg(self.now()).arg(most(max.messages)).arg(most(max.bytes));
        begin(call, pipe);
    }
}

/// The messages of an answer, up to its end, and the page they make.
fn page_of(pipe: &Pipe, position: Position, more: bool, mut answer: Answer) -> Result<Page, StoreError> {
    let mut page = Page { messages: Vec::new(), up_to: position, more };
    while !answer.is_empty() {
        let message = record::delivery_of(pipe, &answer.bytes()?);
        let damaged = || StoreError::Damaged(format!("a message of {} in Redis is none of ours", pipe.shown_name()));
        page.messages.push(Arc::new(message.ok_or_else(damaged)?));
    }
    if let Some(last) = page.messages.last().filter(|_| more) {
        page.up_to = last.position;
    }
    Ok(page)
}

#[async_trait]
impl Store for Redis {
    async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let bases: Vec<String> = batch.iter().map(|publish| keys::base_of(&publish.pipe)).collect();
        // What is known to be a repeat may be sent twice.
        let again = if batch.iter().all(|publish| publish.id_is_chosen) { Again::Yes } else { Again::No };
        let mut answer =
            self.commands.ask_replicated(&self.publishing(&batch, &bases), again, self.replicas_min).await?;
        let mut published = Vec::with_capacity(batch.len());
        for _ in &batch {
            let position = Position { epoch: answer.number()?, index: answer.number()? };
            published.push(Published { position, receivers: answer.number()?, is_repeat: answer.truth()? });
        }
        for (base, published) in bases.iter().zip(&published) {
            self.until_heard(base, published.position).await;
        }
        Ok(published)
    }

    async fn listen(&self, pipe: &Pipe, ear: EarId) -> Result<Listening, StoreError> {
        let base = keys::base_of(pipe);
        if let Some(subscribed) = self.listened.listen(&base, pipe, ear) {
            let late = || self.commands.unavailable("it does not announce");
            // A sender that is dropped says that nobody listens any more.
            let _ = timeout(self.commands.wait(), subscribed).await.map_err(|_| late())?;
        }
        self.registry.tell(&base, pipe).await
    }

    async fn unlisten(&self, pipe: &Pipe, ear: EarId) -> Result<u64, StoreError> {
        let base = keys::base_of(pipe);
        self.listened.unlisten(&base, ear);
        self.registry.tell(&base, pipe).await.map(|listening| listening.listeners)
    }

    async fn listeners(&self, pipe: &Pipe) -> Result<u64, StoreError> {
        self.look(pipe).await?.number()
    }

    async fn listened(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, u64)>, StoreError> {
        let read = |name: &[u8], listeners, _| Some((keys::listed_name(name)?, listeners));
        self.listing((tenant, "heard"), name_after(after), count_max, read).await
    }

    async fn dismiss(&self, _log: &Pipe) -> Result<(), StoreError> {
        Ok(())
    }

    async fn disappear(&self, log: &Pipe) -> Result<bool, StoreError> {
        Ok(self.listeners(log).await? == 0)
    }

    async fn recover(&self, pipe: &Pipe, after: Position, max: PageMax) -> Result<Recovered, StoreError> {
        let mut call = self.commands.scripts().recover.on(&[keys::base_of(pipe)]);
        call.arg(after.epoch).arg(after.index);
        self.limits(&mut call, max, pipe);
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        let position = Position { epoch: answer.number()?, index: answer.number()? };
        let (is_lost, more) = (answer.truth()?, answer.truth()?);
        if is_lost {
            return Ok(Recovered::Lost(position));
        }
        Ok(Recovered::Page(page_of(pipe, position, more, answer)?))
    }

    async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError> {
        let mut call = self.commands.scripts().history.on(&[keys::base_of(pipe)]);
        match since {
            Since::Beginning => call.arg("after").arg(0),
            Since::After(index) => call.arg("after").arg(index.min(1 << 53)),
            Since::Newest(count) => call.arg("newest").arg(count.min(1 << 53)),
            Since::Untaken => call.arg("untaken").arg(0),
        };
        self.limits(&mut call, max, pipe);
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        let position = Position { epoch: answer.number()?, index: answer.number()? };
        let more = answer.truth()?;
        page_of(pipe, position, more, answer)
    }

    async fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError> {
        self.listing((tenant, "kept"), name_after(after), count_max, |name, _, _| keys::listed_name(name)).await
    }

    async fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError> {
        let after = after.map_or_else(String::new, |user| user.number().to_string());
        self.listing((tenant, "logs"), after, count_max, |name, _, _| keys::listed_user(name)).await
    }

    async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError> {
        let mut erased = 0;
        for indexes in indexes.chunks(NAMES_A_CALL) {
            let mut call = self.commands.scripts().erase.on(&[keys::base_of(pipe)]);
            call.arg(self.now()).arg(indexes);
            erased += self.commands.ask(&call, Again::No).await?.number()?;
        }
        Ok(erased)
    }

    async fn take(&self, pipe: &Pipe, index: u64) -> Result<(), StoreError> {
        let mut call = self.commands.scripts().take.on(&[keys::base_of(pipe)]);
        call.arg(index.min(1 << 53));
        self.commands.ask(&call, Again::Yes).await.map(drop)
    }

    async fn set_retention(&self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError> {
        self.retain(pipe, Some(retention), Again::Yes).await.map(drop)
    }

    async fn remove_retention(&self, pipe: &Pipe) -> Result<bool, StoreError> {
        self.retain(pipe, None, Again::No).await
    }

    async fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError> {
        let mut answer = self.look(pipe).await?;
        answer.number()?;
        if answer.is_empty() {
            return Ok(None);
        }
        let retention = retention_of(answer.number()?, answer.number()?);
        retention.map(Some).ok_or_else(|| unexpected("what a pipe can keep"))
    }

    async fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        let read = |name: &[u8], length, ttl| Some((keys::listed_name(name)?, retention_of(length, ttl)?));
        self.listing((tenant, "settings"), name_after(after), count_max, read).await
    }

    async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        let mut call = Call::new("HGET", &keys::shelf(tenant, record.shelf()));
        call.arg(keys::record_name(record));
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        if answer.is_empty() { Ok(None) } else { answer.text().map(Some) }
    }

    async fn set_record(&self, tenant: TenantId, record: &Record, value: Option<String>) -> Result<bool, StoreError> {
        let mut call = self.commands.scripts().set_record.on(&[keys::shelf(tenant, record.shelf())]);
        call.arg(keys::record_name(record));
        if let Some(value) = value {
            call.arg(value);
        }
        self.commands.ask(&call, Again::No).await?.truth()
    }

    async fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        let mut records = Vec::new();
        let mut after = after.map_or_else(String::new, keys::record_name);
        while records.len() < count_max {
            let count = (count_max - records.len()).min(NAMES_A_CALL);
            let mut call = self.commands.scripts().records.on(&[keys::shelf(tenant, shelf)]);
            call.arg(&after).arg(count);
            let mut answer = self.commands.ask(&call, Again::Yes).await?;
            let before = records.len();
            while !answer.is_empty() {
                let (name, value) = (answer.bytes()?, answer.text()?);
                let record = keys::record_of(shelf, &name).ok_or_else(|| unexpected("the name of a record"))?;
                after = keys::record_name(&record);
                records.push((record, value));
            }
            if records.len() - before < count {
                break;
            }
        }
        Ok(records)
    }

    async fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants = BTreeSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let mut call = Call::new("SCAN", "");
            call.command = redis::cmd("SCAN");
            call.arg(&cursor).arg("COUNT").arg(KEYS_A_CALL);
            let mut answer = self.commands.ask(&call, Again::Yes).await?;
            cursor = answer.bytes()?;
            let mut keys = answer.list()?;
            while !keys.is_empty() {
                tenants.extend(keys::tenant_of(&keys.bytes()?).filter(|tenant| Some(*tenant) > after));
            }
            if cursor == b"0" {
                return Ok(tenants.into_iter().take(count_max).collect());
            }
        }
    }

    async fn adopt(&self, pipe: &Pipe, messages: Vec<Arc<Delivery>>, stands: Standing) -> Result<(), StoreError> {
        let Standing { position, taken, floor } = stands;
        let mut call = self.commands.scripts().adopt.on(&[keys::base_of(pipe)]);
        call.arg(self.now()).arg((self.history_bytes_max_per_pipe as u64).min(1 << 53));
        begin(&mut call, pipe);
        call.arg(position.epoch).arg(position.index).arg(taken).arg(floor);
        for message in &messages {
            call.arg(record::record_of(message));
        }
        self.commands.ask(&call, Again::Yes).await.map(drop)
    }

    /// This node's listeners count no more. When Redis is away they stop to count by themselves a little later.
    async fn close(&self) {
        self.lease.abort();
        if let Err(error) = self.registry.leave().await {
            tracing::warn!("who listened here counts for some seconds more: {error}");
        }
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn name_after(after: Option<&PipeName>) -> String {
    after.map_or_else(String::new, PipeName::to_string)
}

fn retention_of(length: u64, ttl_seconds: u64) -> Option<Retention> {
    let ttl_seconds = u32::try_from(ttl_seconds).ok()?;
    Some(Retention { length: u16::try_from(length).ok()?, ttl_seconds: (ttl_seconds > 0).then_some(ttl_seconds) })
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.lease.abort();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
