//! What `cometql import` and `cometql export` are asked for.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches};

/// What is brought into the store.
pub struct Import {
    /// What `backup` or `export` wrote.
    pub file: Option<PathBuf>,
    /// `comet.ini` of an original installation.
    pub ini: Option<PathBuf>,
    /// The URL of its database, with the password.
    pub mysql: Option<String>,
    /// Where the configuration is written that takes the place of `comet.ini`.
    pub config_out: Option<PathBuf>,
    /// Pipes go on under the numbers they had.
    pub keeps_positions: bool,
    /// Something may be in the store already; it stays.
    pub is_merged: bool,
}

impl Import {
    pub(super) fn asked(matches: &ArgMatches) -> Import {
        let path = |name| matches.get_one::<PathBuf>(name).cloned();
        Import {
            file: path("FILE"),
            ini: path("ini"),
            mysql: matches.get_one::<String>("mysql").cloned(),
            config_out: path("config-out"),
            keeps_positions: matches.get_flag("keep-positions"),
            is_merged: matches.get_flag("merge"),
        }
    }

    /// With paths that are relative to this directory.
    pub(super) fn below(self, directory: &Path) -> Import {
        let below = |path: Option<PathBuf>| path.map(|path| directory.join(path));
        let (file, ini, config_out) = (below(self.file), below(self.ini), below(self.config_out));
        Import { file, ini, config_out, ..self }
    }
}

/// Without the URL, which has a password.
impl fmt::Debug for Import {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Import { file, ini, config_out, keeps_positions, is_merged, mysql: _ } = self;
        write!(out, "Import({file:?}, {ini:?}, {config_out:?}, {keeps_positions}, {is_merged}, …)")
    }
}

pub(super) fn commands() -> [clap::Command; 2] {
    let path = || ValueParser::path_buf();
    let file = Arg::new("FILE").value_parser(path());
    let flag = |name: &'static str| Arg::new(name).long(name);
    let import = clap::Command::new("import")
        .about("Bring what `export` or `backup` wrote, or what CppComet has, into the store; then exit")
        .after_help("The store is the one of the settings: --data-dir or --store. See docs/MOVING.md.")
        .arg(file.clone().help("What `export` or `backup` wrote").conflicts_with_all(["ini", "mysql", "config-out"]))
        .arg(flag("ini").value_name("FILE").value_parser(path()).help("comet.ini of an original installation"))
        .arg(flag("mysql").value_name("URL").help(
            "Its database, if not the one in comet.ini: mysql://user:password@host:port/database; shows in the list \
             of processes",
        ))
        .arg(
            flag("config-out")
                .value_name("FILE")
                .value_parser(path())
                .requires("ini")
                .help("Write what comet.ini says to this new configuration file"),
        )
        .arg(
            flag("keep-positions")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["ini", "mysql"])
                .help("Pipes go on under the numbers they had; the old store is never used again"),
        )
        .arg(
            flag("merge")
                .action(ArgAction::SetTrue)
                .help("The store need not be empty: what is there stays, and what is missing is added"),
        )
        .group(ArgGroup::new("from").args(["FILE", "ini", "mysql"]).multiple(true).required(true));
    let export = clap::Command::new("export")
        .about("Write everything in the store to FILE, for `import` or `restore`; then exit")
        .after_help("The store is the one of the settings: --data-dir or --store. See docs/MOVING.md.")
        .arg(file.required(true).help("What to write; a file that is there is replaced when it is whole"));
    [import, export]
}
