//! `token`: mints, verifies and revokes API keys.

use super::context::{AccessArgs, ConsentArgs, PasswordArgs, SourceArgs, open_to_send, stdin_once};
use super::output::{Failure, Outcome, ReportFormat, code, print, reported, runtime, say, shown};
use super::parse::lasting;
use argocd_auth_webhook::commands::context::SecretKey;
use argocd_auth_webhook::commands::token::{self, Order, Sink, Source, Which, checked_id};
use clap::{ArgGroup, ArgMatches, Args, Subcommand};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::time::Duration;

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
    pub consent: ConsentArgs,
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
    pub consent: ConsentArgs,
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
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
}

impl TokenRevoke {
    pub fn which(&self) -> Option<Which> {
        self.id.clone().map(Which::Id).or_else(|| self.source.source().map(Which::Token))
    }
}

pub fn run(args: Token, matches: Option<&ArgMatches>) -> Outcome {
    runtime()?.block_on(async {
        match args.action {
            TokenAction::Generate(args) => {
                stdin_once(&[args.access.reads_stdin(), args.password.password_stdin])?;
                let access = open_to_send(&args.access, &args.consent, false, matches).await?;
                let password = args.password.from().unwrap_or_default();
                let order = Order { password, id: args.id.clone(), expires_in: args.expires_in, sink: args.sink() };
                let made = token::generate(&access, &order).await?;
                if let Some(token) = &made.token {
                    say(made.to_string().trim_end());
                    return print(format!("{}\n", token.expose_secret()).as_bytes());
                }
                shown(&made.to_string(), &made.json(), args.output)
            }
            TokenAction::Verify(args) => {
                stdin_once(&[args.access.reads_stdin(), args.source.reads_stdin(), args.password.password_stdin])?;
                let offline =
                    args.access.argocd_url.is_some() && args.source.file.is_some() && args.password.needs_no_cluster();
                let access = open_to_send(&args.access, &args.consent, offline, matches).await?;
                let source = args.source.source().unwrap_or_else(|| Source::Secret(access.key_place()));
                let report = token::verify(&access, &source, args.password.from().as_ref()).await?;
                reported(&report, args.output)
            }
            TokenAction::Revoke(args) => {
                stdin_once(&[args.access.reads_stdin(), args.source.reads_stdin(), args.password.password_stdin])?;
                if args.id.as_deref().is_some_and(|id| id.starts_with("eyJ")) {
                    return Err(Failure::usage(anyhow::anyhow!("that is a key and not its id; give it by --file")));
                }
                let which = args.which().ok_or_else(|| Failure::usage(anyhow::anyhow!("no key is named")))?;
                let access = open_to_send(&args.access, &args.consent, false, matches).await?;
                let revoked = token::revoke(&access, &which, args.password.from().as_ref(), args.force).await?;
                shown(&revoked.to_string(), &revoked.json(), args.output)?;
                Ok(code(revoked.existed))
            }
        }
    })
}
