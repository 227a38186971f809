//! The list of settings: the one place where a setting is named, explained, given its default and its bounds.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::{Draft, Source};
use crate::node::{CometStrings, Origin};
use crate::store::embedded::Durability;
use crate::store::redis;
use crate::ws::proxies::TrustedProxies;

pub(super) struct Setting<D: 'static = Draft> {
    /// Its key in the file. The variable is `COMETQL_` and the key in capitals.
    pub(super) key: &'static str,
    /// The key with dashes.
    pub(super) flag: &'static str,
    /// Under which title the help shows it.
    pub(super) group: &'static str,
    /// What it does, in a line.
    pub(super) about: &'static str,
    /// As one would write it in the file, without quotes; `None` is not set.
    pub(super) default: Option<&'static str>,
    /// A right value, for errors about wrong ones.
    pub(super) example: &'static str,
    pub(super) kind: Kind<D>,
}

/// How a value is written, its bounds, and the field it goes to.
pub(super) enum Kind<D: 'static> {
    Address(fn(&mut D) -> &mut SocketAddr),
    Path(fn(&mut D) -> &mut Option<PathBuf>),
    Secret(fn(&mut D) -> &mut Option<String>),
    Switch(fn(&mut D) -> &mut bool),
    Level(fn(&mut D) -> &mut LevelFilter),
    Bytes(fn(&mut D) -> &mut usize, RangeInclusive<usize>),
    Count(fn(&mut D) -> &mut usize, RangeInclusive<usize>),
    Seconds(fn(&mut D) -> &mut u64, RangeInclusive<u64>),
    Origins(fn(&mut D) -> &mut Option<Vec<Origin>>),
    Proxies(fn(&mut D) -> &mut TrustedProxies),
    Strings(fn(&mut D) -> &mut CometStrings),
    Durability(fn(&mut D) -> &mut Durability),
    /// `embedded`, or the URL of a Redis, which may have a password in it.
    Store(fn(&mut D) -> &mut Option<redis::Address>),
}

