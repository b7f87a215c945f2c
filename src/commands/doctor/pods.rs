//! Checks the running pods, by the controller's own verdicts.

use super::{CheckResult, Report, Scene, failed};
use crate::cluster::call_patiently;
use crate::controller::rollout::verdicts;
use crate::drift::{Drift, NotOurs, PodFacts, PodVerdict, TrackedKeys};
use crate::settings::{Rollout, Settings};
use crate::time::{Seconds, now};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::{Api, Client};

const PROBE: &str = "pods";
/// For how many seconds a new pod may be unready without a warning.
const MAX_START: Seconds = 60;

pub(super) async fn probe(client: &Client, scene: &Scene, settings: &Settings, report: &mut Report) {
    let namespace = &scene.options.namespace;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let all = ListParams::default();
    let listed = call_patiently(&format!("listing the pods of {namespace}"), || api.list(&all)).await;
    let pods = match listed {
        Ok(pods) => pods,
        Err(error) => {
            let advice = "make sure that the API server can be reached";
            return report.add(PROBE, namespace, failed(&error, advice));
        }
    };
    let state = match state(client, scene).await {
        Ok(state) => Some(state),
        Err(why) => {
            report.add(PROBE, "values that changed", CheckResult::NotChecked(why));
            None
        }
    };
    let subjects = TrackedKeys::new(settings);
    let facts: Vec<PodFacts> = pods.items.iter().filter_map(|pod| PodFacts::of(pod, &subjects)).collect();
    let judged = verdicts(client, namespace, &subjects, state.as_ref(), settings.rollout, facts).await;
    match judged {
        Ok(judged) => say(&judged, settings.rollout, namespace, now(), report),
        Err(error) => report.add(PROBE, namespace, failed(&error, "make sure that the API server can be reached")),
    }
}

/// The controller's state Secret.
async fn state(client: &Client, scene: &Scene) -> Result<Secret, String> {
    let (namespace, name) = (&scene.options.namespace, format!("{}-state", scene.options.release));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let what = format!("whether pods hold a value that has changed isn't known: reading Secret {namespace}/{name}");
    call_patiently(&what, || secrets.get(&name)).await.map_err(|error| error.to_string())
}

/// What a person has to do about a drifted pod that the controller leaves alone.
fn by_hand(pod: &PodFacts, why: &NotOurs, drift: Drift, namespace: &str) -> String {
    let (name, owner) = (&pod.name, pod.owner.as_ref());
    let kind = owner.map_or("", |owner| owner.kind.as_str());
    let of = owner.map_or("", |owner| owner.name.as_str());
    match (why, kind) {
        (NotOurs::Bare, _) => format!(
            "nothing makes it again, so keep what it was made from (kubectl get pod {name} --namespace {namespace} \
             --output yaml) before it is deleted, and create it from that"
        ),
        (NotOurs::UnknownKind(_), "Job") => {
            format!("let it end, or make Job {of} again: deleting the pod would count as a failure of the Job")
        }
        (NotOurs::UnknownKind(_), "DaemonSet") => {
            format!("kubectl rollout restart daemonset {of} --namespace {namespace}")
        }
        (NotOurs::UnknownKind(_), _) => format!("have {kind} {of} make it again, in the way that this kind does it"),
        _ if drift == Drift::Stale => {
            format!("restart its workload by hand, or delete it: kubectl delete pod {name} --namespace {namespace}")
        }
        _ => format!("have it created again: kubectl delete pod {name} --namespace {namespace}"),
    }
}

