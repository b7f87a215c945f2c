//! Errors of calls to the API server.

use super::login::login_words;
use crate::core::text::{innermost, words};
use kube::client::AuthError;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// How many characters of an API server's message are kept.
const MAX_MESSAGE: usize = 1000;

/// Bounds one call, watches apart. Shorter than what is left of the Lease after `RENEW_DEADLINE`: a write
/// that began in time ends before another process may begin one.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a command retries while the API server has just started.
const MAX_PATIENCE: Duration = Duration::from_secs(10);
/// The delay between two such tries.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Why a call failed. Never quotes an object's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No usable kubeconfig or ServiceAccount, so nothing was asked.
    Setup(String),
    /// The kubeconfig's login failed, so the API server wasn't asked.
    Login(String),
    /// 404: there is no such object.
    NotFound,
    /// 409: the object has changed since it was read, or exists already.
    Conflict,
    /// 401: the API server doesn't accept the credential.
    Unauthorized(String),
    /// 403: a permission is missing.
    Forbidden(String),
    /// Any other 4xx: the API server rejects the request.
    Refused(String),
    /// No connection, no answer in time, or status 410, 429 or 5xx. Also 403 by an API server that has just
    /// started.
    Unavailable(String),
    /// The answer can't be parsed.
    Unreadable,
    /// This process doesn't hold the Lease, so it didn't write.
    NotLeading,
    /// An object of this name exists, and lacks our labels.
    NotOurs,
}

impl Cause {
    /// Whether an API server refused that hasn't loaded its roles yet.
    fn is_of_a_beginner(&self) -> bool {
        matches!(self, Self::Unavailable(reason) if reason.starts_with("status 403"))
    }

    /// A label for metrics; see [`Cause::KINDS`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Setup(_) => "setup",
            Self::Login(_) => "login",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Unreadable => "unreadable",
            Self::NotLeading => "not_leading",
            Self::NotOurs => "not_ours",
        }
    }

    /// Every label that [`Cause::kind`] gives.
    pub const KINDS: [&str; 11] = [
        "setup",
        "login",
        "not_found",
        "conflict",
        "unauthorized",
        "forbidden",
        "refused",
        "unavailable",
        "unreadable",
        "not_leading",
        "not_ours",
    ];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(reason) | Self::Login(reason) => f.write_str(reason),
            Self::NotFound => f.write_str("it is not there"),
            Self::Conflict => f.write_str("somebody else changed it meanwhile"),
            Self::Unauthorized(message) => {
                write!(f, "no valid login (401): {message}; log in again, or renew the kubeconfig's credentials")
            }
            Self::Forbidden(message) => write!(f, "not allowed: {message}; check the account's Role"),
            Self::Refused(message) => write!(f, "refused: {message}"),
            // The API server did answer, so it isn't called unreachable.
            Self::Unavailable(reason) if reason.starts_with("status ") => {
                write!(f, "the API server can't do it now: {reason}")
            }
            Self::Unavailable(reason) => write!(f, "no answer from the API server: {reason}"),
            Self::Unreadable => f.write_str("the API server's answer can't be read"),
            Self::NotLeading => f.write_str("this process does not hold the Lease now, so it writes nothing"),
            Self::NotOurs => f.write_str(
                "somebody else's object has this name, and is left alone; to do: look at who made it, and delete or rename it",
            ),
        }
    }
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct ClusterError {
    /// What was tried, with the object's kind and name.
    pub what: String,
    /// Why it failed.
    pub cause: Cause,
}

impl ClusterError {
    pub(crate) fn new(what: impl Into<String>, error: &kube::Error) -> Self {
        Self { what: what.into(), cause: Cause::from(error) }
    }
}

impl From<&kube::Error> for Cause {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                // Another admission webhook may have refused, and quote what was written.
                let message = words(&status.message, MAX_MESSAGE, &[]);
                match status.code {
                    404 => Self::NotFound,
                    409 => Self::Conflict,
                    403 if lacks_roles(&status.message) => Self::Unavailable(format!("status 403: {message}")),
                    401 => Self::Unauthorized(message),
                    403 => Self::Forbidden(message),
                    // 410: a watch's version is too old. 429: a rate limit.
                    410 | 429 | 500.. => Self::Unavailable(format!("status {}: {message}", status.code)),
                    _ => Self::Refused(message),
                }
            }
            // The parser's error can quote a Secret.
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::Unreadable,
            other => match login_error(other) {
                Some(error) => Self::Login(login_words(error)),
                None => Self::Unavailable(words(&innermost(other), MAX_MESSAGE, &[])),
            },
        }
    }
}

