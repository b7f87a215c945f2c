//! Reads the objects, asks the endpoints, and makes a snapshot of both.

use super::record;
use super::snapshot::{Bundle, Ca, Endpoint, Leaf, RotationRecord, Slot, Snapshot};
use crate::cluster::{ClusterError, endpoints, filled};
use crate::controller::Context;
use crate::controller::context::is_empty;
use crate::pki::{Authority, Certificate, Flaw, Id, key_fits, peer_chain, verifies};
use crate::time::Seconds;
use futures_util::future::join_all;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Bounds the handshake with an endpoint, which is in the same cluster.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) const CA: [&str; 2] = ["ca.crt", "ca.key"];
pub(super) const NEXT: [&str; 2] = ["next-ca.crt", "next-ca.key"];
pub(super) const SERVING: [&str; 2] = ["tls.crt", "tls.key"];

/// The objects as they were read.
pub(super) struct Objects {
    pub ca: Option<Secret>,
    pub serving: Option<Secret>,
    pub configuration: Option<MutatingWebhookConfiguration>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

/// The snapshot, with the certificates that its ids refer to.
pub(super) struct Observed {
    pub snapshot: Snapshot,
    pub certificates: BTreeMap<Id, Certificate>,
}

/// Reads the objects one after the other, uncached: a watch's copy could be older than this process's writes.
///
/// # Errors
/// A call failed, or one of our names is somebody else's.
pub(super) async fn read(context: &Context) -> Result<Objects, ClusterError> {
    let options = &context.options;
    let objects = Objects {
        ca: context.find(&options.ca_secret()).await?,
        serving: context.find(&options.serving_secret).await?,
        configuration: context.configuration().await?,
    };
    for secret in [&objects.ca, &objects.serving].into_iter().flatten() {
        context.must_be_ours("Secret", &secret.metadata, is_empty(secret))?;
    }
    Ok(objects)
}

/// The chain that each endpoint presents; `None` for one that can't be reached.
pub(super) async fn probe_endpoints(
    context: &Context,
) -> Result<Vec<Option<Vec<CertificateDer<'static>>>>, ClusterError> {
    let options = &context.options;
    let found = endpoints(&context.client, &options.namespace, &options.service, options.service_port).await?;
    let name = options.server_name();
    let asked = found.iter().map(async |endpoint| match peer_chain(endpoint.address, &name, HANDSHAKE_TIMEOUT).await {
        Ok(chain) => Some(chain),
        Err(error) => {
            tracing::info!(endpoint = endpoint.name(), %error, "a rotation waits for an endpoint");
            None
        }
    });
    Ok(join_all(asked).await)
}

/// The value of a Secret's key; `None` if it is missing or empty.
pub(super) fn value<'s>(secret: Option<&'s Secret>, key: &str) -> Option<&'s [u8]> {
    filled(secret?, key)
}

/// Makes a snapshot of the objects. `names` are the DNS names of the Service, `server_name` is the one by
/// which API servers call it, `shown` the chains that its endpoints presented, if they were asked.
pub(super) fn observe(
    objects: &Objects,
    shown: Option<&[Option<Vec<CertificateDer<'static>>>]>,
    names: &[String],
    server_name: &str,
    now: Seconds,
) -> Observed {
    let mut certificates = BTreeMap::new();
    let ca = objects.ca.as_ref();
    let (current, next) = (authority(ca, CA, &mut certificates), authority(ca, NEXT, &mut certificates));
    let bundles = objects.configuration.as_ref().map(|configuration| {
        let entries = configuration.webhooks.iter().flatten();
        entries
            .map(|entry| {
                let pem = entry.client_config.ca_bundle.as_ref().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
                let (read, rest) = Certificate::all_from_pem(pem);
                let mut bundle = Bundle { cas: Vec::new(), rest };
                for certificate in read {
                    let twice = bundle.cas.iter().any(|(id, _)| *id == certificate.id);
                    if !certificate.is_ca || twice {
                        bundle.rest = true;
                        continue;
                    }
                    bundle.cas.push((certificate.id, certificate.validity));
                    certificates.insert(certificate.id, certificate);
                }
                bundle
            })
            .collect()
    });
    let serving = leaf(objects.serving.as_ref(), names, &certificates);
    let verified_by = |chain: &Option<Vec<CertificateDer<'static>>>| {
        let chain = chain.as_deref().unwrap_or_default();
        let by = certificates.values().filter(|ca| verifies(chain, ca, server_name, now));
        Endpoint { verified_by: by.map(|ca| ca.id).collect() }
    };
    let endpoints = shown.map(|shown| shown.iter().map(verified_by).collect());

    let known: Vec<Id> = certificates.keys().copied().chain(serving.held().map(|leaf| leaf.id)).collect();
    let annotations = ca.and_then(|secret| secret.metadata.annotations.as_ref());
    let record = annotations.map_or_else(RotationRecord::default, |annotations| record::read(annotations, &known));
    let snapshot = Snapshot {
        current,
        next,
        serving,
        bundles,
        has_stale_annotations: annotations
            .is_some_and(|annotations| record::has_stale_annotations(annotations, &record)),
        record,
        request: annotations.and_then(record::request),
        endpoints,
    };
    Observed { snapshot, certificates }
}

