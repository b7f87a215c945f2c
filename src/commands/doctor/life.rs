//! Whether the certificates are renewed in time.

use super::{CheckResult, Report, Scene};
use crate::cluster::call_patiently;
use crate::pki::Certificate;
use crate::time::{Seconds, now, rfc3339};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use std::collections::BTreeMap;

const PROBE: &str = "certificate life";

/// A certificate with less than one in this many parts of its life left is overdue: the controller renews it
/// at two thirds.
const OVERDUE: Seconds = 4;

pub(super) async fn probe(client: &Client, scene: &Scene, report: &mut Report) {
    let mut cas = BTreeMap::new();
    if let Ok(Some(configuration)) = &scene.configuration {
        for entry in configuration.webhooks.iter().flatten() {
            let pem = entry.client_config.ca_bundle.as_ref().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
            cas.extend(Certificate::all_from_pem(pem).0.into_iter().map(|ca| (ca.id, ca)));
        }
    }
    if cas.is_empty() {
        report.add(PROBE, "CA", CheckResult::NotChecked("no CA is in caBundle".to_owned()));
    }
    // During a rotation there are two CAs, and the one that expires last takes over.
    if let Some(newest) = cas.values().max_by_key(|ca| ca.validity.to) {
        report.add(PROBE, format!("CA {}", newest.id), judge(newest, now()));
    }

    let mut leaves = BTreeMap::new();
    for asked in scene.asked.iter().flatten() {
        let first = asked.shown.iter().flatten().next();
        leaves.extend(first.and_then(|der| Certificate::from_der(der)).map(|leaf| (leaf.id, leaf)));
    }
    if leaves.is_empty() {
        match kept(client, scene).await {
            Ok(leaf) => leaves.extend([(leaf.id, leaf)]),
            Err(why) => report.add(PROBE, "serving certificate", CheckResult::NotChecked(why)),
        }
    }
    for leaf in leaves.values() {
        report.add(PROBE, format!("serving certificate {}", leaf.id), judge(leaf, now()));
    }
}

/// The serving certificate from its Secret, if no endpoint presents one.
async fn kept(client: &Client, scene: &Scene) -> Result<Certificate, String> {
    let (namespace, name) = (&scene.options.namespace, &scene.options.serving_secret);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let what = format!("no endpoint shows one, and reading Secret {namespace}/{name}");
    let secret = call_patiently(&what, || secrets.get(name)).await.map_err(|error| error.to_string())?;
    let pem = secret.data.as_ref().and_then(|data| data.get("tls.crt")).map(|bytes| bytes.0.as_slice());
    pem.and_then(Certificate::first_from_pem)
        .ok_or_else(|| format!("Secret {namespace}/{name} has no readable tls.crt"))
}

fn judge(certificate: &Certificate, now: Seconds) -> CheckResult {
    let validity = certificate.validity;
    let (left, whole) = (validity.to - now, validity.to - validity.from);
    let expiry = rfc3339(validity.to);
    if left < 0 {
        CheckResult::Problem(format!("expired at {expiry}"), "look at the controller's log, or replace it".to_owned())
    } else if now < validity.from {
        let text = format!("is valid from {} only", rfc3339(validity.from));
        CheckResult::Problem(text, "set the clock right".to_owned())
    } else if left < whole / OVERDUE {
        let text = format!("{} left (until {expiry}); it should have been replaced by now", long(left));
        CheckResult::Warning(text, "look at the controller's log, or replace it".to_owned())
    } else {
        CheckResult::Ok(format!("{} left (until {expiry})", long(left)))
    }
}

fn long(seconds: Seconds) -> String {
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} hours", seconds / 3_600),
        120.. => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;

    #[test]
    fn a_certificate_is_judged_by_what_is_left_of_it() {
        const NOW: Seconds = 1_800_000_000;
        let made = Authority::make("ca", 1_000_000, NOW).unwrap();
        let ca = Certificate::first_from_pem(made.cert.as_bytes()).unwrap();
        assert_eq!(judge(&ca, NOW), CheckResult::Ok("11 days left (until 2027-01-26T21:46:40Z)".to_owned()));
        assert!(matches!(judge(&ca, NOW + 800_000), CheckResult::Warning(..)));
        assert!(matches!(judge(&ca, NOW + 1_000_001), CheckResult::Problem(..)));
        assert!(matches!(judge(&ca, NOW - 1_000), CheckResult::Problem(..)));
    }
}
