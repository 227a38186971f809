//! Messages a second that the stores take from 32 publishers, each of which waits for its OK: embedded and in Redis, one
//! after the other in each of three rounds.
//!
//!     cargo bench --bench stores
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/world/redis.rs"]
mod redis;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cometql::clock::SystemClock;
use cometql::pipe::{Message, MessageId, Pipe, PipeName, Retention};
use cometql::store::{self, Publish, Store};
use cometql::user::TenantId;

const PUBLISHERS: usize = 32;
const MESSAGE_BYTES: usize = 128;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1_500);
const HISTORY_BYTES_MAX: usize = 16 * 1024 * 1024;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let memory = redis::Redis::start();
    let every_second = redis::Redis::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]);
    let always = redis::Redis::that_keeps();
    let stores: Vec<(&str, Arc<dyn Store>)> = runtime.block_on(async {
        vec![
            ("embedded, on disk", embedded(directory.path().to_owned())),
            ("Redis, in memory", in_redis(&memory).await),
            ("Redis, everysec", in_redis(&every_second).await),
            ("Redis, always", in_redis(&always).await),
        ]
    });
    println!("{PUBLISHERS} publishers, messages of {MESSAGE_BYTES} bytes; messages a second, by rounds\n");
    for (shape, length, pipes) in [("not kept", 0, 8), ("kept, 8 pipes", 100, 8), ("kept, 2,000 pipes", 100, 2_000)] {
        println!("{shape}");
        for _ in 0..ROUNDS {
            let rates: Vec<String> = stores
                .iter()
                .map(|(name, store)| format!("{name} {:>6.0}", runtime.block_on(rate(store, length, pipes))))
                .collect();
            println!("    {}", rates.join("   "));
        }
    }
    runtime.block_on(async {
        for (_, store) in stores {
            store.close().await;
        }
    });
}

fn embedded(directory: std::path::PathBuf) -> Arc<dyn Store> {
    let config = store::embedded::Config {
        directory: Some(directory),
        durability: store::embedded::Durability::Disk,
        history_bytes_max_per_pipe: HISTORY_BYTES_MAX,
        recovery_bytes_max: 64 * 1024 * 1024,
    };
    store::embedded::open(&config, Vec::new(), Arc::new(SystemClock)).unwrap()
}

async fn in_redis(server: &redis::Redis) -> Arc<dyn Store> {
    let config = store::redis::Config {
        address: store::redis::Address::parse(&server.url()).unwrap(),
        wait_millis_max: 30_000,
        history_bytes_max_per_pipe: HISTORY_BYTES_MAX,
    };
    store::redis::open(&config, Vec::new(), Arc::new(SystemClock)).await.unwrap()
}

/// Messages a second over one round.
async fn rate(store: &Arc<dyn Store>, length: i64, pipes: usize) -> f64 {
    let pipes: Arc<Vec<Pipe>> = Arc::new((0..pipes).map(|number| pipe(length, number)).collect());
    if length > 0 {
        for pipe in pipes.iter() {
            store.set_retention(pipe, Retention::of_length(length)).await.unwrap();
        }
    }
    let began = Instant::now();
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (store, pipes) = (Arc::clone(store), Arc::clone(&pipes));
        tokio::spawn(async move {
            let mut count = 0;
            while began.elapsed() < ROUND {
                let pipe = &pipes[(publisher * 61 + count) % pipes.len()];
                store.publish(vec![publish(pipe)]).await.unwrap();
                count += 1;
            }
            count
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut count = 0;
    for publisher in publishers {
        count += publisher.await.unwrap();
    }
    count as f64 / began.elapsed().as_secs_f64()
}

fn pipe(length: i64, number: usize) -> Pipe {
    Pipe::Named(TenantId(1), PipeName::for_publish(&format!("kept_{length}_{number}")).unwrap())
}

fn publish(pipe: &Pipe) -> Publish {
    Publish {
        pipe: pipe.clone(),
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new("x".repeat(MESSAGE_BYTES), usize::MAX).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    }
}
