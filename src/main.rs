//! Arguments in, exit code out. What is done is done in the library.

mod cli;
mod people;

use anyhow::Context;
use argocd_auth_webhook::access::Names;
use argocd_auth_webhook::cluster;
use argocd_auth_webhook::controller::certificates::Terms;
use argocd_auth_webhook::controller::{self};
use argocd_auth_webhook::core::Engine;
use argocd_auth_webhook::demo;
use argocd_auth_webhook::doctor;
use argocd_auth_webhook::inject::{self, Format, Input};
use argocd_auth_webhook::settings::{File, Overrides, Settings};
use argocd_auth_webhook::telemetry::logs;
use argocd_auth_webhook::webhook::{
    Bounds, CertificateFiles, CertificateSecret, CertificateSource, Options, Server, ServingCertificate, Shutdown,
    development_certificate,
};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use cli::{Cli, Command, LogFormat, ManifestFormat, ReportFormat, SettingsArgs};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

/// A problem was found.
const PROBLEM: u8 = 1;
/// Wrong usage or input.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut chosen = matches.subcommand().map(|(_, matches)| matches);
    while let Some((_, deeper)) = chosen.and_then(ArgMatches::subcommand) {
        chosen = Some(deeper);
    }
    let result = match cli.command {
        Command::Serve(args) => serve(*args, chosen),
        Command::Controller(args) => run_controller(*args, chosen),
        Command::Inject(args) => run_inject(&args, chosen),
        Command::Doctor(args) => run_doctor(args, chosen),
        Command::Status(args) => people::status(args),
        Command::Account(args) => people::account(*args, chosen),
        Command::Token(args) => people::token(*args, chosen),
        Command::Demo(args) => run_demo(&args),
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "argocd-auth-webhook", &mut script);
            print(&script)
        }
    };
    result.unwrap_or_else(|failure| {
        say(&format!("error: {:#}", failure.error));
        ExitCode::from(failure.code)
    })
}

const NAME: &str = "argocd-auth-webhook";
const PLUGIN: &str = "kubectl argocd-auth";

/// The command line, under the name by which it was called: `kubectl` runs `kubectl-argocd_auth` for
/// `kubectl argocd-auth`.
fn command() -> clap::Command {
    let called = std::env::args_os().next().map(PathBuf::from);
    let called = called.as_deref().and_then(Path::file_stem);
    if called.is_none_or(|name| name != "kubectl-argocd_auth") {
        return Cli::command();
    }
    renamed(Cli::command()).display_name(PLUGIN).bin_name(PLUGIN)
}

/// Examples show the name that a person types.
fn renamed(mut command: clap::Command) -> clap::Command {
    if let Some(help) = command.get_after_help().map(|help| help.to_string().replace(NAME, PLUGIN)) {
        command = command.after_help(help);
    }
    command.mut_subcommands(renamed)
}

/// What ends a command early.
struct Failure {
    error: anyhow::Error,
    code: u8,
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { error: error.into(), code: USAGE }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), code: PROBLEM }
    }
}

type Outcome = Result<ExitCode, Failure>;

