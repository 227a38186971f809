//! Where Redis is: one server, what Sentinels look after, or a cluster; and as whom to log in.

use std::fmt;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Where Sentinels listen when nothing else is said.
const SENTINEL_PORT: u16 = 26_379;

/// What the setting `store` says.
#[derive(Clone, Debug)]
pub enum Address {
    One(Place),
    Sentinels(Watched),
    /// Servers that know the others.
    Cluster(Vec<Place>),
}

/// A primary whose place Sentinels know.
#[derive(Clone, Debug)]
pub struct Watched {
    pub sentinels: Vec<Place>,
    /// What they call it.
    pub name: String,
    /// How to log in there; it stands nowhere yet.
    pub primary: Place,
}

/// One server, and as whom to log in.
#[derive(Clone)]
pub struct Place {
    pub info: ConnectionInfo,
    pub tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Address {
    /// Of a URL: `redis://[user:password@]host:port/db`, `redis+unix:///path`,
    /// `redis+sentinel://[user:password@]host:port,…/name/db`, `redis+cluster://[user:password@]host:port,…`; with TLS
    /// `rediss`.
    pub fn parse(url: &str) -> Result<Address, String> {
        if url.contains('#') {
            return Err("a Redis behind TLS is asked who it is, and nothing else stands behind a #".into());
        }
        match url.split_once("://") {
            Some((scheme @ ("redis+sentinel" | "rediss+sentinel"), rest)) => {
                Parts::of(rest).sentinels(plain(scheme)).map(Address::Sentinels)
            }
            Some((scheme @ ("redis+cluster" | "rediss+cluster"), rest)) => {
                Parts::of(rest).cluster(plain(scheme)).map(Address::Cluster)
            }
            _ => Place::parse(url).map(Address::One),
        }
    }
}

/// The scheme of one of the servers.
fn plain(scheme: &str) -> &str {
    scheme.split('+').next().unwrap_or(scheme)
}

/// A URL that names several hosts, behind its scheme.
struct Parts<'u> {
    /// With the `@` behind it, or nothing.
    login: &'u str,
    hosts: Vec<&'u str>,
    path: Vec<&'u str>,
    query: Vec<(&'u str, &'u str)>,
}

impl<'u> Parts<'u> {
    fn of(rest: &'u str) -> Parts<'u> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Parts {
            login,
            hosts: hosts.split(',').collect(),
            path: path.split('/').filter(|part| !part.is_empty()).collect(),
            query: query.split('&').filter(|pair| !pair.is_empty()).map(|pair| halves(pair, '=')).collect(),
        }
    }

    fn sentinels(self, scheme: &str) -> Result<Watched, String> {
        let (name, db) = match self.path.as_slice() {
            [name] => (*name, "0"),
            [name, db] => (*name, *db),
            _ => {
                return Err("behind the Sentinels stands what they call the primary, and perhaps a database: \
                            redis+sentinel://host:26379,host:26379/name/0"
                    .into());
            }
        };
        let mut login = ["", ""];
        for (key, value) in self.query {
            match key {
                "sentinel_user" => login[0] = value,
                "sentinel_password" => login[1] = value,
                _ => return Err(format!("{key} is not known there, only sentinel_user and sentinel_password")),
            }
        }
        let login = if login == ["", ""] { String::new() } else { login.join(":") + "@" };
        let sentinel = |host: &&str| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
            Place::parse(&format!("{scheme}://{login}{host}{port}"))
        };
        let sentinels = self.hosts.iter().map(sentinel).collect::<Result<_, _>>()?;
        let primary = Place::parse(&format!("{scheme}://{}localhost/{db}", self.login))?;
        Ok(Watched { sentinels, name: name.to_owned(), primary })
    }

    fn cluster(self, scheme: &str) -> Result<Vec<Place>, String> {
        if !self.path.is_empty() || !self.query.is_empty() {
            return Err("a Redis Cluster has one database, and nothing stands behind its servers".into());
        }
        self.hosts.iter().map(|host| Place::parse(&format!("{scheme}://{}{host}", self.login))).collect()
    }
}

fn halves(pair: &str, between: char) -> (&str, &str) {
    pair.split_once(between).unwrap_or((pair, ""))
}

