//! Certificates that somebody else makes: only `caBundle` is kept, where its CA is known.

use super::act::{ActError, publish};
use super::observe::value;
use crate::controller::Context;
use crate::controller::metrics::What;
use crate::pki::Certificate;
use std::time::Duration;

const RESYNC: Duration = Duration::from_mins(1);

/// Publishes the CA that stands in the serving Secret, as long as it changes.
pub struct External {
    context: Context,
    publish: bool,
}

impl External {
    /// For what `context` says. Without `publish` it only looks when certificates expire.
    #[must_use]
    pub const fn new(context: Context, publish: bool) -> Self {
        Self { context, publish }
    }

    /// Keeps at it; never ends.
    pub async fn run(self) {
        Box::pin(self.context.passes(|| Box::pin(self.pass()))).await;
    }

    async fn pass(&self) -> Result<Duration, ActError> {
        let context = &self.context;
        let serving = context.secret(&context.options.serving_secret).await?;
        let expiry = value(serving.as_ref(), "tls.crt").and_then(Certificate::first_from_pem);
        context.metrics.expires(What::Leaf, expiry.map_or(0, |leaf| leaf.validity.to));
        // Without it somebody else writes `caBundle`: cert-manager's injector, or a person.
        let Some(ca) = value(serving.as_ref(), "ca.crt") else { return Ok(RESYNC) };
        let (read, rest) = Certificate::all_from_pem(ca);
        if rest || read.is_empty() {
            tracing::warn!(
                secret = context.options.serving_secret,
                "ca.crt is not made of PEM certificates; caBundle stays as it is"
            );
            return Ok(RESYNC);
        }
        let expiry = read.iter().map(|ca| ca.validity.to).min().unwrap_or_default();
        context.metrics.expires(What::Ca, expiry);
        if !self.publish {
            return Ok(RESYNC);
        }
        let Some(configuration) = context.configuration().await? else { return Ok(RESYNC) };
        let right = configuration
            .webhooks
            .iter()
            .flatten()
            .all(|entry| entry.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == ca));
        if right {
            context.disown(&configuration).await?;
        } else if context.leadership.may_write() {
            publish(context, &configuration, ca).await?;
            tracing::info!("wrote ca.crt of the serving Secret as caBundle");
            return Ok(Duration::ZERO);
        }
        Ok(RESYNC)
    }
}
