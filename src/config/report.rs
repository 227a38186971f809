//! What `check-config` prints: a configuration file that says what is in force, and where each value is from.

use std::fmt::Write;
use std::path::Path;

use super::settings::{SETTINGS, Setting};
use super::tenant::TENANT_SETTINGS;
use super::{Draft, Source, value};

/// Values are padded to this width, in characters, so that the sources stand in a column.
const VALUE_WIDTH: usize = 54;

/// The text is itself a valid file; what is not set, and what must not be shown, is a comment.
pub(super) fn write(draft: &mut Draft, file: Option<&Path>) -> String {
    let mut text = match file {
        Some(path) => format!("# cometql {}; configuration file: {}\n", env!("CARGO_PKG_VERSION"), path.display()),
        None => format!("# cometql {}; configuration file: none\n", env!("CARGO_PKG_VERSION")),
    };
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            let _ = write!(text, "\n# {group}\n");
        }
        let source = draft.source(setting.key);
        let beaten = beaten_by(setting.key, draft);
        let note = beaten.map(|winner| format!("{source}, not in force: {winner} is"));
        put_line(&mut text, setting, draft, &source, note);
    }
    for (tenant, draft) in &mut draft.tenants {
        let _ = write!(text, "\n[tenant.{tenant}]\n");
        for setting in TENANT_SETTINGS {
            let source = draft.source(setting.key);
            put_line(&mut text, setting, draft, &source, None);
        }
    }
    text
}

/// One setting; `beaten` says why it is not in force.
fn put_line<D>(text: &mut String, setting: &Setting<D>, draft: &mut D, source: &Source, beaten: Option<String>) {
    let line = match value::show(setting, draft) {
        Some(shown) if setting.is_secret() || beaten.is_some() => format!("# {} = {shown}", setting.key),
        Some(shown) => format!("{} = {shown}", setting.key),
        None => format!("# {} =", setting.key),
    };
    let note = match beaten {
        Some(note) => note,
        None if *source == Source::Default && setting.default.is_none() => "not set".to_owned(),
        None => source.to_string(),
    };
    let _ = writeln!(text, "{line:VALUE_WIDTH$} # {note}");
}

/// Of two settings that exclude each other the weaker one is not in force.
fn beaten_by(key: &str, draft: &Draft) -> Option<&'static str> {
    let stronger = |first, second| draft.stronger(first, second, "").ok().filter(|winner| *winner != key);
    match key {
        "password" | "password_file" if draft.password.is_some() && draft.password_file.is_some() => {
            stronger("password", "password_file")
        }
        "data_dir" | "memory" if draft.memory => stronger("memory", "data_dir"),
        _ => None,
    }
}
