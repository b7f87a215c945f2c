//! The serving certificate from a Secret, which is watched through the API. A mounted Secret would lag behind
//! by up to 90 s, and without it a replica couldn't even start.

use super::{CertificateError, CertificateStore, ServingCertificate};
use crate::cluster::{ClusterError, Named, watch_named};
use crate::server::Progress;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use ring::digest::{Context as Hash, SHA256};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, interval, sleep_until};

/// The delay before a certificate that isn't valid yet is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// How often the loop reports progress while nothing happens.
const BEAT_INTERVAL: Duration = Duration::from_secs(30);

/// A Secret of type `kubernetes.io/tls`: `tls.crt`, a PEM chain, and `tls.key`, its key.
#[derive(Clone)]
pub struct CertificateSecret {
    /// The client of the API server.
    pub client: Client,
    /// The Secret's namespace and name. Only list and watch on this one are needed.
    pub secret: Named,
}

impl fmt::Debug for CertificateSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateSecret({})", self.secret)
    }
}

/// Why the Secret's content can't be used.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("Secret {0} has no tls.crt and tls.key yet")]
    Empty(Named),
    #[error("can't serve tls.crt and tls.key of Secret {0}: {1}")]
    Unusable(Named, CertificateError),
}

impl CertificateSecret {
    /// Follows the Secret forever and serves what it holds. Whatever happens to the Secret, the last usable
    /// pair stays in use.
    #[expect(clippy::arithmetic_side_effects, reason = "seconds from now")]
    pub(crate) async fn keep(self, store: Arc<CertificateStore>, progress: Progress) {
        let Self { client, secret } = self;
        store.wait_for(format!("Secret {secret} has not been read yet"));
        let api: Api<Secret> = Api::namespaced(client, &secret.namespace);
        let mut seen = pin!(watch_named(api, &secret.name));
        let mut follower = Follower { store, named: secret, served: None, refused: None, failing: false };
        let mut waiting: Option<Pem> = None;
        let mut again = Instant::now();
        let mut beats = interval(BEAT_INTERVAL);
        loop {
            let retry = waiting.is_some();
            tokio::select! {
                next = seen.next() => match next {
                    Some(Ok(Some(secret))) => waiting = follower.there(secret),
                    Some(Ok(None)) => follower.absent(),
                    Some(Err(error)) => follower.failed(&error),
                    None => return,
                },
                // An unreachable API server isn't a stall: this loop is meant to wait for it.
                _ = beats.tick() => {
                    progress.beat();
                    continue;
                }
                // A pair may also become valid by waiting.
                () = sleep_until(again), if retry => {
                    waiting = waiting.and_then(|pem| follower.take(pem));
                }
            }
            again = Instant::now() + RETRY_DELAY;
        }
    }
}

/// The Secret's `tls.crt` and `tls.key`.
struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// The SHA-256 of a pair, to notice changes without keeping the key in memory.
type Digest = [u8; 32];

impl Pem {
    fn digest(&self) -> Digest {
        let mut hash = Hash::new(&SHA256);
        hash.update(&self.cert.len().to_le_bytes());
        hash.update(&self.cert);
        hash.update(&self.key);
        let mut digest = Digest::default();
        digest.copy_from_slice(hash.finish().as_ref());
        digest
    }
}

/// Decides about each state of the Secret.
struct Follower {
    store: Arc<CertificateStore>,
    named: Named,
    served: Option<Digest>,
    /// The digest that was last reported as unusable.
    refused: Option<Digest>,
    failing: bool,
}

impl Follower {
    /// Uses the Secret's content if possible; returns it if it should be tried again later.
    fn there(&mut self, secret: Secret) -> Option<Pem> {
        if std::mem::take(&mut self.failing) {
            tracing::info!(secret = %self.named, "the API server answers again");
        }
        let mut data = secret.data.unwrap_or_default();
        let mut take = |key: &str| data.remove(key).map(|bytes| bytes.0).unwrap_or_default();
        self.take(Pem { cert: take("tls.crt"), key: take("tls.key") })
    }

