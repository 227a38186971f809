//! The settings in `COMETQL_…` variables.

use std::ffi::OsString;
use std::path::PathBuf;

use super::settings::{SETTINGS, Setting};
use super::value::nearest;
use super::{ConfigError, Given, Source};

const PREFIX: &str = "COMETQL_";
const CONFIG: &str = "COMETQL_CONFIG";

pub(super) struct Environment {
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<Given>,
}

pub(super) fn parse(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Environment, ConfigError> {
    let mut environment = Environment { config: None, given: Vec::new() };
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if name == CONFIG {
            environment.config = Some(PathBuf::from(value));
            continue;
        }
        let Some(setting) = setting_of(name) else {
            if is_made_by_containers(name) {
                continue;
            }
            return Err(unknown(name));
        };
        let Ok(text) = value.into_string() else {
            return Err(ConfigError(format!("{name} is not UTF-8: write it in UTF-8, or use the file or a flag")));
        };
        environment.given.push(Given { setting, text, source: Source::Environment(name.to_owned()) });
    }
    // An environment has no order; an error names the same variable every time.
    environment.given.sort_by_key(|given| given.setting.key);
    Ok(environment)
}

fn setting_of(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable() == name)
}

/// Kubernetes and Docker tell every container where its neighbours are; of one that is named `cometql`
/// they say `COMETQL_SERVICE_HOST`, `COMETQL_PORT_3307_TCP` and the like.
fn is_made_by_containers(name: &str) -> bool {
    let made = ["COMETQL_SERVICE_HOST", "COMETQL_PORT", "COMETQL_NAME"];
    let prefixes = ["COMETQL_SERVICE_PORT", "COMETQL_PORT_", "COMETQL_ENV_"];
    made.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn unknown(name: &str) -> ConfigError {
    let mut known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    known.push(CONFIG.to_owned());
    let advice = match nearest(name, known.iter().map(String::as_str)) {
        Some(variable) => format!("did you mean {variable}?"),
        None => "unset it; `cometql --help` lists the settings".to_owned(),
    };
    ConfigError(format!("{name} is set, but there is no such setting: {advice}"))
}
