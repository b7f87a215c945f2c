//! Raw values in any of their spellings → one checked [`Settings`].
//!
//! Two kinds of file are read: our own configuration, where an unknown key is an error, and the
//! Runtime's values, where everything that isn't ours is somebody else's. A plain token or password
//! in either is noticed and dropped: it becomes the name of the Secret that a chart makes from it.

mod argocd;
mod auth;
mod block;
mod config;
mod controller;
mod duration;
mod names;
mod nearest;
mod services;
mod values;

pub use argocd::{Address, ArgoCd, CertificateAuthority, Tls};
pub use block::Problem;
pub use controller::{ByName, Credentials, Rollout, freshness};
pub use duration::duration;

use crate::core::{Auth, Delivery, Engine, Injection, Injector, OnConflict, Service, built_in_services};
use crate::yaml::{explain, options};
use block::Report;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Everything that decides, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which credential.
    pub auth: Auth,
    /// Where Argo CD is.
    pub argocd: ArgoCd,
    /// How services that read a credential themselves get it.
    pub delivery: Delivery,
    /// What happens to a user's own variables.
    pub on_conflict: OnConflict,
    /// Whether the app-proxy is one of the Runtime's releases 0.18.0 to 0.24.3.
    pub legacy_app_proxy: bool,
    /// Which pods.
    pub services: Vec<Service>,
    /// What happens to pods that are out of step.
    pub rollout: Rollout,
    /// What services do that read a Secret by its name.
    pub by_name: ByName,
    /// Whether a running pod goes only for a credential that the controller has seen to work.
    pub require_verified: bool,
    /// How the credential is kept.
    pub credentials: Credentials,
    /// What a person should look at, though it hinders nothing.
    pub warnings: Vec<Problem>,
}

/// Which file the settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// Our own configuration.
    Config(PathBuf),
    /// The Runtime's values.
    Values(PathBuf),
}

impl File {
    fn path(&self) -> &Path {
        match self {
            Self::Config(path) | Self::Values(path) => path,
        }
    }
}

/// What stands above the file: flags and environment variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// Instead of `delivery`.
    pub delivery: Option<Delivery>,
    /// Instead of `onConflict`.
    pub on_conflict: Option<OnConflict>,
    /// Instead of `legacyAppProxy`.
    pub legacy_app_proxy: Option<bool>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("reading the settings from {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What came back.
        error: std::io::Error,
    },
    /// The file isn't YAML.
    #[error("{}: not YAML that can be read: {reason}", path.display())]
    NotYaml {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column, without the text itself: it may hold a password.
        reason: String,
    },
    /// The file says something that can't be.
    #[error("{}", in_file(path.as_deref(), problems))]
    Invalid {
        /// Which file; `None` where there is none.
        path: Option<PathBuf>,
        /// Everything that is wrong, each with its path in the file.
        problems: Vec<Problem>,
    },
}

fn in_file(path: Option<&Path>, problems: &[Problem]) -> String {
    let place = path.map_or_else(|| "the settings".to_owned(), |path| path.display().to_string());
    let each: Vec<String> = problems.iter().map(|problem| format!("{place}: {problem}")).collect();
    each.join("\n")
}

impl Settings {
    /// Reads and checks a file; without one, the Runtime's defaults hold.
    ///
    /// # Errors
    /// The file can't be read, is not YAML, or says something that can't be; all that is wrong is
    /// said at once.
    pub fn load(file: Option<&File>, overrides: Overrides) -> Result<Self, SettingsError> {
        let Some(file) = file else { return Self::from_value(None, &Value::Null, overrides) };
        let path = file.path();
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingsError::Unreadable { path: path.to_owned(), error })?;
        Self::from_text(file, &text, overrides)
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_text(file: &File, text: &str, overrides: Overrides) -> Result<Self, SettingsError> {
        let value =
            parse_yaml(text).map_err(|reason| SettingsError::NotYaml { path: file.path().to_owned(), reason })?;
        Self::from_value(Some(file), &value, overrides)
    }

    fn from_value(file: Option<&File>, root: &Value, overrides: Overrides) -> Result<Self, SettingsError> {
        let mut report = Report::new(matches!(file, Some(File::Config(_))));
        let read = match file {
            Some(File::Config(_)) => config::read(root, &mut report),
            _ => values::read(root, overrides.legacy_app_proxy, &mut report),
        };
        let path = || file.map(|file| file.path().to_owned());
        match read {
            Some(mut settings) if report.problems.is_empty() => {
                settings.delivery = overrides.delivery.unwrap_or(settings.delivery);
                settings.on_conflict = overrides.on_conflict.unwrap_or(settings.on_conflict);
                settings.legacy_app_proxy = overrides.legacy_app_proxy.unwrap_or(settings.legacy_app_proxy);
                settings.warnings = report.warnings;
                Ok(settings)
            }
            _ => Err(SettingsError::Invalid { path: path(), problems: report.problems }),
        }
    }

    /// The settings with this credential and address, and everything else by default.
    fn new(auth: Auth, argocd: ArgoCd) -> Self {
        Self {
            auth,
            argocd,
            delivery: Delivery::Env,
            on_conflict: OnConflict::Keep,
            legacy_app_proxy: false,
            services: built_in_services(),
            rollout: Rollout::Automatic,
            by_name: ByName::Follow,
            require_verified: true,
            credentials: Credentials::default(),
            warnings: Vec::new(),
        }
    }

    /// What decides about pods under these settings.
    #[must_use]
    pub fn injector(&self, engine: Engine) -> Injector {
        let services = self.services.iter().map(|service| {
            let injection = Injection::new(&self.auth, service, self.delivery, self.legacy_app_proxy);
            (service.clone(), injection)
        });
        Injector::new(self.auth.clone(), services.collect(), self.on_conflict, engine)
    }
}

/// Reads YAML as Helm and Kubernetes do. The error never quotes the text.
fn parse_yaml(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // An empty file is an empty set of values to Helm.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---") {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error: serde_saphyr::Error| {
        let place = error.location().map(|at| format!("line {}, column {}: ", at.line(), at.column()));
        format!("{}{}", place.unwrap_or_default(), explain(&error))
    })
}
