//! Reads one TOML file, the environment and the flags into each room's own Config.
//!
//! `config/settings.rs` lists every setting once; the file, the environment, the flags, the help and
//! `check-config` are all made from that list. A flag wins over the environment, the environment over the file,
//! the file over the default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use crate::node::{AllowedOrigins, CometStrings, Origin};
use crate::store::embedded::{self, Durability};
use crate::store::redis;
use crate::user::TenantId;
use crate::{mysql, node, ws};

mod environment;
mod file;
mod flags;
mod moving;
mod password;
mod report;
mod settings;
mod tenant;
mod value;

use flags::Asked;
pub use moving::Import;
pub use password::{Password, PasswordSource, Place};
use settings::{SETTINGS, Setting};
use tenant::TenantDraft;
pub use tenant::TenantSecrets;

/// The file that is read when `--config` names none and this one exists.
const DEFAULT_FILE: &str = "cometql.toml";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run a node.
    Run(Box<Settings>),
    /// Print this text, the answer of `check-config`, and exit with 0. The text ends with a newline.
    CheckConfig(String),
    /// Write a copy of the store in this directory to this file, and exit.
    Backup { directory: PathBuf, file: PathBuf },
    /// Ask the node that listens to browsers at this address whether it answers, and exit.
    Health(SocketAddr),
    /// Put this backup into this directory, and exit.
    Restore { directory: PathBuf, file: PathBuf },
    /// Bring something into the store, and exit.
    Import(Box<Settings>, Import),
    /// Write everything in the store to this file, and exit.
    Export(Box<Settings>, PathBuf),
    /// Print this text, the answer of `--help` or `--version`, and exit with 0. The text ends with a newline.
    Say(String),
}

