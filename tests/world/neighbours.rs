//! Several nodes over one store in memory, in one process: each has one of its ears, and what nodes must know of each
//! other is done here. A node can fall silent, and it can die.

// Each test file uses its part of this.
#![allow(dead_code)]

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cometql::clock::Clock;
use cometql::pipe::{ConnectionId, Delivery, Event, Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::{
    Adopted, CallId, Ear, EarId, LeftBehind, Listening, Page, PageMax, Peer, Publish, Published, Record, Recovered,
    Shelf, Since, Standing, Store, StoreError, embedded,
};
use cometql::user::{TenantId, UserId};
use tokio::sync::Barrier;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Will = (MessageId, Event, Message);

/// The store that all nodes share. Nobody has a claim to what a dead node left behind: all see to it at once.
pub struct Neighbourhood {
    store: Arc<embedded::Embedded>,
    nodes: Mutex<Vec<Doings>>,
    /// By which call each user went.
    departures: Mutex<HashMap<Pipe, CallId>>,
}

/// What one node does that others must know.
struct Doings {
    is_alive: bool,
    /// Its letters go nowhere.
    is_silent: bool,
    post: UnboundedSender<Vec<u8>>,
    listens: HashMap<Pipe, u32>,
    wills: HashMap<(Pipe, ConnectionId), Will>,
}

/// What goes wrong with a call of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing is done.
    Refused,
    /// It is done, and nobody hears of it.
    Unanswered,
    /// It never ends.
    Hangs,
    Panics,
}

/// The calls that may go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Doing {
    Disappear,
    Publish,
    SetRecord,
    LeftBehind,
    Letter,
}

/// The store as one node sees it; its number is the place among its neighbours, counted from 1.
pub struct Neighbour {
    shared: Arc<Neighbourhood>,
    number: u16,
    letters: tokio::sync::Mutex<UnboundedReceiver<Vec<u8>>>,
    /// Nothing is settled.
    is_failing: AtomicBool,
    knows_nobody: AtomicBool,
    /// What becomes of the next calls.
    faults: Mutex<HashMap<Doing, VecDeque<Fault>>>,
    /// Records are written only together, so many at a time.
    together: Mutex<Option<Arc<Barrier>>>,
    written: AtomicUsize,
    /// How often it was asked what is left behind.
    pub looks: AtomicUsize,
}

