//! The order of steps: what happens, one after the other, when somebody publishes, logs in, comes or goes.
//! Both front ends speak to the store through here.

mod at_once;
mod browsers;
mod clients;
mod connections;
mod counts;
mod everywhere;
mod left_behind;
mod letters;
mod origins;
mod presence;
mod records;
mod written;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};

use crate::clock::Clock;
use crate::pipe::{Pipe, PipeName, Retention};
use crate::presence::Presence;
use crate::status::Status;
use crate::store::Store;
use crate::user::{About, TenantId, UserId};

use self::everywhere::{BrowsersOf, ClientsOf, Everywhere, SubscribersOf};
use self::letters::Letters;

/// Who subscribes to some pipes, being read.
pub type Subscribers = Everywhere<SubscribersOf>;
/// The SQL clients of all nodes, being read.
pub type AllClients = Everywhere<ClientsOf>;
/// The connections of browsers of all nodes, being read.
pub type AllBrowsers = Everywhere<BrowsersOf>;

pub use self::browsers::{Answer, Ask, Visitor};
pub use self::clients::{Client, ClientEntry, Clients, End, SeenClient, shortened};
pub use self::connections::{Connected, ConnectedPage};
pub use self::counts::Counts;
pub use self::everywhere::{Missing, Others, SUBSCRIBED_PIPES_MAX, Subscriber};
pub use self::origins::{AllowedOrigins, NoOrigin, Origin};
pub use self::records::Seen;
pub use crate::store::{
    Ear, EarId, Listening, News, Page, PageMax, Peer, Publish, Published, Record, Recovered, Shelf, Since, StoreError,
};

/// So many browsers may ask at a time what other nodes know, too.
const ASKING_BROWSERS_MAX: usize = 16;
/// Users are spread over so many locks under which it is said that they come and go.
const TELLING_COUNT: usize = 64;

pub struct Node {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    shards: Vec<Arc<dyn Shard>>,
    presence: Mutex<Presence>,
    /// What is said about users' coming and going, in order; users are spread over these.
    telling: Vec<tokio::sync::Mutex<()>>,
    config: Config,
    status: Arc<Status>,
    clients: Arc<Clients>,
    /// The number it has among those that share its store.
    number: AtomicU16,
    last_client: AtomicU32,
    letters: Letters,
    /// The turns of browsers that ask what other nodes know, too.
    asking: Semaphore,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// The password of SQL logins, and with the tenant's number behind it the secret of login tokens.
    pub password: String,
    /// Longest text of one message, in bytes.
    pub message_bytes_max: usize,
    /// Longest packet of a SQL client, in bytes: what `max_allowed_packet` says.
    pub packet_bytes_max: usize,
    /// How long a SQL client may be silent, in seconds: what `wait_timeout` says.
    pub idle_seconds_max: u64,
    /// How long a user who has gone may be back before it is said, in seconds.
    pub presence_grace_seconds: u64,
    /// How SQL clients begin that have not set `comet_strings`.
    pub comet_strings: CometStrings,
    pub origins: AllowedOrigins,
    /// What is set for all rooms, by name: for SHOW VARIABLES.
    pub shown: Arc<[(&'static str, Box<str>)]>,
    pub tenants: BTreeMap<TenantId, Tenant>,
}

/// How literals of the columns `message` and `data` are read: `docs/STRINGS.md`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum CometStrings {
    /// By the rule that tells raw JSON from escaped text.
    #[default]
    Auto,
    /// As MySQL reads every literal.
    Mysql,
}

impl CometStrings {
    /// The value that is called so, in any case of letters.
    pub fn named(name: &str) -> Option<CometStrings> {
        [CometStrings::Auto, CometStrings::Mysql].into_iter().find(|value| value.name().eq_ignore_ascii_case(name))
    }

    pub fn name(self) -> &'static str {
        match self {
            CometStrings::Auto => "auto",
            CometStrings::Mysql => "mysql",
        }
    }
}