/// Writes a line to standard error. Where nobody can read it, the work goes on.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
fn print(text: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("writing to standard output").into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Whether an argument was typed, not taken from the environment or a default.
fn by_flag(matches: Option<&ArgMatches>, id: &str) -> bool {
    matches.is_some_and(|matches| matches.value_source(id) == Some(ValueSource::CommandLine))
}

/// The settings of a command. A file that a flag names counts before one that the environment
/// names.
fn settings(args: &SettingsArgs, matches: Option<&ArgMatches>) -> Result<Settings, Failure> {
    let file = match (&args.config, &args.values) {
        (Some(config), Some(_)) if by_flag(matches, "config") && !by_flag(matches, "values") => {
            Some(File::Config(config.clone()))
        }
        (Some(_), Some(values)) if by_flag(matches, "values") && !by_flag(matches, "config") => {
            Some(File::Values(values.clone()))
        }
        (Some(_), Some(_)) => {
            return Err(Failure::usage(anyhow::anyhow!(
                "--config and --values are both given (by flags, or ARGOCD_AUTH_WEBHOOK_CONFIG and _VALUES); keep one of them"
            )));
        }
        (Some(config), None) => Some(File::Config(config.clone())),
        (None, Some(values)) => Some(File::Values(values.clone())),
        (None, None) => None,
    };
    let overrides = Overrides {
        delivery: args.delivery.map(Into::into),
        on_conflict: args.on_conflict.map(Into::into),
        legacy_app_proxy: args.legacy_app_proxy,
    };
    Settings::load(file.as_ref(), overrides).map_err(Failure::usage)
}

fn run_inject(args: &cli::Inject, matches: Option<&ArgMatches>) -> Outcome {
    let settings = settings(&args.settings, matches)?;
    for warning in &settings.warnings {
        say(&format!("warning: {warning}"));
    }
    let inputs = if args.files.is_empty() {
        Input::from_stdin().map(|input| vec![input])
    } else {
        args.files.iter().map(|path| Input::from_path(path)).collect()
    };
    let inputs = inputs.map_err(Failure::usage)?;
    let output = args.output.map(|format| match format {
        ManifestFormat::Yaml => Format::Yaml,
        ManifestFormat::Json => Format::Json,
    });
    let injector = settings.injector(Engine::Inject);
    let injected = inject::run(&injector, &inputs, output).map_err(Failure::usage)?;
    for line in &injected.report {
        say(&line.to_string());
    }
    if injected.denied() {
        return Ok(ExitCode::from(PROBLEM));
    }
    print(injected.manifests.as_bytes())
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")
        .map_err(Into::into)
}

fn start_logs(args: &cli::LogArgs) -> Result<(), Failure> {
    let format = match args.log_format {
        LogFormat::Auto => logs::Format::Auto,
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    logs::init(format, &args.log_level).map_err(Failure::usage)?;
    logs::install_panic_hook();
    Ok(())
}

/// The settings of a process that goes on: what is to be said of them goes to the log.
fn logged_settings(args: &SettingsArgs, matches: Option<&ArgMatches>) -> Result<Settings, Failure> {
    let settings = settings(args, matches)?;
    if args.config.is_none() && args.values.is_none() {
        tracing::warn!("neither --config nor --values is given: the Runtime's defaults hold");
    }
    for warning in &settings.warnings {
        tracing::warn!(path = warning.path, "{}", warning.text);
    }
    Ok(settings)
}

fn run_controller(args: cli::Controller, matches: Option<&ArgMatches>) -> Outcome {
    start_logs(&args.logs)?;
    let settings = logged_settings(&args.settings, matches)?;
    let place = args.place;
    let names = Names::of(place.release.as_deref());
    let options = controller::Options {
        serving_secret: place.serving_secret.unwrap_or(names.serving_secret),
        service: place.service.unwrap_or_else(|| names.release.clone()),
        service_port: place.service_port,
        webhook_configuration: place
            .webhook_configuration
            .unwrap_or_else(|| format!("{}-{}", names.release, place.namespace)),
        namespace: place.namespace,
        release: names.release,
        service_account: args.service_account,
        certificates: kept_certificates(&args.certificates)?,
        kubelet_cache: i64::try_from(args.kubelet_cache.as_secs()).unwrap_or(i64::MAX),
        admin_listen: args.admin_listen,
    };
    runtime()?.block_on(async {
        let shutdown = Shutdown::by_signals().context("listening for signals")?;
        let client = cluster::client(None).await?;
        controller::Controller::bind(client, options, settings).await?.run(shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn run_doctor(args: cli::Doctor, matches: Option<&ArgMatches>) -> Outcome {
    let given = args.settings.config.is_some() || args.settings.values.is_some();
    let settings = if given { Some(settings(&args.settings, matches)?) } else { None };
    let place = args.place;
    let report = runtime()?.block_on(async {
        let client = cluster::client(None).await.map_err(Failure::usage)?;
        let names = Names::find(&client, &place.namespace, place.release.as_deref()).await;
        let options = doctor::Options {
            serving_secret: place.serving_secret.unwrap_or(names.serving_secret),
            service: place.service,
            service_port: place.service_port,
            webhook_configuration: place
                .webhook_configuration
                .unwrap_or_else(|| format!("{}-{}", names.release, place.namespace)),
            config_map: args.config_map.unwrap_or(names.config_map),
            namespace: place.namespace,
            release: names.release,
        };
        doctor::run(&client, options, settings).await.map_err(Failure::usage)
    })?;
    match args.output {
        ReportFormat::Text => print(report.to_string().as_bytes())?,
        ReportFormat::Json => print(format!("{:#}\n", report.json()).as_bytes())?,
    };
    Ok(if report.has_problem() { ExitCode::from(PROBLEM) } else { ExitCode::SUCCESS })
}

fn kept_certificates(args: &cli::KeptCertificatesArgs) -> Result<controller::Certificates, Failure> {
    if args.certificates == cli::CertificatesArg::External {
        return Ok(controller::Certificates::External { publish: !args.leave_ca_bundle });
    }
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let terms = Terms {
        ca: seconds(args.ca_lifetime),
        leaf: seconds(args.certificate_lifetime),
        propagation: seconds(args.propagation_time),
    };
    terms.check().map(controller::Certificates::SelfManaged).map_err(Failure::usage)
}

fn serve(args: cli::Serve, matches: Option<&ArgMatches>) -> Outcome {
    start_logs(&args.logs)?;
    let settings = logged_settings(&args.settings, matches)?;
    let bounds = Bounds {
        handshake_timeout: args.bounds.handshake_timeout,
        header_timeout: args.bounds.header_timeout,
        answer_timeout: args.bounds.answer_timeout,
        idle_timeout: args.bounds.keep_alive,
        max_connections: args.bounds.max_connections,
        max_body: args.bounds.max_body,
        max_body_memory: args.bounds.max_body_memory,
    };
    let options = Options {
        listen: args.listen,
        admin_listen: args.admin_listen,
        certificate: CertificateSource::Later,
        bounds,
        drain_delay: args.bounds.drain_delay,
    };
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let options = Options { certificate: certificate(args.certificate, matches).await?, ..options };
        // Before the first byte is served, so that no signal is missed.
        let shutdown = Shutdown::by_signals().context("listening for signals")?;
        let server = Server::bind(options, settings.injector(Engine::Webhook)).await?;
        server.run(shutdown).await?;
        Ok(ExitCode::SUCCESS)
    });
    // A file system that hangs under the certificate's files must not hold up the end.
    runtime.shutdown_background();
    result
}

/// Where the serving certificate comes from. What a flag names counts before what the environment
/// names.
async fn certificate(args: cli::CertificateArgs, matches: Option<&ArgMatches>) -> Result<CertificateSource, Failure> {
    let given = [args.tls_cert.is_some(), args.tls_secret.is_some(), args.tls_self_signed];
    let count = |chosen: &[bool]| chosen.iter().filter(|chosen| **chosen).count();
    let typed = ["tls_cert", "tls_secret", "tls_self_signed"].map(|id| by_flag(matches, id));
    let chosen = if count(&given) > 1 { typed } else { given };
    if count(&chosen) != 1 {
        return Err(Failure::usage(anyhow::anyhow!(
            "of --tls-cert, --tls-secret and --tls-self-signed (or their environment variables) only one can be given"
        )));
    }
    let [by_files, by_secret, _] = chosen;
    if let (Some(cert), Some(key), true) = (args.tls_cert, args.tls_key, by_files) {
        return Ok(CertificateSource::Files(CertificateFiles { cert, key, poll: args.tls_reload_interval }));
    }
    if let (Some(secret), true) = (args.tls_secret, by_secret) {
        let client = cluster::client(None).await?;
        return Ok(CertificateSource::Secret(CertificateSecret { client, secret }));
    }
    let made = development_certificate(&args.tls_name).map_err(Failure::usage)?;
    if let Some(path) = args.tls_ca_out {
        std::fs::write(&path, &made.ca_pem).with_context(|| format!("writing the CA to {}", path.display()))?;
    }
    tracing::warn!("serving a self-signed certificate: for development only");
    Ok(CertificateSource::Fixed(Box::new(ServingCertificate::from_pem(
        made.cert_pem.as_bytes(),
        made.key_pem.as_bytes(),
        SystemTime::now(),
    )?)))
}

fn run_demo(args: &cli::Demo) -> Outcome {
    runtime()?.block_on(async {
        let mut out = std::io::stdout();
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match demo::run(&mut out, colour, args.stay).await {
            // A reader that has seen enough.
            Err(demo::DemoError::Io { error, .. }) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            result => result?,
        }
        Ok(ExitCode::SUCCESS)
    })
}
