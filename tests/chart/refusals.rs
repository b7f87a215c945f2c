//! What is refused, with the path and the fix.

use super::helm::{Helm, chart, values_file, yaml};
use crate::support::decision;
use serde_json::{Value, json};

/// Values that the schema refuses, and what its message must hold.
const BY_SCHEMA: [(&str, &[&str]); 28] = [
    ("global: {external-arg-cd: {auth: {type: tokn}}}", &["/global/external-arg-cd/auth/type", "'token', 'password'"]),
    ("global: {external-argo-cd: {auth: {type: Token}}}", &["/global/external-argo-cd/auth/type"]),
    (
        "global: {integrations: {argo-cd: {server: {auth: {type: none}}}}}",
        &["/global/integrations/argo-cd/server/auth/type"],
    ),
    ("global: {external-arg-cd: {auth: {tokn: x}}}", &["/global/external-arg-cd/auth", "'tokn' not allowed"]),
    ("global: {external-arg-cd: {auth: {token: 12345}}}", &["/global/external-arg-cd/auth/token", "got number"]),
    ("global: {external-arg-cd: {auth: {password: true}}}", &["/global/external-arg-cd/auth/password", "got boolean"]),
    ("global: {external-arg-cd: {auth: {tokenSecretKeyRef: {nme: x}}}}", &["'nme' not allowed"]),
    ("delivery: file", &["/delivery", "'env', 'volume'"]),
    ("onConflict: ignore", &["/onConflict", "'keep', 'replace', 'deny'"]),
    ("legacyAppProxy: 'yes'", &["/legacyAppProxy"]),
    ("rollout: never", &["/rollout"]),
    ("rollout: {mode: never}", &["/rollout"]),
    ("credentials: {followAfter: 10}", &["/credentials/followAfter"]),
    ("credentials: {followAfter: 10 minutes}", &["/credentials/followAfter"]),
    ("argocd: {server: x}", &["/argocd", "'server' not allowed"]),
    ("argocd: {port: 65536}", &["/argocd/port"]),
    ("argocd: {tls: {caSecretKeyRef: {name: x}}}", &["/argocd/tls/caSecretKeyRef"]),
    ("services: [{selector: {matchLabels: {a: b}}}]", &["/services/0", "name"]),
    ("services: [{name: a, selectors: {}}]", &["/services/0", "'selectors' not allowed"]),
    ("services: [{name: app-proxy, selector: {matchLabels: {a: 1}}}]", &["/services/0/selector/matchLabels/a"]),
    ("services: [{name: app-proxy, selector: {matchExpressions: [{key: a, operator: Is}]}}]", &["operator"]),
    ("webhook: {replica: 3}", &["/webhook", "'replica' not allowed"]),
    ("webhook: {replicas: 0}", &["/webhook/replicas"]),
    ("webhook: {failurePolicy: fail}", &["/webhook/failurePolicy"]),
    ("webhook: {timeoutSeconds: 31}", &["/webhook/timeoutSeconds"]),
    ("certificates: {source: vault}", &["/certificates/source", "'cert-manager'"]),
    ("credentials: {createSecret: never}", &["/credentials/createSecret"]),
    ("image: {pullPolicy: Sometimes}", &["/image/pullPolicy"]),
];

