//! From the settings to Argo CD's server.

use super::snapshot::Transient;
use super::source::{config_map, secret, value};
use crate::argocd::{ArgoCdError, Base, Cause, Server, Target, TlsTrust};
use crate::cluster::ClusterError;
use crate::controller::Context;
use crate::settings::{Address, CertificateAuthority};

/// The way to Argo CD. It is kept while nothing about it changes, so that calls one after the other
/// meet the same replica.
#[derive(Default)]
pub(super) struct Reach {
    open: Option<(TlsTrust, Server)>,
}

impl Reach {
    /// The server, or why there is no way to it.
    pub(super) async fn server(&mut self, context: &Context) -> Result<Result<&Server, Transient>, ClusterError> {
        let trust = match trust(context).await? {
            Ok(trust) => trust,
            Err(text) => return Ok(Err(setup(text))),
        };
        if self.open.as_ref().is_none_or(|(known, _)| *known != trust) {
            self.open = None;
            let base = match base(context) {
                Ok(base) => base,
                Err(text) => return Ok(Err(setup(text))),
            };
            if trust == TlsTrust::Insecure && base.is_https() {
                tracing::warn!(%base, "argocd.tls.insecureSkipVerify: whoever sits on the way can read the password");
            }
            let is_url = matches!(context.settings.argocd.address, Address::Url(_));
            if is_url && base.is_open() {
                tracing::warn!(%base, "plain HTTP to an address outside of the cluster: whoever sits on the way can read the password");
            }
            match Server::new(Target { tls: trust.clone(), ..Target::new(base) }) {
                Ok(server) => self.open = Some((trust, server)),
                Err(error) => return Ok(Err(trouble(&error))),
            }
        }
        Ok(self.open.as_ref().map(|(_, server)| server).ok_or_else(|| setup("there is no way to Argo CD".to_owned())))
    }
}

/// Its address.
pub(super) fn base(context: &Context) -> Result<Base, String> {
    let settings = &context.settings.argocd;
    let namespace = settings.namespace.as_ref().unwrap_or(&context.options.namespace);
    Base::of(&settings.address, namespace).map_err(|error| error.to_string())
}

async fn trust(context: &Context) -> Result<Result<TlsTrust, String>, ClusterError> {
    let tls = &context.settings.argocd.tls;
    if tls.insecure_skip_verify {
        return Ok(Ok(TlsTrust::Insecure));
    }
    let pem = match &tls.certificate_authority {
        None => return Ok(Ok(TlsTrust::SystemRoots)),
        Some(CertificateAuthority::Secret(name, key)) => {
            let secret = secret(context, name).await?;
            value(context, secret.as_ref(), name, key)
        }
        Some(CertificateAuthority::ConfigMap(name, key)) => {
            let map = config_map(context, name).await?;
            let text = map.as_ref().and_then(|map| map.data.as_ref()).and_then(|data| data.get(key));
            text.map(|text| text.clone().into_bytes()).ok_or_else(|| format!("there is no {key} in ConfigMap {name}"))
        }
    };
    Ok(pem.map(TlsTrust::Ca).map_err(|missing| format!("the CA of Argo CD's certificate can't be read: {missing}")))
}

const fn setup(text: String) -> Transient {
    Transient { kind: "setup", text, retry_after: None }
}

/// What a failed call means to a plan.
pub(super) fn trouble(error: &ArgoCdError) -> Transient {
    let retry_after = match &error.cause {
        Cause::TooManyRequests { retry_after } => {
            retry_after.map(|time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
        }
        _ => None,
    };
    Transient { kind: error.cause.kind(), text: error.to_string(), retry_after }
}
