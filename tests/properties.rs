//! What holds for every pod, whatever stands in it.

mod support {
    pub mod decision;
}

use argocd_auth_webhook::core::review::{Answer, Review};
use argocd_auth_webhook::core::{Engine, Injector, Outcome, Variable};
use argocd_auth_webhook::settings::Settings;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use support::decision::{inject, settings};

/// Stands in plain values of generated pods; must never come out anywhere.
const SECRET: &str = "s3cret-value";
const MOUNT_PATH: &str = "/var/run/secrets/argocd-auth";

/// Something of the wrong type, or nothing.
fn odd() -> impl Strategy<Value = Value> {
    select(vec![
        Value::Null,
        json!(true),
        json!(7),
        json!(-1.5),
        json!("text"),
        json!([]),
        json!({}),
        json!([1, null, "x"]),
    ])
}

/// Mostly `usual`, now and then something odd.
fn mostly(usual: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![9 => usual, 1 => odd()]
}

/// An object of these fields, of which any may be absent.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| proptest::option::weighted(0.85, value).prop_map(move |value| (name, value)))
        .collect();
    fields.prop_map(|fields| {
        let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(present.collect::<Map<_, _>>())
    })
}

fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<Value> {
    mostly(select(texts).prop_map(Value::from)).boxed()
}

fn key_ref() -> BoxedStrategy<Value> {
    const NAMES: &[&str] = &[
        "argocd-token",
        "argocd-initial-admin-secret",
        "gitops-runtime-argo-cd-token",
        "gitops-runtime-argo-cd-password",
        "my-secret",
        "cap-app-proxy-cm",
    ];
    const KEYS: &[&str] = &["token", "password", "my-key", "argoCdUsername"];
    let optional = mostly(any::<bool>().prop_map(Value::from)).boxed();
    mostly(object(vec![("name", one_of(NAMES)), ("key", one_of(KEYS)), ("optional", optional)])).boxed()
}

fn env_var() -> BoxedStrategy<Value> {
    const NAMES: &[&str] = &[
        "ARGO_CD_TOKEN",
        "ARGO_CD_USERNAME",
        "ARGO_CD_PASSWORD",
        "ARGO_CD_TOKEN_SECRET_NAME",
        "ARGO_CD_TOKEN_SECRET_KEY",
        "ARGO_CD_TOKEN_FILE",
        "ARGO_CD_PASSWORD_FILE",
        "ARGO_CD_URL",
        "PORT",
        "\"quoted\" ünïcode\n",
    ];
    const VALUES: &[&str] =
        &[SECRET, "admin", "bob", "argocd-token", "token", "my-secret", "/var/run/secrets/argocd-auth/token", ""];
    let from = object(vec![("secretKeyRef", key_ref())]).boxed();
    let from = prop_oneof![3 => from, 1 => object(vec![("configMapKeyRef", key_ref())]), 1 => odd()].boxed();
    let plain = object(vec![("name", one_of(NAMES)), ("value", one_of(VALUES))]);
    let reference = object(vec![("name", one_of(NAMES)), ("valueFrom", from), ("unknown", odd().boxed())]);
    mostly(prop_oneof![plain, reference]).boxed()
}

fn list(item: BoxedStrategy<Value>, most: usize) -> BoxedStrategy<Value> {
    mostly(vec(item, 0..most).prop_map(Value::from)).boxed()
}

fn volume_mount() -> BoxedStrategy<Value> {
    const PATHS: &[&str] = &[MOUNT_PATH, "/var/run/secrets/argocd-auth/", "/certs"];
    let name = one_of(&["argocd-auth", "certs"]);
    mostly(object(vec![("name", name), ("mountPath", one_of(PATHS)), ("subPath", one_of(&["", "token"]))])).boxed()
}

fn container() -> BoxedStrategy<Value> {
    const NAMES: &[&str] = &["cap-app-proxy", "manager", "debug", "event-reporter", "argo-gateway", "init", "other"];
    let fields = vec![
        ("name", one_of(NAMES)),
        ("env", list(env_var(), 6)),
        ("volumeMounts", list(volume_mount(), 3)),
        ("image", odd().boxed()),
    ];
    mostly(object(fields)).boxed()
}

