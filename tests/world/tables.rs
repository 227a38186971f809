//! A node whose store is in memory, with SQL clients and what they run.

use std::sync::Arc;

use cometql::cometql::prepare;
use cometql::node::{Config, EarId, News, Node};
use cometql::pipe::{Pipe, PipeName};
use cometql::status::Status;
use cometql::store::{Ear, Store, embedded};
use cometql::tables::{Caller, Login, Reply, SqlError, Value};
use cometql::user::{TenantId, UserId};

use crate::clock::StillClock;
use crate::shard::StillShard;

pub struct World {
    pub node: Arc<Node>,
    pub store: Arc<dyn Store>,
    pub ear: Arc<Ear>,
}

/// A node whose only ear listens to `chat` of tenants 0 and 5.
pub async fn world() -> World {
    world_with(StillShard::default()).await
}

pub async fn world_with(shard: StillShard) -> World {
    let clock = Arc::new(StillClock::at(1_700_000_000_000));
    let ear = Ear::new(64 * 1_024 * 1_024, Box::new(|| {}));
    let config = embedded::Config {
        directory: None,
        durability: embedded::Durability::Disk,
        history_bytes_max_per_pipe: 64 * 1_024 * 1_024,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let store = embedded::open(&config, vec![ear.clone()], clock.clone()).unwrap();
    for tenant in [TenantId::ROOT, TenantId(5)] {
        store.listen(&Pipe::Named(tenant, PipeName::for_publish("chat").unwrap()), EarId(0)).await.unwrap();
    }
    let config = Config { message_bytes_max: 1_024 * 1_024, ..Config::with_password("secret") };
    let node = Node::new(store.clone(), clock, vec![Arc::new(shard)], config, Arc::new(Status::new()));
    World { node, store, ear }
}

impl World {
    pub fn caller(&self, user: &str, database: Option<&str>) -> Result<Caller, SqlError> {
        let login = Login {
            connection_id: 7,
            user: user.to_owned(),
            host: "localhost".to_owned(),
            tenant: TenantId::parse(user).unwrap_or(TenantId::ROOT),
            database: database.map(str::to_owned),
        };
        Caller::new(Arc::clone(&self.node), login)
    }

    /// Somebody is connected as this user.
    pub async fn is_here(&self, tenant: u32, user: u64) {
        self.store.listen(&Pipe::Log(TenantId(tenant), UserId::new(user).unwrap()), EarId(0)).await.unwrap();
    }

    /// Who was sent away since news were last looked at: tenant and user.
    pub fn sent_away(&self) -> Vec<(u32, u32)> {
        let of = |news: &News| match news {
            News::Dismissed(Pipe::Log(tenant, user)) => Some((tenant.0, user.number())),
            _ => None,
        };
        self.ear.take().iter().filter_map(of).collect()
    }

    /// The tenant and the text of every message that was announced.
    pub fn heard(&self) -> Vec<(u32, String)> {
        let news = self.ear.take();
        news.iter()
            .filter_map(News::delivery)
            .map(|delivery| (delivery.pipe.tenant().0, delivery.message.as_str().to_owned()))
            .collect()
    }
}

pub async fn run(caller: &mut Caller, text: &str, parameters: &[Value]) -> Result<Reply, SqlError> {
    let dialect = caller.dialect();
    let (statement, _) = prepare(text, dialect).unwrap();
    caller.run(&statement, parameters).await
}

pub async fn rows(caller: &mut Caller, text: &str, parameters: &[Value]) -> Vec<Vec<Value>> {
    let Ok(Reply::Rows(reply)) = run(caller, text, parameters).await else { panic!("{text} answers no rows") };
    let mut all = reply.rows;
    if let Some(mut pages) = reply.more {
        loop {
            let page = pages.next().await.unwrap();
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
    }
    all
}

pub async fn code(caller: &mut Caller, text: &str, parameters: &[Value]) -> u16 {
    run(caller, text, parameters).await.err().map_or(0, |error| error.code)
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
