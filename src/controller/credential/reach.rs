//! Argo CD's server, as the settings name it: address and trusted CA.

use super::snapshot::Transient;
use super::source::resolver;
use crate::argocd::{ArgoCdError, BadAddress, Base, Cause, Server, Target, TlsTrust};
use crate::cluster::ClusterError;
use crate::controller::Context;
use crate::resolve;
use crate::settings::Address;
use crate::time::seconds;

/// The client of Argo CD's server. Kept until its trusted CA changes, so that consecutive calls
/// meet the same replica.
#[derive(Default)]
pub(super) struct Reach {
    open: Option<(TlsTrust, Server)>,
}

impl Reach {
    /// The client. The outer error: the CA can't be read from the cluster; the inner: there is no CA or
    /// address as the settings say.
    pub(super) async fn server(&mut self, context: &Context) -> Result<Result<&Server, Transient>, ClusterError> {
        let trust = match resolver(context).trust(&context.settings.argocd.tls).await? {
            Ok(trust) => trust,
            Err(missing) => return Ok(Err(setup(missing.to_string()))),
        };
        if self.open.as_ref().is_none_or(|(known, _)| *known != trust) {
            self.open = None;
            let base = match base(context) {
                Ok(base) => base,
                Err(error) => return Ok(Err(setup(error.to_string()))),
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

/// Argo CD's address, of the settings; in the release's namespace if they name none.
pub(super) fn base(context: &Context) -> Result<Base, BadAddress> {
    resolve::base(&context.settings.argocd, &context.options.namespace)
}

const fn setup(text: String) -> Transient {
    Transient { kind: "setup", text, retry_after: None }
}

/// A failed call as input to a plan: kind, text, and `Retry-After` in seconds.
pub(super) fn trouble(error: &ArgoCdError) -> Transient {
    let retry_after = match &error.cause {
        Cause::TooManyRequests { retry_after } => retry_after.map(seconds),
        _ => None,
    };
    Transient { kind: error.cause.kind(), text: error.to_string(), retry_after }
}
