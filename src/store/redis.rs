//! The store of many nodes: everything is in one Redis, and each step is one script there.
//!
//! Two connections to each server: commands go by one (`commands.rs`, looked after by `upkeep.rs`), announcements come by
//! the other (`subscriber.rs`) through a gate into the ears. If replicas must have what is published, they are waited for
//! by a third (`replication.rs`). Which server has what is in `servers.rs`, and kept true by
//! `sentinel.rs` and `cluster.rs`. How messages and keys look is in `record.rs` and `keys.rs`.

mod address;
mod answer;
mod call;
mod cluster;
mod commands;
mod connection;
mod gate;
mod keeper;
mod keys;
mod left;
mod letters;
mod listened;
mod listing;
mod merge;
mod moving;
mod nodes;
mod outdated;
mod publishing;
mod record;
mod refusal;
mod registering;
mod registry;
mod replication;
mod script;
mod sentinel;
mod server;
mod servers;
mod slots;
mod subscriber;
mod together;
mod unheard;
mod upkeep;
mod wills;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::answer::{Answer, unexpected};
use self::call::Call;
use self::cluster::Cluster;
use self::commands::{Again, Commands};
use self::gate::Gate;
use self::keeper::Keeper;
use self::listened::{Listened, Mark};
use self::listing::Listed;
use self::registry::Registry;
use self::script::Script;
use self::sentinel::Sentinels;
use self::servers::Servers;
use self::subscriber::hear;
use super::{
    Adopted, CallId, Ear, EarId, LeftBehind, Listening, Page, PageMax, Peer, Publish, Published, Record, Recovered,
    Shelf, Since, Standing, Store, StoreError,
};
use crate::clock::Clock;
use crate::pipe::{ConnectionId, Delivery, Event, Message, Pipe, PipeName, Position, Retention};
use crate::user::{TenantId, UserId};

pub use self::address::Address;

/// Messages that one call erases.
const ERASED_A_CALL: usize = 500;

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
    servers: Arc<Servers>,
    listened: Arc<Listened>,
    registry: Arc<Registry>,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    history_bytes_max_per_pipe: usize,
    /// What tells the others that this node is there.
    telling: Vec<JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the store; it will announce to `ears`, in whose order they have their [`EarId`]s.
pub async fn open(config: &Config, ears: Vec<Arc<Ear>>, clock: Arc<dyn Clock>) -> Result<Arc<Redis>, StoreError> {
    let Config { address, wait_millis_max, replicas_min, history_bytes_max_per_pipe } = config.clone();
    let wait = Duration::from_millis(wait_millis_max);
    let refused = |why: String| StoreError::Unavailable(format!("Redis at {address} cannot be used: {why}"));
    let servers = Arc::new(Servers::new(matches!(address, Address::Cluster(_))));
    let listened = Arc::new(Listened::new(ears, Arc::clone(&servers)));
    let commands = Arc::new(Commands::new(Arc::clone(&servers), wait, address.to_string()));
    let registry = Registry::new(Arc::clone(&commands), Arc::clone(&listened), Arc::clone(&clock));
    let registry = Arc::new(registry?);
    let (gate, announcements) = Gate::new();
    let gate = Arc::new(gate);
    let keeper = Keeper {
        wait,
        replicas_min,
        gate: Arc::clone(&gate),
        listened: Arc::clone(&listened),
        registry: Arc::clone(&registry),
        servers: Arc::clone(&servers),
        count: AtomicU32::new(0),
    };
    let hearing = tokio::spawn(hear(announcements, Arc::clone(&gate), Arc::clone(&listened), Arc::clone(&registry)));
    let mut store = Redis {
        commands,
        servers,
        listened,
        registry: Arc::clone(&registry),
        gate,
        clock,
        history_bytes_max_per_pipe,
        telling: Vec::new(),
        tasks: vec![hearing],
    };
    let following = reach(&address, keeper).await.map_err(refused)?;
    store.tasks.extend(following);
    // Before anybody connects: connections have the number of their node.
    let leased = registry.renew_lease().await;
    store.telling = vec![
        tokio::spawn(Arc::clone(&registry).keep_lease()),
        tokio::spawn(Arc::clone(&registry).keep_told()),
        tokio::spawn(Arc::clone(&registry).keep_up_to_date()),
        tokio::spawn(Arc::clone(&registry).keep_comparing(Arc::clone(&store.gate))),
    ];
    leased.map(|()| Arc::new(store))
}

