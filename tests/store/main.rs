//! What every store promises. Each test runs over each store; a store is made by its factory, together with the
//! ears it announces to and a clock that stands still.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../world/clock.rs"]
mod clock;
#[path = "../world/redis.rs"]
mod redis;
mod adopting;
mod listings;
mod presence;
mod random;
mod recovery;
mod repeats;
mod shared;
mod windows;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clock::StillClock;
use cometql::pipe::{ConnectionId, Message, MessageId, Pipe, PipeName, Position, Retention};
use cometql::store::{self, Ear, EarId, News, PageMax, Publish, Published, Recovered, Since, Store, StoreError};
use cometql::user::{TenantId, UserId};

const EAR_BYTES_MAX: usize = 64 * 1024;
const ALL: PageMax = PageMax { messages: 10_000, bytes: usize::MAX };
/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

struct World {
    store: Arc<dyn Store>,
    ears: Vec<Arc<Ear>>,
    clock: Arc<StillClock>,
    /// Where the store keeps things, if anywhere.
    directory: Option<tempfile::TempDir>,
    /// Whether pipes are on several servers, each of which announces by itself.
    is_split: bool,
}

fn world(directory: Option<tempfile::TempDir>) -> World {
    let (ears, clock) = ears_and_clock();
    let config = store::embedded::Config {
        directory: directory.as_ref().map(|directory| directory.path().to_owned()),
        durability: store::embedded::Durability::Disk,
        history_bytes_max_per_pipe: 1024 * 1024,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let store = store::embedded::open(&config, ears.clone(), clock.clone()).unwrap();
    World { store, ears, clock, directory, is_split: false }
}

async fn world_in(url: &str) -> World {
    let (ears, clock) = ears_and_clock();
    let config = store::redis::Config {
        address: store::redis::Address::parse(url).unwrap(),
        wait_millis_max: 30_000,
        replicas_min: 0,
        history_bytes_max_per_pipe: 1024 * 1024,
    };
    let store = store::redis::open(&config, ears.clone(), clock.clone()).await.unwrap();
    World { store, ears, clock, directory: None, is_split: url.contains("cluster") }
}

fn ears_and_clock() -> (Vec<Arc<Ear>>, Arc<StillClock>) {
    let ears = (0..2).map(|_| Ear::new(EAR_BYTES_MAX, Box::new(|| {}))).collect();
    (ears, Arc::new(StillClock::at(1_700_000_000_000)))
}

impl World {
    /// The same store, opened again.
    async fn reopened(self) -> World {
        self.store.close().await;
        drop(self.store);
        world(self.directory)
    }

    async fn publish(&self, pipe: &Pipe, text: &str) -> Published {
        self.store.publish(vec![publish(pipe, text)]).await.unwrap()[0]
    }

    fn heard(&self, ear: usize) -> Vec<String> {
        let news = self.ears[ear].take();
        news.iter().filter_map(News::delivery).map(|delivery| delivery.message.as_str().to_owned()).collect()
    }

    async fn history(&self, pipe: &Pipe, since: Since) -> Vec<String> {
        let page = self.store.history(pipe, since, ALL).await.unwrap();
        page.messages.iter().map(|delivery| delivery.message.as_str().to_owned()).collect()
    }

    /// What can be had behind a position, page by page; `None` when some of it is gone.
    async fn recovered(&self, pipe: &Pipe, after: Position, max: PageMax) -> Option<Vec<String>> {
        let (mut after, mut texts) = (after, Vec::new());
        loop {
            let page = match self.store.recover(pipe, after, max).await.unwrap() {
                Recovered::Page(page) => page,
                Recovered::Lost(_) => return None,
            };
            assert!(!page.more || !page.messages.is_empty(), "a page is never empty while there is more");
            assert!(page.messages.iter().all(|delivery| delivery.position.epoch == after.epoch));
            texts.extend(page.messages.iter().map(|delivery| delivery.message.as_str().to_owned()));
            assert!(page.messages.last().is_none_or(|last| last.position.index <= page.up_to.index));
            after = page.up_to;
            if !page.more {
                return Some(texts);
            }
        }
    }

    /// The same for each index of an epoch from 0 on, as how many messages.
    async fn counts(&self, pipe: &Pipe, newest: Position) -> Vec<Option<usize>> {
        let mut counts = Vec::new();
        for index in 0..=newest.index {
            let texts = self.recovered(pipe, Position { index, ..newest }, ALL).await;
            counts.push(texts.map(|texts| texts.len()));
        }
        counts
    }

    async fn keep(&self, pipe: &Pipe, length: i64) {
        self.store.set_retention(pipe, Retention::of_length(length)).await.unwrap();
    }
}

/// Runs a promise over every store.
fn over_every_store<F: Future<Output = ()>>(promise: impl Fn(World) -> F) {
    over_own_stores(&promise);
    over_shared_stores(&promise);
}

/// The same over those that the promise has for itself.
fn over_own_stores<F: Future<Output = ()>>(promise: impl Fn(World) -> F) {
    let runtime = runtime();
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        let kind = if directory.is_some() { "embedded, on disk" } else { "embedded, in memory" };
        println!("over the store: {kind}");
        runtime.block_on(async { tokio::time::timeout(DEADLINE, promise(world(directory))).await }).unwrap();
    }
    println!("over the store: Redis");
    let redis = redis::Redis::start();
    over_redis(&runtime, &redis.url(), &promise);
    match redis::Redis::valkey() {
        Some(valkey) => {
            println!("over the store: Valkey");
            over_redis(&runtime, &valkey.url(), &promise);
        }
        None => println!("not over Valkey: tests/install_valkey could not get it"),
    }
}

