//! What a review costs, beside a reader that takes only `request.uid` out of it.
//!
//! Ratios within one run are worth reading; single figures depend on the machine.

use argocd_auth_webhook::core::review::{Answer, Review};
use argocd_auth_webhook::core::{Engine, Injector, Pod};
use argocd_auth_webhook::settings::{File, Overrides, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::hint::black_box;

/// A review of an app-proxy's pod as a controller makes it: half of it is `managedFields`.
fn review(bytes: usize) -> (String, Value) {
    let variable = |n: usize| match n % 2 {
        0 => json!({ "name": format!("SETTING_{n:04}"), "value": "some value of a setting" }),
        _ => json!({ "name": format!("SETTING_{n:04}"),
                     "valueFrom": { "configMapKeyRef": { "name": "cap-app-proxy-cm", "key": format!("setting{n}"), "optional": true } } }),
    };
    let mut pod = Value::Null;
    let mut text = String::new();
    for variables in 1.. {
        let names = (0..variables)
            .map(|n| (format!("k:{{\"name\":\"SETTING_{n:04}\"}}"), json!({ ".": {}, "f:name": {}, "f:value": {} })));
        let fields: serde_json::Map<_, _> = names.collect();
        let env: Vec<Value> = (0..variables).map(variable).collect();
        pod = json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {
                "generateName": "cap-app-proxy-5d8f9c7b4-", "namespace": "codefresh", "creationTimestamp": null,
                "labels": { "app": "cap-app-proxy", "pod-template-hash": "5d8f9c7b4" },
                "annotations": { "checksum/config": "4fa779704497792be4298893a02925fbe9286e53166b5b3a4c1d18b9c7f80318" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cap-app-proxy-5d8f9c7b4",
                                      "uid": "5f5e1b0a-0000-4000-8000-000000000000", "controller": true, "blockOwnerDeletion": true }],
                "managedFields": [{ "manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
                                    "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:containers": { "k:{\"name\":\"cap-app-proxy\"}": { "f:env": fields } } } } }],
            },
            "spec": {
                "containers": [{ "name": "cap-app-proxy", "image": "registry.example/cap-app-proxy:1", "env": env,
                                 "ports": [{ "containerPort": 8080 }], "resources": {}, "imagePullPolicy": "IfNotPresent" }],
                "initContainers": [{ "name": "init", "image": "registry.example/init:1", "resources": {} }],
                "restartPolicy": "Always", "serviceAccountName": "cap-app-proxy", "schedulerName": "default-scheduler",
            },
        });
        let kind = json!({ "group": "", "version": "v1", "kind": "Pod" });
        text = json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": kind, "resource": { "group": "", "version": "v1", "resource": "pods" },
                "requestKind": kind, "namespace": "codefresh", "operation": "CREATE",
                "userInfo": { "username": "system:serviceaccount:kube-system:replicaset-controller", "groups": ["system:authenticated"] },
                "object": pod, "oldObject": null, "dryRun": false,
                "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
            },
        })
        .to_string();
        if text.len() >= bytes {
            break;
        }
    }
    (text, pod)
}

fn injector(yaml: &str) -> Injector {
    let file = File::Config("config.yaml".into());
    Settings::from_text(&file, yaml, Overrides::default()).expect("good settings").injector(Engine::Webhook)
}

/// What the least of a webhook reads.
#[derive(Deserialize)]
struct UidOnly<'a> {
    #[serde(borrow)]
    request: UidRequest<'a>,
}

#[derive(Deserialize)]
struct UidRequest<'a> {
    uid: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

fn benchmarks(criterion: &mut Criterion) {
    let env = injector("auth: {type: token, tokenSecretKeyRef: {name: my-secret, key: my-key}}");
    let volume = injector("{delivery: volume, auth: {type: token, tokenSecretKeyRef: {name: my-secret, key: my-key}}}");
    for bytes in [11 << 10, 200 << 10] {
        let (text, pod) = review(bytes);
        let pod = pod.to_string();
        let mut group = criterion.benchmark_group(format!("{}KiB", bytes >> 10));
        group.throughput(Throughput::Bytes(text.len() as u64));
        let read = Pod::from_json(&pod).expect("a pod");
        group.bench_function(BenchmarkId::from_parameter("decision alone"), |bencher| {
            bencher.iter(|| black_box(env.decide(&read)));
        });
        group.bench_function(BenchmarkId::from_parameter("uid only"), |bencher| {
            bencher.iter(|| {
                let review: UidOnly<'_> = serde_json::from_slice(black_box(text.as_bytes())).expect("a review");
                black_box(review.request.object);
                serde_json::to_vec(&json!({
                    "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                    "response": { "uid": review.request.uid, "allowed": true },
                }))
            });
        });
        for (name, injector) in [("whole review, env", &env), ("whole review, volume", &volume)] {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| {
                    let review = Review::parse(black_box(text.as_bytes())).expect("a review");
                    let decision = review.decide(injector);
                    let patch = decision.patch.as_ref().map(|patch| STANDARD.encode(patch));
                    serde_json::to_vec(&Answer::new(review.uid(), &decision, patch))
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    // Long enough for stable ratios, short enough to run by hand.
    config = Criterion::default().sample_size(60).measurement_time(std::time::Duration::from_secs(4)).without_plots();
    targets = benchmarks
}
criterion_main!(benches);