impl Setting {
    pub(super) fn find(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

impl<D> Setting<D> {
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_) | Kind::Store(_))
    }

    /// Whether it is a list in the file, with commas between in a flag or variable.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind, Kind::Origins(_) | Kind::Proxies(_))
    }

    pub(super) fn variable(&self) -> String {
        format!("COMETQL_{}", self.key.to_ascii_uppercase())
    }

    /// The example, written the way the value at `source` is written.
    pub(super) fn example_for(&self, source: &Source) -> String {
        let spaced = self.example.contains(' ');
        let quoted = if spaced { format!("\"{}\"", self.example) } else { self.example.to_owned() };
        match source {
            Source::Flag(name) => format!("{name} {quoted}"),
            Source::Environment(name) => format!("{name}={quoted}"),
            Source::Default | Source::File { .. } => match self.kind {
                Kind::Count(..) | Kind::Seconds(..) | Kind::Switch(_) => format!("{} = {}", self.key, self.example),
                _ if self.is_list() => format!("{} = [\"{}\"]", self.key, self.example.replace(',', "\", \"")),
                _ => format!("{} = \"{}\"", self.key, self.example),
            },
        }
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

const LISTENING: &str = "Listening";
const PASSWORD: &str = "Password of the SQL user root, and secret of login tokens";
const DATA: &str = "Data and log";
const TLS: &str = "TLS for SQL clients";
const MESSAGES: &str = "Messages";
const SQL: &str = "Limits of SQL clients";
const BROWSERS: &str = "Browsers";

pub(super) const ORIGINS_EXAMPLE: &str = "example.org,https://shop.example.org:8443";

/// In the order of the help.
pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "mysql_listen",
        flag: "mysql-listen",
        group: LISTENING,
        about: "Address and port for SQL clients",
        default: Some("127.0.0.1:3307"),
        example: "0.0.0.0:3307",
        kind: Kind::Address(|draft| &mut draft.mysql.listen),
    },
    Setting {
        key: "ws_listen",
        flag: "ws-listen",
        group: LISTENING,
        about: "Address and port for browsers",
        default: Some("127.0.0.1:8087"),
        example: "0.0.0.0:8087",
        kind: Kind::Address(|draft| &mut draft.ws.listen),
    },
    Setting {
        key: "password",
        flag: "password",
        group: PASSWORD,
        about: "The password itself; as a flag it shows in the list of processes",
        default: None,
        example: "correct-horse-battery",
        kind: Kind::Secret(|draft| &mut draft.password),
    },
    Setting {
        key: "password_file",
        flag: "password-file",
        group: PASSWORD,
        about: "A file that holds it. With neither, one is made and kept in DATA_DIR/password",
        default: None,
        example: "/etc/cometql/password",
        kind: Kind::Path(|draft| &mut draft.password_file),
    },
    Setting {
        key: "data_dir",
        flag: "data-dir",
        group: DATA,
        about: "Directory of all that must survive a restart",
        default: Some("./cometql-data"),
        example: "/var/lib/cometql",
        kind: Kind::Path(|draft| &mut draft.data_dir),
    },
    Setting {
        key: "memory",
        flag: "memory",
        group: DATA,
        about: "Keep everything in memory and write nothing to disk",
        default: Some("false"),
        example: "true",
        kind: Kind::Switch(|draft| &mut draft.memory),
    },
    Setting {
        key: "durability",
        flag: "durability",
        group: DATA,
        about: "What an OK means: on disk, or in memory and on disk within a second",
        default: Some("disk"),
        example: "memory",
        kind: Kind::Durability(|draft| &mut draft.durability),
    },
    Setting {
        key: "store",
        flag: "store",
        group: DATA,
        about: "embedded, or the Redis that nodes share: docs/REDIS.md has the forms",
        default: Some("embedded"),
        example: "redis://127.0.0.1:6379/0",
        kind: Kind::Store(|draft| &mut draft.redis),
    },
    Setting {
        key: "redis_wait_millis_max",
        flag: "redis-wait-millis-max",
        group: DATA,
        about: "How long publishers wait for a Redis that does not answer",
        default: Some("5000"),
        example: "5000",
        kind: Kind::Count(|draft| &mut draft.redis_wait_millis_max, 100..=60_000),
    },
    Setting {
        key: "redis_replicas_min",
        flag: "redis-replicas-min",
        group: DATA,
        about: "So many replicas of a Redis have a message before it is acknowledged",
        default: Some("0"),
        example: "0",
        kind: Kind::Count(|draft| &mut draft.redis_replicas_min, 0..=100),
    },
    Setting {
        key: "log",
        flag: "log",
        group: DATA,
        about: "What is logged: off, error, warn, info, debug or trace",
        default: Some("info"),
        example: "info",
        kind: Kind::Level(|draft| &mut draft.log),
    },
    Setting {
        key: "tls_certificate",
        flag: "tls-certificate",
        group: TLS,
        about: "Certificate chain, PEM. Without one the node makes its own",
        default: None,
        example: "/etc/cometql/certificate.pem",
        kind: Kind::Path(|draft| &mut draft.tls_certificate),
    },
    Setting {
        key: "tls_key",
        flag: "tls-key",
        group: TLS,
        about: "Private key of that certificate, PEM",
        default: None,
        example: "/etc/cometql/key.pem",
        kind: Kind::Path(|draft| &mut draft.tls_key),
    },
    Setting {
        key: "comet_strings",
        flag: "comet-strings",
        group: MESSAGES,
        about: "How the text of a message is read: auto or mysql (see docs/STRINGS.md)",
        default: Some("auto"),
        example: "mysql",
        kind: Kind::Strings(|draft| &mut draft.comet_strings),
    },
    Setting {
        key: "message_bytes_max",
        flag: "message-bytes-max",
        group: MESSAGES,
        about: "Longest message",
        default: Some("1 MiB"),
        example: "1 MiB",
        kind: Kind::Bytes(|draft| &mut draft.message_bytes_max, KIB..=64 * MIB),
    },
    Setting {
        key: "history_bytes_max_per_pipe",
        flag: "history-bytes-max-per-pipe",
        group: MESSAGES,
        about: "Most history one pipe keeps, whatever its length in pipes_settings",
        default: Some("16 MiB"),
        example: "16 MiB",
        kind: Kind::Bytes(|draft| &mut draft.history_bytes_max_per_pipe, 64 * KIB..=4 * GIB),
    },
    Setting {
        key: "recovery_bytes_max",
        flag: "recovery-bytes-max",
        group: MESSAGES,
        about: "Memory for what browsers missed that were away for a moment",
        default: Some("64 MiB"),
        example: "64 MiB",
        kind: Kind::Bytes(|draft| &mut draft.recovery_bytes_max, 0..=64 * GIB),
    },
    Setting {
        key: "packet_bytes_max",
        flag: "packet-bytes-max",
        group: SQL,
        about: "Longest statement (max_allowed_packet)",
        default: Some("16 MiB"),
        example: "16 MiB",
        kind: Kind::Bytes(|draft| &mut draft.mysql.packet_bytes_max, 64 * KIB..=GIB),
    },
    Setting {
        key: "login_packet_bytes_max",
        flag: "login-packet-bytes-max",
        group: SQL,
        about: "Longest packet of a client that has not logged in",
        default: Some("64 KiB"),
        example: "64 KiB",
        kind: Kind::Bytes(|draft| &mut draft.mysql.login_packet_bytes_max, 4 * KIB..=MIB),
    },
    Setting {
        key: "login_seconds_max",
        flag: "login-seconds-max",
        group: SQL,
        about: "How long a login may take",
        default: Some("10"),
        example: "10",
        kind: Kind::Seconds(|draft| &mut draft.mysql.login_seconds_max, 1..=300),
    },
    Setting {
        key: "idle_seconds_max",
        flag: "idle-seconds-max",
        group: SQL,
        about: "A client silent for so long is disconnected (wait_timeout)",
        default: Some("28800"),
        example: "28800",
        kind: Kind::Seconds(|draft| &mut draft.mysql.idle_seconds_max, 1..=31_536_000),
    },
    Setting {
        key: "mysql_connections_max",
        flag: "mysql-connections-max",
        group: SQL,
        about: "Most SQL clients at a time",
        default: Some("1000"),
        example: "1000",
        kind: Kind::Count(|draft| &mut draft.mysql.connections_max, 1..=100_000),
    },
    Setting {
        key: "origins",
        flag: "origins",
        group: BROWSERS,
        about: "Pages whose browsers may connect, as hosts; without a list all may",
        default: None,
        example: ORIGINS_EXAMPLE,
        kind: Kind::Origins(|draft| &mut draft.origins),
    },
    Setting {
        key: "trusted_proxies",
        flag: "trusted-proxies",
        group: BROWSERS,
        about: "Your proxies, as addresses and networks; their X-Forwarded-For is believed",
        default: None,
        example: "127.0.0.1,10.0.0.0/8",
        kind: Kind::Proxies(|draft| &mut draft.ws.trusted_proxies),
    },
    Setting {
        key: "presence_grace_seconds",
        flag: "presence-grace-seconds",
        group: BROWSERS,
        about: "A user who is back within it was never away",
        default: Some("2"),
        example: "2",
        kind: Kind::Seconds(|draft| &mut draft.presence_grace_seconds, 0..=3600),
    },
    Setting {
        key: "shards",
        flag: "shards",
        group: BROWSERS,
        about: "Threads that serve browsers; 0 is one a core",
        default: Some("0"),
        example: "0",
        kind: Kind::Count(|draft| &mut draft.ws.shards, 0..=256),
    },
    Setting {
        key: "ws_connections_max",
        flag: "ws-connections-max",
        group: BROWSERS,
        about: "Most browsers at a time",
        default: Some("100000"),
        example: "100000",
        kind: Kind::Count(|draft| &mut draft.ws.connections_max, 1..=10_000_000),
    },
    Setting {
        key: "subscriptions_max",
        flag: "subscriptions-max",
        group: BROWSERS,
        about: "Most pipes one browser listens to",
        default: Some("1024"),
        example: "1024",
        kind: Kind::Count(|draft| &mut draft.ws.subscriptions_max, 1..=65_536),
    },
    Setting {
        key: "handshake_seconds_max",
        flag: "handshake-seconds-max",
        group: BROWSERS,
        about: "How long a browser's first request may take to arrive",
        default: Some("10"),
        example: "10",
        kind: Kind::Seconds(|draft| &mut draft.ws.handshake_seconds_max, 1..=300),
    },
    Setting {
        key: "request_bytes_max",
        flag: "request-bytes-max",
        group: BROWSERS,
        about: "Longest first request",
        default: Some("16 KiB"),
        example: "16 KiB",
        kind: Kind::Bytes(|draft| &mut draft.ws.request_bytes_max, 4 * KIB..=MIB),
    },
    Setting {
        key: "ping_seconds",
        flag: "ping-seconds",
        group: BROWSERS,
        about: "How often a browser is pinged; unheard for twice as long it is dropped",
        default: Some("25"),
        example: "25",
        kind: Kind::Seconds(|draft| &mut draft.ws.ping_seconds, 1..=3600),
    },
    Setting {
        key: "outbox_bytes_max",
        flag: "outbox-bytes-max",
        group: BROWSERS,
        about: "What may wait for a slow browser before it is told to come back",
        default: Some("1 MiB"),
        example: "1 MiB",
        kind: Kind::Bytes(|draft| &mut draft.ws.outbox_bytes_max, 16 * KIB..=GIB),
    },
    Setting {
        key: "drain_seconds_max",
        flag: "drain-seconds-max",
        group: BROWSERS,
        about: "How long browsers have to move to another node when this one stops",
        default: Some("5"),
        example: "5",
        kind: Kind::Seconds(|draft| &mut draft.ws.drain_seconds_max, 0..=600),
    },
    Setting {
        key: "ear_bytes_max",
        flag: "ear-bytes-max",
        group: BROWSERS,
        about: "What may wait for one shard before publishers wait",
        default: Some("8 MiB"),
        example: "8 MiB",
        kind: Kind::Bytes(|draft| &mut draft.ws.ear_bytes_max, 64 * KIB..=GIB),
    },
];
