//! A node in this process, with a store in memory and a clock that stands still.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cometql::node::{self, Node};
use cometql::pipe::{Message, MessageId, Pipe, PipeName};
use cometql::status::Status;
use cometql::store::{Publish, Published, embedded};
use cometql::user::TenantId;
use cometql::ws::{self, Posts, http::Site};
use hmac::{KeyInit, Mac};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::clock::StillClock;

pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct World {
    pub runtime: Runtime,
    pub address: SocketAddr,
    pub node: Arc<Node>,
    pub status: Arc<Status>,
    pub clock: Arc<StillClock>,
    pub stop: watch::Sender<bool>,
    pub served: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub fn config() -> ws::Config {
    ws::Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        shards: 2,
        handshake_seconds_max: 10,
        request_bytes_max: 16 * 1024,
        message_bytes_max: 1024 * 1024,
        ping_seconds: 25,
        outbox_bytes_max: 1024 * 1024,
        subscriptions_max: 1024,
        connections_max: 10_000,
        ear_bytes_max: 8 * 1024 * 1024,
    }
}

pub fn world(config: ws::Config) -> World {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let clock = Arc::new(StillClock::at(1_700_000_000_000));
    let status = Arc::new(Status::new());
    let posts = Posts::new(&config).unwrap();
    let in_memory = embedded::Config { directory: None, history_bytes_max_per_pipe: 1024 * 1024 };
    let store = embedded::open(&in_memory, posts.ears(), clock.clone()).unwrap();
    let of_node = node::Config { presence_grace_seconds: 0, ..node::Config::with_password("pw") };
    let node = Node::new(store, clock.clone(), posts.shards(), of_node, Arc::clone(&status));
    let listener = runtime.block_on(TcpListener::bind(config.listen)).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let site = Site { page: Bytes::from_static(b"<!doctype html>the page") };
    let (of_serve, status_of_serve) = (Arc::clone(&node), Arc::clone(&status));
    let served = runtime
        .spawn(async move { ws::serve(listener, posts, site, of_serve, status_of_serve, &config, stopped).await });
    World { runtime, address, node, status, clock, stop, served }
}

impl World {
    pub fn publish(&self, pipe: &str, text: &str) -> Published {
        self.publish_all(vec![(pipe, text)])[0]
    }

    pub fn publish_all(&self, messages: Vec<(&str, &str)>) -> Vec<Published> {
        let batch = messages.into_iter().map(|(pipe, text)| Publish {
            pipe: Pipe::Named(TenantId(0), PipeName::for_publish(pipe).unwrap()),
            id: MessageId::new(),
            event: "event".parse().unwrap(),
            message: Message::new(text.to_owned(), usize::MAX).unwrap(),
            user: None,
            origin: None,
            sender_listens: false,
        });
        self.runtime.block_on(self.node.publish(batch.collect())).unwrap()
    }

    pub fn listeners(&self, pipe: &str) -> u64 {
        let pipe = Pipe::Named(TenantId(0), PipeName::for_publish(pipe).unwrap());
        self.runtime.block_on(self.node.listeners(&pipe)).unwrap()
    }
}

pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "it did not come true that {what}");
        std::thread::yield_now();
    }
}

pub fn token(user: u32) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!("{{\"user_id\":{user},\"exp\":1800000000}}"));
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"pw0").unwrap();
    mac.update(format!("{header}.{claims}").as_bytes());
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