/// Connects to one server at least, and has what follows the others done, if there are others.
async fn reach(address: &Address, keeper: Keeper) -> Result<Option<JoinHandle<()>>, String> {
    match address {
        Address::One(place) => {
            let (one, opening) = keeper.keep(watch::channel(place.clone()).1, false);
            keeper.servers.install(vec![Arc::clone(&one)], Vec::new());
            drop(opening);
            one.tried().await.map(|()| None)
        }
        Address::Sentinels(watched) => {
            let mut sentinels = Sentinels::new(watched.clone(), keeper.wait);
            let (place, here) = watch::channel(sentinels.first().await?);
            let (one, opening) = keeper.keep(here, true);
            keeper.servers.install(vec![Arc::clone(&one)], Vec::new());
            drop(opening);
            one.tried().await?;
            Ok(Some(tokio::spawn(sentinels.follow(place, one))))
        }
        Address::Cluster(seeds) => {
            let cluster = Cluster::new(seeds.clone(), keeper);
            cluster.first().await?;
            Ok(Some(tokio::spawn(cluster.follow())))
        }
    }
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
    fn end(&self) {
        self.telling.iter().chain(&self.tasks).for_each(JoinHandle::abort);
        self.servers.close();
    }

    fn now(&self) -> u64 {
        self.clock.now().0
    }

    async fn look(&self, pipe: &Pipe) -> Result<Answer, StoreError> {
        let mut call = self.commands.scripts().on(Script::Look, &[keys::base_of(pipe)]);
        call.arg(&*self.registry.nodes.gone());
        self.commands.ask(&call, Again::Yes).await
    }

    async fn retain(&self, pipe: &Pipe, retention: Option<Retention>, again: Again) -> Result<bool, StoreError> {
        let mut call = self.commands.scripts().on(Script::Retain, &[keys::base_of(pipe)]);
        call.arg(&*self.registry.nodes.gone()).arg(self.now());
        match retention {
            Some(Retention { length, ttl_seconds }) => call.arg(length).arg(ttl_seconds.unwrap_or(0)),
            None => call.arg("").arg(""),
        };
        begin(&mut call, pipe);
        self.commands.ask(&call, again).await?.truth()
    }

    fn limits(&self, call: &mut Call, max: PageMax) {
        // More than JavaScript's numbers is more than there is.
        let most = |number: usize| (number as u64).min(1 << 53);
        call.arg(self.now()).arg(most(max.messages)).arg(most(max.bytes)).arg(new_epoch());
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
        // Its epoch may be one that is over.
        page.up_to.index = last.position.index;
    }
    Ok(page)
}

