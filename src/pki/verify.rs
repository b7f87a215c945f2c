//! Whether a CA vouches for a certificate.

use super::Certificate;
use crate::time::Seconds;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use std::time::Duration;

/// Whether a client that trusts this CA alone takes this chain, leaf first, for `name` at `now`. As
/// with an API server, the CA itself has to be valid then.
#[must_use]
pub fn verifies(chain: &[CertificateDer<'_>], ca: &Certificate, name: &str, now: Seconds) -> bool {
    let Some((leaf, intermediates)) = chain.split_first() else { return false };
    let Ok(name) = ServerName::try_from(name) else { return false };
    let mut roots = RootCertStore::empty();
    if !ca.validity.holds(now) || !ca.is_ca || roots.add(ca.der.clone()).is_err() {
        return false;
    }
    let provider = Arc::new(default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    verifier.verify_server_cert(leaf, intermediates, &name, &[], at).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::{Authority, BACKDATED, Flaw, key_fits};
    use super::*;

    const NOW: Seconds = 1_800_000_000;

    #[test]
    fn a_leaf_is_taken_for_its_names_while_it_holds_and_only_with_its_ca() {
        let ca = Authority::make("release/codefresh", 1000, NOW).unwrap();
        let other = Authority::make("release/codefresh", 1000, NOW).unwrap();
        let names = ["webhook".to_owned(), "webhook.codefresh.svc".to_owned()];
        let leaf = Authority::from_pem(&ca.cert, &ca.key).unwrap().sign(&names, NOW, NOW + 500).unwrap();
        let read = |pem: &str| Certificate::first_from_pem(pem.as_bytes()).unwrap();
        let (ca_cert, other_cert, leaf_cert) = (read(&ca.cert), read(&other.cert), read(&leaf.cert));
        let chain = [leaf_cert.der.clone()];
        let name = "webhook.codefresh.svc";
        assert!(verifies(&chain, &ca_cert, name, NOW));
        assert!(verifies(&chain, &ca_cert, name, NOW - BACKDATED));
        assert!(!verifies(&chain, &ca_cert, name, NOW - BACKDATED - 1));
        assert!(!verifies(&chain, &ca_cert, name, NOW + 501));
        assert!(!verifies(&chain, &ca_cert, "elsewhere.codefresh.svc", NOW));
        assert!(!verifies(&chain, &other_cert, name, NOW), "same subject, another key");
        assert!(!verifies(&chain, &leaf_cert, name, NOW), "no CA");
        assert!(!verifies(&[], &ca_cert, name, NOW));
        assert_eq!(leaf_cert.names, names);
        assert!(ca_cert.is_ca && !leaf_cert.is_ca);
        assert_eq!(leaf_cert.pem().trim(), leaf.cert.trim());

        assert_eq!(key_fits(&leaf_cert, leaf.key.as_bytes()), Ok(()));
        assert_eq!(key_fits(&leaf_cert, ca.key.as_bytes()), Err(Flaw::WrongKey));
        assert_eq!(
            key_fits(&leaf_cert, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            Err(Flaw::NoKey)
        );
        assert!(!format!("{leaf:?}").contains("PRIVATE"));
    }
}
