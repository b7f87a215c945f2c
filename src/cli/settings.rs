//! The flags that choose and override the settings.

use super::output::Failure;
use argocd_auth_webhook::core::{Delivery, OnConflict};
use argocd_auth_webhook::settings::{File, Overrides, Settings};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use std::path::PathBuf;

/// Where the settings come from.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// Our own configuration file
    #[arg(long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_CONFIG")]
    pub config: Option<PathBuf>,
    /// The Runtime's Helm values, or an umbrella chart's; may be repeated, and a later file counts
    /// before an earlier one, as with Helm; standard input for -. In the environment, with commas
    /// between the files
    #[arg(short = 'f', long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_VALUES", value_delimiter = ',')]
    pub values: Vec<PathBuf>,
    /// How services that read a credential themselves get it
    #[arg(long, value_enum, env = "ARGOCD_AUTH_WEBHOOK_DELIVERY")]
    pub delivery: Option<DeliveryArg>,
    /// What happens to a user's own variables where ours belong
    #[arg(long, value_enum, env = "ARGOCD_AUTH_WEBHOOK_ON_CONFLICT")]
    pub on_conflict: Option<OnConflictArg>,
    /// Whether the app-proxy is one of the Runtime's releases 0.18.0 to 0.24.3
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_LEGACY_APP_PROXY")]
    pub legacy_app_proxy: Option<bool>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeliveryArg {
    /// Environment variables
    Env,
    /// Files of a mounted Secret
    Volume,
}

impl From<DeliveryArg> for Delivery {
    fn from(delivery: DeliveryArg) -> Self {
        match delivery {
            DeliveryArg::Env => Self::Env,
            DeliveryArg::Volume => Self::Volume,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnConflictArg {
    /// Theirs stays; a warning says so
    Keep,
    /// Ours takes its place; a warning says so
    Replace,
    /// The pod is refused
    Deny,
}

impl From<OnConflictArg> for OnConflict {
    fn from(policy: OnConflictArg) -> Self {
        match policy {
            OnConflictArg::Keep => Self::Keep,
            OnConflictArg::Replace => Self::Replace,
            OnConflictArg::Deny => Self::Deny,
        }
    }
}

impl SettingsArgs {
    /// Whether one of the files is standard input.
    pub fn reads_stdin(&self) -> bool {
        self.values.iter().chain(&self.config).any(|path| path.as_os_str() == "-")
    }
}

/// Whether an argument was typed, rather than taken from the environment or a default.
pub fn by_flag(matches: Option<&ArgMatches>, id: &str) -> bool {
    matches.is_some_and(|matches| matches.value_source(id) == Some(ValueSource::CommandLine))
}

/// Loads the settings of a command. A file named by a flag takes precedence over one named by the
/// environment.
pub fn settings(args: &SettingsArgs, matches: Option<&ArgMatches>) -> Result<Settings, Failure> {
    let values = (!args.values.is_empty()).then(|| File::Values(args.values.clone()));
    let file = match (&args.config, values) {
        (Some(config), Some(_)) if by_flag(matches, "config") && !by_flag(matches, "values") => {
            Some(File::Config(config.clone()))
        }
        (Some(_), Some(values)) if by_flag(matches, "values") && !by_flag(matches, "config") => Some(values),
        (Some(_), Some(_)) => {
            return Err(Failure::usage(anyhow::anyhow!(
                "--config and --values are both given (by flags, or ARGOCD_AUTH_WEBHOOK_CONFIG and _VALUES); keep one of them"
            )));
        }
        (Some(config), None) => Some(File::Config(config.clone())),
        (None, values) => values,
    };
    let overrides = Overrides {
        delivery: args.delivery.map(Into::into),
        on_conflict: args.on_conflict.map(Into::into),
        legacy_app_proxy: args.legacy_app_proxy,
    };
    Settings::load(file.as_ref(), overrides).map_err(Failure::usage)
}

/// Loads the settings of a server process, whose warnings are logged.
pub fn logged_settings(args: &SettingsArgs, matches: Option<&ArgMatches>) -> Result<Settings, Failure> {
    let settings = settings(args, matches)?;
    tracing::info!("settings: {}", settings.taken());
    for warning in &settings.warnings {
        tracing::warn!(path = warning.path, "{}", warning.text);
    }
    Ok(settings)
}