/// The same over those that all promises share, one after the other.
fn over_shared_stores<F: Future<Output = ()>>(promise: impl Fn(World) -> F) {
    let runtime = runtime();
    println!("over the store: Redis behind Sentinels");
    let sentinels = shared::sentinels();
    over_redis(&runtime, &sentinels.url(), &promise);
    drop(sentinels);
    println!("over the store: Redis Cluster");
    let cluster = shared::cluster();
    over_redis(&runtime, &cluster.url(), &promise);
    // What the store has left on its way ends before others begin with an empty cluster.
    drop(runtime);
    drop(cluster);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn over_redis<F: Future<Output = ()>>(runtime: &tokio::runtime::Runtime, url: &str, promise: impl Fn(World) -> F) {
    let in_redis = async { promise(world_in(url).await).await };
    runtime.block_on(async { tokio::time::timeout(DEADLINE, in_redis).await }).unwrap();
}

/// What an ear hears next.
async fn until_news(ear: &Ear) -> Vec<News> {
    loop {
        let news = ear.take();
        if !news.is_empty() {
            return news;
        }
        tokio::task::yield_now().await;
    }
}

fn name(text: &str) -> PipeName {
    PipeName::for_publish(text).unwrap()
}

fn pipe(text: &str) -> Pipe {
    Pipe::Named(TenantId(1), name(text))
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

#[test]
fn a_pipe_counts_its_messages_from_one_in_one_epoch() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            let first = world.publish(&pipe, "a").await.position;
            let second = world.publish(&pipe, "b").await.position;
            assert_eq!((first.index, second.index), (1, 2));
            assert_eq!(first.epoch, second.epoch);
            assert_ne!(first.epoch, 0);
            assert!(first.epoch < 1 << 53, "an epoch is a number JavaScript holds exactly");
        }
    });
}

#[test]
fn an_ear_hears_what_is_published_while_somebody_behind_it_listens_and_once() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            world.publish(&pipe, "before").await;
            let first = world.store.listen(&pipe, EarId(0)).await.unwrap();
            assert_eq!((first.position.index, first.listeners), (1, 1));
            assert_eq!(world.store.listen(&pipe, EarId(0)).await.unwrap().listeners, 2);
            world.publish(&pipe, "both").await;
            assert_eq!(world.store.unlisten(&pipe, EarId(0)).await.unwrap(), 1);
            world.publish(&pipe, "one").await;
            assert_eq!(world.store.unlisten(&pipe, EarId(0)).await.unwrap(), 0);
            world.publish(&pipe, "none").await;
            assert_eq!(world.heard(0), ["both", "one"]);
            assert_eq!(world.heard(1), [""; 0]);
        }
    });
}

