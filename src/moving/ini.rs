//! The settings of an original installation, `comet.ini`, and what has a counterpart here.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::original::Database;
use crate::user::TenantId;

/// What the file says, section by section.
#[derive(Default)]
pub struct Ini(BTreeMap<String, BTreeMap<String, String>>);

/// What is wrong with the file, and what to do.
#[derive(Debug)]
pub struct IniError(String);

impl fmt::Display for IniError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for IniError {}

impl Ini {
    pub fn read(path: &Path) -> Result<Ini, IniError> {
        let bytes = std::fs::read(path)
            .map_err(|error| IniError(format!("cannot read {}: {error}; check the path", path.display())))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| IniError(format!("{} is no UTF-8: it is not the file of settings", path.display())))?;
        let ini = Ini::parse(&text);
        if ini.0.is_empty() {
            return Err(IniError(format!("{} has no [section] with settings: is it comet.ini?", path.display())));
        }
        Ok(ini)
    }

    /// As the original reads it: a `;` or `#` ends a value wherever it stands, the last of equal keys counts, and a key
    /// without a value is none.
    pub fn parse(text: &str) -> Ini {
        let mut ini = Ini::default();
        let mut section = String::new();
        for line in text.lines() {
            let line = line.split([';', '#']).next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim().to_owned();
            } else if let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()))
                && !value.is_empty()
            {
                ini.0.entry(section.clone()).or_default().insert(key.to_owned(), value.to_owned());
            }
        }
        ini
    }

    fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0.get(section)?.get(key).map(String::as_str)
    }

    /// What is no number reads as 0, as it did.
    fn number(&self, section: &str, key: &str) -> Option<u64> {
        self.get(section, key).map(|text| text.parse().unwrap_or(0))
    }

    /// Where the original keeps what it keeps.
    pub fn database(&self) -> Result<Database, IniError> {
        let required = |key: &str| {
            let value = self.get("db", key).map(str::to_owned);
            value.ok_or_else(|| {
                IniError(format!("the file has no `{key}` in [db]: add it, or name the database with --mysql"))
            })
        };
        let port = required("port")?;
        let port = port.parse().map_err(|_| IniError(format!("`port` in [db] is no port: {port}")))?;
        Ok(Database {
            host: required("host")?,
            port,
            user: required("user")?,
            password: self.get("db", "password").unwrap_or_default().to_owned(),
            name: required("name")?,
        })
    }

    /// The configuration of a node that takes the place of the original; `store` is a line of it. Without secrets it
    /// can be shown.
    pub fn configuration(&self, store: &str, with_secrets: bool) -> String {
        let mut text =
            "# Made from comet.ini by `cometql import`; `cometql check-config` says what is in force.\n".to_owned();
        let password = self.get("main", "password");
        if password.is_none() {
            text += "# The original had no password in its file, and took this one.\n";
        }
        let password = if with_secrets { quoted(password.unwrap_or("password")) } else { "…".to_owned() };
        let _ = writeln!(text, "password = {password}");
        let _ = writeln!(text, "mysql_listen = {}", self.listen("cometql", 3307));
        let _ = writeln!(text, "ws_listen = {}", self.listen("ws", 8087));
        if let Some(level) = self.number("log", "level") {
            let _ = writeln!(text, "log = \"{}\"", log_level(level));
        }
        if let Some(host) = self.get("ws", "host") {
            text += "# The original named this and let in everybody; without the # it is enforced.\n";
            let _ = writeln!(text, "# origins = [{}]", quoted(host));
        }
        text += store;
        text += "\n";
        text
    }

    fn listen(&self, section: &str, port: u16) -> String {
        let address = self.get(section, "ip").and_then(|text| text.parse().ok());
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let port = self.get(section, "port").and_then(|text| text.parse().ok()).unwrap_or(port);
        quoted(&SocketAddr::new(address, port).to_string())
    }

    /// What has no counterpart, a line each, with the reason.
    pub fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (section, settings) in &self.0 {
            for (key, value) in settings {
                if let Some(why) = why_left_out(section, key, value) {
                    lines.push(format!("[{section}] {key}: {why}"));
                }
            }
        }
        lines
    }
}

fn quoted(text: &str) -> String {
    // A JSON string is a TOML string.
    serde_json::Value::from(text).to_string()
}

/// The original counted what it wrote from 100, errors of a kind first; the last two digits were a sampling rate.
fn log_level(level: u64) -> &'static str {
    match level {
        0..=99 => "off",
        100..=299 => "error",
        300..=399 => "warn",
        400..=499 => "info",
        500..=599 => "debug",
        _ => "trace",
    }
}