/// Everything that can be set, checked.
#[derive(Debug)]
pub struct Settings {
    pub mysql: mysql::Config,
    pub ws: ws::Config,
    pub store: Store,
    /// Longest text of one message, in bytes.
    pub message_bytes_max: usize,
    /// How long a user who has gone may be back before it is said, in seconds.
    pub presence_grace_seconds: u64,
    /// How SQL clients begin that have not set `comet_strings`.
    pub comet_strings: CometStrings,
    pub origins: AllowedOrigins,
    /// Every setting that SHOW VARIABLES has, by name, as it shows it.
    pub shown: Arc<[(&'static str, Box<str>)]>,
    /// What is configured for single tenants.
    pub tenants: BTreeMap<TenantId, TenantSecrets>,
    /// Where the password comes from; [`PasswordSource::resolve`] gets it.
    pub password: PasswordSource,
    /// What is logged: this level and the graver ones.
    pub log: LevelFilter,
}

/// Where messages get their numbers and are kept.
#[derive(Clone, Debug)]
pub enum Store {
    Embedded(embedded::Config),
    Redis(redis::Config),
}

impl Settings {
    /// What the node needs, with the password that [`PasswordSource::resolve`] got; reads those of tenants that are
    /// in files.
    pub fn node(&self, password: &Password) -> Result<node::Config, ConfigError> {
        let tenants = self.tenants.iter().map(|(tenant, secrets)| Ok((*tenant, secrets.resolve()?)));
        Ok(node::Config {
            password: password.text().to_owned(),
            message_bytes_max: self.message_bytes_max,
            packet_bytes_max: self.mysql.packet_bytes_max,
            idle_seconds_max: self.mysql.idle_seconds_max,
            presence_grace_seconds: self.presence_grace_seconds,
            comet_strings: self.comet_strings,
            origins: self.origins.clone(),
            shown: Arc::clone(&self.shown),
            tenants: tenants.collect::<Result<_, ConfigError>>()?,
        })
    }
}

/// Reads what was asked for. `args` begins with the program's own name; paths are relative to
/// `working_directory`, also those in the file.
pub fn read(
    args: impl Iterator<Item = OsString>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    working_directory: &Path,
) -> Result<Command, ConfigError> {
    let flags = match flags::parse(args)? {
        flags::Parsed::Say(text) => return Ok(Command::Say(text)),
        flags::Parsed::Flags(flags) => flags,
    };
    let environment = environment::parse(environment)?;
    let named = flags.config.as_ref().or(environment.config.as_ref());
    let named = named.map(|path| working_directory.join(path));
    let file = file::read(named.as_deref(), &working_directory.join(DEFAULT_FILE))?;

    let mut draft = Draft::blank(working_directory);
    for setting in SETTINGS {
        if let Some(text) = setting.default {
            draft.take(&Given { setting, text: text.to_owned(), source: Source::Default })?;
        }
    }
    for given in file.given.iter().chain(&environment.given).chain(&flags.given) {
        draft.take(given)?;
    }
    for (tenant, given) in &file.tenants {
        let tenant = draft.tenants.entry(*tenant).or_default();
        for given in given {
            given.put(tenant, working_directory)?;
            tenant.sources.insert(given.setting.key, given.source.clone());
        }
    }
    let mut settings = draft.finish()?;
    settings.shown =
        SETTINGS.iter().filter_map(|setting| Some((setting.key, value::variable(setting, &mut draft)?))).collect();
    let directory = |settings: Settings| {
        let text = match settings.store {
            Store::Embedded(embedded::Config { directory: Some(directory), .. }) => return Ok(directory),
            Store::Embedded(_) => "with --memory there is no data directory: name one with --data-dir",
            Store::Redis(_) => "what is in Redis is copied with Redis's own means, or with `cometql export`",
        };
        Err(ConfigError(text.to_owned()))
    };
    Ok(match flags.asked {
        Asked::Run => Command::Run(Box::new(settings)),
        Asked::CheckConfig => {
            settings.check_files(&draft)?;
            Command::CheckConfig(report::write(&mut draft, file.path.as_deref()))
        }
        Asked::Health => Command::Health(settings.ws.listen),
        Asked::Backup(path) => Command::Backup { directory: directory(settings)?, file: working_directory.join(path) },
        Asked::Restore(path) => {
            Command::Restore { directory: directory(settings)?, file: working_directory.join(path) }
        }
        Asked::Import(import) => Command::Import(Box::new(settings), import.below(working_directory)),
        Asked::Export(path) => Command::Export(Box::new(settings), working_directory.join(path)),
    })
}

/// Where a value was given, from the weakest to the strongest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    Default,
    File {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The variable's name.
    Environment(String),
    /// The flag with its two dashes.
    Flag(String),
}

impl Source {
    fn strength(&self) -> u8 {
        match self {
            Source::Default => 0,
            Source::File { .. } => 1,
            Source::Environment(_) => 2,
            Source::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => out.write_str("default"),
            Source::File { path, line } => write!(out, "{} line {line}", path.display()),
            Source::Environment(name) => out.write_str(name),
            Source::Flag(name) => out.write_str(name),
        }
    }
}

/// Why the node cannot start: what was wrong, where, and what to do. One line, except for a misspelt flag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// One value as it was written, before it is understood.
struct Given<D: 'static = Draft> {
    setting: &'static Setting<D>,
    text: String,
    source: Source,
}

impl<D> Given<D> {
    /// Puts the value into its field. A path is relative to `directory`.
    fn put(&self, draft: &mut D, directory: &Path) -> Result<(), ConfigError> {
        value::put(self.setting, &self.text, draft, directory).map_err(|expected| {
            ConfigError(format!(
                "{} is not valid: expected {expected}, for example {}",
                self.place(),
                self.setting.example_for(&self.source)
            ))
        })
    }

