//! Nodes that share a store, each with one shard without browsers, and what is asked of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cometql::clock::Clock;
use cometql::cometql::prepare;
use cometql::node::{Answer, Ask, Config, EarId, Listening, News, Node, Record, Visitor};
use cometql::pipe::{ConnectionId, Pipe, PipeName};
use cometql::status::Status;
use cometql::store::Ear;
use cometql::tables::{Caller, Login, Reply, SqlError, Value};
use cometql::user::{TenantId, UserId};
use tokio::task::JoinHandle;

use super::clock::StillClock;
use super::neighbours::{Neighbour, neighbours};
use super::shard::StillShard;

/// Far longer than anything here takes.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct House {
    pub node: Arc<Node>,
    pub store: Arc<Neighbour>,
    pub ear: Arc<Ear>,
    pub status: Arc<Status>,
    attending: JoinHandle<()>,
}

/// A node for each shard.
pub async fn houses(grace_seconds: u64, shards: Vec<StillShard>) -> Vec<House> {
    let clock: Arc<dyn Clock> = Arc::new(StillClock::at(1_700_000_000_000));
    let ears: Vec<Arc<Ear>> = shards.iter().map(|_| Ear::new(64 * 1_024 * 1_024, Box::new(|| {}))).collect();
    let mut houses = Vec::new();
    for ((shard, store), ear) in shards.into_iter().zip(neighbours(&ears, &clock)).zip(ears) {
        let config = Config { presence_grace_seconds: grace_seconds, ..Config::with_password("pw") };
        let status = Arc::new(Status::new());
        let shared = Arc::clone(&store);
        let node = Node::new(shared, Arc::clone(&clock), vec![Arc::new(shard)], config, Arc::clone(&status));
        node.learn_number().await.unwrap();
        let of_attending = Arc::clone(&node);
        let attending = tokio::spawn(async move { of_attending.attend().await });
        houses.push(House { node, store, ear, status, attending });
    }
    houses
}

/// So many nodes, on which nobody is said to be by their shards.
pub async fn quiet(count: usize, grace_seconds: u64) -> Vec<House> {
    houses(grace_seconds, (0..count).map(|_| StillShard::default()).collect()).await
}

impl House {
    pub fn caller(&self, tenant: u32) -> Caller {
        let connection_id = self.node.number_for_client();
        let user = if tenant == 0 { "root".to_owned() } else { tenant.to_string() };
        let login = Login { connection_id, user, host: "::1".to_owned(), tenant: TenantId(tenant), database: None };
        Caller::new(Arc::clone(&self.node), login).unwrap()
    }

    /// The node is gone between two instructions.
    pub async fn dies(&self) {
        self.attending.abort();
        self.store.dies().await;
    }

    /// A connection takes and leaves pipes.
    pub async fn listen(&self, visitor: &Visitor, take: &[&Pipe], leave: &[&Pipe]) -> Vec<Listening> {
        let own = |pipes: &[&Pipe]| pipes.iter().map(|pipe| (*pipe).clone()).collect();
        let ask = Ask::Listen { visitor: visitor.clone(), take: own(take), leave: own(leave), login: None };
        match self.node.run(ask).await {
            Answer::Listening(listening) => listening.unwrap(),
            _ => panic!("something else was asked"),
        }
    }

    /// Event and text of what was announced here since this was last asked.
    pub fn heard(&self) -> Vec<(String, String)> {
        let of = |news: &News| {
            let delivery = news.delivery()?;
            // By that browsers are told of those in a pipe in one form, whoever tells it.
            let is_of_connection = delivery.event.as_str().ends_with("subscription");
            assert_eq!(delivery.origin.is_some(), is_of_connection, "{}", delivery.event.as_str());
            Some((delivery.event.as_str().to_owned(), delivery.message.as_str().to_owned()))
        };
        self.ear.take().iter().filter_map(of).collect()
    }

    /// Waits until `wanted` has been announced here; answers the events up to it, in their order.
    pub async fn heard_up_to(&self, wanted: &str) -> Vec<(String, String)> {
        let mut heard = Vec::new();
        until(wanted, async || {
            heard.extend(self.heard());
            heard.iter().any(|(event, _)| event == wanted)
        })
        .await;
        heard
    }

    pub async fn set_record(&self, record: &Record, value: &str) {
        self.node.set_record(TenantId::ROOT, record, value.to_owned()).await.unwrap();
    }
}

/// A connection of a user of tenant 0 at a node.
pub fn visitor(house: &House, slot: u32, user: Option<UserId>) -> Visitor {
    let connection = ConnectionId { node: house.node.mark_of_connections(7), shard: 0, slot, serial: slot + 1 };
    Visitor { connection, ear: EarId(0), tenant: TenantId::ROOT, user, uuid: format!("u{slot}").into() }
}

pub fn pipe(name: &str) -> Pipe {
    Pipe::Named(TenantId::ROOT, PipeName::for_publish(name).unwrap())
}

pub fn log(user: UserId) -> Pipe {
    Pipe::Log(TenantId::ROOT, user)
}

pub fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < DEADLINE, "it did not come true: {what}");
        tokio::task::yield_now().await;
    }
}

pub async fn run(caller: &mut Caller, text: &str) -> Result<Reply, SqlError> {
    let (statement, _) = prepare(text, caller.dialect()).unwrap();
    caller.run(&statement, &[]).await
}

/// The cells of an answer, all of its pages.
pub async fn rows(caller: &mut Caller, text: &str) -> Vec<Vec<String>> {
    let Ok(Reply::Rows(reply)) = run(caller, text).await else { panic!("{text} answers no rows") };
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
    let cell = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    all.iter().map(|row| row.iter().map(cell).collect()).collect()
}