#[test]
fn receivers_are_the_connections_that_listen_without_the_sender() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            assert_eq!(world.publish(&pipe, "nobody").await.receivers, 0);
            for ear in [0, 0, 1] {
                world.store.listen(&pipe, EarId(ear)).await.unwrap();
            }
            assert_eq!(world.store.listeners(&pipe).await.unwrap(), 3);
            assert_eq!(world.publish(&pipe, "three").await.receivers, 3);
            let origin = Some(ConnectionId { node: 0, shard: 1, slot: 4, serial: 5 });
            let own = Publish { origin, sender_listens: true, user: UserId::new(9), ..publish(&pipe, "own") };
            assert_eq!(world.store.publish(vec![own]).await.unwrap()[0].receivers, 2);
            let last = world.ears[1].take().last().and_then(News::delivery).cloned().unwrap();
            assert_eq!((last.origin, last.user), (origin, UserId::new(9)));
            world.ears[0].take();
        }
    });
}

#[test]
fn a_batch_is_heard_in_its_order_whatever_its_pipes_keep() {
    over_every_store(|world| async move {
        let (live, kept) = (pipe("live"), pipe("kept"));
        world.keep(&kept, 10).await;
        for pipe in [&live, &kept] {
            world.store.listen(pipe, EarId(0)).await.unwrap();
        }
        let batch = ["1", "2", "3", "4"].iter().zip([&live, &kept, &live, &kept]);
        let batch = batch.map(|(text, pipe)| publish(pipe, text)).collect();
        let published = world.store.publish(batch).await.unwrap();
        assert_eq!(published.iter().map(|published| published.position.index).collect::<Vec<_>>(), [1, 1, 2, 2]);
        let mut heard = world.heard(0);
        if world.is_split {
            // Each pipe's are in order.
            heard.sort_by_key(|text| text == "2" || text == "4");
            heard.swap(1, 2);
        }
        assert_eq!(heard, ["1", "2", "3", "4"]);
        assert_eq!(world.history(&kept, Since::Beginning).await, ["2", "4"]);
        assert_eq!(world.store.publish(Vec::new()).await.unwrap(), []);
    });
}

#[test]
fn history_keeps_the_newest_and_gives_them_oldest_first_in_pages() {
    over_every_store(|world| async move {
        let pipe = pipe("history");
        world.keep(&pipe, 3).await;
        for text in ["a", "b", "c", "d", "e"] {
            world.publish(&pipe, text).await;
        }
        assert_eq!(world.history(&pipe, Since::Beginning).await, ["c", "d", "e"]);
        assert_eq!(world.history(&pipe, Since::After(3)).await, ["d", "e"]);
        assert_eq!(world.history(&pipe, Since::After(5)).await, [""; 0]);
        assert_eq!(world.history(&pipe, Since::Newest(2)).await, ["d", "e"]);
        assert_eq!(world.history(&pipe, Since::Newest(9)).await, ["c", "d", "e"]);
        assert_eq!(world.history(&pipe, Since::Newest(0)).await, [""; 0]);
        let two = PageMax { messages: 2, bytes: usize::MAX };
        let page = world.store.history(&pipe, Since::Beginning, two).await.unwrap();
        assert_eq!((page.messages.len(), page.more, page.messages[1].position.index), (2, true, 4));
        let page = world.store.history(&pipe, Since::After(4), two).await.unwrap();
        assert_eq!((page.messages.len(), page.more), (1, false));
        let small = PageMax { messages: 10, bytes: 1 };
        let page = world.store.history(&pipe, Since::Beginning, small).await.unwrap();
        assert_eq!((page.messages.len(), page.more), (1, true), "a page is never empty while there is more");
        world.keep(&pipe, 1).await;
        assert_eq!(world.history(&pipe, Since::Beginning).await.len(), 3, "trimmed by the next publish");
        world.publish(&pipe, "f").await;
        assert_eq!(world.history(&pipe, Since::Beginning).await, ["f"]);
    });
}