/// Values that the templates refuse: the path and the fix.
const BY_TEMPLATE: [(&str, &str); 50] = [
    ("global: {external-arg-cd: {server: argocd}}", "global.external-arg-cd.server: must be a mapping"),
    ("auth: {type: password}\nglobal: {external-argo-cd: mine}", "global.external-argo-cd: must be a mapping"),
    ("global: {external-arg-cd: {auth: token}}", "global.external-arg-cd.auth: must be a mapping"),
    (
        "global: {external-arg-cd: {auth: {type: token, tokenSecretKeyRef: x}}}",
        "global.external-arg-cd.auth.tokenSecretKeyRef: must be a mapping",
    ),
    (
        "global: {external-arg-cd: {auth: {type: password, username: '$(HOME)'}}}",
        "global.external-arg-cd.auth.username: is not allowed: it must be a user name",
    ),
    (
        "global: {external-arg-cd: {auth: {type: token, tokenSecretKeyRef: {name: My_Secret, key: a}}}}",
        "global.external-arg-cd.auth.tokenSecretKeyRef.name: is not allowed: it must be a Kubernetes name",
    ),
    (
        "global: {external-arg-cd: {auth: {type: password, passwordSecretKeyRef: {key: 'a b'}}}}",
        "global.external-arg-cd.auth.passwordSecretKeyRef.key: is not allowed",
    ),
    ("argoCdUsername: 'a:b'", "argoCdUsername: is not allowed: it must be a user name"),
    ("argocd: {url: argocd.example.com}", "argocd.url: is not allowed: it must be a URL with http:// or https://"),
    ("argocd: {svc: 'http://a'}", "argocd.svc: is not allowed: it must be the name of a Service"),
    ("argocd: {port: http}", "argocd.port: is not a port; allowed: 1 to 65535"),
    ("argocd: {rootpath: 'a?b'}", "argocd.rootpath: is not allowed: it must be a path"),
    ("argocd: {namespace: A}", "argocd.namespace: is not allowed: it must be lower case letters"),
    ("argocd: {tls: {caSecretKeyRef: {name: A, key: b}}}", "argocd.tls.caSecretKeyRef.name: is not allowed"),
    (
        "global: {external-arg-cd: {auth: {type: token}}}",
        "global.external-arg-cd.auth: type is token, but no token is given; set global.external-arg-cd.auth.token, or",
    ),
    (
        "global: {external-argo-cd: {auth: {type: token, token: '', tokenSecretKeyRef: {}, password: x}}}",
        "global.external-argo-cd.auth: type is token, but no token is given",
    ),
    (
        "global: {external-arg-cd: {auth: {type: token, tokenSecretKeyRef: {name: a, key: ''}}}}",
        "global.external-arg-cd.auth.tokenSecretKeyRef.key: must be given",
    ),
    (
        "global: {integrations: {argo-cd: {server: {auth: {type: token, tokenSecretKeyRef: {key: a}}}}}}",
        "global.integrations.argo-cd.server.auth.tokenSecretKeyRef.name: must be given",
    ),
    (
        "global: {external-arg-cd: {auth: {type: token, token: one}}, external-argo-cd: {auth: {type: token, token: two}}}",
        "global.external-argo-cd.auth: differs from global.external-arg-cd.auth, and both are given; keep one of them",
    ),
    (
        "global: {external-arg-cd: {auth: {type: password, username: robot}}, integrations: {argo-cd: {server: {auth: {password: p}}}}}",
        "global.integrations.argo-cd.server.auth: differs from global.external-arg-cd.auth",
    ),
    (
        "global: {external-arg-cd: {auth: {type: password, usernameSecretKeyRef: {name: a}}}}",
        "global.external-arg-cd.auth.usernameSecretKeyRef: needs name and key",
    ),
    (
        "global: {external-arg-cd: {auth: {type: password, usernameSecretKeyRef: {name: a, key: b}, usernameConfigMapKeyRef: {name: a, key: b}}}}",
        "stands beside global.external-arg-cd.auth.usernameSecretKeyRef; keep one of them",
    ),
    (
        "global: {external-arg-cd: {auth: {type: password}}}\nargoCdUsername: a\napp-proxy: {config: {argoCdUsername: b}}",
        "argoCdUsername: differs from app-proxy.config",
    ),
    (
        "services: [{name: mine, selector: {matchLabels: {a: b}}, reads: credential}]",
        "services[0].containers: must be given",
    ),
    (
        "cf: {global: {external-arg-cd: {auth: {type: password, passwordSecretKeyRef: text}}}}",
        "cf.global.external-arg-cd.auth.passwordSecretKeyRef: must be a mapping",
    ),
    (
        "cf: {global: {external-arg-cd: {auth: {type: token, tokn: a}}}}",
        "cf.global.external-arg-cd.auth.tokn: unknown key; known here: type,",
    ),
    ("services: [{name: app-proxy}, {name: app-proxy}]", "services[1].name: \"app-proxy\" stands there twice"),
    (
        "services: [{name: app-proxy, selector: {matchLabels: {}, matchExpressions: []}}]",
        "services[0].selector: must have",
    ),
    ("webhook: {hostNetwork: true}", "webhook.port: 10250 is the kubelet's on the node's network"),
    ("webhook: {port: 9090}", "webhook.port: 9090 is the port of health and metrics"),
    ("argocd: {url: 'http://a', svc: b}", "argocd.url: stands beside argocd.svc"),
    ("argocd: {url: 'http://a', port: 8080}", "argocd.url: stands beside argocd.port"),
    ("commonLabels: {app.kubernetes.io/name: a}", "commonLabels: app.kubernetes.io/name is the chart's own"),
    ("webhook: {podLabels: {app.kubernetes.io/component: a}}", "webhook.podLabels: app.kubernetes.io/component is the"),
    (
        "argocd: {tls: {caSecretKeyRef: {name: a, key: b}, caConfigMapKeyRef: {name: a, key: b}}}",
        "argocd.tls.caConfigMapKeyRef: stands beside argocd.tls.caSecretKeyRef",
    ),
    ("services: [{name: none}]", "services[0].name: \"none\" is what metrics call"),
    ("services: [{name: app-proxy, containers: []}]", "services[0].containers: must not be empty"),
    ("services: [{name: app-proxy, selector: {}}]", "services[0].selector: must not be empty"),
    (
        "global: {external-arg-cd: {auth: {type: password}}}\napp-proxy: {config: {argoCdUsername: 'a:b'}}",
        "app-proxy.config.argoCdUsername: is not allowed",
    ),
    ("certificates: {secretName: mine}", "certificates.secretName: is given, but certificates.source is self-managed"),
    ("certificates: {source: secret, secretName: mine, caBundle: LS0t}", "certificates.caBundle: must be PEM"),
    ("webhook: {serviceAccount: {create: false}}", "webhook.serviceAccount.name: must be given"),
    ("certificates: {caLifetime: 9s}", "certificates.caLifetime: must be between 10s and 175200h"),
    ("certificates: {caLifetime: 24h}", "certificates.certificateLifetime: must be between 1s and half of"),
    ("certificates: {propagationTime: 1000h}", "certificates.propagationTime: must be at most a sixth of"),
    (
        "webhook: {serviceAccount: {name: same}}\ncontroller: {serviceAccount: {name: same}}",
        "controller.serviceAccount.name: is the webhook's too",
    ),
    (
        "monitoring: {podMonitor: {enabled: true}, serviceMonitor: {enabled: true}}",
        "monitoring.serviceMonitor.enabled: stands beside monitoring.podMonitor.enabled",
    ),
    ("on-conflict: deny", "on-conflict: is not read; did you mean onConflict?"),
    ("Webhook: {replicas: 3}", "Webhook: is not read; did you mean webhook?"),
    ("argocd-auth-webhook: {delivery: volume}", "this chart is installed by itself, so move"),
];