impl Config {
    /// The defaults, with this password.
    pub fn with_password(password: impl Into<String>) -> Config {
        Config {
            password: password.into(),
            message_bytes_max: 1024 * 1024,
            packet_bytes_max: 16 * 1024 * 1024,
            idle_seconds_max: 28_800,
            presence_grace_seconds: 2,
            comet_strings: CometStrings::Auto,
            origins: AllowedOrigins::default(),
            shown: Arc::default(),
            tenants: BTreeMap::new(),
        }
    }
}

/// What is configured for one tenant.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tenant {
    /// Instead of the main password.
    pub password: Option<String>,
    /// Instead of the main password followed by the tenant's number.
    pub token_secret: Option<String>,
}

/// Without the secrets.
impl std::fmt::Debug for Tenant {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tenant(…)")
    }
}

/// What a node wants of its shards. None of it waits; who asks may be gone when the answer is there.
pub trait Shard: Send + Sync {
    /// Answers who of this shard subscribes to the pipe: at most `count_max`, in the order of their slots, behind
    /// the slot `after`.
    fn census(&self, pipe: Pipe, after: Option<u32>, count_max: usize, reply: oneshot::Sender<Vec<Present>>);

    /// Answers some of the connections of this shard that a login of `tenant` may see, behind the slot `after`.
    fn connected(&self, tenant: TenantId, after: Option<u32>, reply: oneshot::Sender<ConnectedPage>);

    /// Closes the connection with this [`Connected::number`], and answers whether there is one and a login of `tenant`
    /// may see it.
    fn disconnect(&self, tenant: TenantId, number: u64, reply: oneshot::Sender<bool>);
}

/// One connection that subscribes to a pipe.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "written::Present", into = "written::Present")]
pub struct Present {
    pub slot: u32,
    /// Who is logged in on it.
    pub user: Option<UserId>,
    pub about: About,
}

/// Where a census of this node goes on: which shard, and behind which of its slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Census {
    shard: usize,
    after: Option<u32>,
}

