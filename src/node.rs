//! The order of steps: what happens, one after the other, when somebody publishes, logs in, comes or goes.
//! Both front ends speak to the store through here.

use std::sync::Arc;

use crate::clock::Clock;
use crate::pipe::{Pipe, PipeName, Retention};
use crate::status::Status;
use crate::store::Store;
use crate::user::{Credentials, TenantId, token_proves};

pub use crate::store::{Ear, EarId, News, Page, PageMax, Publish, Published, Since, StoreError};

pub struct Node {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    config: Config,
    status: Arc<Status>,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// The password of SQL logins, and with the tenant's number behind it the secret of login tokens.
    pub password: String,
    /// Longest text of one message, in bytes.
    pub message_bytes_max: usize,
}

/// What a browser's session wants of the node. The answer comes back later and names the connection.
#[derive(Clone)]
pub enum Ask {
    /// Is this who it says it is?
    Authorise(Credentials),
    /// The connection behind `ear` takes these pipes and leaves those.
    Listen { ear: EarId, take: Vec<Pipe>, leave: Vec<Pipe> },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Authorised(bool),
    Listening(Result<(), StoreError>),
}

impl Node {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, config: Config, status: Arc<Status>) -> Arc<Node> {
        Arc::new(Node { store, clock, config, status })
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

    /// All messages of the batch, or none: numbered, kept where kept, and announced.
    pub async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        let published = self.store.publish(batch).await?;
        self.status.published(published.len());
        Ok(published)
    }

    /// Does what a session asks.
    pub async fn run(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Authorise(credentials) => Answer::Authorised(self.authorise(&credentials)),
            Ask::Listen { ear, take, leave } => Answer::Listening(self.listen(ear, &take, &leave).await),
        }
    }

    fn authorise(&self, credentials: &Credentials) -> bool {
        let secret = format!("{}{}", self.config.password, credentials.tenant);
        token_proves(&credentials.key, credentials.user, secret.as_bytes(), self.clock.now().seconds())
    }

    async fn listen(&self, ear: EarId, take: &[Pipe], leave: &[Pipe]) -> Result<(), StoreError> {
        for pipe in leave {
            self.store.unlisten(pipe, ear).await?;
        }
        for pipe in take {
            self.store.listen(pipe, ear).await?;
        }
        Ok(())
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
}