fn say(pods: &[(PodFacts, PodVerdict)], rollout: Rollout, namespace: &str, now: Seconds, report: &mut Report) {
    let mut right = 0;
    for (pod, step) in pods.iter().filter(|(pod, _)| !pod.terminating && !pod.completed) {
        let subject = format!("pod {}", pod.name);
        let text = format!("{}: {}", step.as_str(), step.reason().unwrap_or_default());
        let text = text.strip_prefix("not_ours: ").map_or(text.clone(), str::to_owned);
        match step {
            PodVerdict::InStep if pod.readiness.ready => right += 1,
            PodVerdict::InStep => {
                let text = format!("not_ready: {}", pod.readiness.why());
                // A new pod takes a while to become ready.
                let verdict = if now.saturating_sub(pod.created) < MAX_START {
                    CheckResult::Ok(text)
                } else {
                    let advice = format!("see kubectl describe pod {} --namespace {namespace}", pod.name);
                    CheckResult::Problem(text, advice)
                };
                report.add(PROBE, subject, verdict);
            }
            PodVerdict::OptedOut | PodVerdict::NotOurs(_, None) => report.add(PROBE, subject, CheckResult::Ok(text)),
            PodVerdict::NotOurs(why, Some(drift)) => {
                let advice = by_hand(pod, why, *drift, namespace);
                report.add(PROBE, subject, CheckResult::Problem(text, advice));
            }
            PodVerdict::Drifted(drift) => {
                let advice = match (rollout, drift) {
                    (Rollout::Automatic, _) => "the controller replaces it; `status` says what it waits for".to_owned(),
                    (Rollout::Report, Drift::Stale) => {
                        "restart its workload: kubectl rollout restart (rollout: report)".to_owned()
                    }
                    (Rollout::Report, Drift::Missed | Drift::Outdated) => {
                        format!("have it created again: kubectl delete pod {} --namespace {namespace}", pod.name)
                    }
                };
                report.add(PROBE, subject, CheckResult::Problem(text, advice));
            }
        }
    }
    if right > 0 || pods.is_empty() {
        report.add(PROBE, namespace, CheckResult::Ok(format!("{right} of the services' pods are in step")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{History, KUBELET_CACHE, judge};
    use serde_json::{Value, json};

    fn pod(name: &str, app: &str, env: &Value) -> Value {
        let owner =
            json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "set", "uid": "1", "controller": true }]);
        json!({
            "metadata": { "name": name, "uid": name, "labels": { "app": app }, "ownerReferences": owner },
            "spec": { "containers": [{ "name": app, "env": env }] },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    }

    fn said(pods: &[Value], rollout: Rollout) -> Report {
        let settings = Settings::of_the_charts();
        let subjects = TrackedKeys::new(&settings);
        let read = |pod: &Value| PodFacts::of(&serde_json::from_value(pod.clone()).unwrap(), &subjects);
        let judged = |facts: PodFacts| {
            let step = judge(&facts, &History::default(), false, KUBELET_CACHE);
            (facts, step)
        };
        let judged: Vec<_> = pods.iter().filter_map(read).map(judged).collect();
        let mut report = Report::default();
        say(&judged, rollout, "codefresh", MAX_START, &mut report);
        report
    }

    #[test]
    fn pods_out_of_step_are_named_and_others_counted() {
        let right = json!([
            { "name": "ARGO_CD_PASSWORD", "valueFrom": {
                "secretKeyRef": { "name": "argocd-initial-admin-secret", "key": "password" } } },
            { "name": "ARGO_CD_USERNAME", "value": "admin" },
        ]);
        let good = pod("good", "cap-app-proxy", &right);
        let foreign = pod("foreign", "other", &json!([]));
        let missed = pod("missed", "cap-app-proxy", &json!([]));
        let old = pod("old", "cap-app-proxy", &json!([{ "name": "ARGO_CD_USERNAME", "value": "admin" }]));
        let mut bare = missed.clone();
        bare["metadata"]["name"] = "bare".into();
        bare["metadata"]["ownerReferences"] = json!([]);
        let mut job = missed.clone();
        job["metadata"]["name"] = "job".into();
        job["metadata"]["ownerReferences"][0]["kind"] = "Job".into();
        let mut hung = good.clone();
        hung["metadata"]["name"] = "hung".into();
        hung["status"] = json!({ "containerStatuses": [{ "name": "app", "image": "", "imageID": "", "ready": false,
            "restartCount": 0, "state": { "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"mine\" not found" } } }] });
        let mut young = hung.clone();
        (young["metadata"]["name"], young["metadata"]["creationTimestamp"]) =
            ("young".into(), json!("1970-01-01T00:00:30Z"));
        let mut out = missed.clone();
        out["metadata"]["name"] = "out".into();
        out["metadata"]["annotations"] = json!({ "argocd-auth-webhook/inject": "false" });
        let mut ended = missed.clone();
        ended["status"] = json!({ "phase": "Failed" });
        let mut going = missed.clone();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-24T12:00:00Z");
        insta::assert_snapshot!(said(&[good.clone(), foreign, ended, going], Rollout::Automatic).to_string(), @"ok           pods: codefresh: 1 of the services' pods are in step");
        let report = said(&[good, missed.clone(), old, bare, job, hung, young, out], Rollout::Automatic);
        assert!(report.has_problem());
        insta::assert_snapshot!(report.to_string(), @r#"
        problem      pods: pod missed: missed: it carries nothing of what the settings say; to do: the controller replaces it; `status` says what it waits for
        problem      pods: pod old: outdated: it carries something else than the settings say; to do: the controller replaces it; `status` says what it waits for
        problem      pods: pod bare: missed, but a bare pod: nobody would make it again; to do: nothing makes it again, so keep what it was made from (kubectl get pod bare --namespace codefresh --output yaml) before it is deleted, and create it from that
        problem      pods: pod job: missed, but it belongs to a Job, which is not restarted; to do: let it end, or make Job set again: deleting the pod would count as a failure of the Job
        problem      pods: pod hung: not_ready: it carries what the settings say, and isn't ready: container app: CreateContainerConfigError: secret "mine" not found; to do: see kubectl describe pod hung --namespace codefresh
        ok           pods: pod young: not_ready: it carries what the settings say, and isn't ready: container app: CreateContainerConfigError: secret "mine" not found
        ok           pods: pod out: opted_out: its label or annotation says argocd-auth-webhook/inject: "false"
        ok           pods: codefresh: 1 of the services' pods are in step
        "#);
        insta::assert_snapshot!(said(&[missed], Rollout::Report).to_string(), @"problem      pods: pod missed: missed: it carries nothing of what the settings say; to do: have it created again: kubectl delete pod missed --namespace codefresh");
    }
}