#[async_trait]
impl Store for Redis {
    async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        self.publish_in_parts(&batch).await
    }

    async fn listen(&self, pipe: &Pipe, ear: EarId) -> Result<Listening, StoreError> {
        let base = keys::base_of(pipe);
        if let Some(subscribed) = self.listened.listen(&base, pipe, ear) {
            let late = || self.commands.unavailable("it does not announce");
            // A sender that is dropped says that nobody listens any more.
            let _ = timeout(self.commands.wait(), subscribed).await.map_err(|_| late())?;
        }
        self.registry.tell(&base, pipe, Mark::Tell).await
    }

    async fn unlisten(&self, pipe: &Pipe, ear: EarId) -> Result<u64, StoreError> {
        let base = keys::base_of(pipe);
        self.listened.unlisten(&base, ear);
        self.registry.tell(&base, pipe, Mark::Leave).await.map(|listening| listening.listeners)
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
        let read = |Listed { name, numbers: (listeners, _) }| Some((keys::listed_name(&name)?, listeners));
        self.listing((tenant, "heard"), name_after(after), count_max, read).await
    }

    async fn dismiss(&self, log: &Pipe) -> Result<(), StoreError> {
        let mut call = self.commands.scripts().on(Script::Dismiss, &[keys::base_of(log)]);
        begin(&mut call, log);
        self.commands.ask(&call, Again::Yes).await.map(drop)
    }

    async fn disappear(&self, log: &Pipe, id: CallId) -> Result<bool, StoreError> {
        let mut call = self.commands.scripts().on(Script::Disappear, &[keys::base_of(log)]);
        call.arg(&*self.registry.nodes.gone()).arg(self.registry.nodes.name()).arg(id.0);
        self.commands.ask(&call, Again::Yes).await?.truth()
    }

    async fn set_will(
        &self,
        pipe: &Pipe,
        connection: ConnectionId,
        will: Option<(Event, Message)>,
    ) -> Result<(), StoreError> {
        let of = (keys::base_of(pipe), connection);
        self.registry.wills.set(&of, will);
        self.registry.tell_will(&of).await
    }

    async fn appeared(&self) -> Vec<Pipe> {
        self.registry.take_appeared()
    }

    async fn left_behind(&self) -> Result<Vec<LeftBehind>, StoreError> {
        self.registry.left_behind().await
    }

    async fn settle(&self, left: &LeftBehind) -> Result<(), StoreError> {
        self.registry.settled(left).await
    }

    async fn peers(&self) -> Result<Vec<Peer>, StoreError> {
        self.registry.renew_lease().await?;
        Ok(self.registry.nodes.peers())
    }

    async fn post(&self, to: Peer, letter: Vec<u8>) -> Result<bool, StoreError> {
        let mut call = Call::new("SPUBLISH", &keys::letters_to(to));
        call.arg(letter);
        self.commands.ask(&call, Again::No).await?.truth()
    }

    async fn letter(&self) -> Vec<u8> {
        self.registry.letters.next().await
    }

    async fn recover(&self, pipe: &Pipe, after: Position, max: PageMax) -> Result<Recovered, StoreError> {
        let mut call = self.commands.scripts().on(Script::Recover, &[keys::base_of(pipe)]);
        call.arg(after.epoch).arg(after.index);
        self.limits(&mut call, max);
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        let position = Position { epoch: answer.number()?, index: answer.number()? };
        let (is_lost, more) = (answer.truth()?, answer.truth()?);
        if is_lost {
            return Ok(Recovered::Lost(position));
        }
        match page_of(pipe, position, more, answer) {
            // Of a newer version, or it has rotted: it would not be read the next time either, and the pipe goes on.
            Err(StoreError::Damaged(why)) => {
                tracing::error!("{why}: those who lack it are told of a gap");
                Ok(Recovered::Lost(position))
            }
            page => page.map(Recovered::Page),
        }
    }

    async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError> {
        let mut call = self.commands.scripts().on(Script::History, &[keys::base_of(pipe)]);
        match since {
            Since::Beginning => call.arg("after").arg(0),
            Since::After(index) => call.arg("after").arg(index.min(1 << 53)),
            Since::Newest(count) => call.arg("newest").arg(count.min(1 << 53)),
            Since::Untaken => call.arg("untaken").arg(0),
        };
        self.limits(&mut call, max);
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
        let read = |listed: Listed| keys::listed_name(&listed.name);
        self.listing((tenant, "kept"), name_after(after), count_max, read).await
    }

    async fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError> {
        let after = after.map_or_else(String::new, keys::user_name);
        self.listing((tenant, "logs"), &after, count_max, |listed| keys::listed_user(&listed.name)).await
    }

    async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError> {
        let mut erased = 0;
        for indexes in indexes.chunks(ERASED_A_CALL) {
            let mut call = self.commands.scripts().on(Script::Erase, &[keys::base_of(pipe)]);
            call.arg(&*self.registry.nodes.gone()).arg(self.now()).arg(indexes);
            erased += self.commands.ask(&call, Again::No).await?.number()?;
        }
        Ok(erased)
    }

    async fn take(&self, pipe: &Pipe, index: u64) -> Result<(), StoreError> {
        let mut call = self.commands.scripts().on(Script::Take, &[keys::base_of(pipe)]);
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
        let read =
            |Listed { name, numbers: (length, ttl) }| Some((keys::listed_name(&name)?, retention_of(length, ttl)?));
        self.listing((tenant, "settings"), name_after(after), count_max, read).await
    }

    async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        let mut call = Call::new("HGET", &keys::shelf_of(tenant, record));
        call.arg(keys::record_name(record));
        let mut answer = self.commands.ask(&call, Again::Yes).await?;
        if answer.is_empty() { Ok(None) } else { answer.text().map(Some) }
    }

    async fn set_record(&self, tenant: TenantId, record: &Record, value: Option<String>) -> Result<bool, StoreError> {
        let mut call = self.commands.scripts().on(Script::SetRecord, &[keys::shelf_of(tenant, record)]);
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
        let after = after.map_or_else(String::new, keys::record_name);
        self.shelf(tenant, shelf, &after, count_max).await
    }

    async fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError> {
        let all = self.all_tenants().await?;
        Ok(all.into_iter().filter(|tenant| Some(*tenant) > after).take(count_max).collect())
    }

    async fn adopt(&self, pipe: &Pipe, messages: Vec<Arc<Delivery>>, stands: Standing) -> Result<Adopted, StoreError> {
        self.take_over(pipe, &messages, stands).await
    }

    /// This node's listeners count no more; others see to what it leaves behind. When Redis is away they find that out
    /// by themselves a little later.
    async fn close(&self) {
        self.telling.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.registry.give_up(&self.registry.nodes.name()).await {
            tracing::warn!("who listened here counts for some seconds more: {error}");
        }
        self.end();
    }
}

fn name_after(after: Option<&PipeName>) -> &str {
    after.map_or("", PipeName::as_str)
}

fn retention_of(length: u64, ttl_seconds: u64) -> Option<Retention> {
    let ttl_seconds = u32::try_from(ttl_seconds).ok()?;
    Some(Retention { length: u16::try_from(length).ok()?, ttl_seconds: (ttl_seconds > 0).then_some(ttl_seconds) })
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}