    /// The way to this value that an error begins with. A secret is not repeated.
    fn place(&self) -> String {
        let key = self.setting.key;
        let shown = if self.setting.is_secret() { "…".to_owned() } else { format!("{:?}", self.text) };
        match &self.source {
            Source::Default => format!("default of {key}: {shown}"),
            Source::File { path, line } => format!("{}:{line}: {key} = {shown}", path.display()),
            Source::Environment(name) => format!("{name}={shown}"),
            Source::Flag(name) => format!("{name} {shown}"),
        }
    }
}

/// What the settings write into, one after the other; complete when the defaults are in.
struct Draft {
    working_directory: PathBuf,
    mysql: mysql::Config,
    ws: ws::Config,
    durability: Durability,
    /// None is the embedded one.
    redis: Option<redis::Address>,
    redis_wait_millis_max: usize,
    redis_replicas_min: usize,
    history_bytes_max_per_pipe: usize,
    recovery_bytes_max: usize,
    message_bytes_max: usize,
    presence_grace_seconds: u64,
    comet_strings: CometStrings,
    origins: Option<Vec<Origin>>,
    tenants: BTreeMap<TenantId, TenantDraft>,
    data_dir: Option<PathBuf>,
    memory: bool,
    password: Option<String>,
    password_file: Option<PathBuf>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    log: LevelFilter,
    sources: BTreeMap<&'static str, Source>,
}

impl Draft {
    fn blank(working_directory: &Path) -> Draft {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Draft {
            working_directory: working_directory.to_owned(),
            mysql: mysql::Config {
                listen: nowhere,
                packet_bytes_max: 0,
                login_packet_bytes_max: 0,
                login_seconds_max: 0,
                idle_seconds_max: 0,
                connections_max: 0,
                certificate: None,
                certificate_directory: None,
            },
            ws: ws::Config {
                listen: nowhere,
                trusted_proxies: Default::default(),
                shards: 0,
                handshake_seconds_max: 0,
                request_bytes_max: 0,
                message_bytes_max: 0,
                ping_seconds: 0,
                outbox_bytes_max: 0,
                subscriptions_max: 0,
                connections_max: 0,
                drain_seconds_max: 0,
                ear_bytes_max: 0,
            },
            durability: Durability::Disk,
            redis: None,
            redis_wait_millis_max: 0,
            redis_replicas_min: 0,
            history_bytes_max_per_pipe: 0,
            recovery_bytes_max: 0,
            message_bytes_max: 0,
            presence_grace_seconds: 0,
            comet_strings: CometStrings::Auto,
            origins: None,
            tenants: BTreeMap::new(),
            data_dir: None,
            memory: false,
            password: None,
            password_file: None,
            tls_certificate: None,
            tls_key: None,
            log: LevelFilter::INFO,
            sources: BTreeMap::new(),
        }
    }

    fn take(&mut self, given: &Given) -> Result<(), ConfigError> {
        let directory = self.working_directory.clone();
        given.put(self, &directory)?;
        self.sources.insert(given.setting.key, given.source.clone());
        Ok(())
    }

    fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Which of two settings that exclude each other is in force: the one given in the stronger place.
    fn stronger(&self, first: &'static str, second: &'static str, why: &str) -> Result<&'static str, ConfigError> {
        let (source_1, source_2) = (self.source(first), self.source(second));
        if source_1.strength() == source_2.strength() && source_1 != Source::Default {
            return Err(ConfigError(format!(
                "{first} and {second} are both given ({source_1}, {source_2}): {why}; remove one of them"
            )));
        }
        Ok(if source_1.strength() > source_2.strength() { first } else { second })
    }

    /// Whether nothing is written to disk.
    fn keeps_nothing(&self) -> Result<bool, ConfigError> {
        let why = "with memory nothing is kept in a directory";
        Ok(self.memory && self.stronger("memory", "data_dir", why)? == "memory")
    }

    fn finish(&self) -> Result<Settings, ConfigError> {
        let packet = ("packet_bytes_max", self.mysql.packet_bytes_max);
        let message = ("message_bytes_max", self.message_bytes_max);
        self.check_order(("login_packet_bytes_max", self.mysql.login_packet_bytes_max), packet)?;
        self.check_order(message, packet)?;
        self.check_order(message, ("ear_bytes_max", self.ws.ear_bytes_max))?;
        let directory = if self.keeps_nothing()? { None } else { self.data_dir.clone() };
        Ok(Settings {
            mysql: mysql::Config {
                certificate: self.certificate()?,
                certificate_directory: directory.clone(),
                ..self.mysql.clone()
            },
            ws: ws::Config { message_bytes_max: self.message_bytes_max, ..self.ws.clone() },
            password: self.password_source(directory.as_deref())?,
            store: self.store(directory),
            message_bytes_max: self.message_bytes_max,
            presence_grace_seconds: self.presence_grace_seconds,
            comet_strings: self.comet_strings,
            origins: self.allowed_origins(),
            shown: Arc::default(),
            tenants: self.tenant_secrets()?,
            log: self.log,
        })
    }

