//! The browsers' wire: HTTP and WebSocket on one port.

pub mod page;

use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub struct Config {
    /// Where browsers connect.
    pub listen: SocketAddr,
    /// Threads that serve browsers; 0 is one a core.
    pub shards: usize,
    /// How long a first request may take to arrive, in seconds.
    pub handshake_seconds_max: u64,
    /// Longest first request, in bytes.
    pub request_bytes_max: usize,
    /// Longest message a browser may send, in bytes.
    pub message_bytes_max: usize,
    /// A browser is pinged this often, in seconds, and dropped when it has not been heard of for twice as long.
    pub ping_seconds: u64,
    /// What may wait for a browser behind the frame being sent, in bytes; past it the browser is too slow.
    pub outbox_bytes_max: usize,
    /// Most subscriptions of one connection.
    pub subscriptions_max: usize,
    /// Most connections of a node.
    pub connections_max: usize,
    /// Room for news on their way to one shard, in bytes; publishers wait when it is full.
    pub ear_bytes_max: usize,
}