/// Volumes, with at most one of our name: Kubernetes allows no name twice.
fn volumes() -> BoxedStrategy<Value> {
    let items = list(
        object(vec![("key", one_of(&["token", "my-key"])), ("path", one_of(&["token", "password", "x"]))]).boxed(),
        3,
    );
    let secret = object(vec![
        ("secretName", one_of(&["argocd-token", "my-secret", "theirs"])),
        ("items", items),
        ("defaultMode", mostly(select(vec![json!(0o444), json!(0o644)])).boxed()),
    ]);
    let secret = secret.prop_map(|secret| json!({ "name": "argocd-auth", "secret": secret }));
    let ours = prop_oneof![secret, Just(json!({ "name": "argocd-auth", "emptyDir": {} }))];
    let usual = (proptest::option::of(ours), vec(odd(), 0..2)).prop_map(|(ours, mut others)| {
        others.push(json!({ "name": "certs", "emptyDir": {} }));
        others.extend(ours);
        Value::from(others)
    });
    mostly(usual).boxed()
}

fn pod() -> impl Strategy<Value = Value> {
    let labels = select(vec![
        json!({ "app": "cap-app-proxy" }),
        json!({ "app": "cap-app-proxy" }),
        json!({ "app": "gitops-operator" }),
        json!({ "app.kubernetes.io/name": "cf-argocd-extras", "app.kubernetes.io/component": "event-reporter" }),
        json!({ "app.kubernetes.io/name": "argo-gateway", "argocd-auth-webhook/inject": "false" }),
        json!({ "app.kubernetes.io/name": "argo-gateway", "odd": 7 }),
        json!({ "app": "foreign" }),
    ]);
    let annotations =
        mostly(select(vec![json!({}), json!({ "a": "b" }), json!({ "argocd-auth-webhook/status": "theirs" })]));
    let metadata =
        (mostly(labels), proptest::option::of(annotations), odd()).prop_map(|(labels, annotations, other)| {
            let mut metadata = json!({ "name": "some-pod", "labels": labels, "unknown": other });
            if let Some(annotations) = annotations {
                metadata["annotations"] = annotations;
            }
            metadata
        });
    let spec = object(vec![
        ("containers", list(container(), 3)),
        ("initContainers", list(container(), 3)),
        ("volumes", volumes()),
        ("unknown", odd().boxed()),
    ]);
    let usual = (mostly(metadata), mostly(spec), odd());
    usual.prop_map(
        |(metadata, spec, other)| json!({ "kind": "Pod", "metadata": metadata, "spec": spec, "unknown": other }),
    )
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let auth = select(vec![
        "{}",
        "{password: p}",
        "{username: bob, passwordSecretKeyRef: {name: my-secret, key: my-key}}",
        "{type: token, token: t}",
        "{type: token, tokenSecretKeyRef: {name: my-secret, key: my-key, optional: true}}",
    ]);
    let conflict = select(vec!["keep", "replace", "deny"]);
    (auth, select(vec!["env", "volume"]), conflict, any::<bool>()).prop_map(|(auth, delivery, conflict, legacy)| {
        settings(&format!("{{auth: {auth}, delivery: {delivery}, onConflict: {conflict}, legacyAppProxy: {legacy}}}"))
    })
}

fn any_injector() -> impl Strategy<Value = Injector> {
    any_settings().prop_map(|settings| settings.injector(Engine::Webhook))
}

