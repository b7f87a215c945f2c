//! `account`: checks Argo CD's account, and makes it fit.

use super::context::{AccessArgs, ConsentArgs, PasswordArgs, open, open_to_send, stdin_once};
use super::output::{Outcome, ReportFormat, code, reported, runtime, shown};
use argocd_auth_webhook::commands::account;
use clap::{ArgMatches, Args, Subcommand};

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
    pub consent: ConsentArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Enable the account, and let it log in and have API keys
///
/// Changes ConfigMap argocd-cm in Argo CD's namespace, in the spelling that Argo CD itself writes.
/// Where Helm, Argo CD, Flux or an operator manages it nothing is changed: what to set there is
/// printed, and the kubectl patch for until then, unless an operator would undo it at once.
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

pub fn run(args: Account, matches: Option<&ArgMatches>) -> Outcome {
    runtime()?.block_on(async {
        match args.action {
            AccountAction::Verify(args) => {
                stdin_once(&[args.access.reads_stdin(), args.password.password_stdin])?;
                let offline = args.access.argocd_url.is_some()
                    && args.password.needs_no_cluster()
                    && (args.password.is_typed() || args.access.names_no_cluster());
                let access = open_to_send(&args.access, &args.consent, offline, matches).await?;
                let report = account::verify(&access, args.password.from().as_ref()).await?;
                reported(&report, args.output)
            }
            AccountAction::Enable(args) => {
                let access = open(&args.access, false, matches).await?;
                let enabled = account::enable(&access, args.dry_run).await?;
                shown(&enabled.to_string(), &enabled.json(), args.output)?;
                Ok(code(enabled.is_good()))
            }
        }
    })
}
