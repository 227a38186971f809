//! A way from one node to its Redis that can be cut: everything the node says and hears goes through here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What becomes of what goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Open,
    /// Each piece arrives so much later.
    Slow(Duration),
    /// Nothing arrives and nothing is closed, as behind a cable that was pulled. When it is open again, what was on its way
    /// arrives.
    Silent,
    /// All connections are closed, and so is each new one.
    Closed,
}

pub struct Proxy {
    /// Where the node connects.
    pub address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Proxy {
    /// A way to the server behind a socket in the file system, which need not be there yet.
    pub async fn to(socket: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a port");
        let (way, of_way) = watch::channel(Way::Open);
        tokio::spawn(accept(listener, socket, of_way));
        Proxy { address, way }
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// What the setting `store` says.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, way: watch::Receiver<Way>) {
    let mut ended = way.clone();
    loop {
        let node = tokio::select! {
            accepted = listener.accept() => accepted.expect("a listener").0,
            // Of a proxy that is dropped.
            _ = ended.wait_for(|_| false) => return,
        };
        tokio::spawn(connection(node, socket.clone(), way.clone()));
    }
}

/// One connection, until either side or the way is closed.
async fn connection(node: TcpStream, socket: PathBuf, mut way: watch::Receiver<Way>) {
    // Who connects while nothing arrives waits for his first answer.
    let is_passed = |way: &Way| *way != Way::Silent;
    if way.wait_for(is_passed).await.map_or(true, |way| *way == Way::Closed) {
        return;
    }
    let Ok(server) = UnixStream::connect(socket).await else { return };
    node.set_nodelay(true).expect("a socket");
    let (from_node, to_node) = node.into_split();
    let (from_server, to_server) = server.into_split();
    let mut closing = way.clone();
    tokio::select! {
        () = pass(from_node, to_server, way.clone()) => {}
        () = pass(from_server, to_node, way) => {}
        _ = closing.wait_for(|way| *way == Way::Closed) => {}
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut way: watch::Receiver<Way>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        loop {
            let now = *way.borrow_and_update();
            match now {
                Way::Open | Way::Closed => break,
                // Its time is over, unless the way changes meanwhile.
                Way::Slow(delay) if tokio::time::timeout(delay, way.changed()).await.is_err() => break,
                Way::Slow(_) => {}
                Way::Silent if way.changed().await.is_err() => return,
                Way::Silent => {}
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
