//! A store that fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use cometql::pipe::{Delivery, Pipe, PipeName, Position, Retention};
use cometql::store::{
    Adopted, CallId, EarId, Listening, Page, PageMax, Publish, Published, Record, Recovered, Shelf, Since, Standing,
    Store, StoreError,
};
use cometql::user::{TenantId, UserId};
use serde_json::json;

use super::browser::Browser;
use super::world::{config, world_around};

struct Failing {
    store: Arc<dyn Store>,
    is_failing: Arc<AtomicBool>,
}

impl Failing {
    fn fails(&self) -> Result<(), StoreError> {
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("it fails".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Failing {
    async fn publish(&self, batch: Vec<Publish>) -> Result<Vec<Published>, StoreError> {
        self.fails()?;
        self.store.publish(batch).await
    }

    async fn listen(&self, pipe: &Pipe, ear: EarId) -> Result<Listening, StoreError> {
        self.fails()?;
        self.store.listen(pipe, ear).await
    }

    async fn dismiss(&self, log: &Pipe) -> Result<(), StoreError> {
        self.fails()?;
        self.store.dismiss(log).await
    }

    async fn disappear(&self, log: &Pipe, call: CallId) -> Result<bool, StoreError> {
        self.fails()?;
        self.store.disappear(log, call).await
    }

    async fn listeners(&self, pipe: &Pipe) -> Result<u64, StoreError> {
        self.fails()?;
        self.store.listeners(pipe).await
    }

    async fn listened(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, u64)>, StoreError> {
        self.fails()?;
        self.store.listened(tenant, after, count_max).await
    }

    async fn recover(&self, pipe: &Pipe, after: Position, max: PageMax) -> Result<Recovered, StoreError> {
        self.fails()?;
        self.store.recover(pipe, after, max).await
    }

    async fn history(&self, pipe: &Pipe, since: Since, max: PageMax) -> Result<Page, StoreError> {
        self.fails()?;
        self.store.history(pipe, since, max).await
    }

    async fn kept(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<PipeName>, StoreError> {
        self.fails()?;
        self.store.kept(tenant, after, count_max).await
    }

    async fn logs(&self, tenant: TenantId, after: Option<UserId>, count_max: usize) -> Result<Vec<UserId>, StoreError> {
        self.fails()?;
        self.store.logs(tenant, after, count_max).await
    }

    async fn erase(&self, pipe: &Pipe, indexes: &[u64]) -> Result<u64, StoreError> {
        self.fails()?;
        self.store.erase(pipe, indexes).await
    }

    async fn take(&self, pipe: &Pipe, index: u64) -> Result<(), StoreError> {
        self.fails()?;
        self.store.take(pipe, index).await
    }

    async fn set_retention(&self, pipe: &Pipe, retention: Retention) -> Result<(), StoreError> {
        self.fails()?;
        self.store.set_retention(pipe, retention).await
    }

    async fn remove_retention(&self, pipe: &Pipe) -> Result<bool, StoreError> {
        self.fails()?;
        self.store.remove_retention(pipe).await
    }

    async fn retention(&self, pipe: &Pipe) -> Result<Option<Retention>, StoreError> {
        self.fails()?;
        self.store.retention(pipe).await
    }

    async fn retentions(
        &self,
        tenant: TenantId,
        after: Option<&PipeName>,
        count_max: usize,
    ) -> Result<Vec<(PipeName, Retention)>, StoreError> {
        self.fails()?;
        self.store.retentions(tenant, after, count_max).await
    }

    async fn record(&self, tenant: TenantId, record: &Record) -> Result<Option<String>, StoreError> {
        self.fails()?;
        self.store.record(tenant, record).await
    }

    async fn set_record(&self, tenant: TenantId, record: &Record, value: Option<String>) -> Result<bool, StoreError> {
        self.fails()?;
        self.store.set_record(tenant, record, value).await
    }

    async fn records(
        &self,
        tenant: TenantId,
        shelf: Shelf,
        after: Option<&Record>,
        count_max: usize,
    ) -> Result<Vec<(Record, String)>, StoreError> {
        self.fails()?;
        self.store.records(tenant, shelf, after, count_max).await
    }

    /// Whatever fails, leaving is counted.
    async fn unlisten(&self, pipe: &Pipe, ear: EarId) -> Result<u64, StoreError> {
        self.store.unlisten(pipe, ear).await
    }

    async fn tenants(&self, after: Option<TenantId>, count_max: usize) -> Result<Vec<TenantId>, StoreError> {
        self.fails()?;
        self.store.tenants(after, count_max).await
    }

    async fn adopt(&self, pipe: &Pipe, messages: Vec<Arc<Delivery>>, stands: Standing) -> Result<Adopted, StoreError> {
        self.fails()?;
        self.store.adopt(pipe, messages, stands).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[test]
fn while_the_store_fails_commands_are_refused_and_who_wants_to_hear_is_sent_away() {
    let is_failing = Arc::new(AtomicBool::new(false));
    let of_store = Arc::clone(&is_failing);
    let world = world_around(config(), |store| Arc::new(Failing { store, is_failing: of_store }));
    let mut browser = Browser::follower(world.address, &["web_room"]);
    let position = world.publish("web_room", "1").position;
    assert_eq!(browser.hear()["data"], 1);
    is_failing.store(true, Ordering::SeqCst);
    for command in [
        json!({"do": "publish", "id": 1, "pipe": "web_room", "data": 2}),
        json!({"do": "history", "id": 1, "pipe": "web_room"}),
        json!({"do": "count", "id": 1, "pipe": "web_room"}),
        json!({"do": "user_data", "id": 1, "user": 42}),
        json!({"do": "seen", "id": 1, "user": 42}),
    ] {
        let refusal = browser.ask(&command);
        assert!(super::is_error(&refusal, 1, 503), "{command}: {refusal}");
    }
    let mut other = Browser::newcomer(world.address);
    other.say(&json!({"do": "subscribe", "id": 1, "pipes": [{"pipe": "web_room"}]}));
    assert_eq!(other.closed(), (4101, "the store is not available, come back".to_owned()));
    let mut user = Browser::five(world.address);
    user.say(&json!({"do": "hello", "user": 42, "key": "x"}));
    assert_eq!(user.closed().0, 4101);
    is_failing.store(false, Ordering::SeqCst);
    world.publish("web_room", "3");
    let message = browser.hear();
    assert_eq!((&message["data"], &message["position"]), (&json!(3), &super::at(super::moved(position, 1))));
}
