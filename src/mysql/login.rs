//! From the greeting to the OK: TLS if the client wants it, then the proof that it knows the password.
//! What each client sends, and the rules that let all of them in, were captured from the clients themselves.

use std::sync::Arc;
use std::time::Duration;

use mysql_common::constants::CapabilityFlags;
use tokio::time::timeout;

use crate::node::Node;
use crate::tables::{Caller, Login, SqlError};
use crate::user::TenantId;

use super::connection::{Connection, Failure};
use super::greeting::{self, UTF8MB4_GENERAL_CI, write_auth_switch};
use super::login_packet::{FirstPacket, LoginPacket, parse};
use super::packet::Packet;
use super::scramble::{
    CACHING_SHA2, CACHING_SHA2_PROOF_BYTES, NATIVE, NATIVE_PROOF_BYTES, Salt, caching_sha2_proves, certificate_proof,
    native_proves,
};
use super::stream::Stream;
use super::{Config, Identity};

/// Users whose name begins so may log in without a password, and do nothing: health checks of HAProxy.
const HEALTH_CHECK: &str = "haproxy_check";
/// What an error repeats of a user's name, in characters.
const SHOWN_NAME_CHARACTERS_MAX: usize = 64;
/// caching_sha2_password: "your proof is right, no need to see the password itself".
const FAST_AUTH_OK: &[u8] = &[1, 3];

/// What one connection's logins are checked against.
pub(super) struct Door {
    pub node: Arc<Node>,
    pub config: Arc<Config>,
    pub identity: Option<Arc<Identity>>,
    pub connection_id: u32,
    /// The peer's address.
    pub host: String,
    pub salt: Salt,
}

/// Somebody whom the door let in.
pub(super) struct Admitted {
    pub user: String,
    /// None for a health check, which may run nothing.
    pub caller: Option<Caller>,
    pub capabilities: CapabilityFlags,
    pub collation: u16,
    /// What the OK of the login says besides.
    pub info: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Right(Plugin),
    Wrong,
    /// There is no proof to judge yet: the client is asked for one by this plugin.
    Ask(Plugin),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plugin {
    Native,
    CachingSha2,
}

/// Greets a client and answers the connection it has when it has logged in; who does not get in is told why.
pub(super) async fn login(door: Door, mut stream: Stream) -> Option<Connection> {
    let seconds_max = Duration::from_secs(door.config.login_seconds_max);
    match timeout(seconds_max, let_in(&door, &mut stream)).await {
        Ok(Ok(admitted)) => Some(Connection::new(door, stream, admitted)),
        Ok(Err(failure)) => {
            if let Failure::Sql(error) = &failure {
                tracing::debug!(host = door.host, code = error.code, "login refused");
            }
            failure.tell(&mut stream).await;
            None
        }
        Err(_) => {
            tracing::debug!(host = door.host, "login took too long");
            None
        }
    }
}

async fn let_in(door: &Door, stream: &mut Stream) -> Result<Admitted, Failure> {
    let offered = greeting::capabilities(door.identity.is_some());
    stream.replies.packet(|out| greeting::write(out, door.connection_id, &door.salt, offered));
    stream.flush().await?;
    let packet = stream.packet_alone().await?;
    let mut first = read(&packet, stream)?;
    if let (FirstPacket::TlsRequest, Some(identity)) = (&first, &door.identity) {
        stream.upgrade(identity).await?;
        let packet = stream.packet().await?;
        first = read(&packet, stream)?;
    }
    match first {
        FirstPacket::Login(login) if login.capabilities.contains(CapabilityFlags::CLIENT_COMPRESS) => {
            // PHP's mysqlnd and Connector/Python compress when told to, whatever the greeting says, and would wait
            // for ever; others ask for compression only where it is on offer.
            Err(bad_handshake("compression is not on offer here: switch it off in the driver").into())
        }
        FirstPacket::Login(mut login) => {
            login.capabilities &= offered;
            door.admit(stream, login).await
        }
        FirstPacket::Ancient { user } if user.starts_with(HEALTH_CHECK) => {
            Ok(Admitted::health_check(user, CapabilityFlags::empty(), u16::from(UTF8MB4_GENERAL_CI)))
        }
        FirstPacket::Ancient { .. } => Err(bad_handshake("the client speaks a protocol from before MySQL 4.1").into()),
        FirstPacket::TlsRequest => Err(bad_handshake("TLS was asked for where it is not on offer").into()),
    }
}

fn read(packet: &Packet, stream: &mut Stream) -> Result<FirstPacket, Failure> {
    in_order(packet, stream)?;
    parse(&packet.payload).map_err(|_| bad_handshake("the login packet ends too early").into())
}

/// The packet's number is the next; the reply will carry the one after.
fn in_order(packet: &Packet, stream: &mut Stream) -> Result<(), Failure> {
    let expected = stream.replies.next_sequence();
    stream.replies.answer(packet.last_sequence);
    if packet.first_sequence == expected {
        return Ok(());
    }
    Err(SqlError::new(1156, "08S01", "Got packets out of order").into())
}

impl Door {
    /// Lets a login in whose proof is right, asking for another proof if need be.
    pub(super) async fn admit(&self, stream: &mut Stream, login: LoginPacket) -> Result<Admitted, Failure> {
        if login.proof.is_empty() && login.user.starts_with(HEALTH_CHECK) {
            return Ok(Admitted::health_check(login.user, login.capabilities, login.collation));
        }
        let tenant = tenant(&login.user);
        // Whoever is nobody is judged too: both mistakes take the same time.
        let password = self.node.password_of(tenant.unwrap_or(TenantId::ROOT));
        let mut has_proof = !login.proof.is_empty();
        let mut verdict = judge(&login, &self.salt, password);
        if let Verdict::Ask(plugin) = verdict {
            let proof = self.ask(stream, plugin).await?;
            has_proof = !proof.is_empty();
            verdict = plugin.judge(&proof, &self.salt, password);
        }
        let (Verdict::Right(plugin), Some(tenant)) = (verdict, tenant) else {
            return Err(denied(&login.user, &self.host, has_proof).into());
        };
        let mut caller = Caller::new(
            self.node.clone(),
            Login {
                connection_id: self.connection_id,
                user: login.user.clone(),
                host: self.host.clone(),
                tenant,
                database: login.database,
            },
        )?;
        if let Some(encryption) = stream.encryption() {
            caller.is_encrypted(encryption);
        }
        if plugin == Plugin::CachingSha2 {
            stream.replies.packet(|out| out.extend_from_slice(FAST_AUTH_OK));
        }
        let info = self.certificate_proof(stream, plugin, password);
        let (capabilities, collation) = (login.capabilities, login.collation);
        Ok(Admitted { user: login.user, caller: Some(caller), capabilities, collation, info })
    }

