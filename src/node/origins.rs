//! Whose pages may connect: the `Origin` that a browser says, against the lists of the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::user::TenantId;

/// An origin, or several of them: a part that is not written stands for any.
/// `example.org`, `example.org:8443`, `https://example.org`, `https://[::1]:8443`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    scheme: Option<String>,
    /// In small letters.
    host: String,
    port: Option<u16>,
}

/// Which pages may connect to which tenant. An empty list lets all in.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AllowedOrigins {
    /// For the tenants that have no list of their own.
    pub everybody: Vec<Origin>,
    pub tenants: BTreeMap<TenantId, Vec<Origin>>,
}

impl AllowedOrigins {
    /// Whether a browser may connect to a tenant whose header `Origin` is `said`, `""` when there is none. A list
    /// also keeps out who says nothing: every browser says where its page is from.
    pub fn admit(&self, tenant: TenantId, said: &str) -> bool {
        let list = self.tenants.get(&tenant).unwrap_or(&self.everybody);
        if list.is_empty() {
            return true;
        }
        let Ok(origin) = said.parse::<Origin>() else { return false };
        let (Some(scheme), port) = (&origin.scheme, origin.port.or(origin.usual_port())) else { return false };
        list.iter().any(|allowed| {
            allowed.host == origin.host
                && allowed.scheme.as_ref().is_none_or(|allowed| allowed == scheme)
                && (allowed.port.is_none() || allowed.port == port)
        })
    }
}

impl Origin {
    /// The port a browser leaves out.
    fn usual_port(&self) -> Option<u16> {
        match self.scheme.as_deref() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        }
    }
}

/// What a text is that is no origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoOrigin;

impl FromStr for Origin {
    type Err = NoOrigin;

    /// RFC 6454, section 7, with scheme and port as one likes: no path, no wildcard, a name beyond ASCII as
    /// `xn--…`, as browsers say it.
    fn from_str(text: &str) -> Result<Origin, NoOrigin> {
        let text = text.to_ascii_lowercase();
        let (scheme, place) = match text.split_once("://") {
            Some((scheme, place)) => (Some(scheme), place),
            None => (None, text.as_str()),
        };
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
        };
        if !scheme.is_none_or(is_scheme) {
            return Err(NoOrigin);
        }
        let host_end = place.find(']').map_or_else(|| place.find(':').unwrap_or(place.len()), |bracket| bracket + 1);
        let (host, port) = place.split_at(host_end);
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| NoOrigin)?)
            }
            _ => return Err(NoOrigin),
        };
        if is_host(host) {
            Ok(Origin { scheme: scheme.map(str::to_owned), host: host.to_owned(), port })
        } else {
            Err(NoOrigin)
        }
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    }
}

/// As it would be written into the list.
impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(out, "{scheme}://")?;
        }
        out.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Vec<Origin> {
        entries.iter().map(|entry| entry.parse().unwrap()).collect()
    }

    #[test]
    fn an_entry_lets_in_what_it_says_and_any_of_what_it_does_not() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            (
                "a.com",
                &["https://a.com", "http://a.com:8080", "HTTPS://A.COM"],
                &[
                    "https://a.com.evil.org",
                    "https://evila.com",
                    "https://www.a.com",
                    "https://a.com@evil.org",
                    "https://evil.org/a.com",
                    "https://a.com.",
                    "https://evil.org:443#a.com",
                    "a.com",
                    "null",
                    "",
                ],
            ),
            (
                "HTTPS://B.com:8443",
                &["https://b.com:8443"],
                &["http://b.com:8443", "https://b.com", "https://b.com:84"],
            ),
            ("https://c.com:443", &["https://c.com", "https://c.com:443"], &["http://c.com:443"]),
            ("d.com:80", &["http://d.com"], &["https://d.com"]),
            ("[::1]:3000", &["http://[::1]:3000"], &["http://[::1]", "http://[::2]:3000"]),
        ];
        for (entry, let_in, refused) in cases {
            let allowed = AllowedOrigins { everybody: list(&[entry]), ..AllowedOrigins::default() };
            for origin in let_in {
                assert!(allowed.admit(TenantId(3), origin), "{entry} should let in {origin}");
            }
            for origin in refused {
                assert!(!allowed.admit(TenantId(3), origin), "{entry} should refuse {origin}");
            }
        }
    }

    #[test]
    fn a_list_of_its_own_replaces_that_of_everybody() {
        let tenants = [(TenantId(5), list(&["five.com"])), (TenantId(6), Vec::new())].into();
        let allowed = AllowedOrigins { everybody: list(&["all.com"]), tenants };
        let cases = [
            (4, "https://all.com", true),
            (4, "https://five.com", false),
            (5, "https://five.com", true),
            (5, "https://all.com", false),
            (6, "https://anything.org", true),
            (6, "", true),
            (4, "", false),
        ];
        for (tenant, origin, is_let_in) in cases {
            assert_eq!(allowed.admit(TenantId(tenant), origin), is_let_in, "{tenant} {origin}");
        }
        assert!(AllowedOrigins::default().admit(TenantId(0), ""), "without a list all may come");
    }

    #[test]
    fn what_is_no_origin_cannot_be_written() {
        for entry in ["a.com", "https://b.com:8443", "[::1]", "app+x://h", "localhost:3000", "xn--e1aybc.xn--p1ai"] {
            assert_eq!(entry.parse::<Origin>().unwrap().to_string(), entry);
        }
        for text in [
            "",
            "*",
            "*.a.com",
            "https://",
            "://a",
            "a.com/",
            "https://a.com/x",
            "a:b",
            "a:65536",
            "a:1:2",
            "ä.de",
            "[x]",
            "a b",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(NoOrigin), "{text}");
        }
    }
}
