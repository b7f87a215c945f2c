//! Whether what API servers trust vouches for what each endpoint serves.

use super::{Asked, Report, Scene, Verdict, failed};
use crate::pki::{Certificate, HandshakeError};
use crate::time::now;
use crate::webhook_probe::Trust;

const PROBE: &str = "caBundle";

pub(super) fn probe(scene: &Scene, report: &mut Report) {
    let name = &scene.options.webhook_configuration;
    let configuration = match &scene.configuration {
        Ok(Some(configuration)) => configuration,
        Ok(None) => {
            let advice = "install the chart, or name the configuration with --webhook-configuration";
            let text = format!("there is no MutatingWebhookConfiguration {name}: no pod is injected");
            return report.add(PROBE, name, Verdict::Problem(text, advice.to_owned()));
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
        return report.add(PROBE, &scene.service, Verdict::Problem(text.to_owned(), advice.to_owned()));
    }
    let entries: Vec<Trust> = configuration.webhooks.iter().flatten().map(Trust::of).collect();
    if entries.is_empty() {
        let advice = "install the chart again";
        return report.add(PROBE, name, Verdict::Problem("it has no webhooks".to_owned(), advice.to_owned()));
    }
    for Asked { endpoint, shown } in asked {
        let verdict = match shown {
            Err(error @ (HandshakeError::Timeout(_) | HandshakeError::Connect(_))) => Verdict::NotChecked(format!(
                "not reachable from here: {error}; `helm test` looks from within the cluster"
            )),
            Err(error @ HandshakeError::Tls(_)) => {
                Verdict::Problem(error.to_string(), "look at the pod's /readyz and its log".to_owned())
            }
            Ok(chain) => {
                let bad: Vec<&str> = entries
                    .iter()
                    .filter(|entry| !entry.takes(chain, now()))
                    .map(|entry| entry.name.as_str())
                    .collect();
                let leaf = chain.first().and_then(|der| Certificate::from_der(der));
                let leaf = leaf.map_or_else(|| "nothing that can be read".to_owned(), |leaf| leaf.id.to_string());
                if bad.is_empty() {
                    Verdict::Ok(format!("{leaf} is trusted by all {} entries", entries.len()))
                } else {
                    let text = format!("API servers refuse {leaf}: caBundle of {} doesn't verify it", bad.join(", "));
                    Verdict::Problem(text, "look at the controller's log: it writes caBundle".to_owned())
                }
            }
        };
        report.add(PROBE, endpoint.name(), verdict);
    }
}
