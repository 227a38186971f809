//! Accepts SQL clients, refuses those who are too many, and sees them off when the node stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::node::Node;
use crate::tables::SqlError;

use super::connection::told;
use super::login::{Door, login};
use super::packet::Packer;
use super::scramble::Salt;
use super::stream::Stream;
use super::{Config, Identity, STOP_SECONDS_MAX, reply};

/// How long to wait when the system has no more sockets to give.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Most connections that wait to be accepted, or fewer if the system allows fewer (`net.core.somaxconn`). Who finds
/// this queue full tries again after a second: backends that connect for each request come in bursts.
const UNACCEPTED_MAX: u32 = 65_535;

/// Opens the port that `config` names.
///
/// # Errors
/// The address is taken or not ours.
pub async fn bind(config: &Config) -> io::Result<TcpListener> {
    listen(config.listen).map_err(|error| {
        let message = format!("SQL clients cannot be awaited at {}: {error}", config.listen);
        io::Error::new(error.kind(), message)
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A node that starts again need not wait for what is left of its connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(UNACCEPTED_MAX)
}

/// Serves SQL clients until `stop` becomes true (or its sender is gone): nobody new is let in, who waits is
/// disconnected, and statements that run may go on for [`STOP_SECONDS_MAX`]. TLS is on offer with an `identity`.
pub async fn serve(
    listener: TcpListener,
    identity: Option<Arc<Identity>>,
    node: Arc<Node>,
    config: Config,
    mut stop: watch::Receiver<bool>,
) {
    let mut house = House {
        rooms: Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS))),
        identity,
        node,
        config: Arc::new(config),
        stop: stop.clone(),
    };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, tls = house.identity.is_some(), "SQL clients are welcome");
    }
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = told(&mut stop) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => house.receive(socket, peer, &mut connections),
                Err(error) => {
                    tracing::warn!(%error, "a SQL client could not be accepted");
                    sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
    drop(listener);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(Duration::from_secs(STOP_SECONDS_MAX), all_gone).await.is_err() {
        tracing::info!(clients = connections.len(), "statements that still run are given up");
    }
    connections.shutdown().await;
}

struct House {
    rooms: Arc<Semaphore>,
    identity: Option<Arc<Identity>>,
    node: Arc<Node>,
    config: Arc<Config>,
    stop: watch::Receiver<bool>,
}

impl House {
    fn receive(&mut self, socket: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let Ok(room) = self.rooms.clone().try_acquire_owned() else { return refuse(&socket, peer) };
        let salt = match Salt::random() {
            Ok(salt) => salt,
            Err(error) => return tracing::error!(%error, "the system gives no random bytes"),
        };
        let door = Door {
            node: self.node.clone(),
            config: self.config.clone(),
            identity: self.identity.clone(),
            connection_id: self.node.number_for_client(),
            host: peer.ip().to_canonical().to_string(),
            salt,
        };
        connections.spawn(stay(socket, door, self.stop.clone(), room));
    }
}

/// The stay of one client, from the greeting to its end.
async fn stay(socket: TcpStream, door: Door, mut stop: watch::Receiver<bool>, room: OwnedSemaphorePermit) {
    // Replies are whole when they are written: waiting for more would only delay them.
    let _ = socket.set_nodelay(true);
    let silence_max = Duration::from_secs(door.config.login_seconds_max);
    let stream = Stream::new(socket, door.config.login_packet_bytes_max, silence_max);
    let (node, connection_id) = (door.node.clone(), door.connection_id);
    let connection = tokio::select! {
        biased;
        () = told(&mut stop) => None,
        connection = Box::pin(login(door, stream)) => connection,
    };
    if let Some(connection) = connection {
        tracing::debug!(client = connection_id, "logged in");
        let _counted = Counted::new(node);
        connection.serve(stop).await;
        tracing::debug!(client = connection_id, "gone");
    }
    drop(room);
}

/// Counts a client for as long as it lives.
struct Counted(Arc<Node>);

impl Counted {
    fn new(node: Arc<Node>) -> Counted {
        node.status().sql_clients_changed(1);
        Counted(node)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.status().sql_clients_changed(-1);
    }
}

/// One write into the empty buffer of a new socket: nobody waits for it.
fn refuse(socket: &TcpStream, peer: SocketAddr) {
    tracing::debug!(%peer, "too many SQL clients");
    let _ = socket.try_write(&too_many());
}

fn too_many() -> BytesMut {
    let mut packer = Packer::default();
    packer.packet(|out| reply::error(out, &SqlError::new(1040, "08004", "Too many connections")));
    std::mem::take(packer.packed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_too_many_hears_it_instead_of_a_greeting() {
        assert_eq!(&too_many()[..], b"\x1d\0\0\0\xff\x10\x04#08004Too many connections");
    }
}