    async fn ask(&self, stream: &mut Stream, plugin: Plugin) -> Result<Vec<u8>, Failure> {
        stream.replies.packet(|out| write_auth_switch(out, plugin.name(), &self.salt));
        stream.flush().await?;
        let packet = stream.packet().await?;
        in_order(&packet, stream)?;
        Ok(packet.payload.to_vec())
    }

    fn certificate_proof(&self, stream: &Stream, plugin: Plugin, password: &str) -> String {
        match &self.identity {
            Some(identity) if identity.is_self_made() && stream.is_encrypted() && plugin == Plugin::Native => {
                certificate_proof(password, &self.salt, identity.fingerprint())
            }
            _ => String::new(),
        }
    }
}

impl Admitted {
    fn health_check(user: String, capabilities: CapabilityFlags, collation: u16) -> Admitted {
        Admitted { user, caller: None, capabilities, collation, info: String::new() }
    }
}

fn judge(login: &LoginPacket, salt: &Salt, password: &str) -> Verdict {
    let can_be_asked = login.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH);
    match (login.plugin.as_deref().unwrap_or(NATIVE), login.proof.len()) {
        (NATIVE, NATIVE_PROOF_BYTES) => Plugin::Native.judge(&login.proof, salt, password),
        (CACHING_SHA2, CACHING_SHA2_PROOF_BYTES) => Plugin::CachingSha2.judge(&login.proof, salt, password),
        // MySQL 9's library has no other plugin, and wants to be asked for this one when the greeting named another.
        (CACHING_SHA2, 0) if can_be_asked => Verdict::Ask(Plugin::CachingSha2),
        _ if can_be_asked => Verdict::Ask(Plugin::Native),
        _ => Plugin::Native.judge(&login.proof, salt, password),
    }
}