/// The `ClusterRole`s that an API server restores when it starts, besides those that begin with `system:`.
const OWN_ROLES: [&str; 4] = ["cluster-admin", "admin", "edit", "view"];

/// Whether an API server refuses because it knows a binding and not yet its role. One that has just started
/// says `RBAC: [clusterrole.rbac.authorization.k8s.io "system:discovery" not found, role…]` while its caches
/// fill, and allows the same call a moment later. A binding to a deleted `ClusterRole` appears in every
/// refusal forever, so of those only the ones count that the API server itself restores.
fn lacks_roles(message: &str) -> bool {
    let missing = message.rsplit_once("RBAC: ").map_or("", |(_, missing)| missing);
    let mut missing = missing.trim_matches(['[', ']']).split(", ").filter_map(|entry| entry.strip_suffix(" not found"));
    missing.any(|role| {
        let cluster = role.strip_prefix("clusterrole.rbac.authorization.k8s.io ").map(|name| name.trim_matches('"'));
        role.starts_with("role.rbac.authorization.k8s.io ")
            || cluster.is_some_and(|name| name.starts_with("system:") || OWN_ROLES.contains(&name))
    })
}

/// Finds a failure of the kubeconfig's login, which is repeated when its token expires.
fn login_error(error: &kube::Error) -> Option<&AuthError> {
    let mut error: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(found) = error.downcast_ref::<AuthError>() {
            return Some(found);
        }
        if let Some(kube::Error::Auth(found)) = error.downcast_ref() {
            return Some(found);
        }
        error = error.source()?;
    }
}

/// Makes a call, bounded by `CALL_TIMEOUT`.
///
/// # Errors
/// The call failed or took too long ([`Cause::Unavailable`]).
pub async fn call<T>(what: &str, calling: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
    call_within(CALL_TIMEOUT, what, calling).await
}

/// Makes a call that reads, for a command. Retries for up to `MAX_PATIENCE` while the API server has just
/// started and hasn't loaded its roles.
///
/// # Errors
/// The last try failed or took too long.
pub async fn call_patiently<T, F>(what: &str, calling: impl Fn() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = kube::Result<T>>,
{
    let begun = Instant::now();
    loop {
        match call(what, calling()).await {
            Err(error) if error.cause.is_of_a_beginner() && begun.elapsed() < MAX_PATIENCE => {
                tokio::time::sleep(RETRY_DELAY).await;
            }
            result => return result,
        }
    }
}

/// Makes a call with its own time limit.
///
/// # Errors
/// The call failed or took too long ([`Cause::Unavailable`]).
pub async fn call_within<T>(
    limit: Duration,
    what: &str,
    calling: impl Future<Output = kube::Result<T>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(limit, calling).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ClusterError::new(what, &error)),
        Err(_) => {
            Err(ClusterError { what: what.to_owned(), cause: Cause::Unavailable(format!("nothing within {limit:?}")) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;
    use kube::core::Status;

    /// A refusal with this reason, as an API server words it.
    fn refused(reason: &str) -> Cause {
        let message = format!(
            "secrets \"r-ca\" is forbidden: User \"system:serviceaccount:runtime:controller\" cannot get resource \
             \"secrets\" in API group \"\" in the namespace \"runtime\"{reason}"
        );
        Cause::from(&kube::Error::Api(Box::new(Status::failure(&message, "Forbidden").with_code(403))))
    }

    #[test]
    fn a_refusal_by_an_api_server_that_does_not_know_its_roles_yet_is_tried_again() {
        for reason in [
            ": RBAC: role.rbac.authorization.k8s.io \"controller\" not found",
            ": RBAC: clusterrole.rbac.authorization.k8s.io \"system:discovery\" not found",
            ": RBAC: clusterrole.rbac.authorization.k8s.io \"edit\" not found",
            ": RBAC: [clusterrole.rbac.authorization.k8s.io \"system:basic-user\" not found, \
             role.rbac.authorization.k8s.io \"controller\" not found]",
        ] {
            let cause = refused(reason);
            assert_eq!(cause.kind(), "unavailable", "{cause}");
            assert!(cause.to_string().contains("not found"), "it says what is missing, should it stay so: {cause}");
        }
    }

    #[test]
    fn any_other_refusal_is_a_missing_permission() {
        for reason in [
            "",
            ": RBAC: something else",
            ": RBAC: clusterrole.rbac.authorization.k8s.io \"of-an-operator-that-went\" not found",
            " \"role.rbac.authorization.k8s.io\" not found",
        ] {
            assert_eq!(refused(reason).kind(), "forbidden", "{reason}");
        }
    }
}
