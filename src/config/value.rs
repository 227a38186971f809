//! A setting's value, from text and back.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use super::settings::{Kind, Setting};
use crate::node::{CometStrings, Origin};
use crate::store::embedded::Durability;
use crate::store::redis;
use crate::ws::proxies::{Network, NoNetwork, TrustedProxies};

/// The units a number of bytes may carry; the first are the ones we write.
const UNITS: [(&str, usize); 6] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

/// Puts the value into its field, or says what was expected. A path is relative to `directory`.
pub(super) fn put<D>(setting: &Setting<D>, text: &str, draft: &mut D, directory: &Path) -> Result<(), String> {
    match &setting.kind {
        Kind::Address(field) => *field(draft) = address(text)?,
        Kind::Path(field) => {
            if text.is_empty() {
                return Err("a path".to_owned());
            }
            let path = directory.join(text.strip_prefix("./").unwrap_or(text));
            *field(draft) = Some(path);
        }
        Kind::Secret(field) => {
            let is_line = !text.is_empty() && !text.contains(['\0', '\n', '\r']);
            *field(draft) = Some(is_line.then(|| text.to_owned()).ok_or("a password of one line, not empty")?);
        }
        Kind::Switch(field) => *field(draft) = switch(text).ok_or("true or false")?,
        Kind::Level(field) => {
            let levels = ["off", "error", "warn", "info", "debug", "trace"];
            let level = levels.contains(&text).then(|| text.parse().ok()).flatten();
            *field(draft) = level.ok_or_else(|| format!("one of {}", levels.join(", ")))?;
        }
        Kind::Bytes(field, bounds) => {
            let wanted = || {
                let (least, most) = (shown_bytes(*bounds.start()), shown_bytes(*bounds.end()));
                format!("a number of bytes from {least} to {most}")
            };
            *field(draft) = bytes(text).filter(|number| bounds.contains(number)).ok_or_else(wanted)?;
        }
        Kind::Count(field, bounds) => {
            let wanted = || format!("a number from {} to {}", bounds.start(), bounds.end());
            *field(draft) = within(text.parse().ok(), bounds).ok_or_else(wanted)?;
        }
        Kind::Seconds(field, bounds) => {
            let wanted = || format!("a number of seconds from {} to {}", bounds.start(), bounds.end());
            *field(draft) = within(text.parse().ok(), bounds).ok_or_else(wanted)?;
        }
        Kind::Origins(field) => *field(draft) = Some(origins(text)?),
        Kind::Proxies(field) => *field(draft) = proxies(text)?,
        Kind::Strings(field) => *field(draft) = CometStrings::named(text).ok_or("auto or mysql")?,
        Kind::Durability(field) => *field(draft) = Durability::named(text).ok_or("disk or memory")?,
        Kind::Store(field) => {
            let parse = || redis::Address::parse(text).map(Some).map_err(|why| format!("embedded or a URL ({why})"));
            *field(draft) = if text == "embedded" { None } else { parse()? };
        }
    }
    Ok(())
}

