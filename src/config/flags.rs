//! The settings in flags, and the help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

use super::settings::{Kind, SETTINGS, Setting};
use super::{ConfigError, Given, Import, Source, moving};

const ABOUT: &str = "A push server that any MySQL driver can publish through.\n\n\
    A program runs INSERT INTO pipes_messages (name, event, message) VALUES (...), and every browser\n\
    that has subscribed to that pipe gets the message at once.";

const AFTER: &str = "\
Every setting can be given in three places. A flag wins over a variable, a variable over the file:
  --ping-seconds 30          the flag
  COMETQL_PING_SECONDS=30    the environment variable
  ping_seconds = 30          the file, in TOML

BYTES are a number with or without a unit: 65536, \"64 KiB\", 16M. The units are KiB, MiB and GiB.
Relative paths, in the file too, are relative to the directory the server is started in.

Examples:
  cometql                                        just try it, on this machine only
  cometql --memory --password secret             the same, leaving nothing behind
  cometql --config /etc/cometql/cometql.toml     run as configured
  cometql check-config > new.toml                begin a configuration file

Then open http://127.0.0.1:8087/ and publish:
  mysql -h 127.0.0.1 -P 3307 -u root -p -e \\
    \"INSERT INTO pipes_messages (name, event, message) VALUES ('hello', 'greeting', 'Hello')\"";

pub(super) struct Flags {
    pub(super) asked: Asked,
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<Given>,
}

/// What is to be done with the settings.
pub(super) enum Asked {
    Run,
    CheckConfig,
    Health,
    Backup(PathBuf),
    Restore(PathBuf),
    Import(Import),
    Export(PathBuf),
}

pub(super) enum Parsed {
    Flags(Flags),
    /// The help or the version.
    Say(String),
}

pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Parsed, ConfigError> {
    match command().try_get_matches_from(args) {
        Ok(matches) => Ok(Parsed::Flags(flags_of(&matches))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Parsed::Say(format!("{}\n", error.render().to_string().trim_end())))
        }
        Err(error) => {
            let text = error.render().to_string();
            Err(ConfigError(text.trim_start_matches("error: ").trim_end().to_owned()))
        }
    }
}

fn flags_of(matches: &ArgMatches) -> Flags {
    let given = SETTINGS.iter().filter_map(|setting| {
        let text = matches.get_one::<String>(setting.key)?.clone();
        Some(Given { setting, text, source: Source::Flag(format!("--{}", setting.flag)) })
    });
    Flags { asked: asked(matches), config: matches.get_one::<PathBuf>("config").cloned(), given: given.collect() }
}

fn asked(matches: &ArgMatches) -> Asked {
    let Some((name, matches)) = matches.subcommand() else { return Asked::Run };
    // Looked for only where it is known.
    let file = || matches.get_one::<PathBuf>("FILE").cloned().unwrap_or_default();
    match name {
        "backup" => Asked::Backup(file()),
        "restore" => Asked::Restore(file()),
        "health" => Asked::Health,
        "import" => Asked::Import(Import::asked(matches)),
        "export" => Asked::Export(file()),
        _ => Asked::CheckConfig,
    }
}

fn command() -> clap::Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(ValueParser::path_buf())
        .global(true)
        .help("Configuration file [default: ./cometql.toml, if it exists]")
        .help_heading("Configuration");
    let check_config = clap::Command::new("check-config")
        .about("Print every setting in force, its value and where it is from, as a file; then exit")
        .after_help("Exits with 0, or with 1 and the reason when the server would not start.");
    let health = clap::Command::new("health")
        .about("Ask the node that runs at --ws-listen whether it answers; then exit")
        .after_help("Exits with 0, or with 1 and the reason. It does not ask how the store is.");
    let file = Arg::new("FILE").required(true).value_parser(ValueParser::path_buf());
    let backup = clap::Command::new("backup")
        .about("Copy all that a node keeps to FILE, running or not; then exit")
        .after_help("The node is found by its data directory (--data-dir). See docs/BACKUP.md.")
        .arg(file.clone().help("What to write; a file that is there is replaced when the copy is whole"));
    let restore = clap::Command::new("restore")
        .about("Put a backup into an empty data directory; then exit")
        .after_help("A node that is started there goes on from the backup. See docs/BACKUP.md.")
        .arg(file.help("What `backup` wrote"));
    let [import, export] = moving::commands();
    clap::Command::new("cometql")
        .bin_name("cometql")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER)
        .subcommands([check_config, health, backup, restore, import, export])
        .disable_help_subcommand(true)
        .next_line_help(true)
        .arg(config)
        .args(SETTINGS.iter().map(flag))
}

fn flag(setting: &'static Setting) -> Arg {
    let default = match (&setting.kind, setting.default) {
        (Kind::Switch(_), _) | (_, None) => String::new(),
        (_, Some(default)) => format!(" [default: {default}]"),
    };
    let flag = Arg::new(setting.key)
        .long(setting.flag)
        .value_parser(ValueParser::string())
        .global(true)
        .action(ArgAction::Set)
        .help(format!("{}{default}", setting.about))
        .help_heading(setting.group);
    match setting.kind {
        Kind::Address(_) => flag.value_name("ADDRESS"),
        Kind::Path(_) if setting.key == "data_dir" => flag.value_name("DIR"),
        Kind::Path(_) => flag.value_name("FILE"),
        Kind::Secret(_) => flag.value_name("TEXT"),
        Kind::Level(_) => flag.value_name("LEVEL"),
        Kind::Origins(_) => flag.value_name("HOST,HOST"),
        Kind::Proxies(_) => flag.value_name("NETWORK,NETWORK"),
        Kind::Strings(_) => flag.value_name("RULE"),
        Kind::Durability(_) => flag.value_name("PLACE"),
        Kind::Store(_) => flag.value_name("URL"),
        Kind::Bytes(..) => flag.value_name("BYTES"),
        Kind::Count(..) => flag.value_name("NUMBER"),
        Kind::Seconds(..) => flag.value_name("SECONDS"),
        Kind::Switch(_) => flag
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .hide_possible_values(true),
    }
}
