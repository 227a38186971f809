//! The socket of one client: packets in, packets out, and how long either may take.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::tables::Encryption;

use super::STALLED_WRITE_SECONDS_MAX;
use super::packet::{FramingError, Packer, Packet, Unpacker};
use super::tls::Identity;

/// What one read takes from the socket, in bytes.
const READ_BYTES_MAX: usize = 16 * 1024;
/// Replies leave when so many bytes are packed, or when no command waits.
const PACKED_BYTES_MAX: usize = 64 * 1024;
/// After an error that ends the connection, so much of what the client still sends is thrown away so that it
/// can read the error, and for so long.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
const DISCARD_SECONDS_MAX: u64 = 1;

pub(super) struct Stream {
    socket: Socket,
    unpacker: Unpacker,
    pub replies: Packer,
    idle: Duration,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// On its way from one to the other, or lost on it.
    Neither,
}

/// Why nothing more comes from a client.
#[derive(Debug)]
pub(super) enum Broken {
    /// It went away, took nothing for too long, or sent nothing for too long.
    Gone,
    /// What it sent is no packet: it is told so and goes.
    Framing(FramingError),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken::Gone
    }
}

impl Stream {
    /// `idle` is the longest silence.
    pub(super) fn new(socket: TcpStream, payload_bytes_max: usize, idle: Duration) -> Stream {
        let unpacker = Unpacker::new(payload_bytes_max);
        Stream { socket: Socket::Plain(socket), unpacker, replies: Packer::default(), idle }
    }

    /// From now on the client may send this much, and be silent for so long.
    pub(super) fn allow(&mut self, payload_bytes_max: usize, idle: Duration) {
        self.unpacker.allow(payload_bytes_max);
        self.idle = idle;
    }

    /// The next packet, if it has arrived already.
    pub(super) fn arrived(&mut self) -> Result<Option<Packet>, Broken> {
        self.unpacker.next().map_err(Broken::Framing)
    }

    /// Waits for the next packet. Dropped half-way, it loses nothing.
    pub(super) async fn packet(&mut self) -> Result<Packet, Broken> {
        loop {
            if let Some(packet) = self.arrived()? {
                return Ok(packet);
            }
            self.receive(READ_BYTES_MAX).await?;
        }
    }

    /// Waits for the next packet and takes nothing behind it from the socket: what follows may be TLS.
    pub(super) async fn packet_alone(&mut self) -> Result<Packet, Broken> {
        loop {
            if let Some(packet) = self.arrived()? {
                return Ok(packet);
            }
            self.receive(self.unpacker.missing()).await?;
        }
    }

    /// The buffers exist from the first byte of a burst to its last: who waits in here holds none.
    async fn receive(&mut self, bytes_max: usize) -> Result<(), Broken> {
        let Stream { socket, unpacker, replies, idle } = self;
        let received = poll_fn(|context| {
            let mut chunk = [const { MaybeUninit::uninit() }; READ_BYTES_MAX];
            let mut chunk = ReadBuf::uninit(&mut chunk[..bytes_max.min(READ_BYTES_MAX)]);
            match Pin::new(&mut *socket).poll_read(context, &mut chunk) {
                Poll::Pending => {
                    unpacker.release();
                    replies.release();
                    Poll::Pending
                }
                Poll::Ready(Ok(())) => {
                    unpacker.receive(chunk.filled());
                    Poll::Ready(Ok(chunk.filled().len()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            }
        });
        match timeout(*idle, received).await {
            Ok(Ok(1..)) => Ok(()),
            _ => Err(Broken::Gone),
        }
    }

    /// Sends what is packed if that is much.
    pub(super) async fn flush_if_much(&mut self) -> Result<(), Broken> {
        if self.replies.packed().len() < PACKED_BYTES_MAX {
            return Ok(());
        }
        self.flush().await
    }

    /// Sends what is packed.
    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        let stalled = Duration::from_secs(STALLED_WRITE_SECONDS_MAX);
        while !self.replies.packed().is_empty() {
            let written = self.socket.write_buf(self.replies.packed());
            if timeout(stalled, written).await.map_err(|_| Broken::Gone)?? == 0 {
                return Err(Broken::Gone);
            }
        }
        timeout(stalled, self.socket.flush()).await.map_err(|_| Broken::Gone)??;
        Ok(())
    }

    /// Sends what is packed and closes.
    pub(super) async fn close(&mut self) {
        if self.flush().await.is_ok() {
            let _ = timeout(Duration::from_secs(DISCARD_SECONDS_MAX), self.socket.shutdown()).await;
        }
    }

    /// Sends what is packed and closes in such a way that a client that is still sending can read it: closing a
    /// socket with unread bytes would reset the connection.
    pub(super) async fn close_after_error(&mut self) {
        self.close().await;
        let socket = &mut self.socket;
        let mut discarded = 0;
        let discard = poll_fn(|context| {
            let mut chunk = [const { MaybeUninit::uninit() }; READ_BYTES_MAX];
            while discarded < DISCARDED_BYTES_MAX {
                let mut chunk = ReadBuf::uninit(&mut chunk);
                match Pin::new(&mut *socket).poll_read(context, &mut chunk) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) if !chunk.filled().is_empty() => discarded += chunk.filled().len(),
                    Poll::Ready(_) => break,
                }
            }
            Poll::Ready(())
        });
        let _ = timeout(Duration::from_secs(DISCARD_SECONDS_MAX), discard).await;
    }

    /// Goes on inside TLS. Nothing may have been read behind the client's request for it.
    pub(super) async fn upgrade(&mut self, identity: &Identity) -> Result<(), Broken> {
        let Socket::Plain(socket) = std::mem::replace(&mut self.socket, Socket::Neither) else {
            return Err(Broken::Gone);
        };
        let socket = identity.acceptor().accept(socket).await?;
        self.socket = Socket::Tls(Box::new(socket));
        Ok(())
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    pub(super) fn encryption(&self) -> Option<Encryption> {
        let Socket::Tls(socket) = &self.socket else { return None };
        let (_, connection) = socket.get_ref();
        let version = match connection.protocol_version()? {
            ProtocolVersion::TLSv1_2 => "TLSv1.2",
            _ => "TLSv1.3",
        };
        // rustls has TLS13_AES_256_GCM_SHA384.
        let suite = format!("{:?}", connection.negotiated_cipher_suite()?.suite());
        Some(Encryption { version: version.to_owned(), cipher: suite.replacen("TLS13_", "TLS_", 1) })
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Tls(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Neither => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Tls(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Neither => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(context),
            Socket::Tls(socket) => Pin::new(socket).poll_flush(context),
            Socket::Neither => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Neither => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
