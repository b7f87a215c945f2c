//! The flags that name the webhook's objects.

use super::parse::{Maybe, object};
use clap::Args;

/// Where the webhook is.
#[derive(Args, Debug)]
#[command(next_help_heading = "Where the webhook is")]
pub struct PlaceArgs {
    /// First part of the names of our Secrets, such as RELEASE-ca; by default argocd-auth-webhook, and
    /// for `doctor` the release that is there
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_RELEASE", value_parser = Maybe::object)]
    release: Option<Maybe>,
    /// The Secret with the serving certificate; by default RELEASE-serving
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_SERVING_SECRET", value_parser = object)]
    pub serving_secret: Option<String>,
    /// The webhook's Service; by default named as the release, and for `doctor` the one that the
    /// configuration calls
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_SERVICE", value_parser = object)]
    pub service: Option<String>,
    /// Its port
    #[arg(long, value_name = "PORT", default_value_t = 443, env = "ARGOCD_AUTH_WEBHOOK_SERVICE_PORT")]
    pub service_port: u16,
    /// The MutatingWebhookConfiguration; by default RELEASE-NAMESPACE
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_WEBHOOK_CONFIGURATION", value_parser = object)]
    pub webhook_configuration: Option<String>,
}

impl PlaceArgs {
    /// The release, if it was given.
    pub fn release(&self) -> Option<String> {
        Maybe::given(self.release.as_ref())
    }
}
