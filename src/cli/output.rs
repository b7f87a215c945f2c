//! How every command ends: results on standard output, messages on standard error, an exit code.

use anyhow::Context;
use argocd_auth_webhook::cluster::{ClusterError, Reach};
use argocd_auth_webhook::commands::context::ContextError;
use argocd_auth_webhook::commands::doctor::DoctorError;
use argocd_auth_webhook::commands::report::Report;
use argocd_auth_webhook::commands::terminal::{has_colour, printable, printable_json};
use clap::ValueEnum;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;

/// The exit code if a problem was found.
pub const PROBLEM: u8 = 1;
/// The exit code for wrong usage or input.
pub const USAGE: u8 = 2;

/// Why a command ends early, with its exit code.
pub struct Failure {
    pub error: anyhow::Error,
    pub code: u8,
}

impl Failure {
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: USAGE }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), code: PROBLEM }
    }
}

pub type Outcome = Result<ExitCode, Failure>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Json,
}

/// The API server that was asked, for error messages.
static ASKED: OnceLock<String> = OnceLock::new();

/// Remembers the API server, so that an error from it names it.
pub fn asked(reach: &Reach) {
    let _ = ASKED.set(reach.to_string());
}

impl Failure {
    /// The error message, with the API server if the error is about the cluster.
    pub fn text(&self) -> String {
        let error = &self.error;
        let about_cluster = error.is::<ClusterError>()
            || matches!(error.downcast_ref(), Some(ContextError::Cluster(_)))
            || matches!(error.downcast_ref(), Some(DoctorError::Cluster(_)));
        match ASKED.get().filter(|_| about_cluster) {
            Some(reach) => format!("error: {error:#}\n  asked: {reach}"),
            None => format!("error: {error:#}"),
        }
    }
}

/// Writes a line to standard error. Failing to write it isn't an error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(line, false));
}

/// Writes to standard output. A reader that has seen enough (`| head`) isn't an error.
pub fn print(text: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("writing to standard output").into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

pub fn reported(report: &Report, format: ReportFormat) -> Outcome {
    shown(&report.text(has_colour(&std::io::stdout())), &report.json(), format)?;
    Ok(code(!report.has_problem()))
}

/// Writes the result of a command, made safe for the terminal.
pub fn shown(text: &str, json: &Value, format: ReportFormat) -> Outcome {
    match format {
        ReportFormat::Text => print(printable(text, has_colour(&std::io::stdout())).as_bytes()),
        ReportFormat::Json => print(format!("{}\n", printable_json(json, true)).as_bytes()),
    }
}

pub fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(PROBLEM) }
}

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // A thread's state takes memory, and a review takes microseconds: a node with a hundred cores needs no
    // more threads than one with four.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("starting the async runtime")
        .map_err(Into::into)
}
