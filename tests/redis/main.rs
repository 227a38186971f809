//! The store in Redis while Redis comes and goes, hangs, forgets and is shared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

// These are shared, and each test uses its part of them.
#[allow(dead_code)]
#[path = "../world/browser.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../world/clock.rs"]
mod clock;
mod cluster;
mod left;
mod losing;
#[path = "../world/node.rs"]
mod node;
mod nodes;
mod outdated;
mod refusing;
mod replicas;
mod sentinels;
#[path = "../world/redis.rs"]
mod server;
mod sharing;
mod slots;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::StillClock;
use cometql::pipe::{ConnectionId, Event, Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::redis::{Address, Config, Redis, open};
use cometql::store::{
    Ear, EarId, LeftBehind, News, PageMax, Peer, Publish, Published, Recovered, Shelf, Since, Store, StoreError,
};
use cometql::user::{TenantId, UserId};
use server::Redis as Server;

const ALL: PageMax = PageMax { messages: 10_000, bytes: usize::MAX };
/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long Redis may take to answer, where a test wants it to be late.
const SHORT_MILLIS: u64 = 500;
const LONG_MILLIS: u64 = 30_000;

/// A node, as far as its store goes.
struct Node {
    store: Arc<Redis>,
    ear: Arc<Ear>,
    /// Told when there are news.
    woken: Arc<tokio::sync::Notify>,
    clock: Arc<StillClock>,
}

impl Node {
    async fn on(server: &Server, wait_millis_max: u64) -> Node {
        Node::tried(server, wait_millis_max).await.unwrap()
    }

    async fn tried(server: &Server, wait_millis_max: u64) -> Result<Node, StoreError> {
        Node::configured(&config(wait_millis_max, server)).await
    }

    async fn at(url: &str) -> Node {
        Node::configured(&config_of(LONG_MILLIS, url)).await.unwrap()
    }

    async fn configured(config: &Config) -> Result<Node, StoreError> {
        let woken = Arc::new(tokio::sync::Notify::new());
        let of_ear = Arc::clone(&woken);
        let ear = Ear::new(1024 * 1024, Box::new(move || of_ear.notify_one()));
        let clock = Arc::new(StillClock::at(1_700_000_000_000));
        let store = open(config, vec![Arc::clone(&ear)], clock.clone()).await?;
        Ok(Node { store, ear, woken, clock })
    }

    async fn publish(&self, pipe: &Pipe, text: &str) -> Result<Published, StoreError> {
        Ok(self.store.publish(vec![publish(pipe, text)]).await?[0])
    }

    async fn listen(&self, pipe: &Pipe) -> Position {
        self.store.listen(pipe, EarId(0)).await.unwrap().position
    }

    /// The news up to and with the first that is wanted.
    async fn news_until(&self, is_wanted: impl Fn(&News) -> bool) -> Vec<News> {
        let mut news = Vec::new();
        while !news.iter().any(&is_wanted) {
            self.woken.notified().await;
            news.extend(self.ear.take());
        }
        news
    }

    /// The messages up to and with the one of this text.
    async fn heard_until(&self, text: &str) -> Vec<String> {
        let is_wanted = |news: &News| news.delivery().is_some_and(|delivery| delivery.message.as_str() == text);
        texts(&self.news_until(is_wanted).await)
    }

    async fn recovered(&self, pipe: &Pipe, after: Position) -> Option<Vec<String>> {
        match self.store.recover(pipe, after, ALL).await.unwrap() {
            Recovered::Page(page) => Some(page.messages.iter().map(|one| one.message.as_str().to_owned()).collect()),
            Recovered::Lost(_) => None,
        }
    }

    async fn history(&self, pipe: &Pipe) -> Vec<String> {
        let page = self.store.history(pipe, Since::Beginning, ALL).await.unwrap();
        page.messages.iter().map(|delivery| delivery.message.as_str().to_owned()).collect()
    }
}

fn texts(news: &[News]) -> Vec<String> {
    news.iter().filter_map(News::delivery).map(|delivery| delivery.message.as_str().to_owned()).collect()
}

fn pipe(name: &str) -> Pipe {
    Pipe::Named(TenantId(1), PipeName::for_publish(name).unwrap())
}

fn log(user: u64) -> Pipe {
    Pipe::Log(TenantId(1), UserId::new(user).unwrap())
}

fn publish(pipe: &Pipe, text: &str) -> Publish {
    Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new(text.to_owned(), usize::MAX).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    }
}

/// Runs a story, which must come to its end.
fn told(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, story).await }).unwrap();
}

/// Asks again and again until the answer is as wanted.
async fn until<T: PartialEq + std::fmt::Debug>(wanted: T, ask: impl AsyncFn() -> T) {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if answer == wanted {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{answer:?} instead of {wanted:?}");
        tokio::task::yield_now().await;
    }
}

/// The whole of a key, whichever bucket it is in; empty when it is not there.
fn key(server: &Server, name: &str) -> String {
    let found = server.ask(&["KEYS", &format!("cometql:{{*}}:{name}")]);
    found.lines().find(|line| line.starts_with("cometql:")).unwrap_or_default().to_owned()
}

fn is_dismissed(news: &News) -> bool {
    matches!(news, News::Dismissed(_))
}

fn is_lost_all(news: &News) -> bool {
    matches!(news, News::LostAll)
}

fn reason(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(reason) => reason,
        error => panic!("{error}"),
    }
}

/// Why it is not known whether it was done.
fn doubt(error: StoreError) -> String {
    match error {
        StoreError::Unknown(reason) => reason,
        error => panic!("{error}"),
    }
}

fn config(wait_millis_max: u64, server: &Server) -> Config {
    config_of(wait_millis_max, &server.url())
}

fn config_of(wait_millis_max: u64, url: &str) -> Config {
    Config {
        address: Address::parse(url).unwrap(),
        wait_millis_max,
        replicas_min: 0,
        history_bytes_max_per_pipe: 1024 * 1024,
    }
}
