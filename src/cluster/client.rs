//! Finds the API server as kubectl does, and makes a client of it.

use super::error::{Cause, ClusterError};
use super::login::login_words;
use super::proxy;
use crate::core::text;
use kube::client::AuthError;
use kube::config::{Cluster, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bounds the TCP connection; the API server is in the same network, or unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many characters of the kubeconfig's `installHint` are shown.
const MAX_HINT: usize = 500;

/// What a person chooses about the cluster; by default what kubectl would use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The kubeconfig to use instead of those in `KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context to use instead of the kubeconfig's current one.
    pub context: Option<String>,
}

/// The API server that was chosen; displays for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    server: String,
    context: Option<String>,
    proxy: Option<String>,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.server)?;
        match &self.context {
            Some(context) => write!(f, ", context {context}")?,
            None => f.write_str(", by the pod's ServiceAccount")?,
        }
        self.proxy.as_ref().map_or(Ok(()), |proxy| write!(f, ", through the proxy {proxy}"))
    }
}

/// A client by the kubeconfig, else by the pod's ServiceAccount, which never uses a proxy.
///
/// # Errors
/// [`Cause::Setup`] if there is neither, or one that can't be read; [`Cause::Login`] if the kubeconfig's
/// login fails.
pub async fn client(choice: &Choice) -> Result<(Client, Reach), ClusterError> {
    let failed = |reason: String| ClusterError { what: "finding the cluster".to_owned(), cause: Cause::Setup(reason) };
    let (mut config, context, given) = match read(choice).map_err(failed)? {
        Some(kubeconfig) => {
            let (config, context, proxy) = by_kubeconfig(kubeconfig, choice).await.map_err(failed)?;
            (config, Some(context), proxy)
        }
        None => (in_cluster(choice).map_err(failed)?, None, None),
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Callers decide about retries. For an eviction, 429 is an answer: a disruption budget.
    config.default_retry = false;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    // Inside the cluster the API server isn't behind a proxy.
    config.proxy_url = None;
    let proxy = if context.is_some() { proxy::chosen(&config.cluster_url, given).map_err(failed)? } else { None };
    let reach = Reach { server, context, proxy: proxy.as_ref().map(ToString::to_string) };
    let exec = config.auth_info.exec.clone();
    let login = exec.as_ref().and_then(|exec| exec.command.clone()).unwrap_or_default();
    let hint = exec.and_then(|exec| exec.install_hint).unwrap_or_default();
    let client = match proxy {
        // kube reads the CA's file inside the cluster again when it changes.
        None if reach.context.is_none() => Client::try_from(config),
        None => proxy::direct(&config, CONNECT_TIMEOUT),
        Some(proxy) => proxy.client(&config, CONNECT_TIMEOUT),
    };
    let client = client.map_err(|error| match words(&error, &login, &hint) {
        // That isn't a mistake of whoever chose the cluster.
        Some(why) => ClusterError { what: format!("logging in to {reach}"), cause: Cause::Login(why) },
        None => ClusterError { what: format!("getting ready for {reach}"), cause: Cause::Setup(error.to_string()) },
    })?;
    Ok((client, reach))
}

/// The merged kubeconfig, as kubectl merges it; `None` if there is none. A file listed in `KUBECONFIG` may be
/// missing; one named by a flag may not.
fn read(choice: &Choice) -> Result<Option<Kubeconfig>, String> {
    if let Some(path) = &choice.kubeconfig {
        return read_file(path)?.map(Some).ok_or_else(|| format!("there is no kubeconfig {}", path.display()));
    }
    let listed = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let files: Vec<PathBuf> = match &listed {
        Some(value) => std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in &files {
        let Some(next) = read_file(path)? else { continue };
        merged = Some(match merged {
            Some(before) => before.merge(next).map_err(|error| format!("{}: {error}", path.display()))?,
            None => next,
        });
    }
    Ok(merged)
}

/// Reads one file; `None` if it is missing.
fn read_file(path: &Path) -> Result<Option<Kubeconfig>, String> {
    match Kubeconfig::read_from(path) {
        Ok(kubeconfig) => Ok(Some(kubeconfig)),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(KubeconfigError::ReadConfig(error, _)) => Err(format!("kubeconfig {}: {error}", path.display())),
        // The parser's error can quote the file, which holds credentials.
        Err(KubeconfigError::Parse(_)) => Err(format!("kubeconfig {}: it is no kubeconfig", path.display())),
        Err(error) => Err(format!("kubeconfig {}: {error}", path.display())),
    }
}

async fn by_kubeconfig(
    mut kubeconfig: Kubeconfig,
    choice: &Choice,
) -> Result<(Config, String, Option<String>), String> {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    let names = if names.is_empty() { "it has none".to_owned() } else { format!("it has: {}", names.join(", ")) };
    let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
    let Some(context) = choice.context.clone().or(current) else {
        return Err(format!("the kubeconfig has no current context ({names}); choose one with --context"));
    };
    let Some(chosen) = kubeconfig.contexts.iter().find(|candidate| candidate.name == context) else {
        return Err(format!("the kubeconfig has no context {context:?} ({names})"));
    };
    // kube would match `NO_PROXY` against the proxy instead of the server, so `proxy-url` is taken away from
    // it.
    let user = chosen.context.as_ref().and_then(|context| context.user.clone());
    let user = kubeconfig.auth_infos.iter().find(|candidate| Some(&candidate.name) == user.as_ref());
    let user = user.and_then(|user| user.auth_info.as_ref());
    let has_certificate =
        user.is_some_and(|user| user.client_certificate.is_some() || user.client_certificate_data.is_some());
    let cluster = chosen.context.as_ref().map(|context| context.cluster.clone());
    let cluster = kubeconfig.clusters.iter_mut().find(|candidate| Some(&candidate.name) == cluster.as_ref());
    let cluster = cluster.and_then(|cluster| cluster.cluster.as_mut());
    let proxy = cluster.and_then(|cluster| {
        with_scheme(cluster, has_certificate);
        cluster.proxy_url.take()
    });
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| format!("context {context:?} of the kubeconfig: {error}"))?;
    Ok((config, context, proxy.filter(|proxy| !proxy.is_empty())))
}

/// Adds a missing scheme as kubectl does: https if the kubeconfig has anything about TLS, else http.
fn with_scheme(cluster: &mut Cluster, has_certificate: bool) {
    let tls = has_certificate
        || cluster.certificate_authority.is_some()
        || cluster.certificate_authority_data.is_some()
        || cluster.insecure_skip_tls_verify == Some(true);
    if let Some(server) = cluster.server.as_mut().filter(|server| !server.is_empty() && !server.contains("://")) {
        server.insert_str(0, if tls { "https://" } else { "http://" });
    }
}

fn in_cluster(choice: &Choice) -> Result<Config, String> {
    if let Some(context) = &choice.context {
        return Err(format!("there is no kubeconfig, so no context {context:?}"));
    }
    Config::incluster().map_err(|_| {
        "there is no kubeconfig (KUBECONFIG, ~/.kube/config), and this is no pod with a ServiceAccount; name one with \
         --kubeconfig"
            .to_owned()
    })
}

/// Why the kubeconfig's login failed; `None` for any other error. `login` is the exec plugin's command, and
/// `hint` its `installHint`.
fn words(error: &kube::Error, login: &str, hint: &str) -> Option<String> {
    let kube::Error::Auth(error) = error else { return None };
    let by = if login.is_empty() {
        "the kubeconfig's user".to_owned()
    } else {
        format!("the kubeconfig's command {login:?}")
    };
    let missing = matches!(error, AuthError::AuthExecStart(_)) && !hint.trim().is_empty();
    let hint = if missing { format!("; {}", text::words(hint, MAX_HINT, &[])) } else { String::new() };
    Some(format!("by {by}: {}{hint}", login_words(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_scheme_is_spoken_to_over_tls_where_anything_is_said_of_it() {
        let server = |cluster: Cluster, has_certificate| {
            let mut cluster = Cluster { server: Some("api:6443".to_owned()), ..cluster };
            with_scheme(&mut cluster, has_certificate);
            cluster.server.unwrap()
        };
        assert_eq!(server(Cluster::default(), false), "http://api:6443");
        let insecure = |skip| Cluster { insecure_skip_tls_verify: Some(skip), ..Cluster::default() };
        assert_eq!(server(insecure(false), false), "http://api:6443");
        for (cluster, has_certificate) in [
            (insecure(true), false),
            (Cluster { certificate_authority: Some("ca".to_owned()), ..Cluster::default() }, false),
            (Cluster { certificate_authority_data: Some("Y2E=".to_owned()), ..Cluster::default() }, false),
            (Cluster::default(), true),
        ] {
            assert_eq!(server(cluster, has_certificate), "https://api:6443");
        }
    }
}
