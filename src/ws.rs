//! The browsers' wire: HTTP and WebSocket on one port. One listener deals its connections to the shards.

pub mod codec;
pub mod health;
pub mod http;
pub mod page;
pub mod proxies;
pub mod reactor;
pub mod script;
pub mod shard;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use self::http::Site;
use self::proxies::TrustedProxies;
use self::reactor::{Mail, Mailbox, Post, Reactor};
use self::shard::{Shard, ShardPlace};
use crate::node::{self, Ear, Node};
use crate::status::Status;

#[derive(Clone, Debug)]
pub struct Config {
    /// Where browsers connect.
    pub listen: SocketAddr,
    /// Who is believed what he says about a browser's address.
    pub trusted_proxies: TrustedProxies,
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
    /// When the node stops, those who understand it have so long to move to another, in seconds.
    pub drain_seconds_max: u64,
    /// Room for news on their way to one shard, in bytes; publishers wait when it is full.
    pub ear_bytes_max: usize,
}

/// Most connections that wait to be accepted, or fewer if the system allows fewer (`net.core.somaxconn`). Who finds
/// this queue full tries again after a second, then two, then four: when everybody comes back at once it must be long.
pub const UNACCEPTED_MAX: u32 = 65_535;

/// So many connections are accepted beyond the most that a node may have. They get plain answers, and no WebSocket: who
/// asks whether the node is well must not be told by a broken connection that it is full.
pub const BEYOND_MAX: usize = 64;

/// Opens the port that `config` names. Must be called within a runtime.
pub fn bind(config: &Config) -> io::Result<TcpListener> {
    let socket = if config.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A node that starts again need not wait for what is left of its connections.
    socket.set_reuseaddr(true)?;
    socket.bind(config.listen)?;
    socket.listen(UNACCEPTED_MAX)
}

/// The shards' letter boxes. They are made first, because the store is opened with the ears among them.
pub struct Posts(Vec<Post>);

impl Posts {
    pub fn new(config: &Config) -> io::Result<Posts> {
        // The number of a shard is a byte.
        let count = match config.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        (0..count.min(256)).map(|_| Post::new(config.ear_bytes_max)).collect::<io::Result<Vec<Post>>>().map(Posts)
    }

    /// The shards, as the node knows them.
    pub fn shards(&self) -> Vec<Arc<dyn node::Shard>> {
        self.0.iter().map(|post| Arc::clone(&post.mailbox) as Arc<dyn node::Shard>).collect()
    }

    pub fn ears(&self) -> Vec<Arc<Ear>> {
        self.0.iter().map(|post| Arc::clone(&post.ear)).collect()
    }
}

/// Serves browsers until `stop` says so and all of them are gone.
pub async fn serve(
    listener: TcpListener,
    posts: Posts,
    site: Site,
    node: Arc<Node>,
    status: Arc<Status>,
    config: &Config,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let site = Arc::new(site);
    let mailboxes: Vec<Arc<Mailbox>> = posts.0.iter().map(|post| Arc::clone(&post.mailbox)).collect();
    let mut threads = Vec::new();
    // Many nodes may share a store, and what one connection sends must not be taken for another's.
    let mark = node.mark_of_connections(getrandom::u32().map_err(io::Error::other)?);
    for (number, post) in (0..=u8::MAX).zip(posts.0) {
        let place = ShardPlace { node: mark, shard: number };
        let shard = Shard::new(place, config, Arc::clone(&site), Arc::clone(&status));
        let reactor = Reactor::new(post, shard, Arc::clone(&node), tokio::runtime::Handle::current());
        threads.push(std::thread::Builder::new().name(format!("shard {number}")).spawn(move || reactor.run())?);
    }
    tokio::select! {
        () = deal(listener, &mailboxes, &status, config.connections_max) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    mailboxes.iter().for_each(|mailbox| mailbox.post(Mail::Stop));
    tokio::task::spawn_blocking(move || join(threads)).await.map_err(io::Error::other)?
}

fn join(threads: Vec<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    for thread in threads {
        thread.join().map_err(|_| io::Error::other("a shard has crashed"))??;
    }
    Ok(())
}

/// Accepts connections and gives each shard its share.
async fn deal(listener: TcpListener, mailboxes: &[Arc<Mailbox>], status: &Status, connections_max: usize) {
    for mailbox in mailboxes.iter().cycle() {
        let socket = accept(&listener).await;
        let count = usize::try_from(status.browser_sockets()).unwrap_or(usize::MAX);
        if count >= connections_max.saturating_add(BEYOND_MAX) {
            tracing::warn!("a connection is refused: there are {BEYOND_MAX} more than ws_connections_max already");
            continue;
        }
        status.browser_sockets_changed(1);
        let is_beyond = count >= connections_max;
        mailbox.post(if is_beyond { Mail::AcceptedBeyond(socket) } else { Mail::Accepted(socket) });
    }
}

/// The next connection, ready for a poll. When the system has none to give (no file descriptors, say) it is asked
/// again a little later; those who are connected do not notice.
async fn accept(listener: &TcpListener) -> std::net::TcpStream {
    loop {
        let accepted = match listener.accept().await {
            Ok((socket, _)) => socket.set_nodelay(true).and_then(|()| socket.into_std()),
            Err(error) => Err(error),
        };
        match accepted {
            Ok(socket) => return socket,
            Err(error) => {
                tracing::warn!("a browser could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