/// A store for each ear.
pub fn neighbours(ears: &[Arc<Ear>], clock: &Arc<dyn Clock>) -> Vec<Arc<Neighbour>> {
    let config = embedded::Config {
        directory: None,
        durability: embedded::Durability::Disk,
        history_bytes_max_per_pipe: 64 * 1_024 * 1_024,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let store = embedded::open(&config, ears.to_vec(), Arc::clone(clock)).expect("a store in memory");
    let shared = Arc::new(Neighbourhood { store, nodes: Mutex::default(), departures: Mutex::default() });
    let neighbour = |number: u16| {
        let (post, letters) = unbounded_channel();
        let (listens, wills) = Default::default();
        shared.nodes().push(Doings { is_alive: true, is_silent: false, post, listens, wills });
        let (letters, is_failing, knows_nobody) = (tokio::sync::Mutex::new(letters), false.into(), false.into());
        let (shared, faults, looks) = (Arc::clone(&shared), Mutex::default(), 0.into());
        let (together, written) = (Mutex::default(), 0.into());
        Arc::new(Neighbour { shared, number, letters, is_failing, knows_nobody, faults, together, written, looks })
    };
    (1..=ears.len() as u16).map(neighbour).collect()
}

impl Neighbourhood {
    fn nodes(&self) -> MutexGuard<'_, Vec<Doings>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Neighbour {
    fn ear(&self) -> EarId {
        EarId(self.number as u8 - 1)
    }

    fn store(&self) -> &embedded::Embedded {
        &self.shared.store
    }

    fn doings<T>(&self, look: impl FnOnce(&mut Doings) -> T) -> T {
        look(&mut self.shared.nodes()[usize::from(self.number) - 1])
    }

    /// From now on nobody hears of it, though it is there.
    pub fn falls_silent(&self, is_silent: bool) {
        self.doings(|doings| doings.is_silent = is_silent);
    }

    /// It is gone between two instructions: nobody left anything, and the counts are without it.
    pub async fn dies(&self) {
        let listens = self.doings(|doings| {
            doings.is_alive = false;
            doings.listens.clone()
        });
        for (pipe, count) in listens {
            for _ in 0..count {
                self.store().unlisten(&pipe, self.ear()).await.expect("in memory");
            }
        }
    }

    /// What it sees to is not settled any more: it dies before it can.
    pub fn fails_to_settle(&self) {
        self.is_failing.store(true, Ordering::SeqCst);
    }

    /// The store does not tell it who else is there.
    pub fn knows_nobody(&self) {
        self.knows_nobody.store(true, Ordering::SeqCst);
    }

    /// These faults befall the next calls, one each.
    pub fn goes_wrong(&self, doing: Doing, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).entry(doing).or_default().extend(faults);
    }

    /// From now on records are written only when so many are to be written at a time.
    pub fn writes_only_so_many_at_a_time(&self, count: usize) {
        *self.together.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Barrier::new(count)));
    }

    /// How many records were written since.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    /// Whether all has gone wrong that was to.
    pub fn is_well(&self) -> bool {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).values().all(VecDeque::is_empty)
    }

    /// A call with what befalls it.
    async fn befallen<T>(
        &self,
        doing: Doing,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fault = {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.get_mut(&doing).and_then(VecDeque::pop_front)
        };
        let away = || Err(StoreError::Unavailable(format!("{doing:?}: {fault:?}")));
        match fault {
            None => done.await,
            Some(Fault::Refused) => away(),
            Some(Fault::Unanswered) => done.await.and_then(|_| away()),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::Panics) => panic!("planted: {doing:?}"),
        }
    }

    /// It is well again.
    pub fn settles_again(&self) {
        self.is_failing.store(false, Ordering::SeqCst);
    }

    /// A few at a time.
    fn left_by_the_dead(&self) -> Vec<LeftBehind> {
        let nodes = self.shared.nodes();
        let dead = nodes.iter().enumerate().filter(|(_, doings)| !doings.is_alive);
        let left = dead.flat_map(|(place, doings)| {
            doings.listens.keys().map(move |pipe| {
                let of_pipe = doings.wills.iter().filter(|((of, _), _)| of == pipe);
                let wills = of_pipe.map(|(_, will)| will.clone()).collect();
                let (node, key) = (place.to_string().into(), place.to_string().into());
                LeftBehind { pipe: pipe.clone(), node, wills, key }
            })
        });
        left.take(5).collect()
    }

    /// How much dead nodes left behind that nobody has settled.
    pub fn unsettled(&self) -> usize {
        self.shared.nodes().iter().filter(|doings| !doings.is_alive).map(|doings| doings.listens.len()).sum()
    }
}

#[async_trait]
impl Store for Neighbour {
    async fn listen(&self, pipe: &Pipe, _ear: EarId) -> Result<Listening, StoreError> {
        self.doings(|doings| *doings.listens.entry(pipe.clone()).or_default() += 1);
        self.store().listen(pipe, self.ear()).await
    }

    async fn unlisten(&self, pipe: &Pipe, _ear: EarId) -> Result<u64, StoreError> {
        self.doings(|doings| {
            if let Some(count) = doings.listens.get_mut(pipe) {
                *count -= 1;
            }
            doings.listens.retain(|_, count| *count > 0);
        });
        self.store().unlisten(pipe, self.ear()).await
    }

    async fn set_will(
        &self,
        pipe: &Pipe,
        connection: ConnectionId,
        will: Option<(Event, Message)>,
    ) -> Result<(), StoreError> {
        let key = (pipe.clone(), connection);
        self.doings(|doings| match will {
            Some((event, message)) => drop(doings.wills.insert(key, (MessageId::new(), event, message))),
            None => drop(doings.wills.remove(&key)),
        });
        Ok(())
    }