/// `None` for what is in the configuration, or was only needed to find the database.
fn why_left_out(section: &str, key: &str, value: &str) -> Option<&'static str> {
    let is_off = ["false", "False", "FALSE", "0"].contains(&value);
    Some(match (section, key) {
        ("main", "password") | ("db", _) | ("log", "level") => return None,
        ("ws" | "cometql", "port" | "ip" | "host") => return None,
        ("main", "save_users_last_online_time" | "send_user_online_events" | "send_user_offline_events") if !is_off => {
            return None;
        }
        ("main", "dev_index_size") => match value.parse::<u32>() {
            Ok(count) if count <= TenantId::COUNT_MAX => return None,
            _ => "there are 100000 tenants",
        },
        ("main", "save_users_last_online_time") => "when a user was last seen is always kept",
        ("main", "send_user_online_events" | "send_user_offline_events") => {
            "who comes and goes is always said, in user_status_N"
        }
        ("main", "base_dir") | ("content-type", _) => {
            "no files are served; give them to the web server before the node"
        }
        ("main", "useQueryLoger") => "queries are not logged",
        ("main", "node_name" | "pidfile" | "api_version" | "isTest") => "nothing reads it",
        ("main", _) => "buffers grow as they are needed, within the limits that `cometql --help` shows",
        ("ws" | "cometqlproxy", "cluster") => "nodes that share one Redis are one service: docs/REDIS.md",
        ("cometqlproxy", _) => "every node answers for all; point programs at any of them",
        ("ws" | "cometql", "thread_num") => "there is a thread for each core",
        ("ws" | "cometql", "statistics" | "benchmark") | ("statistics" | "benchmark", _) => {
            "SHOW STATUS counts always, and nothing is sent to anybody"
        }
        ("ws" | "cometql", "maxUptime" | "uptimeTestInterval") => "connections are not ended for their age",
        ("ws" | "cometql", _) => "the system's limits hold, and those that `cometql --help` shows",
        ("freeswitch" | "sip", _) => "telephony has no counterpart",
        ("log", _) => "one level is for all",
        _ => "it is not known",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\u{20}; a comment\n[main]\npassword = first\npassword = it's \"it\" \\ # cut\nuseQueryLoger = \n\
        dev_index_size = 1000\nbuf_size=1\nsave_users_last_online_time = false\nsend_user_online_events = true\n\
        [db]\nhost = 10.0.0.9\nuser = comet\npassword = pw\nname = CppComet\nport = 3306\n\
        [ws]\nport = 8087\nthread_num = 8\nhost = example.org\ncluster = []Server=a\n\
        [cometql]\nip = 127.0.0.1\nport = 3300\n[log]\nlevel = 405\nAny = 0\n[sip]\npipesalt = x\n";

    #[test]
    fn the_file_is_read_as_the_original_reads_it() {
        let ini = Ini::parse(SAMPLE);
        assert_eq!(ini.get("main", "password"), Some("it's \"it\" \\"));
        assert_eq!(ini.get("main", "useQueryLoger"), None);
        let database = ini.database().unwrap();
        assert_eq!((database.host.as_str(), database.port, database.name.as_str()), ("10.0.0.9", 3306, "CppComet"));
        let refused = |text: &str| Ini::parse(text).database().err().map(|error| error.to_string()).unwrap();
        assert!(refused("[db]\nhost=a\nport=1").contains("no `user` in [db]"));
        assert!(refused("[db]\nport=x").contains("no port"));
    }

    #[test]
    fn what_has_a_counterpart_is_in_the_configuration() {
        let text = Ini::parse(SAMPLE).configuration("data_dir = \"d\"", true);
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with("# Made")).collect();
        assert_eq!(
            values,
            [
                "password = \"it's \\\"it\\\" \\\\\"",
                "mysql_listen = \"127.0.0.1:3300\"",
                "ws_listen = \"0.0.0.0:8087\"",
                "log = \"info\"",
                "# The original named this and let in everybody; without the # it is enforced.",
                "# origins = [\"example.org\"]",
                "data_dir = \"d\"",
            ]
        );
        let shown = Ini::parse(SAMPLE).configuration("", false);
        assert!(shown.contains("password = …") && !shown.contains("it's"), "{shown}");
        let without = Ini::parse("[ws]\nthread_num=1").configuration("", true);
        assert!(
            without.contains("took this one.\npassword = \"password\"\nmysql_listen = \"0.0.0.0:3307\""),
            "{without}"
        );
    }

    #[test]
    fn what_has_none_is_named_with_the_reason() {
        let left_out = Ini::parse(SAMPLE).left_out();
        let names: Vec<&str> = left_out.iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(
            names,
            [
                "[log] Any",
                "[main] buf_size",
                "[main] save_users_last_online_time",
                "[sip] pipesalt",
                "[ws] cluster",
                "[ws] thread_num"
            ]
        );
    }
}
