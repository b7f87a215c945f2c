//! Certificates that somebody else makes: only `caBundle` is kept, where its CA is known.

use super::act::{ActError, publish};
use super::keep::Keeping;
use super::observe::value;
use crate::controller::metrics::What;
use crate::pki::Certificate;
use std::time::Duration;

const RESYNC: Duration = Duration::from_mins(1);

/// Publishes the CA that stands in the serving Secret, as long as it changes.
pub struct External {
    keeping: Keeping,
    publish: bool,
}

impl External {
    /// For what `keeping` says. Without `publish` it only looks when certificates expire.
    #[must_use]
    pub const fn new(keeping: Keeping, publish: bool) -> Self {
        Self { keeping, publish }
    }

    /// Keeps at it; never ends.
    pub async fn run(self) {
        Box::pin(self.keeping.passes(|| Box::pin(self.pass()))).await;
    }

    async fn pass(&self) -> Result<Duration, ActError> {
        let keeping = &self.keeping;
        let serving = keeping.secret(&keeping.options.serving_secret).await?;
        let expiry = value(serving.as_ref(), "tls.crt").and_then(Certificate::first_from_pem);
        keeping.metrics.expires(What::Leaf, expiry.map_or(0, |leaf| leaf.validity.to));
        // Without it somebody else writes `caBundle`: cert-manager's injector, or a person.
        let Some(ca) = value(serving.as_ref(), "ca.crt") else { return Ok(RESYNC) };
        let (read, rest) = Certificate::all_from_pem(ca);
        if rest || read.is_empty() {
            tracing::warn!(
                secret = keeping.options.serving_secret,
                "ca.crt is not made of PEM certificates; caBundle stays as it is"
            );
            return Ok(RESYNC);
        }
        let expiry = read.iter().map(|ca| ca.validity.to).min().unwrap_or_default();
        keeping.metrics.expires(What::Ca, expiry);
        if !self.publish {
            return Ok(RESYNC);
        }
        let Some(configuration) = keeping.configuration().await? else { return Ok(RESYNC) };
        let right = configuration
            .webhooks
            .iter()
            .flatten()
            .all(|entry| entry.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == ca));
        if right {
            keeping.disown(&configuration).await?;
        } else if keeping.leadership.may_write() {
            publish(keeping, &configuration, ca).await?;
            tracing::info!("wrote ca.crt of the serving Secret as caBundle");
            return Ok(Duration::ZERO);
        }
        Ok(RESYNC)
    }
}
