//! A node in this process, with a store in memory and a clock that stands still.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cometql::node::{self, Node, Record, Seen};
use cometql::pipe::{Message, MessageId, Pipe, PipeName, Retention};
use cometql::status::Status;
use cometql::store::{Publish, Published, Store, embedded};
use cometql::user::{TenantId, UserId};
use cometql::ws::{self, Posts, http::Site};
use hmac::{KeyInit, Mac};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::browser::Browser;
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
        trusted_proxies: Default::default(),
        shards: 2,
        handshake_seconds_max: 10,
        request_bytes_max: 16 * 1024,
        message_bytes_max: 1024 * 1024,
        ping_seconds: 25,
        outbox_bytes_max: 1024 * 1024,
        subscriptions_max: 1024,
        connections_max: 10_000,
        drain_seconds_max: 0,
        ear_bytes_max: 8 * 1024 * 1024,
    }
}

pub fn world(config: ws::Config) -> World {
    world_with_grace(config, 0)
}

pub fn world_with_grace(config: ws::Config, presence_grace_seconds: u64) -> World {
    world_of(config, node::Config { presence_grace_seconds, ..node::Config::with_password("pw") })
}

pub fn world_of(config: ws::Config, of_node: node::Config) -> World {
    build(config, of_node, |store| store)
}

/// A world whose store is another one around the one in memory.
#[allow(dead_code)]
pub fn world_around(config: ws::Config, around: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> World {
    build(config, node::Config { presence_grace_seconds: 0, ..node::Config::with_password("pw") }, around)
}

fn build(config: ws::Config, of_node: node::Config, around: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> World {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let clock = Arc::new(StillClock::at(1_700_000_000_000));
    let status = Arc::new(Status::new());
    let posts = Posts::new(&config).unwrap();
    let in_memory = embedded::Config {
        directory: None,
        durability: embedded::Durability::Disk,
        history_bytes_max_per_pipe: 64 * 1024 * 1024,
        recovery_bytes_max: 64 * 1_024 * 1_024,
    };
    let store = embedded::open(&in_memory, posts.ears(), clock.clone()).unwrap();
    let node = Node::new(around(store), clock.clone(), posts.shards(), of_node, Arc::clone(&status));
    let listener = runtime.block_on(TcpListener::bind(config.listen)).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let site = Site {
        page: Bytes::from_static(b"<!doctype html>the page"),
        script: Default::default(),
        origins: node.config().origins.clone(),
    };
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
        let batch = messages.into_iter().map(|(pipe, text)| publish(self.pipe(pipe), text));
        self.runtime.block_on(self.node.publish(batch.collect())).unwrap()
    }

    pub fn listeners(&self, pipe: &str) -> u64 {
        self.runtime.block_on(self.node.listeners(&self.pipe(pipe))).unwrap()
    }

    // Every world has the same pipes; asking it reads better.
    #[allow(clippy::unused_self)]
    pub fn pipe(&self, name: &str) -> Pipe {
        Pipe::Named(TenantId(0), PipeName::for_publish(name).unwrap())
    }

    /// Has a pipe keep so many messages.
    pub fn keep(&self, pipe: &str, length: i64) {
        let retention = Retention::of_length(length);
        self.runtime.block_on(self.node.set_retention(&self.pipe(pipe), retention)).unwrap();
    }

    /// A private message.
    pub fn tell(&self, to: UserId, text: &str) -> Published {
        let publish = publish(Pipe::Log(TenantId(0), to), text);
        self.runtime.block_on(self.node.publish(vec![publish])).unwrap()[0]
    }

    pub fn devices(&self, of: UserId) -> u64 {
        self.runtime.block_on(self.node.listeners(&Pipe::Log(TenantId(0), of))).unwrap()
    }

    fn set(&self, record: &Record, value: &str) {
        self.runtime.block_on(self.node.set_record(TenantId(0), record, value.to_owned())).unwrap();
    }

    pub fn set_key(&self, of: UserId, hash: &str) {
        self.set(&Record::Key(of), hash);
    }

    pub fn set_data(&self, of: UserId, text: &str) {
        self.set(&Record::Data(of), text);
    }

    pub fn set_seen(&self, of: UserId, seconds: u64) {
        self.set(&Record::Seen(of), &seconds.to_string());
    }

    pub fn seen(&self, of: UserId) -> Seen {
        self.runtime.block_on(self.node.seen(TenantId(0), of)).unwrap()
    }

    /// A connection with these credentials, and what it was told of them.
    pub fn try_login(&self, user: u32, key: &str) -> (Browser, serde_json::Value) {
        let target = format!("/ws/sesion={key}&myid={user}&devid=0&v=4.08&uuid=u{user}&api=js");
        let (mut browser, _) = Browser::upgrade(self.address, &target);
        let info = browser.frame().json();
        assert_eq!((&info["event"], &info["pipe"]), (&"serverInfo".into(), &"sys".into()));
        (browser, info)
    }

    /// A device of a user, logged in and there.
    pub fn login(&self, user: u32, key: &str) -> Browser {
        let (browser, info) = self.try_login(user, key);
        assert_eq!((&info["authorized"], &info["data"]), (&true.into(), &key.into()));
        browser
    }
}

fn publish(pipe: Pipe, text: &str) -> Publish {
    Publish {
        pipe,
        id: MessageId::new(),
        id_is_chosen: false,
        event: "event".parse().unwrap(),
        message: Message::new(text.to_owned(), usize::MAX).unwrap(),
        user: None,
        origin: None,
        sender_listens: false,
    }
}

pub fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
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
