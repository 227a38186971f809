//! Nodes over one store, and what all of it has used.

use std::io::Write;
use std::net::TcpStream;

use crate::node::{Node, PASSWORD};
use crate::publisher;
use crate::redis::Redis;

pub const MESSAGE_BYTES: usize = 128;

/// How one begins.
pub type Begin = fn() -> House;

pub struct House {
    pub nodes: Vec<Node>,
    pub servers: Vec<Redis>,
}

/// Processor time so far, in microseconds.
pub struct Used {
    pub nodes: Vec<u64>,
    pub redis: u64,
}

impl House {
    pub fn embedded() -> House {
        House { nodes: vec![Node::start(&["--ping-seconds", "3600"])], servers: Vec::new() }
    }

    /// So many nodes over one Redis.
    pub fn over_redis(nodes: usize) -> House {
        let redis = Redis::start().expect("redis-server starts; tests/run installs it");
        House::at(nodes, &redis.address(), vec![redis])
    }

    /// So many nodes over a Redis Cluster of three primaries.
    pub fn over_cluster(nodes: usize) -> House {
        let servers = Redis::cluster(3).expect("redis-server starts; tests/run installs it");
        House::at(nodes, &servers[0].cluster_address(), servers)
    }

    pub fn at(nodes: usize, store: &str, servers: Vec<Redis>) -> House {
        // Pings would count as messages.
        let flags = ["--ping-seconds", "3600", "--store", store];
        House { nodes: (0..nodes).map(|_| Node::start(&flags)).collect(), servers }
    }

    pub fn used(&self) -> Used {
        let nodes = self.nodes.iter().map(Node::cpu_micros).collect();
        Used { nodes, redis: self.servers.iter().map(Redis::cpu_micros).sum() }
    }

    pub fn publisher(&self, node: usize) -> Publisher {
        Publisher(publisher::connect(self.nodes[node].sql, PASSWORD))
    }
}

impl Used {
    /// What was used since then.
    pub fn since(&self, before: &Used) -> Used {
        let nodes = self.nodes.iter().zip(&before.nodes).map(|(after, before)| after - before).collect();
        Used { nodes, redis: self.redis - before.redis }
    }
}

/// A client that says one statement after the other and waits for each OK.
pub struct Publisher(TcpStream);

impl Publisher {
    pub fn publish(&mut self, pipe: &str, text: &str) {
        self.say(&insert(pipe, text));
    }

    /// Sends it; the OK is read by [`Publisher::end`].
    pub fn begin(&mut self, pipe: &str, text: &str) {
        self.send(&insert(pipe, text));
    }

    pub fn say(&mut self, statement: &str) {
        self.send(statement);
        self.end();
    }

    fn send(&mut self, statement: &str) {
        self.0.write_all(&publisher::query(statement)).expect("the node reads");
    }

    pub fn end(&mut self) {
        let answer = publisher::packet(&mut self.0);
        assert_eq!(answer[0], 0, "refused: {}", String::from_utf8_lossy(&answer));
    }
}

fn insert(pipe: &str, text: &str) -> String {
    format!("INSERT INTO pipes_messages (name, event, message) VALUES ('{pipe}', 'tick', '{text}')")
}
