//! The settings in a TOML file, each with its line.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{ImDocument, Item, TableLike, Value};

use super::settings::{Kind, SETTINGS, Setting};
use super::tenant::{TENANT_SETTINGS, TenantDraft};
use super::value::nearest;
use super::{ConfigError, Given, Source};
use crate::user::TenantId;

/// The key under which the tenants are.
const TENANT: &str = "tenant";

pub(super) struct File {
    /// The file that was read, if one was.
    pub(super) path: Option<PathBuf>,
    pub(super) given: Vec<Given>,
    pub(super) tenants: Vec<GivenTenant>,
}

/// What is given for one tenant.
pub(super) type GivenTenant = (TenantId, Vec<Given<TenantDraft>>);

/// Reads the file that was named; when none was, `default` if it exists.
pub(super) fn read(named: Option<&Path>, default: &Path) -> Result<File, ConfigError> {
    let path = named.unwrap_or(default);
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok(File { path: None, given: Vec::new(), tenants: Vec::new() })
        }
        Err(error) => Err(ConfigError(format!(
            "cannot read the configuration file {}: {error}; check the path, or start without it",
            path.display()
        ))),
    }
}

fn parse(path: &Path, text: &str) -> Result<File, ConfigError> {
    let document = ImDocument::parse(text).map_err(|error| {
        let reason = error.message().trim().replace('\n', ", ");
        ConfigError(format!("{}:{}: not valid TOML: {reason}", path.display(), line_of(text, error.span())))
    })?;
    let page = Page { path, text };
    let mut file = File { path: Some(path.to_owned()), given: Vec::new(), tenants: Vec::new() };
    for (key, item) in document.iter() {
        if key == TENANT {
            file.tenants = page.tenants(document.as_table(), item)?;
            continue;
        }
        let line = page.line_of_key(document.as_table(), key, item);
        let setting = Setting::find(key).ok_or_else(|| page.unknown(SETTINGS, line, key))?;
        file.given.push(page.given(setting, item, line)?);
    }
    Ok(file)
}

/// The file while it is read.
struct Page<'f> {
    path: &'f Path,
    text: &'f str,
}

impl Page<'_> {
    /// Every `[tenant.N]`.
    fn tenants(&self, document: &dyn TableLike, item: &Item) -> Result<Vec<GivenTenant>, ConfigError> {
        let line = self.line_of_key(document, TENANT, item);
        let tables = item.as_table_like().ok_or_else(|| self.no_tenant(line, "tenant", item))?;
        let mut tenants = Vec::new();
        for (number, item) in tables.iter() {
            let line = self.line_of_key(tables, number, item);
            let tenant = TenantId::parse(number).filter(|tenant| tenant.to_string() == number);
            let Some(tenant) = tenant else {
                let last = TenantId::COUNT_MAX - 1;
                return Err(
                    self.wrong(line, &format!("[tenant.{number}] is no tenant: tenants are numbers, 0 to {last}"))
                );
            };
            let table = item.as_table_like().ok_or_else(|| self.no_tenant(line, &format!("tenant.{number}"), item))?;
            let mut given = Vec::new();
            for (key, item) in table.iter() {
                let line = self.line_of_key(table, key, item);
                let setting = TENANT_SETTINGS.iter().find(|setting| setting.key == key);
                let setting = setting.ok_or_else(|| self.unknown(TENANT_SETTINGS, line, key))?;
                given.push(self.given(setting, item, line)?);
            }
            tenants.push((tenant, given));
        }
        Ok(tenants)
    }

    fn given<D>(&self, setting: &'static Setting<D>, item: &Item, line: usize) -> Result<Given<D>, ConfigError> {
        let source = Source::File { path: self.path.to_owned(), line };
        let text = text_of(setting, item).ok_or_else(|| {
            let advice = setting.example_for(&source);
            self.wrong(line, &format!("{} is {}: write for example {advice}", setting.key, a_type(item)))
        })?;
        Ok(Given { setting, text, source })
    }

    fn line_of_key(&self, table: &dyn TableLike, key: &str, item: &Item) -> usize {
        line_of(self.text, table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span()))
    }

    fn no_tenant(&self, line: usize, key: &str, item: &Item) -> ConfigError {
        let advice = "write the settings of tenant 5 under [tenant.5]";
        self.wrong(line, &format!("{key} is {}: {advice}", a_type(item)))
    }

    fn unknown<D>(&self, known: &[Setting<D>], line: usize, key: &str) -> ConfigError {
        let advice = match nearest(key, known.iter().map(|setting| setting.key)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "remove it; `cometql check-config` lists the settings".to_owned(),
        };
        self.wrong(line, &format!("there is no setting `{key}`: {advice}"))
    }

    fn wrong(&self, line: usize, why: &str) -> ConfigError {
        ConfigError(format!("{}:{line}: {why}", self.path.display()))
    }
}

/// The value as text, if it has the type its setting wants.
fn text_of<D>(setting: &Setting<D>, item: &Item) -> Option<String> {
    match (item.as_value()?, &setting.kind) {
        (Value::Array(entries), _) if setting.is_list() => {
            let entries: Option<Vec<&str>> = entries.iter().map(Value::as_str).collect();
            entries.map(|entries| entries.join(","))
        }
        _ if setting.is_list() => None,
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
        "string" => "a text",
        "array" | "array of tables" => "a list",
        "table" | "inline table" => "a table",
        _ => "of the wrong type",
    }
}

/// Counted from 1.
fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}
