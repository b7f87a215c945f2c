//! Creates pods as a dry run, which takes them through the API server and the webhook.

use super::{CheckResult, Report, Scene};
use crate::cluster::{Cause, ClusterError, call_within};
use crate::core::{Injector, Outcome, Pod, STATUS, VOLUME_NAME, Variable};
use crate::webhook_probe::sample;
use k8s_openapi::api::core::v1::Pod as KubernetesPod;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::Value;
use std::time::Duration;

const PROBE: &str = "admission";
/// Bounds a dry run. The API server waits at most 30 s for a webhook.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);

pub(super) async fn probe(client: &Client, scene: &Scene, injector: &Injector, report: &mut Report) {
    let namespace = &scene.options.namespace;
    let pods_of = ApiResource::erase::<KubernetesPod>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &pods_of);
    for service in injector.services() {
        let verdict = match create(&api, namespace, sample::of(service)).await {
            Ok(created) => judge(injector, &created),
            Err(error) => refused(&error),
        };
        report.add(PROBE, format!("pod of {}", service.name), verdict);
    }
    let verdict = match create(&api, namespace, sample::foreign()).await {
        Ok(created) => match touched(&created) {
            None => CheckResult::Ok("came back without anything of ours".to_owned()),
            Some(what) => CheckResult::Problem(
                format!("came back with {what}: the webhook's selectors are too wide"),
                "install the chart again, with the objectSelectors that it renders".to_owned(),
            ),
        },
        Err(error) => refused(&error),
    };
    report.add(PROBE, "pod of somebody else", verdict);
}

async fn create(api: &Api<DynamicObject>, namespace: &str, pod: Value) -> Result<Value, ClusterError> {
    let unreadable = |_| ClusterError { what: "making a pod".to_owned(), cause: Cause::Unreadable };
    let pod: DynamicObject = serde_json::from_value(pod).map_err(unreadable)?;
    let what = format!("creating a pod in {namespace}, as a dry run");
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let created = call_within(ANSWER_TIMEOUT, &what, api.create(&dry_run, &pod)).await?;
    serde_json::to_value(created).map_err(unreadable)
}

/// Judges the pod that came back by the decision about it: there must be nothing left to inject.
fn judge(injector: &Injector, created: &Value) -> CheckResult {
    let text = created.to_string();
    let Ok(pod) = Pod::from_json(&text) else {
        return CheckResult::Problem("the pod that came back can't be read".to_owned(), "report this".to_owned());
    };
    let decision = injector.decide(&pod);
    match decision.outcome {
        Outcome::AlreadyRight => CheckResult::Ok("came back with what the settings say".to_owned()),
        Outcome::Injected if created.pointer("/metadata/annotations").and_then(|all| all.get(STATUS)).is_none() => {
            CheckResult::Problem(
                "came back without credentials: the webhook was not called for it".to_owned(),
                "compare the configuration's namespaceSelector and objectSelector with this namespace and the settings"
                    .to_owned(),
            )
        }
        outcome => CheckResult::Problem(
            format!("came back with something else than the settings say ({outcome})"),
            "give the webhook the same settings: helm upgrade, and see that its pods were replaced".to_owned(),
        ),
    }
}

/// What of ours a foreign pod was given, if anything.
fn touched(created: &Value) -> Option<&'static str> {
    let list = |path: &str| created.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned).unwrap_or_default();
    let containers = list("/spec/containers");
    let mut env = containers.iter().filter_map(|container| container.get("env")?.as_array()).flatten();
    if created.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(STATUS).is_some()) {
        Some("our annotation")
    } else if env.any(|variable| Variable::of(&name(variable)).is_some()) {
        Some("our variables")
    } else if list("/spec/volumes").iter().any(|volume| name(volume) == VOLUME_NAME) {
        Some("our volume")
    } else {
        None
    }
}

fn refused(error: &ClusterError) -> CheckResult {
    match &error.cause {
        // The account may not create pods; the pod itself wasn't refused.
        Cause::Forbidden(message) if message.contains("cannot create resource") => {
            CheckResult::NotChecked(format!("{error} (it needs to create pods)"))
        }
        Cause::Unavailable(message) if message.contains("failed calling webhook") => CheckResult::Problem(
            error.to_string(),
            "no such pod can be created now; see the lines above, and whether API servers reach the webhook's port"
                .to_owned(),
        ),
        _ => CheckResult::Problem(error.to_string(), "see what refuses it".to_owned()),
    }
}