impl Plugin {
    fn name(self) -> &'static str {
        match self {
            Plugin::Native => NATIVE,
            Plugin::CachingSha2 => CACHING_SHA2,
        }
    }

    fn judge(self, proof: &[u8], salt: &Salt, password: &str) -> Verdict {
        let proves = match self {
            Plugin::Native => native_proves(proof, password, salt),
            Plugin::CachingSha2 => caching_sha2_proves(proof, password, salt),
        };
        // Nobody proves anything by an empty password.
        if proves && !password.is_empty() { Verdict::Right(self) } else { Verdict::Wrong }
    }
}

/// `root` is tenant 0; the others are named by their numbers.
fn tenant(user: &str) -> Option<TenantId> {
    if user == "root" {
        return Some(TenantId::ROOT);
    }
    let is_number = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| TenantId::parse(user)).flatten()
}

/// MySQL's words: ProxySQL looks for them.
pub(super) fn denied(user: &str, host: &str, has_proof: bool) -> SqlError {
    let user: String = user.chars().take(SHOWN_NAME_CHARACTERS_MAX).collect();
    let using = if has_proof { "YES" } else { "NO" };
    SqlError::new(1045, "28000", format!("Access denied for user '{user}'@'{host}' (using password: {using})"))
}

pub(super) fn bad_handshake(why: &str) -> SqlError {
    SqlError::new(1043, "08S01", format!("Bad handshake: {why}"))
}

#[cfg(test)]
mod tests {
    use sha1::{Digest, Sha1};

    use super::*;

    const SALT: Salt = Salt(*b"abcdefghijklmnopqrst");

    fn native(password: &str) -> Vec<u8> {
        let hashed = Sha1::digest(password);
        let mask = Sha1::new().chain_update(SALT.0).chain_update(Sha1::digest(hashed)).finalize();
        hashed.iter().zip(mask).map(|(left, right)| left ^ right).collect()
    }

    fn verdict(plugin: Option<&str>, proof: Vec<u8>, capabilities: CapabilityFlags) -> Verdict {
        let plugin = plugin.map(str::to_owned);
        let login = LoginPacket { capabilities, collation: 45, user: "root".into(), proof, database: None, plugin };
        judge(&login, &SALT, "secret")
    }

    #[test]
    fn a_proof_is_judged_by_its_plugin_and_length() {
        let plugins = CapabilityFlags::CLIENT_PLUGIN_AUTH;
        let none = CapabilityFlags::empty();
        let right = Verdict::Right(Plugin::Native);
        assert_eq!(verdict(Some(NATIVE), native("secret"), plugins), right);
        assert_eq!(verdict(None, native("secret"), none), right);
        assert_eq!(verdict(None, native("Secret"), none), Verdict::Wrong);
        assert_eq!(verdict(Some(NATIVE), native("Secret"), plugins), Verdict::Wrong);
        assert_eq!(verdict(Some(CACHING_SHA2), vec![0; 32], plugins), Verdict::Wrong);
        assert_eq!(verdict(Some(CACHING_SHA2), vec![], plugins), Verdict::Ask(Plugin::CachingSha2));
        assert_eq!(verdict(Some(NATIVE), vec![], plugins), Verdict::Ask(Plugin::Native));
        assert_eq!(verdict(Some("sha256_password"), native("secret"), plugins), Verdict::Ask(Plugin::Native));
        assert_eq!(verdict(None, vec![], none), Verdict::Wrong);
    }

    #[test]
    fn an_empty_password_opens_nothing() {
        assert_eq!(Plugin::Native.judge(&native(""), &SALT, ""), Verdict::Wrong);
        assert_eq!(Plugin::Native.judge(&[], &SALT, ""), Verdict::Wrong);
    }

    #[test]
    fn users_are_root_and_numbers() {
        assert_eq!(tenant("root"), Some(TenantId(0)));
        assert_eq!(tenant("0"), Some(TenantId(0)));
        assert_eq!(tenant("15"), Some(TenantId(15)));
        for nobody in ["", "Root", "+5", "-1", "1a", "admin", "100000", "99999999999999999999"] {
            assert_eq!(tenant(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn who_is_denied_hears_mysqls_words() {
        let error = denied("x", "127.0.0.1", true);
        assert_eq!(error.message, "Access denied for user 'x'@'127.0.0.1' (using password: YES)");
        assert!(denied(&"ы".repeat(60_000), "::1", false).message.len() < 300);
    }
}
