//! A store that fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use cometql::pipe::{Pipe, PipeName, Position, Retention};
use cometql::store::{
    EarId, Listening, Page, PageMax, Publish, Published, Record, Recovered, Shelf, Since, Store, StoreError,
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

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        #[async_trait]
        impl Store for Failing {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                self.fails()?;
                self.store.$name($($argument),*).await
            })*

            /// Whatever fails, leaving is counted.
            async fn unlisten(&self, pipe: &Pipe, ear: EarId) -> Result<u64, StoreError> {
                self.store.unlisten(pipe, ear).await
            }

            async fn close(&self) {
                self.store.close().await;
            }
        }
    };
}

passed_on! {
    publish(batch: Vec<Publish>) -> Vec<Published>;
    listen(pipe: &Pipe, ear: EarId) -> Listening;
    listeners(pipe: &Pipe) -> u64;
    listened(tenant: TenantId, after: Option<&PipeName>, count_max: usize) -> Vec<(PipeName, u64)>;
    recover(pipe: &Pipe, after: Position, max: PageMax) -> Recovered;
    history(pipe: &Pipe, since: Since, max: PageMax) -> Page;
    kept(tenant: TenantId, after: Option<&PipeName>, count_max: usize) -> Vec<PipeName>;
    logs(tenant: TenantId, after: Option<UserId>, count_max: usize) -> Vec<UserId>;
    erase(pipe: &Pipe, indexes: &[u64]) -> u64;
    take(pipe: &Pipe, index: u64) -> ();
    set_retention(pipe: &Pipe, retention: Retention) -> ();
    remove_retention(pipe: &Pipe) -> bool;
    retention(pipe: &Pipe) -> Option<Retention>;
    retentions(tenant: TenantId, after: Option<&PipeName>, count_max: usize) -> Vec<(PipeName, Retention)>;
    record(tenant: TenantId, record: &Record) -> Option<String>;
    set_record(tenant: TenantId, record: &Record, value: Option<String>) -> bool;
    records(tenant: TenantId, shelf: Shelf, after: Option<&Record>, count_max: usize) -> Vec<(Record, String)>;
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