#[test]
fn history_is_bounded_in_bytes_too() {
    over_every_store(|world| async move {
        let pipe = pipe("large");
        world.keep(&pipe, 1_000).await;
        let text = "x".repeat(300 * 1024);
        for _ in 0..6 {
            world.publish(&pipe, &text).await;
        }
        assert_eq!(world.history(&pipe, Since::Beginning).await.len(), 3);
    });
}

#[test]
fn erasing_leaves_holes_and_positions_go_on() {
    over_every_store(|world| async move {
        let pipe = pipe("holes");
        world.keep(&pipe, 10).await;
        for text in ["a", "b", "c"] {
            world.publish(&pipe, text).await;
        }
        assert_eq!(world.store.erase(&pipe, &[2, 2, 7]).await.unwrap(), 1);
        assert_eq!(world.history(&pipe, Since::Beginning).await, ["a", "c"]);
        assert_eq!(world.store.erase(&pipe, &[1, 3]).await.unwrap(), 2);
        assert_eq!(world.store.kept(TenantId(1), None, 10).await.unwrap(), []);
        assert_eq!(world.publish(&pipe, "d").await.position.index, 4);
    });
}

#[test]
fn removing_a_setting_removes_the_history_and_positions_go_on() {
    over_every_store(|world| async move {
        let pipe = pipe("settings");
        assert_eq!(world.store.retention(&pipe).await.unwrap(), None);
        assert!(!world.store.remove_retention(&pipe).await.unwrap());
        world.keep(&pipe, 5).await;
        assert_eq!(world.store.retention(&pipe).await.unwrap(), Some(Retention::of_length(5)));
        world.publish(&pipe, "a").await;
        assert!(world.store.remove_retention(&pipe).await.unwrap());
        assert_eq!(world.history(&pipe, Since::Beginning).await, [""; 0]);
        assert_eq!(world.publish(&pipe, "b").await.position.index, 2);
        assert_eq!(world.history(&pipe, Since::Beginning).await, [""; 0]);
        world.keep(&pipe, 5).await;
        assert_eq!(world.publish(&pipe, "c").await.position.index, 3);
        assert_eq!(world.history(&pipe, Since::Beginning).await, ["c"]);
        world.keep(&pipe, 0).await;
        assert_eq!(world.history(&pipe, Since::Beginning).await, [""; 0]);
        assert_eq!(world.store.retention(&pipe).await.unwrap(), Some(Retention::NOTHING));
    });
}

#[test]
fn a_log_keeps_a_week_and_remembers_what_was_taken() {
    over_every_store(|world| async move {
        let log = Pipe::Log(TenantId(1), UserId::new(3).unwrap());
        for text in ["a", "b", "c"] {
            world.publish(&log, text).await;
        }
        assert_eq!(world.history(&log, Since::Untaken).await, ["a", "b", "c"]);
        world.store.take(&log, 2).await.unwrap();
        assert_eq!(world.history(&log, Since::Untaken).await, ["c"]);
        world.store.take(&log, 1).await.unwrap();
        assert_eq!(world.history(&log, Since::Untaken).await, ["c"], "a mark never goes back");
        world.store.take(&log, u64::MAX).await.unwrap();
        world.publish(&log, "d").await;
        assert_eq!(world.history(&log, Since::Untaken).await, ["d"], "what is not there yet cannot be taken");
        assert_eq!(world.history(&log, Since::Beginning).await, ["a", "b", "c", "d"]);
        world.clock.forward(7 * 86_400_000 + 1);
        assert_eq!(world.history(&log, Since::Untaken).await, [""; 0]);
    });
}

#[test]
fn a_trusted_pipe_is_kept_for_two_minutes_without_a_setting() {
    over_every_store(|world| async move {
        let pipe = pipe("trust_me");
        world.publish(&pipe, "old").await;
        world.clock.forward(119_000);
        world.publish(&pipe, "new").await;
        assert_eq!(world.history(&pipe, Since::Beginning).await, ["old", "new"]);
        world.clock.forward(2_000);
        assert_eq!(world.history(&pipe, Since::Beginning).await, ["new"]);
        world.publish(&pipe, "newer").await;
        assert_eq!(world.history(&pipe, Since::Newest(9)).await, ["new", "newer"]);
    });
}