impl Node {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        shards: Vec<Arc<dyn Shard>>,
        config: Config,
        status: Arc<Status>,
    ) -> Arc<Node> {
        let (presence, clients) = (Mutex::default(), Arc::default());
        let telling = (0..TELLING_COUNT).map(|_| tokio::sync::Mutex::new(())).collect();
        let (number, last_client, letters) = Default::default();
        let asking = Semaphore::new(ASKING_BROWSERS_MAX);
        Arc::new(Node {
            store,
            clock,
            shards,
            presence,
            telling,
            config,
            status,
            clients,
            number,
            last_client,
            letters,
            asking,
        })
    }

    /// Learns which number this node has among those that share its store. Before, it is 0, as if it were alone.
    pub async fn join(&self) -> Result<(), StoreError> {
        if let Some(this) = self.store.peers().await?.first() {
            self.number.store(this.0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// This node, among those that share its store.
    pub fn peer(&self) -> Peer {
        Peer(self.number.load(Ordering::Relaxed))
    }

    /// Its number in the numbers of connections, where it has [`connections::NODE_BITS`].
    fn number_in_numbers(&self) -> u32 {
        u32::from(self.peer().0) & ((1 << connections::NODE_BITS) - 1)
    }

    /// A number for a new SQL client that no other client has, here or on another node: the node's in the upper bits.
    pub fn number_for_client(&self) -> u32 {
        let own_bits = u32::BITS - connections::NODE_BITS;
        loop {
            let last = self.last_client.fetch_add(1, Ordering::Relaxed);
            let id = (self.number_in_numbers() << own_bits) | (last.wrapping_add(1) & ((1 << own_bits) - 1));
            // After four million clients the numbers come back, and the first may still be here.
            if id != 0 && !self.clients.has(id) {
                return id;
            }
        }
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The SQL clients that have logged in to this node.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.clients
    }

    /// The password that opens a tenant to SQL clients.
    pub fn password_of(&self, tenant: TenantId) -> &str {
        let own = self.config.tenants.get(&tenant).and_then(|tenant| tenant.password.as_deref());
        own.unwrap_or(&self.config.password)
    }

    /// The secret that signs a tenant's login tokens.
    fn token_secret_of(&self, tenant: TenantId) -> String {
        let configured = self.config.tenants.get(&tenant);
        let own = configured.and_then(|tenant| tenant.token_secret.clone());
        own.unwrap_or_else(|| format!("{}{tenant}", self.password_of(tenant)))
    }

    /// All messages of the batch, or none: numbered, kept where kept, and announced.
    pub async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        let published = self.store.publish(batch).await?;
        self.status.published(published.len());
        Ok(published)
    }

    pub async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError> {
        self.store.history(pipe, since, max).await
    }

    /// Deletes messages by index; answers how many there were.
    pub async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError> {
        self.store.erase(pipe, indexes).await
    }

    pub async fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError> {
        self.store.kept(tenant, after, count_max).await
    }

    /// The users of a tenant whose logs keep messages or are listened to, by number, behind `after`.
    pub async fn logs(
        &self,
        tenant: TenantId,
        after: Option<UserId>,
        count_max: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.store.logs(tenant, after, count_max).await
    }

    pub async fn listeners(&self, pipe: &Pipe) -> Result<u64, StoreError> {
        self.store.listeners(pipe).await
    }

    pub async fn listened(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, u64)>, StoreError> {
        self.store.listened(tenant, after, count_max).await
    }

    /// Who subscribes to these pipes of a tenant, at most [`SUBSCRIBED_PIPES_MAX`] of them, here and on the others.
    pub fn subscribers(self: &Arc<Node>, tenant: TenantId, pipes: &[Pipe], others: &Others) -> Subscribers {
        Subscribers::new(self, SubscribersOf::new(tenant, pipes), others)
    }

    /// The SQL clients that a login of `tenant` may see, here and on the others.
    pub fn all_clients(self: &Arc<Node>, tenant: TenantId, others: &Others) -> AllClients {
        AllClients::new(self, ClientsOf::new(tenant), others)
    }

    /// The connections of browsers that a login of `tenant` may see, here and on the others.
    pub fn all_browsers(self: &Arc<Node>, tenant: TenantId, others: &Others) -> AllBrowsers {
        AllBrowsers::new(self, BrowsersOf::new(tenant), others)
    }

    /// Some of those who subscribe to a pipe on this node, and where the census goes on; `None` is its end.
    pub async fn present(&self, pipe: &Pipe, census: Census, count_max: usize) -> (Vec<Present>, Option<Census>) {
        let Some(shard) = self.shards.get(census.shard) else { return (Vec::new(), None) };
        let (reply, answer) = oneshot::channel();
        shard.census(pipe.clone(), census.after, count_max, reply);
        // A shard that is stopping has nobody left.
        let present = answer.await.unwrap_or_default();
        let next = match present.last() {
            Some(last) if present.len() >= count_max => Census { after: Some(last.slot), ..census },
            _ => Census { shard: census.shard + 1, after: None },
        };
        (present, (next.shard < self.shards.len()).then_some(next))
    }

    pub async fn set_retention(&self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError> {
        self.store.set_retention(pipe, retention).await
    }

    pub async fn remove_retention(&self, pipe: &Pipe) -> Result<bool, StoreError> {
        self.store.remove_retention(pipe).await
    }

    pub async fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError> {
        self.store.retention(pipe).await
    }

    pub async fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        self.store.retentions(tenant, after, count_max).await
    }

    /// The node stops: whoever was here was last seen now. Then the store is closed.
    pub async fn close(&self) {
        self.says_farewell().await;
        self.store.close().await;
    }

    fn presence(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
