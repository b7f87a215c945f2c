//! The pods that are there: those which were created while the webhook was not called lack what the
//! settings say, and nothing but creating them again helps.

use super::{Report, Scene, Verdict, failed};
use crate::cluster::call;
use crate::core::{Injector, Outcome, Pod, STATUS};
use k8s_openapi::api::core::v1::Pod as KubernetesPod;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;

const PROBE: &str = "running pods";

pub(super) async fn probe(client: &Client, scene: &Scene, injector: &Injector, report: &mut Report) {
    let namespace = &scene.options.namespace;
    let pods_of = ApiResource::erase::<KubernetesPod>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &pods_of);
    let listed = call(&format!("listing the pods of {namespace}"), api.list(&ListParams::default())).await;
    let pods = match listed {
        Ok(pods) => pods,
        Err(error) => {
            let advice = "make sure that the API server can be reached";
            return report.add(PROBE, namespace, failed(&error, advice));
        }
    };
    let pods = pods.items.iter().filter_map(|pod| serde_json::to_value(pod).ok());
    judge(injector, pods, namespace, report);
}

fn judge(injector: &Injector, pods: impl Iterator<Item = Value>, namespace: &str, report: &mut Report) {
    let mut right = 0;
    let mut wrong = 0;
    for pod in pods.filter(is_there) {
        let text = pod.to_string();
        let Ok(read) = Pod::from_json(&text) else { continue };
        let decision = injector.decide(&read);
        let lacks = match decision.outcome {
            Outcome::Injected if pod.pointer("/metadata/annotations").and_then(|all| all.get(STATUS)).is_some() => {
                "carries what other settings said"
            }
            Outcome::Injected => "was missed: it was created while the webhook was not called",
            Outcome::AlreadyRight => {
                right += 1;
                continue;
            }
            // What else there is was told to whoever created it.
            _ => continue,
        };
        wrong += 1;
        let name = read.name().unwrap_or_default();
        let advice = format!("have it created again: kubectl delete pod {name} --namespace {namespace}");
        report.add(PROBE, format!("pod {name}"), Verdict::Problem(lacks.to_owned(), advice));
    }
    if wrong == 0 {
        report.add(PROBE, namespace, Verdict::Ok(format!("{right} of the services have what the settings say")));
    }
}

/// Whether a pod runs or will, rather than being about to go.
fn is_there(pod: &Value) -> bool {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    pod.pointer("/metadata/deletionTimestamp").is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Engine;
    use crate::settings::{Overrides, Settings};
    use serde_json::json;

    fn pod(name: &str, app: &str, env: &Value) -> Value {
        json!({
            "metadata": { "name": name, "labels": { "app": app } },
            "spec": { "containers": [{ "name": app, "env": env }] },
        })
    }

    #[test]
    fn missed_pods_are_named_and_others_counted() {
        let injector = Settings::load(None, Overrides::default()).unwrap().injector(Engine::Webhook);
        let right = json!([
            { "name": "ARGO_CD_PASSWORD", "valueFrom": {
                "secretKeyRef": { "name": "argocd-initial-admin-secret", "key": "password" } } },
            { "name": "ARGO_CD_USERNAME", "value": "admin" },
        ]);
        let of = |pods: Vec<Value>| {
            let mut report = Report::default();
            judge(&injector, pods.into_iter(), "codefresh", &mut report);
            report
        };
        let good = pod("good", "cap-app-proxy", &right);
        let foreign = pod("foreign", "other", &json!([]));
        let missed = pod("missed", "cap-app-proxy", &json!([]));
        let mut old = pod("old", "cap-app-proxy", &json!([]));
        old["metadata"]["annotations"] = json!({ STATUS: "{}" });
        let mut ended = missed.clone();
        ended["status"] = json!({ "phase": "Failed" });
        let mut going = missed.clone();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
        insta::assert_snapshot!(of(vec![good.clone(), foreign, ended, going]).to_string(), @"ok           running pods: codefresh: 1 of the services have what the settings say");
        let report = of(vec![good, missed, old]);
        assert!(report.has_problem());
        insta::assert_snapshot!(report.to_string(), @r"
        problem      running pods: pod missed: was missed: it was created while the webhook was not called; to do: have it created again: kubectl delete pod missed --namespace codefresh
        problem      running pods: pod old: carries what other settings said; to do: have it created again: kubectl delete pod old --namespace codefresh
        ");
    }
}
