//! The MySQL wire.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Config {
    /// Where SQL clients connect.
    pub listen: SocketAddr,
    /// Longest packet of a client that has logged in, in bytes (`max_allowed_packet`).
    pub packet_bytes_max: usize,
    /// Longest packet of a client that has not, in bytes.
    pub login_packet_bytes_max: usize,
    /// How long a login may take, in seconds.
    pub login_seconds_max: u64,
    /// A client that sends nothing for so long is disconnected, in seconds (`wait_timeout`).
    pub idle_seconds_max: u64,
    /// Most SQL clients at a time; one more is refused with error 1040.
    pub connections_max: usize,
    /// PEM files of the certificate chain and its key; without them the node makes its own certificate.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where a certificate the node makes is kept; `None` keeps it in memory.
    pub certificate_directory: Option<PathBuf>,
}
