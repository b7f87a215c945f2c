//! From the settings to Argo CD's server.

use super::snapshot::Transient;
use super::source::resolver;
use crate::argocd::{ArgoCdError, BadAddress, Base, Cause, Server, Target, TlsTrust};
use crate::cluster::ClusterError;
use crate::controller::Context;
use crate::resolve;
use crate::settings::Address;
use crate::time::seconds;

/// The way to Argo CD. It is kept while nothing about it changes, so that calls one after the other
/// meet the same replica.
#[derive(Default)]
pub(super) struct Reach {
    open: Option<(TlsTrust, Server)>,
}

impl Reach {
    /// The server, or why there is no way to it.
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

/// Its address.
pub(super) fn base(context: &Context) -> Result<Base, BadAddress> {
    resolve::base(&context.settings.argocd, &context.options.namespace)
}

const fn setup(text: String) -> Transient {
    Transient { kind: "setup", text, retry_after: None }
}

/// What a failed call means to a plan.
pub(super) fn trouble(error: &ArgoCdError) -> Transient {
    let retry_after = match &error.cause {
        Cause::TooManyRequests { retry_after } => retry_after.map(seconds),
        _ => None,
    };
    Transient { kind: error.cause.kind(), text: error.to_string(), retry_after }
}
