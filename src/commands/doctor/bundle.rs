//! Whether `caBundle` verifies what each endpoint serves.

use super::{Asked, CheckResult, Report, Scene, failed};
use crate::pki::{self, Certificate, HandshakeError};
use crate::time::now;
use crate::webhook_probe::Trust;
use rustls::pki_types::CertificateDer;

const PROBE: &str = "caBundle";

pub(super) fn probe(scene: &Scene, report: &mut Report) {
    let name = &scene.options.webhook_configuration;
    let configuration = match &scene.configuration {
        Ok(Some(configuration)) => configuration,
        Ok(None) => {
            let advice = "install the chart, or name the configuration with --webhook-configuration";
            let text = format!("there is no MutatingWebhookConfiguration {name}: no pod is injected");
            return report.add(PROBE, name, CheckResult::Problem(text, advice.to_owned()));
        }
        Err(error) => return report.add(PROBE, name, failed(error, "make sure that the API server can be reached")),
    };
    let asked = match &scene.asked {
        Ok(asked) => asked,
        Err(error) => {
            let advice = "install the chart, or name the Service with --service";
            return report.add(PROBE, &scene.service, failed(error, advice));
        }
    };
    if asked.is_empty() {
        let advice = "kubectl get pods: are there replicas, and do they start?";
        let text = "no pod is behind the Service, so that matching pods can't be created";
        return report.add(PROBE, &scene.service, CheckResult::Problem(text.to_owned(), advice.to_owned()));
    }
    let entries: Vec<Trust> = configuration.webhooks.iter().flatten().map(Trust::of).collect();
    if entries.is_empty() {
        let advice = "install the chart again";
        return report.add(PROBE, name, CheckResult::Problem("it has no webhooks".to_owned(), advice.to_owned()));
    }
    for Asked { endpoint, shown } in asked {
        let verdict = match shown {
            Err(error @ (HandshakeError::Timeout(_) | HandshakeError::Connect(_))) => CheckResult::NotChecked(format!(
                "not reachable from here: {error}; `helm test` looks from within the cluster"
            )),
            Err(error @ HandshakeError::Tls(_)) => {
                CheckResult::Problem(error.to_string(), "look at the pod's /readyz and its log".to_owned())
            }
            Ok(chain) => {
                let leaf = chain.first().and_then(|der| Certificate::from_der(der));
                let leaf = leaf.map_or_else(|| "nothing that can be read".to_owned(), |leaf| leaf.id.to_string());
                judged(&entries, chain, &leaf)
            }
        };
        report.add(PROBE, endpoint.name(), verdict);
    }
}

/// The verdict of API servers on a chain, for each entry that calls the webhook.
fn judged(entries: &[Trust], chain: &[CertificateDer<'_>], leaf: &str) -> CheckResult {
    let (mut refused, mut unknown) = (Vec::new(), None);
    for entry in entries {
        match entry.judge(chain, now()) {
            pki::ChainVerdict::Trusted => {}
            pki::ChainVerdict::Refused(reason) => refused.push(format!("{} ({reason})", entry.name)),
            pki::ChainVerdict::Unknown(why) => unknown = Some(why),
        }
    }
    if !refused.is_empty() {
        let text = format!("API servers refuse {leaf} by caBundle of {}", refused.join(", "));
        let advice = "look at the controller's log: it writes caBundle, or says who has to";
        CheckResult::Problem(text, advice.to_owned())
    } else if let Some(why) = unknown {
        CheckResult::NotChecked(format!(
            "whether API servers trust {leaf} can't be told here ({why}); what they do with it is seen at `admission`"
        ))
    } else {
        CheckResult::Ok(format!("{leaf} is trusted by all {} entries", entries.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;
    use k8s_openapi::ByteString;
    use serde_json::json;

    fn trusting(ca: &str) -> Trust {
        let service = json!({ "name": "hook", "namespace": "codefresh" });
        let bundle = serde_json::to_value(ByteString(ca.as_bytes().to_vec())).unwrap();
        let entry = json!({
            "name": "a.b.c", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": { "service": service, "caBundle": bundle },
        });
        Trust::of(&serde_json::from_value(entry).unwrap())
    }

    #[test]
    fn what_can_not_be_judged_is_not_called_refused() {
        let [ca, other] = ["ca", "other"].map(|name| Authority::make(name, 10_000, now()).unwrap());
        let authority = Authority::from_pem(&ca.cert, &ca.key).unwrap();
        let leaf = authority.sign(&["hook.codefresh.svc".to_owned()], now(), now() + 5000).unwrap();
        let chain = [Certificate::first_from_pem(leaf.cert.as_bytes()).unwrap().der];
        let verdict = |ca: &str, chain: &[CertificateDer<'_>]| judged(&[trusting(ca)], chain, "it");
        assert!(matches!(verdict(&ca.cert, &chain), CheckResult::Ok(text) if text.contains("trusted by all 1")));
        let CheckResult::Problem(text, _) = verdict(&other.cert, &chain) else { panic!("another CA") };
        assert_eq!(text, "API servers refuse it by caBundle of a.b.c (nothing there signed it)");
        let CheckResult::NotChecked(text) = verdict(&ca.cert, &[CertificateDer::from(vec![1])]) else {
            panic!("unreadable")
        };
        assert!(text.contains("can't be told here"), "{text}");
    }
}
