//! Chains that are accepted and refused. `tests/trust.rs` compares many more with crypto/x509.

use super::*;
use crate::pki::{Authority, BACKDATED, Flaw, key_fits};

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
    assert!(verifies(&chain, &leaf_cert, name, NOW), "itself trusted");
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

/// The verdict about one certificate with these roots.
fn judged(leaf: &str, roots: &[&str], name: &str, now: Seconds) -> ChainVerdict {
    let read = |pem: &&str| Certificate::first_from_pem(pem.as_bytes()).unwrap();
    let roots: Vec<_> = roots.iter().map(read).collect();
    judge(&[read(&leaf).der], &roots, name, now)
}

#[test]
fn a_refusal_says_why() {
    let ca = Authority::make("a", 1000, NOW).unwrap();
    let other = Authority::make("b", 1000, NOW).unwrap();
    let leaf = Authority::from_pem(&ca.cert, &ca.key).unwrap().sign(&["a.svc".to_owned()], NOW, NOW + 500).unwrap();
    let leaf = leaf.cert.as_str();
    for (roots, name, now, wanted) in [
        (vec![ca.cert.as_str()], "a.svc", NOW, ChainVerdict::Trusted),
        (vec![&other.cert, &ca.cert], "a.svc", NOW, ChainVerdict::Trusted),
        (vec![], "a.svc", NOW, ChainVerdict::Refused(Refusal::UnknownIssuer)),
        (vec![&other.cert], "a.svc", NOW, ChainVerdict::Refused(Refusal::UnknownIssuer)),
        (vec![&ca.cert], "b.svc", NOW, ChainVerdict::Refused(Refusal::WrongName)),
        (vec![&ca.cert], "a.svc", NOW + 501, ChainVerdict::Refused(Refusal::Expired)),
        (vec![&ca.cert], "a.svc", NOW - 10_000, ChainVerdict::Refused(Refusal::NotYetValid)),
        // Trusted itself, so nobody has to have signed it.
        (vec![leaf], "a.svc", NOW, ChainVerdict::Trusted),
        (vec![leaf], "b.svc", NOW, ChainVerdict::Refused(Refusal::WrongName)),
        (vec![leaf], "a.svc", NOW + 501, ChainVerdict::Refused(Refusal::Expired)),
    ] {
        assert_eq!(judged(leaf, &roots, name, now), wanted, "{name} at {now}");
    }
    assert_eq!(judge(&[], &[], "a.svc", NOW), ChainVerdict::Refused(Refusal::Nothing));
}
