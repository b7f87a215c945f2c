//! `status`: shows what the controller published.

use super::cluster::ClusterArgs;
use super::output::{Outcome, ReportFormat, asked, code, print, runtime, say, shown};
use super::parse::Maybe;
use argocd_auth_webhook::commands::context::{CommandContext, Options};
use argocd_auth_webhook::commands::status;
use argocd_auth_webhook::commands::terminal::{has_colour, printable, printable_json};
use clap::Args;
use futures_util::StreamExt;
use std::io::IsTerminal;
use std::process::ExitCode;

/// See what the controller says of the credential and of the pods
///
/// Which Secret and account, whether the key works and since when, when that was last looked at, the
/// keys that are ours, the pods that are out of step, whether a controller is there, and the last
/// Events. Ends with 0 if the credential is valid and has no end, no pod waits or is out of step, and a
/// controller is there; else with 1.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook status --namespace codefresh\n  \
    argocd-auth-webhook status --namespace codefresh --watch")]
pub struct Status {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// First part of the ConfigMap's name, RELEASE-status; by default the release that is there
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_RELEASE", value_parser = Maybe::object)]
    pub release: Option<Maybe>,
    /// Go on, and show each change
    #[arg(short, long)]
    pub watch: bool,
    /// Format of the output; with --watch a line of JSON for each change
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
}

pub fn run(args: &Status) -> Outcome {
    let colour = has_colour(&std::io::stdout());
    let namespace = args.cluster.namespace();
    let ClusterArgs { context, kubeconfig, .. } = args.cluster.clone();
    let options = Options {
        namespace,
        context,
        kubeconfig,
        release: Maybe::given(args.release.as_ref()),
        on_reach: Some(asked),
        ..Options::default()
    };
    runtime()?.block_on(async {
        let access = CommandContext::in_cluster(options).await.map_err(|error| args.cluster.failure(error))?;
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
                        ReportFormat::Text => {
                            print(format!("{clear}{}\n", printable(&status.to_string(), colour)).as_bytes())?
                        }
                        ReportFormat::Json => print(format!("{}\n", printable_json(&status.json(), false)).as_bytes())?,
                    };
                }
                Err(error) => say(&format!("warning: {error}")),
            }
        }
        Ok(last)
    })
}
