//! The MySQL wire: what a stock client says, and what it hears.
//!
//! In reading order: [`listener`] accepts, `login` lets in, `connection` answers commands one after the other,
//! `query` and `statements` run texts and prepared statements, `reply` and `binary` encode what comes back.
//! `packet` cuts and joins packets, `stream` is the only file that owns a socket.

use std::net::SocketAddr;
use std::path::PathBuf;

mod listener;
mod stream;
mod packet;
mod fields;
mod greeting;
mod login;
mod login_packet;
mod scramble;
pub mod tls;
mod connection;
mod command;
mod query;
mod statements;
mod prepared;
mod execute;
mod reply;
mod binary;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use listener::{bind, serve};
pub use tls::Identity;

/// Prepared statements of one connection.
pub const PREPARED_STATEMENTS_MAX: usize = 16_382;
/// The texts of all prepared statements of one connection together, in bytes.
pub const PREPARED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Cursors one connection has open: each holds a page of rows.
pub const CURSORS_MAX: usize = 64;
/// A client that takes nothing of its reply for so long is disconnected, in seconds.
pub const STALLED_WRITE_SECONDS_MAX: u64 = 60;
/// How long statements that run may go on when the node stops, in seconds.
pub const STOP_SECONDS_MAX: u64 = 5;

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