    fn take(&mut self, pem: Pem) -> Option<Pem> {
        let digest = pem.digest();
        if self.served == Some(digest) {
            self.refused = None;
            return None;
        }
        let named = self.named.clone();
        let error = if pem.cert.is_empty() && pem.key.is_empty() {
            SecretError::Empty(named)
        } else {
            match ServingCertificate::from_pem(&pem.cert, &pem.key, SystemTime::now()) {
                Ok(certificate) => {
                    self.store.store(certificate);
                    self.served = Some(digest);
                    self.refused = None;
                    return None;
                }
                Err(error) => SecretError::Unusable(named, error),
            }
        };
        self.store.wait_for(error.to_string());
        // A Secret that was just created is empty for a moment.
        if self.served.is_none() && matches!(error, SecretError::Empty(_)) {
            return None;
        }
        if self.refused.replace(digest) != Some(digest) {
            self.store.refuse(&error);
        }
        let time = matches!(error, SecretError::Unusable(_, CertificateError::NotYetValid(_)));
        time.then_some(pem)
    }

    fn absent(&mut self) {
        self.failing = false;
        self.store.wait_for(format!("Secret {} is not there", self.named));
        let stays = if self.served.is_some() { "; what it held is served on" } else { "; waiting for it" };
        tracing::warn!(secret = %self.named, "the Secret with the serving certificate is not there{stays}");
    }

    fn failed(&mut self, error: &ClusterError) {
        self.store.wait_for(format!("Secret {} can't be read: {error}", self.named));
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(secret = %self.named, %error, "can't follow the Secret with the serving certificate; trying on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::CertificateMetrics;
    use crate::webhook::certificate::development_certificate;
    use k8s_openapi::ByteString;

    fn follower() -> Follower {
        let named = "codefresh/hook-serving".parse().unwrap();
        let store = Arc::new(CertificateStore::new(CertificateMetrics::default()));
        Follower { store, named, served: None, refused: None, failing: false }
    }

    fn secret(cert: &str, key: &str) -> Secret {
        let data = [("tls.crt", cert), ("tls.key", key)];
        let data = data.map(|(name, text)| (name.to_owned(), ByteString(text.as_bytes().to_vec())));
        Secret { data: Some(data.into()), ..Secret::default() }
    }

    #[test]
    fn a_good_pair_is_served_whatever_comes_after_it() {
        let mut follower = follower();
        let made = development_certificate(&[]).unwrap();
        follower.there(secret("", ""));
        let waiting = follower.store.waiting_for().unwrap();
        assert_eq!(waiting, "Secret codefresh/hook-serving has no tls.crt and tls.key yet");
        follower.there(secret(&made.cert_pem, &made.key_pem));
        let served = follower.store.current().unwrap().fingerprint().to_owned();
        let other = development_certificate(&[]).unwrap();
        follower.there(secret(&made.cert_pem, &other.key_pem));
        follower.there(secret("garbage", &made.key_pem));
        follower.absent();
        assert_eq!(follower.store.current().unwrap().fingerprint(), served);
        follower.there(secret(&other.cert_pem, &other.key_pem));
        assert_ne!(follower.store.current().unwrap().fingerprint(), served);
    }

    #[test]
    fn what_is_refused_is_said_without_its_key() {
        let mut follower = follower();
        let (made, other) = (development_certificate(&[]).unwrap(), development_certificate(&[]).unwrap());
        follower.there(secret(&made.cert_pem, &other.key_pem));
        let why = follower.store.waiting_for().unwrap();
        assert!(
            why.contains("codefresh/hook-serving") && why.contains("not the one of the first certificate"),
            "{why}"
        );
        assert!(follower.store.current().is_none());
    }
}
