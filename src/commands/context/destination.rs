//! The address a credential is sent to, who named it, and whether a person has to agree first.

use super::route::service_of;
use super::{CommandContext, ContextError};
use crate::argocd::Base;
use std::fmt;
use std::net::IpAddr;

/// The source of the settings: of Argo CD's address, and of the Secret with the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file, by `--values` or `--config`.
    File,
    /// This `ConfigMap`, as `namespace/name`. Who may write it needn't be allowed to read Secrets.
    ConfigMap(String),
    /// None: the defaults of the Runtime's chart.
    Charts,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file that was given"),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::Charts => f.write_str("the Runtime's defaults"),
        }
    }
}

/// The address a credential is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    base: Base,
    /// Who named the address: `--argocd-url`, or the [`Origin`] of the settings.
    by: String,
    secret: String,
    /// Whether a person has to agree: a `ConfigMap` names an address that leads away.
    pub needs_consent: bool,
}

/// The sentence that is printed before it is sent.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argo CD is at {}, as {} says", self.base, self.by)?;
        if self.base.is_https() { Ok(()) } else { f.write_str(", in plain HTTP") }
    }
}

impl Destination {
    /// The sentence that a person has to agree to.
    #[must_use]
    pub fn question(&self) -> String {
        let how = if self.base.is_https() { "" } else { " in plain HTTP" };
        format!(
            "{} has what stands in Secret {} sent to {}{how}, which is not in the Runtime's namespace",
            self.by, self.secret, self.base
        )
    }
}

impl CommandContext {
    /// The address a credential is sent to.
    ///
    /// # Errors
    /// The address can't be parsed.
    pub fn destination(&self) -> Result<Destination, ContextError> {
        let base = self.base()?;
        let typed = self.options.argocd_url.is_some();
        let by = if typed { "--argocd-url".to_owned() } else { self.origin.to_string() };
        let secret = format!("{}/{}", self.namespace(), self.settings().auth.credential.name);
        let leads_away = leads_away(&base, self.namespace(), self.argocd_namespace());
        let needs_consent = !typed && matches!(self.origin, Origin::ConfigMap(_)) && leads_away;
        Ok(Destination { base, by, secret, needs_consent })
    }
}

/// Whether the address is outside of the cluster, or in another namespace than the Runtime's by plain HTTP.
/// This machine's loopback is neither.
fn leads_away(base: &Base, namespace: &str, argocd_namespace: &str) -> bool {
    let host = base.host().trim_start_matches('[').trim_end_matches(']');
    let is_here =
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let is_ours = service_of(base.host(), argocd_namespace).is_some_and(|(_, of)| of == namespace);
    !is_here && !(base.is_inside() && (base.is_https() || is_ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_cluster_or_openly_out_of_the_namespace_is_asked_about() {
        let away = |url: &str| leads_away(&Base::parse(url).unwrap(), "codefresh", "codefresh");
        for url in [
            "http://argo-cd-server",
            "http://argo-cd-server.codefresh.svc:80/argocd",
            "https://argocd-server.argocd.svc",
            "http://127.0.0.1:8080",
            "http://[::1]",
            "https://10.0.0.1",
        ] {
            assert!(!away(url), "{url}");
        }
        for url in [
            "https://argocd.example.com",
            "http://argocd-server.argocd.svc",
            "http://10.0.0.1",
            "http://evil.example.com",
        ] {
            assert!(away(url), "{url}");
        }
    }
}
