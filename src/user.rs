//! Who somebody is: tenants, users, and the token a browser logs in with.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The number that separates pipes, users and settings of one customer from the others'. `root` is 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TenantId(pub u32);

impl TenantId {
    pub const ROOT: TenantId = TenantId(0);
    /// One past the largest number a tenant can have (the original's `dev_index_size`).
    pub const COUNT_MAX: u32 = 100_000;

    /// The tenant a decimal text names, if it is one.
    pub fn parse(text: &str) -> Option<TenantId> {
        let number = text.parse::<u32>().ok()?;
        (number < TenantId::COUNT_MAX).then_some(TenantId(number))
    }

    /// Whether a login of this tenant may see what is another's: `root` sees all, the others their own.
    pub fn sees(self, other: TenantId) -> bool {
        self == TenantId::ROOT || self == other
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A user of a tenant, 1 to 2^31 - 1. Who is not logged in has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct UserId(u32);

impl UserId {
    /// The smallest number a user can have.
    pub const FIRST: UserId = UserId(1);

    pub fn new(number: u64) -> Option<UserId> {
        let number = u32::try_from(number).ok()?;
        (1..=i32::MAX.unsigned_abs()).contains(&number).then_some(UserId(number))
    }

    pub fn number(self) -> u32 {
        self.0
    }
}

/// Which protocol a browser's library speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Generation {
    /// The original's.
    Four,
    /// Our own: `docs/PROTOCOL.md`.
    Five,
}

/// What is known of a browser. What many share is shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// The number the browser gave itself.
    pub uuid: Box<str>,
    pub address: IpAddr,
    pub user_agent: Arc<str>,
    pub origin: Arc<str>,
    pub language: Arc<str>,
}

/// What a browser shows to log in: who it says it is, and the key that proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub tenant: TenantId,
    pub user: UserId,
    /// A stored hash or a token.
    pub key: String,
}

/// Without the key: whoever reads a log must not be able to log in with it.
impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "user {} of tenant {}", self.user.0, self.tenant)
    }
}

/// Whom `token` proves: it is a JSON Web Token, signed with HS256 by `secret`, that names a user in its claim
/// `user_id` (a number) and has not expired at `now_seconds` (claim `exp`, required).
pub fn user_of_token(token: &str, secret: &[u8], now_seconds: u64) -> Option<UserId> {
    let claims = claims_of(token, secret)?;
    let expires_at = claims.get("exp").and_then(serde_json::Value::as_f64)?;
    // Seconds fit a double exactly for the next hundred million years.
    if expires_at < now_seconds as f64 {
        return None;
    }
    UserId::new(claims.get("user_id")?.as_u64()?)
}

fn claims_of(token: &str, secret: &[u8]) -> Option<serde_json::Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    if header.get("alg")?.as_str()? != "HS256" {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str, secret: &[u8]) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn a_token_proves_its_user_until_it_expires() {
        let user = UserId::new(7).expect("7 is a user");
        let hs256 = r#"{"alg":"HS256","typ":"JWT"}"#;
        let cases = [
            (hs256, r#"{"user_id":7,"exp":100}"#, &b"pw1"[..], true),
            (hs256, r#"{"user_id":7,"exp":99}"#, b"pw1", false),
            (hs256, r#"{"user_id":8,"exp":100}"#, b"pw1", false),
            (hs256, r#"{"user_id":"7","exp":100}"#, b"pw1", false),
            (hs256, r#"{"user_id":7}"#, b"pw1", false),
            (hs256, r#"{"user_id":7,"exp":100}"#, b"other", false),
            (r#"{"alg":"none"}"#, r#"{"user_id":7,"exp":100}"#, b"pw1", false),
        ];
        for (header, claims, signed_with, proves) in cases {
            let token = token(header, claims, signed_with);
            let proven = user_of_token(&token, b"pw1", 100) == Some(user);
            assert_eq!(proven, proves, "{header} {claims}");
        }
        for text in ["", ".", "..", "a.b.c", "a.b"] {
            assert_eq!(user_of_token(text, b"pw1", 100), None, "{text}");
        }
    }

    #[test]
    fn user_numbers_have_bounds() {
        assert_eq!(UserId::new(0), None);
        assert_eq!(UserId::new(2_147_483_648), None);
        assert_eq!(UserId::new(2_147_483_647).map(UserId::number), Some(2_147_483_647));
        assert_eq!(TenantId::parse("100000"), None);
        assert_eq!(TenantId::parse("-1"), None);
        assert_eq!(TenantId::parse("15"), Some(TenantId(15)));
    }
}