impl Place {
    fn parse(url: &str) -> Result<Place, String> {
        // TLS is ours; the crate would have to be built with a second one.
        let (plain, has_tls) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let parsed = plain.as_str().into_connection_info();
        let mut info = parsed.map_err(|error| format!("this is no address of a Redis: {error}"))?;
        let tls = match &info.addr {
            ConnectionAddr::Tcp(host, _) if has_tls => Some((connector()?, server_name(host)?)),
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) => None,
            ConnectionAddr::TcpTls { .. } => return Err("TLS begins with rediss://".into()),
        };
        info.redis.protocol = ProtocolVersion::RESP3;
        Ok(Place { info, tls })
    }

    /// Another server, which is logged in to in the same way.
    pub fn at(&self, host: &str, port: u16) -> Result<Place, String> {
        let mut place = self.clone();
        place.info.addr = ConnectionAddr::Tcp(host.to_owned(), port);
        if let Some((_, name)) = &mut place.tls {
            *name = server_name(host)?;
        }
        Ok(place)
    }

    /// The host, if it has one.
    pub fn host(&self) -> Option<&str> {
        match &self.info.addr {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => Some(host),
            ConnectionAddr::Unix(_) => None,
        }
    }

    /// Whether this is the same server.
    pub fn is(&self, other: &Place) -> bool {
        self.info.addr == other.info.addr
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name that a certificate could have"))
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

/// Without user and password.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (db, scheme) = (self.info.redis.db, self.scheme());
        match &self.info.addr {
            ConnectionAddr::Unix(path) => write!(out, "redis+unix://{}?db={db}", path.display()),
            _ => write!(out, "{scheme}://{}/{db}", HostAndPort(self)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Place({self})")
    }
}

impl Place {
    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "rediss" } else { "redis" }
    }
}

struct HostAndPort<'p>(&'p Place);

impl fmt::Display for HostAndPort<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.info.addr {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
                write!(out, "[{host}]:{port}")
            }
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => write!(out, "{host}:{port}"),
            ConnectionAddr::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

/// Without users and passwords.
impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |places: &[Place]| {
            let places: Vec<String> = places.iter().map(|place| HostAndPort(place).to_string()).collect();
            places.join(",")
        };
        match self {
            Address::One(place) => place.fmt(out),
            Address::Sentinels(Watched { sentinels, name, primary }) => {
                let (scheme, db) = (primary.scheme(), primary.info.redis.db);
                write!(out, "{scheme}+sentinel://{}/{name}/{db}", list(sentinels))
            }
            Address::Cluster(seeds) => {
                let scheme = seeds.first().map_or("redis", Place::scheme);
                write!(out, "{scheme}+cluster://{}", list(seeds))
            }
        }
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
            ("redis+sentinel://a,b:7/main", "redis+sentinel://a:26379,b:7/main/0"),
            (
                "rediss+sentinel://me:secret@a:1,[::1]:2/main/3?sentinel_user=x&sentinel_password=secret",
                "rediss+sentinel://a:1,[::1]:2/main/3",
            ),
            ("redis+cluster://me:secret@a:1,b", "redis+cluster://a:1,b:6379"),
            ("rediss+cluster://a", "rediss+cluster://a:6379"),
        ];
        for (url, shown) in cases {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("secret"));
        }
    }

    #[test]
    fn sentinels_and_the_primary_have_each_their_own_login() {
        let of = |url: &str| {
            let Ok(Address::Sentinels(watched)) = Address::parse(url) else { panic!("{url} names no Sentinels") };
            let login = |place: &Place| {
                let redis = &place.info.redis;
                [&redis.username, &redis.password].map(|text| text.clone().unwrap_or_default())
            };
            assert_eq!(watched.name, "main");
            (login(&watched.sentinels[0]), login(&watched.primary), watched.primary.info.redis.db)
        };
        let none = [String::new(), String::new()];
        let one = |user: &str, password: &str| [user.to_owned(), password.to_owned()];
        assert_eq!(of("redis+sentinel://a/main"), (none.clone(), none.clone(), 0));
        assert_eq!(of("redis+sentinel://me:p%40ss@a/main/2"), (none.clone(), one("me", "p@ss"), 2));
        let both = "redis+sentinel://me:p@a/main?sentinel_user=s&sentinel_password=%2F";
        assert_eq!(of(both), (one("s", "/"), one("me", "p"), 0));
        assert_eq!(of("redis+sentinel://a/main?sentinel_password=s"), (one("", "s"), none, 0));
    }

    #[test]
    fn what_is_no_address_is_refused_and_so_is_tls_that_trusts_anybody() {
        for url in [
            "",
            "http://127.0.0.1",
            "redis://me:secret@host:port",
            "rediss://127.0.0.1/#insecure",
            "localhost:6379",
            "redis+sentinel://me:secret@a:1,b:2",
            "redis+sentinel://me:secret@/main",
            "redis+sentinel://a/main/0/1",
            "redis+sentinel://a/main/secret",
            "redis+sentinel://a/main?password=secret",
            "redis+cluster://me:secret@a:port",
            "redis+cluster://a,,b",
            "redis+cluster://a/1",
            "redis+unix+cluster:///run/redis.sock",
        ] {
            let Err(why) = Address::parse(url) else { panic!("{url} is an address") };
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
