//! The flags that say where cluster, settings and Argo CD are, and where a password comes from.

use super::cluster::ClusterArgs;
use super::output::{Failure, asked, say};
use super::parse::{Maybe, account, namespace, password_secret};
use super::settings::{SettingsArgs, settings};
use anyhow::Context;
use argocd_auth_webhook::argocd::Base;
use argocd_auth_webhook::commands::context::{CommandContext, ContextError, Options, PasswordFrom, SecretKey};
use argocd_auth_webhook::commands::token::Source;
use clap::{ArgMatches, Args};
use std::io::{BufRead, IsTerminal, Read};
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(next_help_heading = "Where things are")]
pub struct AccessArgs {
    /// Our own configuration file
    #[arg(long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_CONFIG")]
    pub config: Option<PathBuf>,
    /// The Runtime's Helm values, or an umbrella chart's; may be repeated, and a later file counts
    /// before an earlier one, as with Helm. Without a file the release's ConfigMap is read
    #[arg(short = 'f', long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_VALUES", value_delimiter = ',')]
    pub values: Vec<PathBuf>,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The release whose settings count; by default the one that is there
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_RELEASE", value_parser = Maybe::object)]
    pub release: Option<Maybe>,
    /// Argo CD's account; by default the settings'
    #[arg(long, value_name = "NAME", value_parser = account)]
    pub account: Option<String>,
    /// Argo CD's namespace; by default the settings', or the Runtime's
    #[arg(long, value_name = "NAME", value_parser = namespace)]
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

#[derive(Args, Debug)]
#[group(skip)]
pub struct ConsentArgs {
    /// Don't ask before a credential is sent out of the cluster, or in plain HTTP out of the Runtime's
    /// namespace, because the cluster's ConfigMap says so
    #[arg(short, long)]
    pub yes: bool,
}

impl AccessArgs {
    /// Whether no flag says anything about a cluster.
    pub fn names_no_cluster(&self) -> bool {
        !self.cluster.is_named() && self.cluster.namespace().is_none() && Maybe::given(self.release.as_ref()).is_none()
    }

    /// Whether the settings are read from standard input.
    pub fn reads_stdin(&self) -> bool {
        self.settings().is_some_and(|settings| settings.reads_stdin())
    }

    pub fn settings(&self) -> Option<SettingsArgs> {
        (self.config.is_some() || !self.values.is_empty()).then(|| SettingsArgs {
            config: self.config.clone(),
            values: self.values.clone(),
            delivery: None,
            on_conflict: None,
            legacy_app_proxy: None,
        })
    }
}

/// Finds the cluster, the settings and Argo CD. With `offline`, no cluster is asked.
pub async fn open(args: &AccessArgs, offline: bool, matches: Option<&ArgMatches>) -> Result<CommandContext, Failure> {
    if let Some(url) = &args.argocd_url {
        // Not parsed by clap, whose error would quote the value, which may have a password in it.
        let base = Base::parse(url).context("--argocd-url").map_err(Failure::usage)?;
        if base.is_open() {
            say(
                "warning: plain HTTP to an address outside of the cluster: whoever sits on the way can read what is sent",
            );
        }
    }
    let settings = match args.settings() {
        Some(given) => Some(settings(&given, matches)?),
        None => None,
    };
    for warning in settings.iter().flat_map(|settings| &settings.warnings) {
        say(&format!("warning: {warning}"));
    }
    let options = Options {
        namespace: args.cluster.namespace(),
        context: args.cluster.context.clone(),
        kubeconfig: args.cluster.kubeconfig.clone(),
        offline,
        release: Maybe::given(args.release.as_ref()),
        settings,
        argocd_url: args.argocd_url.clone(),
        argocd_namespace: args.argocd_namespace.clone(),
        insecure_skip_verify: args.argocd_insecure_skip_verify,
        ca_file: args.argocd_ca_file.clone(),
        account: args.account.clone(),
        on_reach: Some(asked),
    };
    let access = CommandContext::open(options).await.map_err(failed)?;
    if args.cluster.is_named() && !offline {
        access.client().map_err(|error| args.cluster.failure(error))?;
    }
    for note in &access.notes {
        say(&format!("note: {note}"));
    }
    Ok(access)
}

/// Like [`open`], for a command that sends a credential to Argo CD: says where it goes, and asks for consent
/// if only the cluster's `ConfigMap` leads out of the cluster.
pub async fn open_to_send(
    args: &AccessArgs,
    consent: &ConsentArgs,
    offline: bool,
    matches: Option<&ArgMatches>,
) -> Result<CommandContext, Failure> {
    let access = open(args, offline, matches).await?;
    let destination = access.destination().map_err(failed)?;
    match access.reach() {
        Some(reach) => say(&format!("note: the cluster is {reach}; {destination}")),
        None => say(&format!("note: {destination}")),
    }
    if destination.needs_consent && !consent.yes {
        let question = destination.question();
        if !agrees(&question).context("asking whether to go on")? {
            let advice = "give --yes if that is right, or the right address with --argocd-url";
            return Err(anyhow::anyhow!("nothing was sent: {question}; {advice}").into());
        }
    }
    Ok(access)
}

/// Refuses a command line on which more than one thing is read from standard input.
pub fn stdin_once(inputs: &[bool]) -> Result<(), Failure> {
    if inputs.iter().filter(|reads| **reads).count() > 1 {
        return Err(Failure::usage(anyhow::anyhow!("standard input is named twice; give one of the two as a file")));
    }
    Ok(())
}

/// Asks a person to agree; false if there is no terminal.
fn agrees(question: &str) -> std::io::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    say(&format!("{question}. Send it? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().take(16).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// An error in a person's input is wrong usage, one from the cluster a problem.
fn failed(error: ContextError) -> Failure {
    match error {
        ContextError::Settings(_) | ContextError::Address(_) => Failure::usage(error),
        error => error.into(),
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
    /// Whether a person types the password or pipes it in.
    pub const fn is_typed(&self) -> bool {
        self.ask_password || self.password_stdin
    }

    /// Whether the password is known without a cluster, or not needed.
    pub const fn needs_no_cluster(&self) -> bool {
        self.password_secret.is_none()
    }

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
    pub fn reads_stdin(&self) -> bool {
        self.file.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    pub fn source(&self) -> Option<Source> {
        match (&self.secret, &self.file) {
            (Some(place), _) => Some(Source::Secret(place.clone())),
            (None, Some(path)) if path.as_os_str() == "-" => Some(Source::Stdin),
            (None, Some(path)) => Some(Source::File(path.clone())),
            (None, None) => None,
        }
    }
}
