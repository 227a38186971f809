//! One connection to Redis: the socket, TLS and the login.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, PushInfo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::gate::Gate;

/// Where Redis is, and as whom to log in.
#[derive(Clone)]
pub struct Address {
    info: ConnectionInfo,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Address {
    /// Of a URL: `redis://[user:password@]host:port/db`, `rediss://…` or `redis+unix:///path`.
    pub fn parse(url: &str) -> Result<Address, String> {
        if url.contains('#') {
            return Err("a Redis behind TLS is asked who it is, and nothing else stands behind a #".into());
        }
        // TLS is ours; the crate would have to be built with a second one.
        let (plain, has_tls) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let parsed = plain.as_str().into_connection_info();
        let mut info = parsed.map_err(|error| format!("this is no address of a Redis: {error}"))?;
        let tls = match &info.addr {
            ConnectionAddr::Tcp(host, _) if has_tls => {
                let name = ServerName::try_from(host.clone());
                Some((connector()?, name.map_err(|_| format!("{host} is no name that a certificate could have"))?))
            }
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) => None,
            ConnectionAddr::TcpTls { .. } => return Err("TLS begins with rediss://".into()),
        };
        info.redis.protocol = ProtocolVersion::RESP3;
        Ok(Address { info, tls })
    }

    async fn socket(&self) -> io::Result<Box<dyn Socket>> {
        match &self.info.addr {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                Ok(match &self.tls {
                    Some((connector, name)) => Box::new(connector.connect(name.clone(), socket).await?),
                    None => Box::new(socket),
                })
            }
            ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }
}

/// Without user and password.
impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let db = self.info.redis.db;
        match &self.info.addr {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
                write!(out, "{scheme}://{host}:{port}/{db}")
            }
            ConnectionAddr::Unix(path) => write!(out, "redis+unix://{}?db={db}", path.display()),
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Address({self})")
    }
}

/// TLS with whom the system trusts.
fn connector() -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(
            "this system trusts no certificates: install ca-certificates, or name a file in SSL_CERT_FILE".into()
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be had: {error}"))?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A connection, and the task that moves its bytes; both end together.
pub struct Connection {
    pub commands: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects and logs in. What Redis says unasked goes through the gate.
    pub async fn open(address: &Address, gate: Option<Arc<Gate>>, wait: Duration) -> Result<Connection, String> {
        let opening = async {
            let socket = address.socket().await.map_err(|error| error.to_string())?;
            let config = AsyncConnectionConfig::new();
            let config = match &gate {
                Some(gate) => {
                    let gate = Arc::clone(gate);
                    config.set_push_sender(move |push: PushInfo| gate.enter(push))
                }
                None => config,
            };
            let socket = Gated { socket, gate };
            let login = &address.info.redis;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let cases = [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
            ("redis://me:secret@redis.example:6380/3", "redis://redis.example:6380/3"),
            ("rediss://:secret@redis.example/1", "rediss://redis.example:6379/1"),
            ("redis+unix:///run/redis.sock?db=2&pass=secret", "redis+unix:///run/redis.sock?db=2"),
        ];
        for (url, shown) in cases {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("secret"));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_so_is_tls_that_trusts_anybody() {
        for url in
            ["", "http://127.0.0.1", "redis://me:secret@host:port", "rediss://127.0.0.1/#insecure", "localhost:6379"]
        {
            let Err(why) = Address::parse(url) else { panic!("{url} is an address") };
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
