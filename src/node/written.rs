//! How what nodes tell each other of connections looks in their letters: numbers and texts. What cannot be is refused.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::pipe::ConnectionId;
use crate::user::{About, TenantId, UserId};

#[derive(Serialize, Deserialize)]
pub(super) struct Present {
    slot: u32,
    /// 0 for nobody.
    user: u64,
    about: Browser,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Connected {
    node: u32,
    shard: u8,
    slot: u32,
    serial: u32,
    tenant: u32,
    user: u64,
    about: Browser,
    heard_at: u64,
    subscription_count: usize,
}

#[derive(Serialize, Deserialize)]
struct Browser {
    uuid: Box<str>,
    address: String,
    user_agent: Box<str>,
    origin: Box<str>,
    language: Box<str>,
}

impl From<About> for Browser {
    fn from(about: About) -> Browser {
        let shared = |text: &str| text.into();
        Browser {
            uuid: about.uuid,
            address: about.address.to_string(),
            user_agent: shared(&about.user_agent),
            origin: shared(&about.origin),
            language: shared(&about.language),
        }
    }
}

impl TryFrom<Browser> for About {
    type Error = String;

    fn try_from(browser: Browser) -> Result<About, String> {
        let address: IpAddr = browser.address.parse().map_err(|_| format!("{} is no address", browser.address))?;
        Ok(About {
            uuid: browser.uuid,
            address,
            user_agent: browser.user_agent.into(),
            origin: browser.origin.into(),
            language: browser.language.into(),
        })
    }
}

fn user(number: u64) -> Result<Option<UserId>, String> {
    match number {
        0 => Ok(None),
        number => UserId::new(number).map(Some).ok_or_else(|| format!("{number} is no user")),
    }
}

fn number(user: Option<UserId>) -> u64 {
    user.map_or(0, |user| u64::from(user.number()))
}

impl From<super::Present> for Present {
    fn from(present: super::Present) -> Present {
        Present { slot: present.slot, user: number(present.user), about: present.about.into() }
    }
}

impl TryFrom<Present> for super::Present {
    type Error = String;

    fn try_from(present: Present) -> Result<super::Present, String> {
        let Present { slot, user: number, about } = present;
        Ok(super::Present { slot, user: user(number)?, about: about.try_into()? })
    }
}

impl From<super::Connected> for Connected {
    fn from(connected: super::Connected) -> Connected {
        let super::Connected { id, tenant, user, about, heard_at, subscription_count } = connected;
        let ConnectionId { node, shard, slot, serial } = id;
        let (tenant, user, heard_at) = (tenant.0, number(user), heard_at.0);
        Connected { node, shard, slot, serial, tenant, user, about: about.into(), heard_at, subscription_count }
    }
}

impl TryFrom<Connected> for super::Connected {
    type Error = String;

    fn try_from(connected: Connected) -> Result<super::Connected, String> {
        let Connected { node, shard, slot, serial, tenant, about, heard_at, subscription_count, .. } = connected;
        Ok(super::Connected {
            id: ConnectionId { node, shard, slot, serial },
            tenant: TenantId(tenant),
            user: user(connected.user)?,
            about: about.try_into()?,
            heard_at: UnixMillis(heard_at),
            subscription_count,
        })
    }
}

pub(super) mod unix_millis {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::UnixMillis;

    pub fn serialize<S: Serializer>(time: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.0)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<UnixMillis, D::Error> {
        u64::deserialize(deserializer).map(UnixMillis)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_cannot_be_is_refused() {
        let about = r#""about":{"uuid":"u","address":"::1","user_agent":"a","origin":"o","language":"l"}"#;
        let present: super::super::Present =
            serde_json::from_str(&format!(r#"{{"slot":1,"user":42,{about}}}"#)).expect("a connection");
        let again = serde_json::to_string(&present).expect("JSON");
        assert_eq!(serde_json::from_str::<super::super::Present>(&again).ok(), Some(present));
        for (right, wrong) in [("42", "4294967296"), ("\"::1\"", "\"here\""), ("\"slot\":1,", "")] {
            let text = format!(r#"{{"slot":1,"user":42,{about}}}"#).replacen(right, wrong, 1);
            assert!(serde_json::from_str::<super::super::Present>(&text).is_err(), "{text}");
        }
    }
}
