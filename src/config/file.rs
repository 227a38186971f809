//! The settings in a TOML file, each with its line.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{ImDocument, Item, Value};

use super::settings::{Kind, SETTINGS, Setting};
use super::value::nearest;
use super::{ConfigError, Given, Source};

pub(super) struct File {
    /// The file that was read, if one was.
    pub(super) path: Option<PathBuf>,
    pub(super) given: Vec<Given>,
}

/// Reads the file that was named; when none was, `default` if it exists.
pub(super) fn read(named: Option<&Path>, default: &Path) -> Result<File, ConfigError> {
    let path = named.unwrap_or(default);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(File { path: Some(path.to_owned()), given: parse(path, &text)? }),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok(File { path: None, given: Vec::new() })
        }
        Err(error) => Err(ConfigError(format!(
            "cannot read the configuration file {}: {error}; check the path, or start without it",
            path.display()
        ))),
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Given>, ConfigError> {
    let document = ImDocument::parse(text).map_err(|error| {
        let reason = error.message().trim().replace('\n', ", ");
        ConfigError(format!("{}:{}: not valid TOML: {reason}", path.display(), line_of(text, error.span())))
    })?;
    let mut given = Vec::new();
    for (key, item) in document.iter() {
        let span = document.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
        let line = line_of(text, span);
        let setting = Setting::find(key).ok_or_else(|| unknown(path, line, key))?;
        let text = text_of(setting, item).ok_or_else(|| {
            let source = Source::File { path: path.to_owned(), line };
            ConfigError(format!(
                "{}:{line}: {key} is {}: write for example {}",
                path.display(),
                a_type(item),
                setting.example_for(&source)
            ))
        })?;
        given.push(Given { setting, text, source: Source::File { path: path.to_owned(), line } });
    }
    Ok(given)
}

/// The value as text, if it has the type its setting wants.
fn text_of(setting: &Setting, item: &Item) -> Option<String> {
    match (item.as_value()?, &setting.kind) {
        (Value::String(text), _) => Some(text.value().clone()),
        (Value::Integer(number), Kind::Bytes(..) | Kind::Count(..) | Kind::Seconds(..)) => {
            Some(number.value().to_string())
        }
        (Value::Boolean(switch), Kind::Switch(_)) => Some(switch.value().to_string()),
        _ => None,
    }
}

fn a_type(item: &Item) -> &'static str {
    match item.type_name() {
        "integer" => "a number",
        "float" => "a number with a point",
        "boolean" => "true or false",
        "array" | "array of tables" => "a list",
        "table" | "inline table" => "a table",
        _ => "of the wrong type",
    }
}

fn unknown(path: &Path, line: usize, key: &str) -> ConfigError {
    let advice = match nearest(key, SETTINGS.iter().map(|setting| setting.key)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "remove it; `cometql check-config` lists the settings".to_owned(),
    };
    ConfigError(format!("{}:{line}: there is no setting `{key}`: {advice}", path.display()))
}

/// Counted from 1.
fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}
