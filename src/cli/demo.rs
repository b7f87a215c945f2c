//! `demo`: shows the webhook at work.

use super::output::{Outcome, runtime};
use argocd_auth_webhook::commands::demo;
use argocd_auth_webhook::commands::terminal::has_colour;
use clap::Args;
use std::process::ExitCode;

/// See it work: pods of each service, before and after
///
/// Starts the real HTTPS server with a certificate of its own, plays the API server to it, and
/// shows what goes in and what comes out. No cluster is touched; --stay keeps a certificate and a
/// review in a temporary folder while it serves.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  argocd-auth-webhook demo\n  argocd-auth-webhook demo --stay")]
pub struct Demo {
    /// Go on serving at the end, to try requests of your own
    #[arg(long)]
    pub stay: bool,
}

pub fn run(args: &Demo) -> Outcome {
    runtime()?.block_on(async {
        let mut out = std::io::stdout();
        let colour = has_colour(&out);
        match demo::run(&mut out, colour, args.stay).await {
            // The reader has seen enough, as with `| head`.
            Err(demo::DemoError::Io { error, .. }) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            result => result?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
