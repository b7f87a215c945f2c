//! What the processes may do, and what not.

use crate::support::cluster::{Cluster, audit_log, say};
use crate::support::helm::Helm;
use crate::support::scene::Scene;
use serde_json::{Value, json};
use std::fs;

/// Whether an account may do something: the API server's own answer.
pub async fn may(
    cluster: &Cluster,
    account: &str,
    namespace: &str,
    verb: &str,
    group: &str,
    resource: &str,
    name: &str,
) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": account,
            "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
            "resourceAttributes": {
                "namespace": namespace, "verb": verb, "group": group, "resource": resource,
                "subresource": subresource, "name": name,
            },
        },
    });
    let answer = cluster.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await.unwrap();
    answer["status"]["allowed"].as_bool().unwrap()
}

/// One permission: verb, group, resource, name.
type Call = (&'static str, &'static str, &'static str, &'static str);

const REGISTRATION: &str = "admissionregistration.k8s.io";

const WEBHOOK_MAY: [Call; 2] = [("list", "", "secrets", "auth-serving"), ("watch", "", "secrets", "auth-serving")];
const WEBHOOK_MAY_NOT: [Call; 13] = [
    ("get", "", "secrets", "auth-serving"),
    ("get", "", "secrets", "robot"),
    ("get", "", "secrets", "argocd-token"),
    ("get", "", "secrets", "auth-ca"),
    ("list", "", "secrets", ""),
    ("watch", "", "secrets", ""),
    ("create", "", "secrets", "auth-serving"),
    ("patch", "", "secrets", "auth-serving"),
    ("get", "", "configmaps", "argocd-cm"),
    ("list", "", "pods", ""),
    ("get", REGISTRATION, "mutatingwebhookconfigurations", "auth-NAMESPACE"),
    ("patch", REGISTRATION, "mutatingwebhookconfigurations", "auth-NAMESPACE"),
    ("create", "", "serviceaccounts/token", "auth-argocd-auth-webhook-controller"),
];
const CONTROLLER_MAY: [Call; 11] = [
    ("get", "", "namespaces", "NAMESPACE"),
    ("get", "", "secrets", "robot"),
    ("patch", "", "secrets", "auth-ca"),
    // By server-side apply, where the name is known.
    ("create", "", "secrets", "auth-ca"),
    ("patch", "", "secrets", "argocd-token"),
    // To be told when somebody deletes them.
    ("watch", "", "secrets", "auth-state"),
    ("watch", "", "configmaps", "auth-status"),
    ("list", "", "pods", ""),
    ("create", "", "pods/eviction", ""),
    ("patch", "apps", "deployments", "cap-app-proxy"),
    ("patch", REGISTRATION, "mutatingwebhookconfigurations", "auth-NAMESPACE"),
];
const CONTROLLER_MAY_NOT: [Call; 25] = [
    ("get", "", "namespaces", "kube-system"),
    ("list", "", "namespaces", ""),
    ("get", "", "configmaps", "argocd-cm"),
    ("delete", "", "secrets", "auth-state"),
    ("list", "", "configmaps", ""),
    ("update", "coordination.k8s.io", "leases", "argocd-auth-webhook"),
    ("create", "", "events", ""),
    ("watch", "discovery.k8s.io", "endpointslices", ""),
    ("get", "", "pods", "any"),
    ("get", "", "secrets", "somebody-elses"),
    ("list", "", "secrets", ""),
    ("patch", "", "secrets", "robot"),
    ("delete", "", "secrets", "argocd-token"),
    // A plain POST, which has no name.
    ("create", "", "secrets", ""),
    ("patch", "", "configmaps", "argocd-cm"),
    ("create", "", "pods", ""),
    ("create", "", "pods/exec", ""),
    ("patch", "apps", "deployments", "somebody-elses"),
    ("create", "apps", "deployments", ""),
    ("create", REGISTRATION, "mutatingwebhookconfigurations", ""),
    ("delete", REGISTRATION, "mutatingwebhookconfigurations", "auth-NAMESPACE"),
    ("patch", REGISTRATION, "mutatingwebhookconfigurations", "somebody-elses"),
    ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("create", "", "serviceaccounts/token", "default"),
    ("get", "", "nodes", ""),
];

