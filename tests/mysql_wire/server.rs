//! A server on a port of its own, over a store in memory.

use std::net::SocketAddr;
use std::sync::Arc;

use cometql::clock::SystemClock;
use cometql::mysql::{self, Config, Identity};
use cometql::node::{self, Node};
use cometql::status::Status;
use cometql::store::{Ear, embedded};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const PASSWORD: &str = "correct horse";

pub struct Server {
    pub address: SocketAddr,
    pub node: Arc<Node>,
    pub identity: Arc<Identity>,
    /// The only ear of the store. One message fills it.
    pub ear: Arc<Ear>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
    runtime: Runtime,
}

pub fn config() -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        packet_bytes_max: 32 * 1024 * 1024,
        login_packet_bytes_max: 65_536,
        login_seconds_max: 60,
        idle_seconds_max: 600,
        connections_max: 100,
        certificate: None,
        certificate_directory: None,
    }
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(config())
    }

    pub fn start_with(config: Config) -> Server {
        Server::start_of(config, node::Config::with_password(PASSWORD))
    }

    pub fn start_of(config: Config, settings: node::Config) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let store = embedded::Config {
            directory: None,
            durability: embedded::Durability::Disk,
            history_bytes_max_per_pipe: 1024 * 1024,
            recovery_bytes_max: 64 * 1_024 * 1_024,
        };
        let clock = Arc::new(SystemClock);
        let ear = Ear::new(256, Box::new(|| {}));
        let store = embedded::open(&store, vec![ear.clone()], clock.clone()).expect("memory needs no file");
        let node = Node::new(store, clock, Vec::new(), settings, Arc::new(Status::new()));
        let identity = Identity::open(&config).expect("a certificate is made");
        let listener = runtime.block_on(mysql::bind(&config)).expect("port 0 is free");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = watch::channel(false);
        let serve = mysql::serve(listener, Some(identity.clone()), node.clone(), config, stopped);
        let served = Some(runtime.spawn(serve));
        Server { address, node, identity, ear, stop, served, runtime }
    }

    pub fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until nobody is served any more.
    pub fn wait(&mut self) {
        if let Some(served) = self.served.take() {
            self.runtime.block_on(served).expect("serving does not panic");
        }
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}