#[test]
fn no_refusal_quotes_a_credential_that_stands_in_the_wrong_place() {
    for secret in ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbjphcGlLZXkifQ.c2ln/", "https://admin:hunter2@argocd"] {
        for place in [
            "auth: SECRET",
            "auth: {type: SECRET}",
            "auth: {type: token, token: [SECRET]}",
            "auth: {type: token, tokenSecretKeyRef: SECRET}",
            "auth: {type: token, tokenSecretKeyRef: {name: SECRET, key: k}}",
            "auth: {type: token, tokenSecretKeyRef: {name: n, key: SECRET}}",
            "auth: {type: password, passwordSecretKeyRef: {name: SECRET}}",
            "auth: {type: password, username: SECRET}",
            "auth: {type: password, usernameConfigMapKeyRef: {name: SECRET, key: k}}",
            "argoCdUsername: SECRET",
            "argocd: SECRET",
            "argocd: {url: SECRET/?x}",
            "argocd: {svc: SECRET}",
            "argocd: {port: SECRET}",
            "argocd: {rootpath: 'SECRET?'}",
            "argocd: {namespace: SECRET}",
            "argocd: {tls: {caSecretKeyRef: {name: SECRET, key: k}}}",
            "argocd: {tls: {caConfigMapKeyRef: {name: n, key: SECRET}}}",
            "global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: SECRET, key: k}}}}",
            "global: {integrations: {argo-cd: {server: {auth: {type: SECRET}}}}}",
        ] {
            let yaml =
                place.replace("'SECRET?'", &format!("'{secret}?'")).replace("SECRET/?x", &format!("'{secret}/?x'"));
            let yaml = yaml.replace("SECRET", &format!("'{secret}'"));
            let said = Helm::four().render(&yaml).expect_err(&yaml);
            assert!(!said.contains("eyJ") && !said.contains("hunter2"), "{place}: {said}");
        }
    }
}