fn authority(secret: Option<&Secret>, keys: [&str; 2], known: &mut BTreeMap<Id, Certificate>) -> Slot<Ca> {
    let [cert, key] = keys.map(|key| value(secret, key));
    let Some(cert) = cert else {
        return if key.is_none() { Slot::Empty } else { Slot::Broken(Flaw::Unreadable) };
    };
    let Some(certificate) = Certificate::first_from_pem(cert) else { return Slot::Broken(Flaw::Unreadable) };
    if !certificate.is_ca {
        return Slot::Broken(Flaw::NotACa);
    }
    let flaw = match key {
        None => Some(Flaw::NoKey),
        Some(key) => key_fits(&certificate, key).err().or_else(|| {
            let text = std::str::from_utf8(cert).ok().zip(std::str::from_utf8(key).ok());
            let signs = text.is_some_and(|(cert, key)| Authority::from_pem(cert, key).is_ok());
            (!signs).then_some(Flaw::NoKey)
        }),
    };
    let ca = Ca { id: certificate.id, validity: certificate.validity, flaw };
    known.insert(certificate.id, certificate);
    Slot::Holds(ca)
}

fn leaf(secret: Option<&Secret>, names: &[String], known: &BTreeMap<Id, Certificate>) -> Slot<Leaf> {
    let [cert, key] = SERVING.map(|key| value(secret, key));
    let Some(cert) = cert else {
        return if key.is_none() { Slot::Empty } else { Slot::Broken(Flaw::Unreadable) };
    };
    let (chain, rest) = Certificate::all_from_pem(cert);
    let Some(leaf) = chain.first().filter(|_| !rest) else { return Slot::Broken(Flaw::Unreadable) };
    let flaw = match key {
        None => Some(Flaw::NoKey),
        Some(key) => key_fits(leaf, key).err(),
    };
    let covers = names.iter().all(|name| leaf.names.contains(name));
    let flaw = flaw.or((!covers).then_some(Flaw::WrongNames));
    let chain: Vec<_> = chain.iter().map(|certificate| certificate.der.clone()).collect();
    // The signer is determined at a time when both were valid; whether they are valid now is another
    // question.
    let at = |ca: &Certificate| leaf.validity.to.min(ca.validity.to);
    let name = leaf.names.first().map(String::as_str).unwrap_or_default();
    let signer = known.values().find(|ca| verifies(&chain, ca, name, at(ca))).map(|ca| ca.id);
    Slot::Holds(Leaf { id: leaf.id, validity: leaf.validity, signer, flaw })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Pair;
    use k8s_openapi::ByteString;

    const NOW: Seconds = 1_800_000_000;

    fn secret(entries: &[(&str, &str)]) -> Secret {
        let data = entries.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec())));
        Secret { data: Some(data.collect()), ..Secret::default() }
    }

    fn names() -> Vec<String> {
        vec!["hook".to_owned(), "hook.codefresh.svc".to_owned()]
    }

    fn pairs() -> (Pair, Pair) {
        let ca = Authority::make("hook/codefresh", 1000, NOW).unwrap();
        let leaf = Authority::from_pem(&ca.cert, &ca.key).unwrap().sign(&names(), NOW, NOW + 500).unwrap();
        (ca, leaf)
    }

    fn seen(ca: Option<Secret>, serving: Option<Secret>, now: Seconds) -> Snapshot {
        let objects = Objects { ca, serving, configuration: None };
        observe(&objects, None, &names(), "hook.codefresh.svc", now).snapshot
    }

    #[test]
    fn what_is_wrong_with_a_ca_is_told_apart() {
        let (ca, leaf) = pairs();
        let other = Authority::make("hook/codefresh", 1000, NOW).unwrap();
        let current = |entries: &[(&str, &str)]| seen(Some(secret(entries)), None, NOW).current;
        let flaw = |entries: &[(&str, &str)]| current(entries).held().unwrap().flaw;
        assert_eq!(seen(None, None, NOW).current, Slot::Empty);
        assert_eq!(current(&[]), Slot::Empty);
        assert_eq!(current(&[("ca.crt", ""), ("ca.key", "")]), Slot::Empty);
        assert_eq!(current(&[("ca.key", &ca.key)]), Slot::Broken(Flaw::Unreadable));
        assert_eq!(current(&[("ca.crt", "garbage"), ("ca.key", &ca.key)]), Slot::Broken(Flaw::Unreadable));
        assert_eq!(current(&[("ca.crt", &leaf.cert), ("ca.key", &leaf.key)]), Slot::Broken(Flaw::NotACa));
        assert_eq!(flaw(&[("ca.crt", &ca.cert)]), Some(Flaw::NoKey));
        assert_eq!(flaw(&[("ca.crt", &ca.cert), ("ca.key", "garbage")]), Some(Flaw::NoKey));
        assert_eq!(flaw(&[("ca.crt", &ca.cert), ("ca.key", &other.key)]), Some(Flaw::WrongKey));
        assert_eq!(flaw(&[("ca.crt", &ca.cert), ("ca.key", &ca.key)]), None);
    }

    #[test]
    fn what_is_wrong_with_a_leaf_is_told_apart() {
        let (ca, leaf) = pairs();
        let authority = Authority::from_pem(&ca.cert, &ca.key).unwrap();
        let few = authority.sign(&["hook".to_owned()], NOW, NOW + 500).unwrap();
        let (other_ca, foreign) = pairs();
        let serving = |cert: &str, key: &str, now| {
            let kept = Some(secret(&[("ca.crt", &ca.cert), ("ca.key", &ca.key)]));
            seen(kept, Some(secret(&[("tls.crt", cert), ("tls.key", key)])), now).serving
        };
        let held = |cert: &str, key: &str| *serving(cert, key, NOW).held().unwrap();
        let id = Certificate::first_from_pem(ca.cert.as_bytes()).unwrap().id;
        assert_eq!(serving("", "", NOW), Slot::Empty);
        assert_eq!(serving("garbage", &leaf.key, NOW), Slot::Broken(Flaw::Unreadable));
        assert_eq!((held(&leaf.cert, &leaf.key).flaw, held(&leaf.cert, &leaf.key).signer), (None, Some(id)));
        assert_eq!(held(&leaf.cert, "").flaw, Some(Flaw::NoKey));
        assert_eq!(held(&leaf.cert, &ca.key).flaw, Some(Flaw::WrongKey));
        assert_eq!(held(&few.cert, &few.key).flaw, Some(Flaw::WrongNames));
        assert_eq!(held(&foreign.cert, &foreign.key).signer, None);
        // An expired leaf still has a known signer.
        let over = serving(&leaf.cert, &leaf.key, NOW + 501);
        assert_eq!(over.held().unwrap().signer, Some(id));
        assert_ne!(other_ca.cert, ca.cert);
    }

    #[test]
    fn an_endpoint_is_known_by_the_ca_that_verifies_what_it_shows() {
        let (ca, leaf) = pairs();
        let (_, foreign) = pairs();
        let chain = |pair: &Pair| Some(vec![Certificate::first_from_pem(pair.cert.as_bytes()).unwrap().der]);
        let kept = Some(secret(&[("ca.crt", &ca.cert), ("ca.key", &ca.key)]));
        let objects = Objects { ca: kept, serving: None, configuration: None };
        let shown = [chain(&leaf), chain(&foreign), None];
        let endpoints = |now| {
            let observed = observe(&objects, Some(&shown), &names(), "hook.codefresh.svc", now);
            let endpoints = observed.snapshot.endpoints.unwrap();
            endpoints.iter().map(|endpoint| endpoint.verified_by.len()).collect::<Vec<_>>()
        };
        assert_eq!(endpoints(NOW), [1, 0, 0]);
        assert_eq!(endpoints(NOW + 501), [0, 0, 0], "expired");
    }

    #[test]
    fn a_bundle_names_its_cas_once_and_says_whether_it_holds_anything_else() {
        let ((ca, leaf), (other, _)) = (pairs(), pairs());
        let id = |pair: &Pair| Certificate::first_from_pem(pair.cert.as_bytes()).unwrap().id;
        let (first, second) = (id(&ca), id(&other));
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
        for (held, ids, rest) in [
            (vec![], vec![], false),
            (vec![&ca.cert, &other.cert], vec![first, second], false),
            (vec![&ca.cert, &other.cert, &ca.cert], vec![first, second], true),
            (vec![&ca.cert, &leaf.cert], vec![first], true),
            (vec![&leaf.cert], vec![], true),
            (vec![&rubbish, &ca.cert], vec![first], true),
        ] {
            let pem = held.into_iter().cloned().collect::<String>();
            let entry = serde_json::json!({
                "name": "a.b.c", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": { "caBundle": ByteString(pem.into_bytes()) },
            });
            let configuration = serde_json::from_value(serde_json::json!({ "webhooks": [entry] })).unwrap();
            let objects = Objects { ca: None, serving: None, configuration: Some(configuration) };
            let observed = observe(&objects, None, &names(), "hook.codefresh.svc", NOW);
            let bundle = &observed.snapshot.bundles.unwrap()[0];
            assert_eq!(bundle.cas.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
            assert_eq!(bundle.rest, rest, "{ids:?}");
            let mut known = ids;
            known.sort_unstable();
            assert_eq!(observed.certificates.into_keys().collect::<Vec<_>>(), known, "what signs, and nothing else");
        }
    }
}
