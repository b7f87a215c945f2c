//! Reads raw values in any of their spellings into one checked [`Settings`].
//!
//! Two kinds of file are read: our own configuration, where an unknown key is a problem, and the Runtime's
//! values, where other keys belong to others. A plain token or password in either is never kept: it is
//! replaced by the name of the Secret that a chart makes from it.

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

/// The checked settings of every command and process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The credential that pods get.
    pub auth: Auth,
    /// Where Argo CD is and how its certificate is checked.
    pub argocd: ArgoCd,
    /// How the credential gets into containers that read it themselves, unless a service has its own
    /// delivery.
    pub delivery: Delivery,
    /// What happens where a user's own variable, volume or mount is in the place of ours.
    pub on_conflict: OnConflict,
    /// Whether the app-proxy is one of the Runtime's releases 0.18.0 to 0.24.3.
    pub legacy_app_proxy: bool,
    /// The services whose pods are injected, in the order in which they are tried.
    pub services: Vec<Service>,
    /// What the controller does about pods that have drifted.
    pub rollout: Rollout,
    /// What services that read a Secret by name do when it changes.
    pub by_name: ByName,
    /// Whether a running pod is replaced only while the credential has been seen to work.
    pub require_verified: bool,
    /// How the controller keeps the credential.
    pub credentials: Credentials,
    /// Which keys of the files the credential and Argo CD's address come from.
    pub sources: Sources,
    /// Things that a person should look at, though the settings are usable.
    pub warnings: Vec<Problem>,
}

/// Which kind of settings file, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// Our own configuration.
    Config(PathBuf),
    /// The Runtime's values, as one file or several. As in Helm, a later one overrides an earlier one, and
    /// `-` is standard input.
    Values(Vec<PathBuf>),
}

impl File {
    fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Config(path) => std::slice::from_ref(path),
            Self::Values(paths) => paths,
        }
    }

    /// The name of the file or files in error messages.
    fn label(&self) -> String {
        let paths: Vec<String> = self.paths().iter().map(|path| path.display().to_string()).collect();
        paths.join(", ")
    }
}

/// Flags and environment variables, which override the file. `None` leaves the file's value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// Overrides `delivery`.
    pub delivery: Option<Delivery>,
    /// Overrides `onConflict`.
    pub on_conflict: Option<OnConflict>,
    /// Overrides `legacyAppProxy`.
    pub legacy_app_proxy: Option<bool>,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("reading the settings from {}: {error}", path.display())]
    Unreadable {
        /// The file's path.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file isn't YAML.
    #[error("{}: not YAML that can be read: {reason}", path.display())]
    NotYaml {
        /// The file's path.
        path: PathBuf,
        /// What is wrong and at which line and column. Never quotes the text, which may hold a password.
        reason: String,
    },
    /// The file was read and its content can't be used.
    #[error("{}", in_file(file, problems))]
    Invalid {
        /// The file, or all of them if several were merged.
        file: String,
        /// Everything that is wrong, each with its path in the file.
        problems: Vec<Problem>,
    },
    /// Neither a configuration nor values were named.
    #[error("no settings: neither --values nor --config is given. {}", of_a_file())]
    NotGiven,
}

fn in_file(file: &str, problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(|problem| format!("{file}: {problem}")).collect();
    each.join("\n")
}

/// A hint at what a settings file has to contain.
fn of_a_file() -> String {
    let (_, lines) = config::MISSING.split_once(". ").unwrap_or_default();
    format!("Give the Runtime's values with --values, or a file of your own with --config. {}", lines.trim_end())
}

impl Settings {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// No file is given, one can't be read or isn't YAML, or the merged content is invalid; then the error
    /// lists everything that is wrong.
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
                // One of them is no mapping; `from_value` reports that.
                (Some(Value::Object(_)), other) | (Some(other), _) => {
                    return Self::from_value(&File::Values(vec![path.clone()]), &other, overrides);
                }
            });
        }
        Self::from_value(file, &merged.unwrap_or_default(), overrides)
    }

    /// Reads settings from a text, as if `file` had this content.
    ///
    /// # Errors
    /// As [`Settings::load`], except for unreadable files.
    pub fn from_text(file: &File, text: &str, overrides: Overrides) -> Result<Self, SettingsError> {
        let value = parse_yaml(text).map_err(|reason| {
            let path = file.paths().first().map_or_else(|| Path::new("values"), PathBuf::as_path);
            SettingsError::NotYaml { path: path.to_owned(), reason }
        })?;
        Self::from_value(file, &value, overrides)
    }

    /// The defaults of the Runtime's charts, for commands that get everything else from flags.
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

    /// One line on what pods get and which keys say so; holds no credential.
    #[must_use]
    pub fn taken(&self) -> Taken<'_> {
        Taken(self)
    }

    /// Settings with this credential and address, and the default of everything else.
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

    /// The injector that decides about pods under these settings.
    #[must_use]
    pub fn injector(&self, engine: Engine) -> Injector {
        let services = self.services.iter().map(|service| {
            let injection = Injection::new(&self.auth, service, self.delivery, self.legacy_app_proxy);
            (service.clone(), injection)
        });
        Injector::new(self.auth.clone(), services.collect(), self.on_conflict, engine)
    }
}

/// Reads a file, or standard input for `-` as Helm does.
fn read_file(path: &Path) -> std::io::Result<String> {
    if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) }
}

/// Drops `---` lines at the end with nothing after them: no version of Helm reads the file differently
/// without.
fn without_empty_end(text: &str) -> &str {
    let mut kept = text;
    loop {
        let (before, last) = kept.trim_end_matches(['\n', '\r', ' ']).rsplit_once('\n').unwrap_or_default();
        if before.is_empty() || last.trim_end() != "---" {
            return kept;
        }
        // Keeps the line break before it.
        kept = &kept[..=before.len()];
    }
}

/// Reads YAML as Helm and Kubernetes do. The error never quotes the text, which may hold a password.
fn parse_yaml(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // To Helm, an empty file is an empty set of values.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---") {
        return Ok(Value::Null);
    }
    let document = yaml::read(without_empty_end(text)).map_err(|error| match error.reason.as_str() {
        yaml::ANOTHER_DOCUMENT => {
            format!("{error}; of several documents Helm 3 reads the first and Helm 4 all: keep one")
        }
        _ => error.to_string(),
    })?;
    // Helm takes the last of duplicate keys; here they are a mistake.
    match document.repeated {
        Some(at) => Err(format!("{at}: {}; Helm takes the last one: keep one", yaml::DUPLICATE)),
        None => Ok(document.value),
    }
}
