//! `inject`: injects into manifests, without a cluster.

use super::output::{Failure, Outcome, PROBLEM, print, say};
use super::settings::{SettingsArgs, settings};
use argocd_auth_webhook::commands::inject::{self, Format, Input};
use argocd_auth_webhook::core::Engine;
use clap::{ArgMatches, Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Inject into manifests, without a cluster
///
/// Reads YAML or JSON from files or standard input, changes Pods and the pod templates of
/// workloads, passes everything else through, and says on standard error how many it changed. A
/// document that can't be read passes too, with a warning; one that may be a pod of ours ends the
/// command with standard output empty.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    helm template runtime … | argocd-auth-webhook inject --values values.yaml | kubectl apply -f -\n  \
    argocd-auth-webhook inject --config config.yaml -o json deployment.yaml")]
pub struct Inject {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Format of the output; by default that of each input
    #[arg(short, long, value_enum)]
    pub output: Option<ManifestFormat>,
    /// Say what was done to each object, not only how many
    #[arg(short, long)]
    pub verbose: bool,
    /// Manifests; standard input where there is none, or for -
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ManifestFormat {
    Yaml,
    Json,
}

pub fn run(args: &Inject, matches: Option<&ArgMatches>) -> Outcome {
    let reads_manifests = args.files.is_empty() || args.files.iter().any(|path| path.as_os_str() == "-");
    if args.settings.reads_stdin() && reads_manifests {
        let twice = "standard input is named for the settings and for the manifests; give one of them as a file";
        return Err(Failure::usage(anyhow::anyhow!(twice)));
    }
    let settings = settings(&args.settings, matches)?;
    say(&format!("settings: {}", settings.taken()));
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
    for line in injected.report.iter().filter(|line| args.verbose || line.matters()) {
        say(&line.to_string());
    }
    say(&format!("inject: {}", injected.summary()));
    if injected.denied() {
        return Ok(ExitCode::from(PROBLEM));
    }
    print(injected.manifests.as_bytes())
}
