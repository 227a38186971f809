//! One connection to one server: the socket, TLS and the login.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, PushInfo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::address::Place;
use super::gate::{Gate, Inlet};

async fn socket(place: &Place) -> io::Result<Box<dyn Socket>> {
    match &place.info.addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            let socket = TcpStream::connect((host.as_str(), *port)).await?;
            socket.set_nodelay(true)?;
            Ok(match &place.tls {
                Some((connector, name)) => Box::new(connector.connect(name.clone(), socket).await?),
                None => Box::new(socket),
            })
        }
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A connection, and the task that moves its bytes; both end together.
pub struct Connection {
    pub commands: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects and logs in. What Redis says unasked goes through the inlet.
    pub async fn open(place: &Place, inlet: Option<Inlet>, wait: Duration) -> Result<Connection, String> {
        let opening = async {
            let socket = socket(place).await.map_err(|error| error.to_string())?;
            let gate = inlet.as_ref().map(|inlet| Arc::clone(inlet.gate()));
            let config = AsyncConnectionConfig::new();
            let config = match inlet {
                Some(inlet) => config.set_push_sender(move |push: PushInfo| inlet.enter(push)),
                None => config,
            };
            let socket = Gated { socket, gate };
            let login = &place.info.redis;
            let opened = MultiplexedConnection::new_with_config(login, socket, config).await;
            let (commands, driver) = opened.map_err(|error| error.to_string())?;
            Ok(Connection { commands, driver: tokio::spawn(driver) })
        };
        let late = |_| format!("it has not answered within {} ms", wait.as_millis());
        tokio::time::timeout(wait, opening).await.map_err(late)?
    }

    /// Waits until the connection has broken.
    pub async fn broken(&mut self) {
        // How the task ended makes no difference.
        let _ = (&mut self.driver).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A socket that is not read while too much of what came by it has not been heard.
struct Gated {
    socket: Box<dyn Socket>,
    gate: Option<Arc<Gate>>,
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(gate) = &self.gate
            && gate.poll_open(context).is_pending()
        {
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
