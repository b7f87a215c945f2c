//! Carries out the commands for people: arguments in, output and exit code out.

use crate::cli::{AccessArgs, Account, AccountAction, ReportFormat, Status, Token, TokenAction};
use crate::{Failure, Outcome, PROBLEM, print, runtime, say, settings};
use anyhow::Context;
use argocd_auth_webhook::access::{Access, Options};
use argocd_auth_webhook::argocd::Base;
use argocd_auth_webhook::report::Report;
use argocd_auth_webhook::terminal::has_colour;
use argocd_auth_webhook::token::{Order, Source};
use argocd_auth_webhook::{account, status, token};
use clap::ArgMatches;
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::io::IsTerminal;
use std::process::ExitCode;

pub fn account(args: Account, matches: Option<&ArgMatches>) -> Outcome {
    runtime()?.block_on(async {
        match args.action {
            AccountAction::Verify(args) => {
                let access = open(&args.access, matches).await?;
                let report = account::verify(&access, args.password.from().as_ref()).await?;
                reported(&report, args.output)
            }
            AccountAction::Enable(args) => {
                let access = open(&args.access, matches).await?;
                let enabled = account::enable(&access, args.dry_run).await?;
                shown(&enabled.to_string(), &enabled.json(), args.output)?;
                Ok(code(enabled.is_good()))
            }
        }
    })
}

pub fn token(args: Token, matches: Option<&ArgMatches>) -> Outcome {
    runtime()?.block_on(async {
        match args.action {
            TokenAction::Generate(args) => {
                let access = open(&args.access, matches).await?;
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
                let access = open(&args.access, matches).await?;
                let source = args.source.source().unwrap_or_else(|| Source::Secret(access.key_place()));
                let report = token::verify(&access, &source, args.password.from().as_ref()).await?;
                reported(&report, args.output)
            }
            TokenAction::Revoke(args) => {
                let which = args.which().ok_or_else(|| Failure::usage(anyhow::anyhow!("no key is named")))?;
                let access = open(&args.access, matches).await?;
                let revoked = token::revoke(&access, &which, args.password.from().as_ref(), args.force).await?;
                shown(&revoked.to_string(), &revoked.json(), args.output)?;
                Ok(code(revoked.existed))
            }
        }
    })
}

pub fn status(args: Status) -> Outcome {
    let colour = has_colour(&std::io::stdout());
    let options =
        Options { namespace: args.namespace, context: args.context, release: args.release, ..Options::default() };
    runtime()?.block_on(async {
        let access = Access::in_cluster(options).await.map_err(Failure::usage)?;
        if !args.watch {
            let status = status::status(&access).await?.coloured(colour);
            shown(&status.to_string(), &status.json(), args.output)?;
            return Ok(code(status.is_good()));
        }
        let clear = if std::io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
        let mut seen = std::pin::pin!(status::follow(&access)?);
        let mut last = ExitCode::SUCCESS;
        while let Some(next) = seen.next().await {
            match next {
                Ok(status) => {
                    let status = status.coloured(colour);
                    last = code(status.is_good());
                    match args.output {
                        ReportFormat::Text => print(format!("{clear}{status}\n").as_bytes())?,
                        ReportFormat::Json => print(format!("{}\n", status.json()).as_bytes())?,
                    };
                }
                Err(error) => say(&format!("warning: {error}")),
            }
        }
        Ok(last)
    })
}

async fn open(args: &AccessArgs, matches: Option<&ArgMatches>) -> Result<Access, Failure> {
    if let Some(url) = &args.argocd_url {
        // Not by the parser of arguments, which quotes what it was given: a password may be in it.
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
        namespace: args.namespace.clone(),
        context: args.context.clone(),
        release: args.release.clone(),
        settings,
        argocd_url: args.argocd_url.clone(),
        argocd_namespace: args.argocd_namespace.clone(),
        insecure_skip_verify: args.argocd_insecure_skip_verify,
        ca_file: args.argocd_ca_file.clone(),
        account: args.account.clone(),
    };
    let access = Access::open(options).await.map_err(Failure::usage)?;
    for note in &access.notes {
        say(&format!("note: {note}"));
    }
    Ok(access)
}

fn reported(report: &Report, format: ReportFormat) -> Outcome {
    shown(&report.text(has_colour(&std::io::stdout())), &report.json(), format)?;
    Ok(code(!report.has_problem()))
}

fn shown(text: &str, json: &Value, format: ReportFormat) -> Outcome {
    match format {
        ReportFormat::Text => print(text.as_bytes()),
        ReportFormat::Json => print(format!("{json:#}\n").as_bytes()),
    }
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(PROBLEM) }
}