#[test]
fn a_full_ear_makes_publishers_wait_and_loses_nothing() {
    over_every_store(|world| async move {
        for kept in [0, 10] {
            let pipe = pipe(&format!("kept_{kept}"));
            world.keep(&pipe, kept).await;
            world.store.listen(&pipe, EarId(0)).await.unwrap();
            let text = "x".repeat(EAR_BYTES_MAX - 1_000);
            world.publish(&pipe, &text).await;
            let (store, second) = (Arc::clone(&world.store), publish(&pipe, &text));
            let waiting = tokio::spawn(async move { store.publish(vec![second]).await });
            let other = Pipe::Named(TenantId(1), name("heard_by_nobody"));
            world.publish(&other, "does not wait").await;
            assert!(!waiting.is_finished());
            assert_eq!(world.heard(0).len(), 1);
            assert_eq!(waiting.await.unwrap().unwrap()[0].position.index, 2);
            assert_eq!(world.heard(0).len(), 1);
        }
    });
}

#[test]
fn whoever_publishes_at_once_an_ear_hears_every_index_once_and_in_order() {
    over_every_store(|world| async move {
        let pipe = pipe("crowded");
        world.store.listen(&pipe, EarId(0)).await.unwrap();
        let publisher = |store: Arc<dyn Store>, pipe: Pipe| async move {
            for _ in 0..200 {
                store.publish(vec![publish(&pipe, "x"), publish(&pipe, "y")]).await.unwrap();
            }
        };
        let publishers: Vec<_> =
            (0..4).map(|_| tokio::spawn(publisher(Arc::clone(&world.store), pipe.clone()))).collect();
        // While they publish, the pipe changes between kept and not kept, which changes who numbers it.
        let mut indexes = Vec::new();
        let mut round = 0;
        while indexes.len() < 1_600 {
            round += 1;
            if round % 2 == 0 {
                world.store.remove_retention(&pipe).await.unwrap();
            } else {
                world.keep(&pipe, 100).await;
            }
            let news = world.ears[0].take();
            indexes.extend(news.iter().filter_map(News::delivery).map(|delivery| delivery.position.index));
            tokio::task::yield_now().await;
        }
        for publisher in publishers {
            publisher.await.unwrap();
        }
        assert_eq!(indexes, (1..=1_600).collect::<Vec<u64>>());
    });
}

#[test]
fn what_is_kept_is_there_when_the_store_is_opened_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = world(Some(tempfile::tempdir().unwrap()));
        let (live, kept, log) = (pipe("live"), pipe("kept"), Pipe::Log(TenantId(1), UserId::new(3).unwrap()));
        world.keep(&kept, 10).await;
        world.publish(&log, "taken").await;
        world.store.take(&log, 1).await.unwrap();
        let before = [world.publish(&live, "l").await, world.publish(&kept, "k").await];
        world.publish(&log, "private").await;
        let world = world.reopened().await;
        assert_eq!(world.history(&kept, Since::Beginning).await, ["k"]);
        assert_eq!(world.history(&log, Since::Beginning).await, ["taken", "private"]);
        assert_eq!(world.history(&log, Since::Untaken).await, ["private"]);
        assert_eq!(world.store.retention(&kept).await.unwrap(), Some(Retention::of_length(10)));
        let after = [world.publish(&live, "l").await, world.publish(&kept, "k").await];
        assert_ne!(after[0].position.epoch, before[0].position.epoch, "what is not kept begins a new epoch");
        assert_eq!(after[1].position.epoch, before[1].position.epoch);
        assert_eq!(after[1].position.index, 2);
    });
}

#[test]
fn a_data_directory_belongs_to_one_node() {
    let world = world(Some(tempfile::tempdir().unwrap()));
    let directory = world.directory.as_ref().map(|directory| directory.path().to_owned());
    let config = store::embedded::Config {
        directory,
        durability: store::embedded::Durability::Disk,
        history_bytes_max_per_pipe: 1,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let Err(StoreError::Unavailable(reason)) = store::embedded::open(&config, Vec::new(), world.clock) else {
        panic!("a second store was opened");
    };
    assert!(reason.contains("another node is using it"), "{reason}");
}
