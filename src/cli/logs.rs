//! The flags of processes that log.

use super::output::Failure;
use argocd_auth_webhook::commands::terminal::has_colour;
use argocd_auth_webhook::telemetry::logs;
use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// How much is logged: error, warn, info, debug or trace, also for a module alone (info,hyper=warn)
    #[arg(long, value_name = "FILTER", default_value = "info", env = "ARGOCD_AUTH_WEBHOOK_LOG_LEVEL")]
    pub log_level: String,
    /// Text or JSON; by default text on a terminal
    #[arg(long, value_enum, default_value = "auto", env = "ARGOCD_AUTH_WEBHOOK_LOG_FORMAT")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

/// Starts logging. Dropping the guard writes the lines that still wait.
pub fn start_logs(args: &LogArgs) -> Result<impl Drop, Failure> {
    let format = match args.log_format {
        LogFormat::Auto => logs::Format::Auto,
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    let guard = logs::init(format, &args.log_level, has_colour(&std::io::stderr())).map_err(Failure::usage)?;
    logs::install_panic_hook();
    Ok(guard)
}
