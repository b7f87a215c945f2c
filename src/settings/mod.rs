//! Raw values in any of their spellings → one checked [`Settings`].
//!
//! Two kinds of file are read: our own configuration, where an unknown key is an error, and the
//! Runtime's values, where everything that isn't ours is somebody else's. A plain token or password
//! in either is noticed and dropped: it becomes the name of the Secret that a chart makes from it.

mod address;
mod argocd;
mod auth;
mod block;
mod bundled;
mod config;
mod controller;
mod duration;
mod merge;
mod names;
mod nearest;
mod places;
mod services;
mod source;
mod strays;
mod values;

pub use argocd::{Address, ArgoCd, CertificateAuthority, Tls};
pub use block::Problem;
pub use controller::{ByName, Credentials, Rollout, freshness};
pub use duration::duration;
pub use names::{is_namespace_name, is_object_name};
pub use source::{Sources, Taken};

use crate::core::{Auth, Delivery, Engine, Injection, Injector, OnConflict, Service, built_in_services};
use crate::yaml;
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
    /// What was taken from where.
    pub sources: Sources,
    /// What a person should look at, though it hinders nothing.
    pub warnings: Vec<Problem>,
}

/// Which files the settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// Our own configuration.
    Config(PathBuf),
    /// The Runtime's values: one file or several, of which a later one counts before an earlier one,
    /// as Helm takes them.
    Values(Vec<PathBuf>),
}

impl File {
    fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Config(path) => std::slice::from_ref(path),
            Self::Values(paths) => paths,
        }
    }

    /// What errors call it.
    fn label(&self) -> String {
        let paths: Vec<String> = self.paths().iter().map(|path| path.display().to_string()).collect();
        paths.join(", ")
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
    /// The files say something that can't be.
    #[error("{}", in_file(file, problems))]
    Invalid {
        /// Which file, or which files one over the other.
        file: String,
        /// Everything that is wrong, each with its path in the file.
        problems: Vec<Problem>,
    },
    /// There is no file.
    #[error("no settings: neither --values nor --config is given. {}", of_a_file())]
    NotGiven,
}

fn in_file(file: &str, problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(|problem| format!("{file}: {problem}")).collect();
    each.join("\n")
}

/// What a file would have to say.
fn of_a_file() -> String {
    let (_, lines) = config::MISSING.split_once(". ").unwrap_or_default();
    format!("Give the Runtime's values with --values, or a file of your own with --config. {}", lines.trim_end())
}

impl Settings {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// There is none, one can't be read, is not YAML, or what they say together can't be; all that is
    /// wrong is said at once.
    pub fn load(file: Option<&File>, overrides: Overrides) -> Result<Self, SettingsError> {
        let file = file.filter(|file| !file.paths().is_empty()).ok_or(SettingsError::NotGiven)?;
        let mut merged = None;
        for path in file.paths() {
            let text = read_file(path).map_err(|error| SettingsError::Unreadable { path: path.clone(), error })?;
            let value = parse_yaml(&text).map_err(|reason| SettingsError::NotYaml { path: path.clone(), reason })?;
            merged = Some(match (merged, value) {
                (Some(Value::Object(earlier)), Value::Object(later)) => Value::Object(merge::merge(earlier, later)),
                (None | Some(Value::Null), value) => value,
                (Some(earlier), Value::Null) => earlier,
                // One of them is no mapping, which is said of it.
                (Some(Value::Object(_)), other) | (Some(other), _) => {
                    return Self::from_value(&File::Values(vec![path.clone()]), &other, overrides);
                }
            });
        }
        Self::from_value(file, &merged.unwrap_or_default(), overrides)
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_text(file: &File, text: &str, overrides: Overrides) -> Result<Self, SettingsError> {
        let value = parse_yaml(text).map_err(|reason| {
            let path = file.paths().first().map_or_else(|| Path::new("values"), PathBuf::as_path);
            SettingsError::NotYaml { path: path.to_owned(), reason }
        })?;
        Self::from_value(file, &value, overrides)
    }

    /// What the Runtime's charts have by default, for commands that a person gives the rest.
    #[must_use]
    pub fn of_the_charts() -> Self {
        let sources = Sources { auth: "the Runtime's defaults".to_owned(), argocd: None };
        Self { sources, ..Self::new(auth::default(), ArgoCd::default()) }
    }

    fn from_value(file: &File, root: &Value, overrides: Overrides) -> Result<Self, SettingsError> {
        let mut report = Report::new(matches!(file, File::Config(_)));
        let read = match file {
            File::Config(_) => config::read(root, &mut report),
            File::Values(_) => values::read(root, overrides.legacy_app_proxy, &mut report),
        };
        match read {
            Some(mut settings) if report.problems.is_empty() => {
                settings.delivery = overrides.delivery.unwrap_or(settings.delivery);
                settings.on_conflict = overrides.on_conflict.unwrap_or(settings.on_conflict);
                settings.legacy_app_proxy = overrides.legacy_app_proxy.unwrap_or(settings.legacy_app_proxy);
                settings.warnings = report.warnings;
                Ok(settings)
            }
            _ => Err(SettingsError::Invalid { file: file.label(), problems: report.problems }),
        }
    }

    /// What was taken from where, in one line.
    #[must_use]
    pub fn taken(&self) -> Taken<'_> {
        Taken(self)
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
            sources: Sources::default(),
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

/// A file's text; standard input's for `-`, as Helm has it.
fn read_file(path: &Path) -> std::io::Result<String> {
    if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) }
}

/// Without markers at the end after which nothing comes: no Helm reads anything else because of them.
fn without_empty_end(text: &str) -> &str {
    let mut kept = text;
    loop {
        let (before, last) = kept.trim_end_matches(['\n', '\r', ' ']).rsplit_once('\n').unwrap_or_default();
        if before.is_empty() || last.trim_end() != "---" {
            return kept;
        }
        // The line break before it stays.
        kept = &kept[..=before.len()];
    }
}

/// Reads YAML as Helm and Kubernetes do. The error never quotes the text.
fn parse_yaml(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // An empty file is an empty set of values to Helm.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---") {
        return Ok(Value::Null);
    }
    let document = yaml::read(without_empty_end(text)).map_err(|error| match error.reason.as_str() {
        yaml::ANOTHER_DOCUMENT => {
            format!("{error}; of several documents Helm 3 reads the first and Helm 4 all: keep one")
        }
        _ => error.to_string(),
    })?;
    // Helm takes the last one; here one of the two is a mistake.
    match document.repeated {
        Some(at) => Err(format!("{at}: {}; Helm takes the last one: keep one", yaml::DUPLICATE)),
        None => Ok(document.value),
    }
}