    async fn left_behind(&self) -> Result<Vec<LeftBehind>, StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.befallen(Doing::LeftBehind, async { Ok(self.left_by_the_dead()) }).await
    }

    async fn settle(&self, left: &LeftBehind) -> Result<(), StoreError> {
        if self.is_failing.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is dying".into()));
        }
        let mut nodes = self.shared.nodes();
        let place: usize = left.key.parse().expect("as it was told");
        nodes[place].listens.remove(&left.pipe);
        nodes[place].wills.retain(|(pipe, _), _| *pipe != left.pipe);
        Ok(())
    }

    async fn peers(&self) -> Result<Vec<Peer>, StoreError> {
        if self.knows_nobody.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is away".into()));
        }
        let nodes = self.shared.nodes();
        let alive = (1..).zip(nodes.iter()).filter(|(number, doings)| doings.is_alive && *number != self.number);
        Ok([Peer(self.number)].into_iter().chain(alive.map(|(number, _)| Peer(number))).collect())
    }

    async fn post(&self, to: Peer, letter: Vec<u8>) -> Result<bool, StoreError> {
        let nodes = self.shared.nodes();
        let Some(doings) = nodes.get(usize::from(to.0) - 1).filter(|doings| doings.is_alive) else { return Ok(false) };
        Ok(doings.is_silent || doings.post.send(letter).is_ok())
    }

    async fn letter(&self) -> Vec<u8> {
        let letter = async { Ok(self.letters.lock().await.recv().await) };
        match self.befallen(Doing::Letter, letter).await {
            Ok(Some(letter)) => letter,
            _ => std::future::pending().await,
        }
    }

    async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        self.befallen(Doing::Publish, self.store().publish(batch)).await
    }

    async fn listeners(&self, pipe: &Pipe) -> Result<u64, StoreError> {
        self.store().listeners(pipe).await
    }

    async fn listened(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, u64)>, StoreError> {
        self.store().listened(tenant, after, count_max).await
    }

    async fn recover(&self, pipe: &Pipe, after: Position, max: PageMax) -> Result<Recovered, StoreError> {
        self.store().recover(pipe, after, max).await
    }

    async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError> {
        self.store().history(pipe, since, max).await
    }

    async fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError> {
        self.store().kept(tenant, after, count_max).await
    }

    async fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError> {
        self.store().tenants(after, count_max).await
    }

    async fn adopt(&self, pipe: &Pipe, messages: Vec<Arc<Delivery>>, stands: Standing) -> Result<Adopted, StoreError> {
        self.store().adopt(pipe, messages, stands).await
    }

    async fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError> {
        self.store().logs(tenant, after, count_max).await
    }

    async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError> {
        self.store().erase(pipe, indexes).await
    }

    async fn take(&self, pipe: &Pipe, index: u64) -> Result<(), StoreError> {
        self.store().take(pipe, index).await
    }

    async fn set_retention(&self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError> {
        self.store().set_retention(pipe, retention).await
    }

    async fn remove_retention(&self, pipe: &Pipe) -> Result<bool, StoreError> {
        self.store().remove_retention(pipe).await
    }

    async fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError> {
        self.store().retention(pipe).await
    }

    async fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        self.store().retentions(tenant, after, count_max).await
    }

    async fn dismiss(&self, log: &Pipe) -> Result<(), StoreError> {
        self.store().dismiss(log).await
    }

    async fn disappear(&self, log: &Pipe, call: CallId) -> Result<bool, StoreError> {
        let disappear = async {
            let has_gone = self.store().disappear(log, call).await?;
            let is_away = self.store().listeners(log).await? == 0;
            let mut departures = self.shared.departures.lock().unwrap_or_else(PoisonError::into_inner);
            if has_gone {
                departures.insert(log.clone(), call);
            }
            Ok(is_away && departures.get(log) == Some(&call))
        };
        self.befallen(Doing::Disappear, disappear).await
    }

    async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        self.store().record(tenant, record).await
    }

    async fn set_record(&self, tenant: TenantId, record: &Record, value: Option<String>) -> Result<bool, StoreError> {
        let together = self.together.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(together) = together {
            together.wait().await;
            self.written.fetch_add(1, Ordering::SeqCst);
        }
        self.befallen(Doing::SetRecord, self.store().set_record(tenant, record, value)).await
    }

    async fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        self.store().records(tenant, shelf, after, count_max).await
    }

    /// The others go on.
    async fn close(&self) {
        self.doings(|doings| doings.is_alive = false);
    }
}
