//! Builds a review as an API server does, and applies the answer's patch to the pod.

use crate::core::{Injector, Outcome, Pod};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use json_patch::PatchOperation;
use serde_json::{Value, json};

/// How many operations of a patch are applied. Ours has a few per container.
const MAX_OPERATIONS: usize = 1000;
/// How many bytes a patch may have.
const MAX_PATCH: usize = 256 << 10;

/// A review as an API server writes it when a controller creates a pod.
#[must_use]
pub fn review(uid: &str, pod: &Value) -> Value {
    let pod_kind = json!({ "group": "", "version": "v1", "kind": "Pod" });
    let pods = json!({ "group": "", "version": "v1", "resource": "pods" });
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": uid,
            "kind": pod_kind, "resource": pods, "requestKind": pod_kind, "requestResource": pods,
            "namespace": pod["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": { "username": "system:serviceaccount:kube-system:replicaset-controller" },
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    })
}

/// The pod as an API server would store it after this answer, and the patch, if there is one.
///
/// # Errors
/// The patch is too long, isn't a JSON Patch of `add`, `remove` and `replace`, or can't be applied.
pub fn patched(pod: &Value, answer: &Value) -> Result<(Value, Option<Value>), String> {
    let mut changed = pod.clone();
    let Some(text) = answer.pointer("/response/patch").and_then(Value::as_str) else { return Ok((changed, None)) };
    let text = STANDARD.decode(text).map_err(|error| error.to_string())?;
    if text.len() > MAX_PATCH {
        return Err("it is too long".to_owned());
    }
    let patch: json_patch::Patch = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if patch.len() > MAX_OPERATIONS {
        return Err(format!("it has {} operations", patch.len()));
    }
    // Ours has no other operations, and repeated `copy` can grow a document until memory is full.
    let is_known = |operation: &PatchOperation| {
        matches!(operation, PatchOperation::Add(_) | PatchOperation::Remove(_) | PatchOperation::Replace(_))
    };
    if !patch.iter().all(is_known) {
        return Err("it copies, moves or tests, which ours never does".to_owned());
    }
    json_patch::patch(&mut changed, &patch).map_err(|error| error.to_string())?;
    Ok((changed, serde_json::from_slice(&text).ok()))
}

/// Checks that this answer to review `uid` makes the pod what the settings say: nothing is left to inject.
///
/// # Errors
/// The answer is to another review, refuses the pod, or leaves something to inject; the text says which.
pub fn shows(injector: &Injector, uid: &str, pod: &Value, answer: &Value) -> Result<(), String> {
    let response = answer.get("response");
    if response.and_then(|response| response.get("uid")).and_then(Value::as_str) != Some(uid) {
        return Err("the answer is to another review".to_owned());
    }
    if response.and_then(|response| response.get("allowed")) != Some(&Value::Bool(true)) {
        return Err("such a pod is refused".to_owned());
    }
    let (changed, _) = patched(pod, answer).map_err(|error| format!("its patch is of no use: {error}"))?;
    let text = changed.to_string();
    let after = Pod::from_json(&text).map_err(|error| format!("what it makes of the pod can't be read: {error}"))?;
    let decision = injector.decide(&after);
    match decision.outcome {
        Outcome::AlreadyRight => Ok(()),
        outcome => Err(format!("it makes something else of the pod than the settings here say ({outcome})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Engine as By;
    use crate::settings::Settings;
    use crate::webhook_probe::sample;

    #[test]
    fn only_an_answer_that_leaves_nothing_to_do_is_a_proof() {
        let injector = Settings::of_the_charts().injector(By::Webhook);
        let pod = sample::of(injector.services().next().unwrap());
        let text = pod.to_string();
        let patch = injector.decide(&Pod::from_json(&text).unwrap()).patch.unwrap();
        let answer = |uid: &str, allowed: bool, patch: &str| json!({ "response": { "uid": uid, "allowed": allowed, "patch": STANDARD.encode(patch) } });
        assert_eq!(shows(&injector, "1", &pod, &answer("1", true, &patch)), Ok(()));
        let said = |answer: Value| shows(&injector, "1", &pod, &answer).unwrap_err();
        assert!(said(answer("2", true, &patch)).contains("another review"));
        assert!(said(answer("1", false, &patch)).contains("refused"));
        assert!(said(answer("1", true, "[]")).contains("injected"));
        assert!(said(answer("1", true, "{")).contains("of no use"));
        let operations = |count: usize| {
            json!(vec![json!({ "op": "add", "path": "/metadata/annotations", "value": {} }); count]).to_string()
        };
        assert!(said(answer("1", true, &operations(1000))).contains("injected"));
        assert!(said(answer("1", true, &operations(1001))).contains("1001 operations"));
        let long = json!([{ "op": "add", "path": "/metadata/annotations/a", "value": "x".repeat(300_000) }]);
        assert!(said(answer("1", true, &long.to_string())).contains("too long"));
        let bomb = json!(vec![json!({ "op": "copy", "from": "/spec", "path": "/spec/x" }); 20]);
        assert!(said(answer("1", true, &bomb.to_string())).contains("copies"));
        assert!(said(json!({ "response": { "uid": "1", "allowed": true } })).contains("something else"));
        assert!(said(json!({})).contains("another review"));
    }
}
