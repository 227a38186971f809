//! Asks a node whether it answers, as the health check of a container does: an image need not bring a client for that.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for a connection, for a part of the answer, and for the request to be taken.
const WAIT: Duration = Duration::from_secs(3);
/// A node's answer is shorter; a stranger's need not be read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// What the node that listens there says of itself, in a line. Where it listens at every address, it is asked at loopback.
///
/// # Errors
/// Nobody answers there, or somebody else; in one line.
pub fn ask(listen: SocketAddr) -> Result<String, String> {
    let address = SocketAddr::new(within_reach(listen.ip()), listen.port());
    let answer = answer_of(address).map_err(|error| format!("no node answers at {address}: {error}"))?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") && head.contains("\r\nServer: cometql\r\n") => {
            Ok(body.trim().to_owned())
        }
        _ => Err(format!("what answers at {address} is no node; name its address with ws_listen (--ws-listen)")),
    }
}

fn within_reach(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

fn answer_of(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&address, WAIT)?;
    socket.set_read_timeout(Some(WAIT))?;
    socket.set_write_timeout(Some(WAIT))?;
    socket.write_all(format!("GET /info HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
