//! Commands for people: the account, its keys, and what the controller makes of them.

use super::{ReportFormat, SettingsArgs};
use argocd_auth_webhook::access::{PasswordFrom, SecretKey, is_account};
use argocd_auth_webhook::settings::duration;
use argocd_auth_webhook::token::{Sink, Source, Which, checked_id};
use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Look at Argo CD's account, and make it fit
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook account verify --namespace codefresh\n  \
    argocd-auth-webhook account enable --namespace codefresh --dry-run")]
pub struct Account {
    #[command(subcommand)]
    pub action: AccountAction,
}

#[derive(Debug, Subcommand)]
pub enum AccountAction {
    Verify(AccountVerify),
    Enable(AccountEnable),
}

/// Look whether the account is fit for the Runtime
///
/// It has to exist, be enabled, and have login and apiKey; and RBAC has to let it do what the
/// Runtime's services do. Looks into argocd-cm, then logs in to Argo CD and asks. In token mode the
/// key is used, without a login. Changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook account verify --namespace codefresh\n  \
    argocd-auth-webhook account verify --argocd-url https://argocd.example.com --ask-password")]
pub struct AccountVerify {
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
    #[command(flatten)]
    pub access: AccessArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Enable the account, and let it log in and have API keys
///
/// Changes ConfigMap argocd-cm in Argo CD's namespace, in the spelling that Argo CD itself writes.
/// Where Helm, Argo CD or Flux manages it nothing is changed: what to set there is printed, and the
/// kubectl patch for until then.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook account enable --namespace codefresh --dry-run\n  \
    argocd-auth-webhook account enable --argocd-namespace argocd --account admin")]
pub struct AccountEnable {
    /// Say what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Make, judge and revoke API keys
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook token generate --namespace codefresh --to-secret argocd-token\n  \
    argocd-auth-webhook token verify --namespace codefresh\n  \
    argocd-auth-webhook token revoke --namespace codefresh argocd-auth-by-hand-…")]
pub struct Token {
    #[command(subcommand)]
    pub action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub enum TokenAction {
    Generate(TokenGenerate),
    Verify(TokenVerify),
    Revoke(TokenRevoke),
}

/// Make an API key, and put it where it belongs
///
/// Logs in, makes a key with a fresh id, waits until Argo CD takes it, and writes it. If that fails
/// the key is revoked again. The password is taken from the Secret that the settings name in
/// password mode; in token mode it is asked for.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("where to").args(["to_secret", "to_file", "to_stdout"]).required(true))]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook token generate --namespace codefresh --to-secret argocd-token/token\n  \
    argocd-auth-webhook token generate --argocd-url https://argocd.example.com --ask-password --to-file key\n  \
    argocd-auth-webhook token generate --password-stdin --to-stdout < password > key")]
pub struct TokenGenerate {
    /// Write it into this Secret of the Runtime's namespace, under token if no key is named
    #[arg(long, value_name = "NAME[/KEY]")]
    pub to_secret: Option<SecretKey>,
    /// Overwrite another value that stands in the Secret
    #[arg(long, requires = "to_secret")]
    pub replace: bool,
    /// Write it to a new file that only its owner may read
    #[arg(long, value_name = "FILE")]
    pub to_file: Option<PathBuf>,
    /// Print it, and nothing else, to standard output
    #[arg(long, conflicts_with = "output")]
    pub to_stdout: bool,
    /// Its id; a fresh one by default. Never one that was used before
    #[arg(long, value_name = "ID", value_parser = checked_id)]
    pub id: Option<String>,
    /// How long it lasts; for ever by default
    #[arg(long, value_name = "TIME", value_parser = lasting)]
    pub expires_in: Option<Duration>,
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
    #[command(flatten)]
    pub access: AccessArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
}

impl TokenGenerate {
    pub fn sink(&self) -> Sink {
        match (&self.to_secret, &self.to_file) {
            (Some(place), _) => Sink::Secret { place: place.clone(), replace: self.replace },
            (None, Some(path)) => Sink::File(path.clone()),
            (None, None) => Sink::Stdout,
        }
    }
}

/// Judge an API key
///
/// Reads it from the Secret that the Runtime uses, or from where it is said. Names what it is if it
/// is no key, and asks Argo CD whether it takes it. Argo CD may refuse every key because its own
/// configuration is broken: with a password that is told apart, by a session beside it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook token verify --namespace codefresh\n  \
    argocd-auth-webhook token verify --argocd-url https://argocd.example.com --file key\n  \
    echo \"$KEY\" | argocd-auth-webhook token verify --namespace codefresh --file -")]
pub struct TokenVerify {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
    #[command(flatten)]
    pub access: AccessArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Revoke an API key
///
/// By its id, with a login; or by the key itself, which needs none while Argo CD takes it. The key
/// that the Runtime uses is left alone unless --force.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("which").args(["id", "secret", "file"]).required(true))]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook token revoke --namespace codefresh argocd-auth-by-hand-…\n  \
    argocd-auth-webhook token revoke --argocd-url https://argocd.example.com --file key")]
pub struct TokenRevoke {
    /// Its id
    pub id: Option<String>,
    #[command(flatten)]
    pub source: SourceArgs,
    /// Revoke it even if the Runtime uses it
    #[arg(long)]
    pub force: bool,
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
    #[command(flatten)]
    pub access: AccessArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
}

impl TokenRevoke {
    pub fn which(&self) -> Option<Which> {
        self.id.clone().map(Which::Id).or_else(|| self.source.source().map(Which::Token))
    }
}

/// See what the controller says of the credential and of the pods
///
/// Which Secret and account, whether the key works and since when, when that was last looked at, the
/// keys that are ours, the pods that are out of step, and the last Events. Ends with 0 if the
/// credential is valid and has no end, else with 1.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook status --namespace codefresh\n  \
    argocd-auth-webhook status --namespace codefresh --watch")]
pub struct Status {
    /// Namespace of the release; by default the kubeconfig's
    #[arg(short, long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_NAMESPACE")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// First part of the ConfigMap's name, RELEASE-status; by default the release that is there
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_RELEASE")]
    pub release: Option<String>,
    /// Go on, and show each change
    #[arg(short, long)]
    pub watch: bool,
    /// Format of the output; with --watch a line of JSON for each change
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Where things are")]
pub struct AccessArgs {
    /// Our own configuration file
    #[arg(long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_CONFIG")]
    pub config: Option<PathBuf>,
    /// The Runtime's Helm values file. Without either file the release's ConfigMap is read
    #[arg(long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_VALUES")]
    pub values: Option<PathBuf>,
    /// The Runtime's namespace; by default the kubeconfig's
    #[arg(short, long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_NAMESPACE")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The release whose settings count; by default the one that is there
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_RELEASE")]
    pub release: Option<String>,
    /// Argo CD's account; by default the settings'
    #[arg(long, value_name = "NAME", value_parser = account)]
    pub account: Option<String>,
    /// Argo CD's namespace; by default the settings', or the Runtime's
    #[arg(long, value_name = "NAME")]
    pub argocd_namespace: Option<String>,
    /// Argo CD's address; by default the settings'. A Service that can't be reached from here is
    /// port-forwarded to
    #[arg(long, value_name = "URL")]
    pub argocd_url: Option<String>,
    /// PEM file with the CA of Argo CD's certificate
    #[arg(long, value_name = "FILE", conflicts_with = "argocd_insecure_skip_verify")]
    pub argocd_ca_file: Option<PathBuf>,
    /// Believe any certificate of Argo CD: whoever sits on the way can read the password
    #[arg(long)]
    pub argocd_insecure_skip_verify: bool,
}

impl AccessArgs {
    pub fn settings(&self) -> Option<SettingsArgs> {
        (self.config.is_some() || self.values.is_some()).then(|| SettingsArgs {
            config: self.config.clone(),
            values: self.values.clone(),
            delivery: None,
            on_conflict: None,
            legacy_app_proxy: None,
        })
    }
}

#[derive(Args, Debug)]
#[command(next_help_heading = "The account's password")]
#[group(skip)]
pub struct PasswordArgs {
    /// Ask for it at the terminal, without echo
    #[arg(long, conflicts_with_all = ["password_stdin", "password_secret"])]
    pub ask_password: bool,
    /// Read it from standard input
    #[arg(long, conflicts_with = "password_secret")]
    pub password_stdin: bool,
    /// Read it from this Secret of the Runtime's namespace, under password if no key is named
    #[arg(long, value_name = "NAME[/KEY]", value_parser = password_secret)]
    pub password_secret: Option<SecretKey>,
}

impl PasswordArgs {
    pub fn from(&self) -> Option<PasswordFrom> {
        match &self.password_secret {
            Some(place) => Some(PasswordFrom::Secret(place.clone())),
            None if self.password_stdin => Some(PasswordFrom::Stdin),
            None if self.ask_password => Some(PasswordFrom::Terminal),
            None => None,
        }
    }
}

#[derive(Args, Debug)]
#[group(skip)]
pub struct SourceArgs {
    /// Read the key from this Secret of the Runtime's namespace, under token if no key is named
    #[arg(long, value_name = "NAME[/KEY]", conflicts_with = "file")]
    pub secret: Option<SecretKey>,
    /// Read the key from this file; standard input for -
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl SourceArgs {
    pub fn source(&self) -> Option<Source> {
        match (&self.secret, &self.file) {
            (Some(place), _) => Some(Source::Secret(place.clone())),
            (None, Some(path)) if path.as_os_str() == "-" => Some(Source::Stdin),
            (None, Some(path)) => Some(Source::File(path.clone())),
            (None, None) => None,
        }
    }
}

fn account(text: &str) -> Result<String, String> {
    if is_account(text) {
        Ok(text.to_owned())
    } else {
        Err("no name of an account: letters, digits, '-', '_' and '.', at most 32".to_owned())
    }
}

fn password_secret(text: &str) -> Result<SecretKey, String> {
    SecretKey::parse(text, "password")
}

/// Argo CD counts in seconds, and what is far away overflows there.
fn lasting(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_hours(10 * 365 * 24);
    let time = duration(text)?;
    if (Duration::from_secs(1)..=MOST).contains(&time) {
        Ok(time)
    } else {
        Err("it must be from 1s to 87600h".to_owned())
    }
}