#[test]
fn the_schema_refuses_what_is_misspelt_or_of_another_type() {
    for (values, parts) in BY_SCHEMA {
        let error = Helm::four().render(values).expect_err(values);
        assert!(error.contains("schema"), "{values}: {error}");
        for part in parts {
            assert!(error.contains(part), "{values}: {part} is not in: {error}");
        }
    }
}

#[test]
fn what_the_schema_cannot_say_is_refused_with_the_path_and_the_fix() {
    for (values, message) in BY_TEMPLATE {
        let error = Helm::four().render(values).expect_err(values);
        assert!(error.contains(message), "{values}: {error}");
    }
}

/// Every key of a mapping of values, as a path.
fn paths(values: &Value, above: &[String], found: &mut Vec<Vec<String>>) {
    for (key, value) in values.as_object().into_iter().flatten() {
        let path = [above, std::slice::from_ref(key)].concat();
        paths(value, &path, found);
        found.push(path);
    }
}

#[test]
fn a_key_without_a_value_is_no_value_or_is_refused_by_its_name() {
    let defaults = yaml(&std::fs::read_to_string(chart().join("values.yaml")).unwrap());
    let mut found = Vec::new();
    paths(&defaults, &[], &mut found);
    assert!(found.len() > 100, "{found:?}");
    for path in found {
        // What stands there where everything under a key is a comment.
        let values = path.iter().rev().fold(Value::Null, |value, key| json!({ key: value })).to_string();
        match Helm::four().render(&values) {
            Ok(rendered) => {
                for word in ["%!", "<nil>"] {
                    assert!(!rendered.contains(word), "{values}: {word} is rendered");
                }
            }
            Err(error) => {
                let missing = format!("missing property '{}'", path.last().unwrap());
                let not_given = format!("{}: must be given", path.join("."));
                assert!(error.contains(&missing) || error.contains(&not_given), "{values}: {error}");
            }
        }
    }
}

#[test]
fn the_templates_know_the_modes_without_the_schema_too() {
    let file = values_file("global: {external-arg-cd: {auth: {type: tokn}}}");
    let error = Helm::four().template(&chart(), file.path(), &["--skip-schema-validation"]).unwrap_err();
    assert!(error.contains("global.external-arg-cd.auth.type: is not allowed; allowed: token, password"), "{error}");
}

#[test]
fn no_refusal_shows_a_credential() {
    for values in [
        "global: {external-arg-cd: {auth: {type: token, token: plain-credential-1}}, external-argo-cd: {auth: {type: token, token: plain-credential-2}}}",
        "global: {external-arg-cd: {auth: {token: [plain-credential-1]}}}",
        "global: {external-arg-cd: {auth: {token: {plain: plain-credential-1}}}}",
        "global: {external-arg-cd: {auth: {tipe: token, token: plain-credential-1}}}",
        "cf: {global: {external-arg-cd: {auth: {tipe: token, token: plain-credential-1}}}}",
        "cf: {global: {external-argocd: {auth: {type: token, token: plain-credential-1}}}}",
        "cf: {global: {external-arg-cd: {auth: {type: token, token: [plain-credential-1]}}}}",
    ] {
        let error = Helm::four().render(values).expect_err(values);
        assert!(!error.contains("plain-credential"), "{values}: {error}");
    }
}

#[test]
fn what_the_program_refuses_the_chart_refuses_too() {
    for values in BY_SCHEMA.map(|(values, _)| values).into_iter().chain(BY_TEMPLATE.map(|(values, _)| values)) {
        if decision::values(values).is_err() {
            assert!(Helm::four().render_alone(values).is_err(), "{values}");
        }
    }
}
