//! The command line: one file per command, with its flags and what they mean together.

mod account;
mod cluster;
mod completions;
mod context;
mod controller;
mod demo;
mod doctor;
mod inject;
mod logs;
mod output;
mod parse;
mod place;
mod serve;
mod settings;
mod status;
mod token;

use argocd_auth_webhook::commands::terminal::{has_colour, printable};
use argocd_auth_webhook::pki;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{Outcome, USAGE, say};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Gives the services of a Codefresh GitOps Runtime their Argo CD credentials.
#[derive(Debug, Parser)]
#[command(name = "argocd-auth-webhook", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 good, 1 a problem was found, 2 wrong usage or input.\n\
    Precedence: flag, environment, file.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(Box<serve::Serve>),
    Controller(Box<controller::Controller>),
    Inject(inject::Inject),
    Doctor(doctor::Doctor),
    Status(status::Status),
    Account(Box<account::Account>),
    Token(Box<token::Token>),
    Demo(demo::Demo),
    Completions(completions::Completions),
}

/// Parses the arguments, runs the command, and reports how it ended.
pub fn run() -> ExitCode {
    pki::install();
    let matches = command().try_get_matches().unwrap_or_else(|error| misused(&error));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut chosen = matches.subcommand().map(|(_, matches)| matches);
    while let Some((_, deeper)) = chosen.and_then(ArgMatches::subcommand) {
        chosen = Some(deeper);
    }
    dispatch(cli.command, chosen).unwrap_or_else(|failure| {
        say(&failure.text());
        ExitCode::from(failure.code)
    })
}

/// Reports wrong arguments and exits. A stray argument isn't repeated: it may be a password.
fn misused(error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    let colour = has_colour(&std::io::stderr());
    let rendered = error.render();
    let mut text = if colour { rendered.ansi().to_string() } else { rendered.to_string() };
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(stray))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !stray.starts_with('-')
    {
        let plain = rendered.to_string();
        let usage = plain.split_once("\n\nUsage: ").map_or("", |(_, usage)| usage);
        let what = "error: an argument stands where none belongs. It isn't repeated, as it may be a key; keys come by \
                    --file or --secret";
        text = format!("{what}\n\nUsage: {usage}");
    }
    let _ = write!(std::io::stderr(), "{}", printable(&text, colour));
    std::process::exit(USAGE.into())
}

/// `matches` tells a flag that was typed from one taken from the environment.
fn dispatch(command: Command, matches: Option<&ArgMatches>) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(*args, matches),
        Command::Controller(args) => controller::run(*args, matches),
        Command::Inject(args) => inject::run(&args, matches),
        Command::Doctor(args) => doctor::run(args, matches),
        Command::Status(args) => status::run(&args),
        Command::Account(args) => account::run(*args, matches),
        Command::Token(args) => token::run(*args, matches),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

const NAME: &str = "argocd-auth-webhook";
const PLUGIN: &str = "kubectl argocd-auth";

/// The command line, under the name by which it was called: `kubectl argocd-auth` runs `kubectl-argocd_auth`.
fn command() -> clap::Command {
    let called = std::env::args_os().next().map(PathBuf::from);
    let called = called.as_deref().and_then(Path::file_stem);
    if called.is_none_or(|name| name != "kubectl-argocd_auth") {
        return Cli::command();
    }
    renamed(Cli::command()).display_name(PLUGIN).bin_name(PLUGIN)
}

/// Replaces the program's name in the examples by the one that a person types.
fn renamed(mut command: clap::Command) -> clap::Command {
    if let Some(help) = command.get_after_help().map(|help| help.to_string().replace(NAME, PLUGIN)) {
        command = command.after_help(help);
    }
    command.mut_subcommands(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
