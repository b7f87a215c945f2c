//! `doctor`: checks whether the webhook works.

use super::cluster::ClusterArgs;
use super::output::{Failure, Outcome, ReportFormat, asked, reported, runtime};
use super::parse::object;
use super::place::PlaceArgs;
use super::settings::{SettingsArgs, settings};
use argocd_auth_webhook::cluster;
use argocd_auth_webhook::commands::context::Names;
use argocd_auth_webhook::commands::doctor::{self, DoctorError};
use clap::{ArgMatches, Args};

/// Look whether the webhook is in order
///
/// Compares what API servers trust with what each pod of the webhook serves, looks at the
/// certificates' life, at the Secrets that pods refer to and at the pods that are there, and creates
/// a pod of each service and a foreign one as a dry run: they must come back as the settings say.
/// Changes nothing. Each line says ok, warning, problem or not
/// checked, and what to do.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook doctor --namespace codefresh\n  \
    argocd-auth-webhook doctor --namespace codefresh --values values.yaml -o json")]
pub struct Doctor {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// ConfigMap with the settings, where no file is given; by default RELEASE-config
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_CONFIG_MAP", value_parser = object)]
    pub config_map: Option<String>,
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
}

pub fn run(args: Doctor, matches: Option<&ArgMatches>) -> Outcome {
    let given = args.settings.config.is_some() || !args.settings.values.is_empty();
    let settings = if given { Some(settings(&args.settings, matches)?) } else { None };
    let place = args.place;
    let report = runtime()?.block_on(async {
        let (client, reach) =
            cluster::client(&args.cluster.choice()).await.map_err(|error| args.cluster.failure(error))?;
        asked(&reach);
        let namespace = args.cluster.namespace().unwrap_or_else(|| client.default_namespace().to_owned());
        let names = Names::find(&client, &namespace, place.release().as_deref()).await;
        let options = doctor::Options {
            serving_secret: place.serving_secret.unwrap_or(names.serving_secret),
            service: place.service,
            service_port: place.service_port,
            webhook_configuration: place
                .webhook_configuration
                .unwrap_or_else(|| format!("{}-{}", names.release, namespace)),
            config_map: args.config_map.unwrap_or(names.config_map),
            namespace,
            release: names.release,
        };
        doctor::run(&client, options, settings).await.map_err(|error| match error {
            DoctorError::Settings(_) => Failure::usage(error),
            error => error.into(),
        })
    })?;
    reported(&report, args.output)
}
