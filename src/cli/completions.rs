//! `completions`: prints a shell's completion script.

use super::Cli;
use super::output::{Outcome, print};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  source <(argocd-auth-webhook completions bash)")]
pub struct Completions {
    pub shell: Shell,
}

pub fn run(args: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "argocd-auth-webhook", &mut script);
    print(&script)
}