    fn store(&self, directory: Option<PathBuf>) -> Store {
        let history_bytes_max_per_pipe = self.history_bytes_max_per_pipe;
        match &self.redis {
            None => Store::Embedded(embedded::Config {
                directory,
                durability: self.durability,
                history_bytes_max_per_pipe,
                recovery_bytes_max: self.recovery_bytes_max,
            }),
            Some(address) => Store::Redis(redis::Config {
                address: address.clone(),
                wait_millis_max: self.redis_wait_millis_max as u64,
                replicas_min: self.redis_replicas_min as u64,
                history_bytes_max_per_pipe,
            }),
        }
    }

    fn allowed_origins(&self) -> AllowedOrigins {
        let own = |(tenant, draft): (&TenantId, &TenantDraft)| Some((*tenant, draft.origins.clone()?));
        AllowedOrigins {
            everybody: self.origins.clone().unwrap_or_default(),
            tenants: self.tenants.iter().filter_map(own).collect(),
        }
    }

    fn tenant_secrets(&self) -> Result<BTreeMap<TenantId, TenantSecrets>, ConfigError> {
        self.tenants.iter().map(|(tenant, draft)| Ok((*tenant, draft.secrets(*tenant)?))).collect()
    }

    /// The second limit leaves room for what the first allows.
    fn check_order(&self, small: (&str, usize), large: (&str, usize)) -> Result<(), ConfigError> {
        if small.1 <= large.1 {
            return Ok(());
        }
        Err(ConfigError(format!(
            "{} ({}, {}) is larger than {} ({}, {}): lower the first or raise the second",
            small.0,
            value::shown_bytes(small.1),
            self.source(small.0),
            large.0,
            value::shown_bytes(large.1),
            self.source(large.0),
        )))
    }

    fn certificate(&self) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate.clone(), key.clone()))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.half_a_certificate("tls_certificate", "tls_key")),
            (None, Some(_)) => Err(self.half_a_certificate("tls_key", "tls_certificate")),
        }
    }

    fn half_a_certificate(&self, given: &str, missing: &str) -> ConfigError {
        ConfigError(format!(
            "{given} is given ({}) without {missing}: give both, or neither, and the node makes its own",
            self.source(given)
        ))
    }

    fn password_source(&self, directory: Option<&Path>) -> Result<PasswordSource, ConfigError> {
        let given = |text: &String| PasswordSource::Given { text: text.clone(), source: self.source("password") };
        let in_file =
            |path: &PathBuf| PasswordSource::File { path: path.clone(), source: self.source("password_file") };
        Ok(match (&self.password, &self.password_file) {
            (None, None) => {
                directory.map_or(PasswordSource::GeneratedInMemory, |path| PasswordSource::GeneratedIn(path.into()))
            }
            (Some(text), None) => given(text),
            (None, Some(path)) => in_file(path),
            (Some(text), Some(path)) => match self.stronger("password", "password_file", "there is one password")? {
                "password" => given(text),
                _ => in_file(path),
            },
        })
    }
}

impl Settings {
    /// What [`read`] leaves to the start, and `check-config` wants to know now: can the named files be read?
    fn check_files(&self, draft: &Draft) -> Result<(), ConfigError> {
        if matches!(self.password, PasswordSource::File { .. }) {
            self.password.resolve()?;
        }
        self.tenants.values().try_for_each(|secrets| secrets.resolve().map(drop))?;
        let Some((certificate, key)) = &self.mysql.certificate else { return Ok(()) };
        for (name, path) in [("tls_certificate", certificate), ("tls_key", key)] {
            std::fs::File::open(path).map_err(|error| {
                ConfigError(format!("{name} ({}): cannot read {}: {error}", draft.source(name), path.display()))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
