//! Argo CD's address, and which of its certificates are trusted.

use super::{Missing, Resolved, Resolver};
use crate::argocd::{BadAddress, Base, TlsTrust};
use crate::settings::{ArgoCd, CertificateAuthority, Tls};

impl Resolver<'_> {
    /// Which certificates of Argo CD are trusted: any, those of a CA in a Secret or `ConfigMap` (PEM), or
    /// those of the system's roots.
    ///
    /// # Errors
    /// The call that reads the CA failed.
    pub async fn trust(&self, tls: &Tls) -> Resolved<TlsTrust> {
        if tls.insecure_skip_verify {
            return Ok(Ok(TlsTrust::Insecure));
        }
        let pem = match &tls.certificate_authority {
            None => return Ok(Ok(TlsTrust::SystemRoots)),
            Some(CertificateAuthority::Secret(name, key)) => self.secret_value(name, key).await?,
            Some(CertificateAuthority::ConfigMap(name, key)) => {
                self.config_map_value(name, key).await?.map(String::into_bytes)
            }
        };
        let unreadable = |missing| Missing(format!("the CA of Argo CD's certificate can't be read: {missing}"));
        Ok(pem.map(TlsTrust::Ca).map_err(unreadable))
    }
}

/// Argo CD's address. `beside` is its namespace if the settings name none.
///
/// # Errors
/// The settings' URL can't be parsed.
pub fn base(settings: &ArgoCd, beside: &str) -> Result<Base, BadAddress> {
    Base::of(&settings.address, settings.namespace.as_deref().unwrap_or(beside))
}