/// The value in force as the file would have it, or `None` when the setting is not set. A secret is `(set)`.
pub(super) fn show<D>(setting: &Setting<D>, draft: &mut D) -> Option<String> {
    // A JSON string is a TOML string.
    let quoted = |text: &dyn Display| serde_json::Value::from(text.to_string()).to_string();
    Some(match &setting.kind {
        Kind::Address(field) => quoted(field(draft)),
        Kind::Path(field) => quoted(&field(draft).as_ref()?.display()),
        Kind::Secret(field) => field(draft).as_ref().map(|_| "(set)".to_owned())?,
        Kind::Switch(field) => field(draft).to_string(),
        Kind::Level(field) => quoted(field(draft)),
        Kind::Bytes(field, _) => quoted(&shown_bytes(*field(draft))),
        Kind::Count(field, _) => field(draft).to_string(),
        Kind::Seconds(field, _) => field(draft).to_string(),
        Kind::Origins(field) => list(field(draft).as_ref()?.iter().map(|origin| quoted(origin))),
        Kind::Proxies(field) => list(field(draft).networks().iter().map(|network| quoted(network))),
        Kind::Strings(field) => quoted(&field(draft).name()),
        Kind::Durability(field) => quoted(&field(draft).name()),
        Kind::Store(field) => field(draft).as_ref().map_or_else(|| quoted(&"embedded"), |address| quoted(address)),
    })
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

/// The value in force as SHOW VARIABLES has it: numbers, and words that say how the store works.
pub(super) fn variable<D>(setting: &Setting<D>, draft: &mut D) -> Option<Box<str>> {
    match &setting.kind {
        Kind::Bytes(field, _) | Kind::Count(field, _) => Some(field(draft).to_string().into()),
        Kind::Seconds(field, _) => Some(field(draft).to_string().into()),
        Kind::Durability(field) => Some(field(draft).name().into()),
        _ => None,
    }
}

/// A number of bytes in the largest unit that divides it.
pub(super) fn shown_bytes(number: usize) -> String {
    let unit = UNITS.iter().take(3).find(|(_, size)| number != 0 && number.is_multiple_of(*size));
    unit.map_or_else(|| number.to_string(), |(name, size)| format!("{} {name}", number / size))
}

/// The known word that is closest to a misspelt one, if any is close.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = (word.len() / 3).clamp(1, 4);
    let by_edits = known.map(|candidate| (edits(word, candidate), candidate));
    by_edits.filter(|(edits, _)| *edits <= edits_max).min().map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed or replaced to make one word of the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut before = index;
        let mut left = index + 1;
        for (above, other) in row.iter_mut().skip(1).zip(&to) {
            let replaced = before + usize::from(letter != *other);
            before = *above;
            left = replaced.min(before + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn within<N: PartialOrd>(number: Option<N>, bounds: &RangeInclusive<N>) -> Option<N> {
    number.filter(|number| bounds.contains(number))
}

fn bytes(text: &str) -> Option<usize> {
    let unit = UNITS.iter().find_map(|(name, size)| Some((strip_suffix_any_case(text, name)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    number.trim_end().parse::<usize>().ok()?.checked_mul(size)
}

fn strip_suffix_any_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}

fn origins(text: &str) -> Result<Vec<Origin>, String> {
    let parsed = entries(text).map(|entry| {
        entry.parse().map_err(|_| {
            format!("hosts, each with its scheme and its port if you like, but without a path or a `*`, not {entry:?}")
        })
    });
    parsed.collect()
}

fn proxies(text: &str) -> Result<TrustedProxies, String> {
    let expected = |entry: &str, why| match why {
        NoNetwork::NotOne => format!("IP addresses, and networks with the number of their bits, not {entry:?}"),
        NoNetwork::Everybody => format!(
            "the addresses that your own proxies connect from, not {entry:?}, which is everybody: whoever is trusted \
             can say that he has any address"
        ),
        NoNetwork::HostInNetwork { host, network } => {
            format!("{network} for the network or {host} for the one address, not {entry:?}")
        }
    };
    entries(text).map(|entry| entry.parse::<Network>().map_err(|why| expected(entry, why))).collect()
}

/// Those of a list.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let localhost = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
    localhost
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "an IP address and a port".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_and_shown_in_units() {
        let cases = [
            ("0", Some(0), "0"),
            ("1000", Some(1000), "1000"),
            ("1024", Some(1024), "1 KiB"),
            ("16 MiB", Some(16 << 20), "16 MiB"),
            ("16mib", Some(16 << 20), "16 MiB"),
            ("16M", Some(16 << 20), "16 MiB"),
            ("1 G", Some(1 << 30), "1 GiB"),
            ("16 MB", None, ""),
            ("-1", None, ""),
            ("1.5 MiB", None, ""),
            ("MiB", None, ""),
            ("", None, ""),
            ("é", None, ""),
            ("99999999999 GiB", None, ""),
        ];
        for (text, number, shown) in cases {
            assert_eq!(bytes(text), number, "{text}");
            if let Some(number) = number {
                assert_eq!(shown_bytes(number), shown, "{text}");
            }
        }
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        let known = || ["mysql_listen", "ws_listen", "log", "memory"].into_iter();
        assert_eq!(nearest("mysql-listen", known()), Some("mysql_listen"));
        assert_eq!(nearest("memroy", known()), Some("memory"));
        assert_eq!(nearest("lgo", known()), None);
        assert_eq!(nearest("logg", known()), Some("log"));
        assert_eq!(nearest("tenant", known()), None);
    }

    #[test]
    fn addresses_are_numbers_with_a_port() {
        let cases = [
            ("127.0.0.1:3307", Some("127.0.0.1:3307")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("127.0.0.1", None),
            (":3307", None),
            ("3307", None),
            ("example.org:80", None),
            ("127.0.0.1:70000", None),
        ];
        for (text, shown) in cases {
            assert_eq!(address(text).ok().map(|address| address.to_string()).as_deref(), shown, "{text}");
        }
    }
}
