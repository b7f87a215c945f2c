//! Argo CD's address, and whose certificates it is believed by.

use super::{Missing, Resolved, Resolver};
use crate::argocd::{BadAddress, Base, TlsTrust};
use crate::settings::{ArgoCd, CertificateAuthority, Tls};

impl Resolver<'_> {
    /// Which certificates of Argo CD are believed.
    ///
    /// # Errors
    /// The API server can't be asked, or doesn't allow it.
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

/// Argo CD's address. `beside` is the namespace that it is in where the settings name none.
///
/// # Errors
/// The settings give a URL that is none.
pub fn base(settings: &ArgoCd, beside: &str) -> Result<Base, BadAddress> {
    Base::of(&settings.address, settings.namespace.as_deref().unwrap_or(beside))
}