/// What the audit log holds of calls that were refused to a process of ours.
fn refused_calls(log: &str, namespace: &str) -> Vec<String> {
    let account = format!("system:serviceaccount:{namespace}:");
    let events = log.lines().filter(|line| line.contains(&account));
    let events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = events.filter(|event| event["user"]["username"].as_str().is_some_and(|name| name.starts_with(&account)));
    // What the test itself tries below, it does by kubectl.
    let ours = ours.filter(|event| !event["userAgent"].as_str().unwrap_or_default().starts_with("kubectl"));
    let refused = ours.filter(|event| event["responseStatus"]["code"] == 403);
    refused.map(|event| format!("{} {}", event["verb"], event["requestURI"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_may_do_what_it_does_and_nothing_beyond() {
    let scene = Scene::new("permissions").await;
    let namespace = scene.namespace().to_owned();
    crate::support::runtime::secret(&scene.cluster, &namespace, "robot", "password", "a-password").await;
    let values = "global: {external-arg-cd: {auth: {passwordSecretKeyRef: {name: robot, key: password}}}}\n\
        certificates: {propagationTime: 1s}";
    let release = scene.install(Helm::Four, "auth", values);
    release.injects_anything().await;
    let first = release.settles().await;
    release.ask_for("ca").await;
    release.renewed(&first, "ca").await;

    let cluster = release.cluster();
    let webhook = format!("system:serviceaccount:{namespace}:{}", release.fullname());
    let controller = format!("{webhook}-controller");
    for (account, calls, expected) in [
        (&webhook, WEBHOOK_MAY.as_slice(), true),
        (&webhook, WEBHOOK_MAY_NOT.as_slice(), false),
        (&controller, CONTROLLER_MAY.as_slice(), true),
        (&controller, CONTROLLER_MAY_NOT.as_slice(), false),
    ] {
        for (verb, group, resource, name) in calls {
            let name = name.replace("NAMESPACE", &namespace);
            let allowed = may(cluster, account, &namespace, verb, group, resource, &name).await;
            assert_eq!(allowed, expected, "{account}: {verb} {resource} {name}");
        }
    }
    assert!(!may(cluster, &controller, "kube-system", "get", "", "secrets", "auth-ca").await, "elsewhere");

    // And by real calls with real tokens.
    let token = |account: &str| {
        let made = cluster.kubectl(&["create", "token", account, "--namespace", &namespace], None);
        assert!(made.success, "{}", made.stderr);
        made.stdout.trim().to_owned()
    };
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "auth-ca-2" } });
    let kept = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "auth-state" } });
    let registration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": "mine" },
    });
    let apply: &[&str] = &["apply", "--server-side", "--dry-run=server", "--filename", "-"];
    let create: &[&str] = &["create", "--filename", "-"];
    let calls: [(&str, &[&str], Option<&Value>, bool); 7] = [
        ("", &["get", "secret", "robot"], None, false),
        ("", &["get", "secrets"], None, false),
        ("", &["get", "secrets", "--field-selector", "metadata.name=auth-serving"], None, true),
        ("-controller", create, Some(&secret), false),
        ("-controller", apply, Some(&secret), false),
        ("-controller", apply, Some(&kept), true),
        ("-controller", create, Some(&registration), false),
    ];
    for (account, arguments, object, allowed) in calls {
        let token = token(&format!("{}{account}", release.fullname()));
        let arguments = [&["--token", &token, "--namespace", &namespace], arguments].concat();
        let seen = cluster.kubectl(&arguments, object);
        assert_eq!(seen.success, allowed, "{account} {:?}: {}", &arguments[2..], seen.stderr);
        assert!(allowed || seen.stderr.contains("forbidden"), "{}", seen.stderr);
    }

    match audit_log() {
        Some(log) => {
            let log = fs::read_to_string(log).unwrap();
            let account = format!("system:serviceaccount:{namespace}:");
            assert!(log.contains(&account), "the log knows the processes");
            assert_eq!(refused_calls(&log, &namespace), Vec::<String>::new());
        }
        None => say("NOT RUN: calls that were refused to the processes: the audit log can't be read from here"),
    }
}