/// A pod without anything that is ours to change.
fn without_ours(mut pod: Value) -> Value {
    fn named(item: &Value, names: &[&str]) -> bool {
        item["name"].as_str().is_some_and(|name| names.contains(&name))
    }
    let variables: Vec<&str> = Variable::ALL.iter().map(|variable| variable.name()).collect();
    // An empty list and an absent one say the same.
    let drop_empty = |object: &mut Value, key: &str| {
        if object.get(key).is_some_and(|value| value.is_null() || value.as_array().is_some_and(Vec::is_empty)) {
            object.as_object_mut().unwrap().remove(key);
        }
    };
    let at_our_path =
        |mount: &Value| mount["mountPath"].as_str().is_some_and(|path| path.trim_end_matches('/') == MOUNT_PATH);
    if let Some(annotations) = pod["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("argocd-auth-webhook/status");
        if annotations.is_empty() {
            pod["metadata"].as_object_mut().unwrap().remove("annotations");
        }
    }
    if pod["metadata"].get("annotations").is_some_and(Value::is_null) {
        pod["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    let Some(spec) = pod.get_mut("spec").filter(|spec| spec.is_object()) else { return pod };
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !named(volume, &["argocd-auth"]));
    }
    drop_empty(spec, "volumes");
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter(|container| container.is_object()) {
            if let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) {
                env.retain(|variable| !named(variable, &variables));
            }
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                mounts.retain(|mount| !at_our_path(mount) && !named(mount, &["argocd-auth"]));
            }
            drop_empty(container, "env");
            drop_empty(container, "volumeMounts");
        }
    }
    pod
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// `inject` applies the patch with the json-patch crate and panics where it doesn't apply.
    #[test]
    fn the_patch_applies_twice_is_once_and_nothing_else_changes(pod in pod(), injector in any_injector()) {
        let once = inject(&injector, &pod);
        prop_assert_eq!(without_ours(once.pod.clone()), without_ours(pod.clone()));
        prop_assert_eq!(once.patch.is_none(), once.pod == pod, "a patch that changes nothing");
        let twice = inject(&injector, &once.pod);
        prop_assert_eq!(&twice.patch, &None, "{:?}", once.pod);
        if once.outcome == Outcome::Injected {
            prop_assert_eq!(twice.outcome, Outcome::AlreadyRight);
        }
        let unchanged = [Outcome::AlreadyRight, Outcome::OptedOut, Outcome::NotSelected, Outcome::ContainerNotFound, Outcome::ConflictDenied];
        if unchanged.contains(&once.outcome) {
            prop_assert_eq!(once.patch, None);
        }
        prop_assert_eq!(once.denied.is_some(), once.outcome == Outcome::ConflictDenied);
    }

    #[test]
    fn no_value_of_a_pod_comes_out_anywhere(pod in pod(), injector in any_injector()) {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": { "uid": "u", "kind": { "group": "", "version": "v1", "kind": "Pod" }, "operation": "CREATE", "object": pod },
        }).to_string();
        let review = Review::parse(review.as_bytes()).unwrap();
        let decision = review.decide(&injector);
        let answer = serde_json::to_string(&Answer::new(review.uid(), &decision, decision.patch.clone())).unwrap();
        prop_assert!(!answer.contains(SECRET), "{}", answer);
        let warnings = answer.matches("argocd-auth-webhook: ").count();
        prop_assert_eq!(warnings, decision.warnings.len());
        prop_assert!(decision.warnings.iter().all(|warning| warning.chars().count() <= 250));
    }

    #[test]
    fn any_review_with_a_uid_is_answered_with_it(uid in ".{1,40}", kind in odd(), object in prop_oneof![pod(), odd()],
                                                operation in odd(), injector in any_injector()) {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": { "uid": uid, "kind": kind, "operation": operation, "object": object, "namespace": kind, "name": object },
        }).to_string();
        let review = Review::parse(review.as_bytes()).unwrap();
        let decision = review.decide(&injector);
        prop_assert_eq!(decision.outcome, Outcome::NotAPodCreation);
        let answer = serde_json::to_value(Answer::new(review.uid(), &decision, None)).unwrap();
        prop_assert_eq!(&answer["response"]["uid"], &json!(uid));
        prop_assert_eq!(&answer["response"]["allowed"], &json!(true));
    }

    #[test]
    fn no_body_makes_the_reader_panic(body in prop_oneof![
        vec(any::<u8>(), 0..200),
        ".{0,200}".prop_map(String::into_bytes),
        odd().prop_map(|body| body.to_string().into_bytes()),
    ]) {
        prop_assert!(Review::parse(&body).is_err());
    }
}
