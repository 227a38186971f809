//! What `[tenant.N]` in the file can say: the settings of one tenant.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::password::PasswordSource;
use super::settings::{Kind, ORIGINS_EXAMPLE, Setting};
use super::{ConfigError, Source};
use crate::node::{Origin, Tenant};
use crate::user::TenantId;

/// In the order of `check-config`.
pub(super) static TENANT_SETTINGS: &[Setting<TenantDraft>] = &[
    Setting {
        key: "password",
        flag: "",
        group: "",
        about: "Instead of the main password",
        default: None,
        example: "correct-horse-battery",
        kind: Kind::Secret(|draft| &mut draft.password),
    },
    Setting {
        key: "password_file",
        flag: "",
        group: "",
        about: "A file that holds it",
        default: None,
        example: "/etc/cometql/password-of-shop",
        kind: Kind::Path(|draft| &mut draft.password_file),
    },
    Setting {
        key: "token_secret",
        flag: "",
        group: "",
        about: "Instead of the password with the tenant's number behind it",
        default: None,
        example: "another-horse-battery",
        kind: Kind::Secret(|draft| &mut draft.token_secret),
    },
    Setting {
        key: "origins",
        flag: "",
        group: "",
        about: "Instead of the list that is for all tenants",
        default: None,
        example: ORIGINS_EXAMPLE,
        kind: Kind::Origins(|draft| &mut draft.origins),
    },
];

/// What the settings of one tenant write into.
#[derive(Default)]
pub(super) struct TenantDraft {
    password: Option<String>,
    password_file: Option<PathBuf>,
    token_secret: Option<String>,
    pub(super) origins: Option<Vec<Origin>>,
    pub(super) sources: BTreeMap<&'static str, Source>,
}

/// The secrets of one tenant, as configured. Debug does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TenantSecrets {
    password: Option<PasswordSource>,
    token_secret: Option<String>,
}

impl TenantDraft {
    pub(super) fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    pub(super) fn secrets(&self, tenant: TenantId) -> Result<TenantSecrets, ConfigError> {
        let (text, file) = (self.source("password"), self.source("password_file"));
        let password = match (&self.password, &self.password_file) {
            (None, None) => None,
            (Some(password), None) => Some(PasswordSource::Given { text: password.clone(), source: text.clone() }),
            (None, Some(path)) => Some(PasswordSource::File { path: path.clone(), source: file.clone() }),
            (Some(_), Some(_)) => {
                return Err(ConfigError(format!(
                    "password and password_file are both given for tenant {tenant} ({text}, {file}): there is one \
                     password; remove one of them"
                )));
            }
        };
        if tenant == TenantId::ROOT && password.is_some() {
            let place = if self.password.is_some() { text } else { file };
            return Err(ConfigError(format!(
                "tenant 0 is that of root, whose password is the main one ({place}): set it above all tables, \
                 without [tenant.0]"
            )));
        }
        Ok(TenantSecrets { password, token_secret: self.token_secret.clone() })
    }
}

impl TenantSecrets {
    /// Reads the password if it is in a file.
    pub(super) fn resolve(&self) -> Result<Tenant, ConfigError> {
        let password = self.password.as_ref().map(PasswordSource::resolve).transpose()?;
        Ok(Tenant {
            password: password.map(|password| password.text().to_owned()),
            token_secret: self.token_secret.clone(),
        })
    }
}

impl fmt::Debug for TenantSecrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TenantSecrets({:?}, …)", self.password)
    }
}
