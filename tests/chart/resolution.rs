//! The program reads the same from the rendered `ConfigMap` as from the values themselves.

use super::helm::{Helm, objects, program_values, table};
use crate::support::decision::{BY_REFERENCE, inject, pod, values};
use argocd_auth_webhook::core::Engine;
use argocd_auth_webhook::settings::Settings;
use serde_json::{Value, json};

/// Values that are accepted, beside the table.
const MORE: [&str; 34] = [
    "auth: {type: password, username: robot, password: p}\nglobal: {external-arg-cd: {auth: {type: token, token: t}}}",
    "cf: {global: {external-argo-cd: {auth: {type: token, token: t}}}, argo-cd: {fullnameOverride: x}}",
    "cf: {argo-cd: {enabled: false}, app-proxy: {config: {argoCdUsername: robot}}}\nglobal: {external-argo-cd: {auth: {type: password}, server: {svc: a}}}",
    "global: {external-argo-cd: {auth: {type: token, token: t}}}\nargo-cd: {configs: {params: {server.insecure: false, server.basehref: /a}}, server: {name: s, service: {servicePortHttps: 8443}}}",
    "auth: {type: password}\nargo-cd: {fullnameOverride: a}",
    "auth: {type: password}\nargo-cd: {enabled: true}\nglobal: {external-argo-cd: {server: {svc: a}}}",
    "auth: {type: token, token: t}\ncredentials: {mirrorToken: true}",
    "global: {external-argo-cd: {auth: {type: password, username: robot}}, integrations: {argo-cd: {server: {auth: {type: password, username: robot}}}}}",
    "global: {external-arg-cd: {server: {svc: a-server, port: 7000}, auth: {type: password, username: robot}}}",
    "global: {external-arg-cd: {auth: {type: token, token: t, username: a}}, external-argo-cd: {auth: {type: token, token: t}}}",
    "legacyAppProxy: true\nglobal: {external-arg-cd: {auth: {type: token, token: t}}}\napp-proxy: {config: {argoCdUsername: robot}}",
    "global: {external-arg-cd: {auth: {type: token, token: t}}}",
    "global: {external-argo-cd: {auth: {type: token, token: t}}}",
    "global: {integrations: {argo-cd: {server: {auth: {type: token, token: t}}}}}",
    "global: {external-arg-cd: {auth: {password: p}}, external-argo-cd: {auth: {type: password, password: p}}}",
    "global: {external-arg-cd: {auth: {type: password, token: t, tokenSecretKeyRef: {name: a}}}}",
    "global: {external-arg-cd: {auth: {type: token, username: '', tokenSecretKeyRef: {name: a, key: b}}}}",
    "global: {external-arg-cd: {auth: {type: token, username: robot, token: t, tokenSecretKeyRef: {name: a, key: b}}}}",
    "global: {external-arg-cd: {auth: {passwordSecretKeyRef: {name: a, optional: false}}}}",
    "global: {external-arg-cd: {auth: {type: password, passwordSecretKeyRef: []}}, external-argo-cd: {auth: null}, integrations: ''}",
    "global: {external-arg-cd: {auth: {type: password, username: robot}}, app: {x: 1}}\napp-proxy: {config: {argoCdUsername: robot-2}}",
    "auth: {type: password}\nglobal: {integrations: {argo-cd: {server: {svc: a.b, port: 443, rootpath: x/y, other: z}}}}",
    "auth: {type: password}\nglobal: {external-argo-cd: {server: {svc: first}}, integrations: {argo-cd: {server: {svc: first}}}}",
    "global: {external-argo-cd: {server: {rootpath: /argocd}, auth: {type: password}}}",
    "global: {external-argo-cd: {auth: {type: password, username: robot}}, integrations: {argo-cd: {server: {auth: {type: password}}}}}",
    "auth: {type: password}\nglobal: {integrations: {argo-cd: {server: {port: 8080}}}}\nargocd: {rootpath: x}",
    "auth: {type: password}\nargocd: {url: 'http://a', svc: '', port: null, rootpath: ''}",
    "auth: {type: password}\ndelivery: ''\nonConflict: null\nrollout: report\nargocd: {svc: a, port: '8080'}",
    "auth: {type: password}\nrollout: {mode: report, byName: restart}\ncredentials: {followAfter: 90s, checkInterval: 1h}",
    "auth: {type: password}\nrollout: {byName: restart}\ncredentials: {createSecret: false}",
    // Of blocks that say the same each counts: which `server` holds is told by all of them.
    "argo-cd: {enabled: false}\nglobal: {external-argo-cd: {server: {svc: mine, port: 8080}, auth: {type: token, tokenSecretKeyRef: {name: a, key: b}}}, integrations: {argo-cd: {server: {svc: argo-cd-server, port: 80, rootpath: '', auth: {type: token, tokenSecretKeyRef: {name: a, key: b}}}}}}",
    "my.runtime: {global: {external-argo-cd: {server: {svc: mine}, auth: {type: token, tokenSecretKeyRef: {name: a, key: b}}}}, argo-cd: {enabled: false}}",
    "global: {external-argo-cd: {auth: {type: password, username: bob}}}\nplatform: {my.runtime: {argo-cd: {fullnameOverride: r}, app-proxy: {config: {argoCdUsername: eve}}}}",
    "auth: {type: password}\nargo-cd: {enabled: false}\ninstaller: {skip: true}\ngitops-operator: {env: {A: b}}",
];

fn shown(settings: &Settings) -> String {
    format!("{:#?}", Settings { warnings: Vec::new(), ..settings.clone() })
}

fn pods() -> Vec<Value> {
    let chart_env = json!([
        { "name": "ARGO_CD_USERNAME", "valueFrom": { "configMapKeyRef": { "name": "cap-app-proxy-cm", "key": "argoCdUsername" } } },
        { "name": "ARGO_CD_PASSWORD", "valueFrom": { "secretKeyRef": { "name": "argocd-initial-admin-secret", "key": "password" } } },
    ]);
    let services = BY_REFERENCE.iter().chain(&["app-proxy"]);
    services.flat_map(|name| [pod(name, &json!([])), pod(name, &chart_env)]).collect()
}

#[test]
fn the_config_map_resolves_as_the_values_do() {
    let table = table().into_iter().chain(MORE.iter().map(|&values| (values.to_owned(), values.to_owned())));
    for (name, original) in table {
        let rendered = Helm::four().render(&original).unwrap_or_else(|error| panic!("{name}: {error}"));
        let kept = program_values(&objects(&rendered));
        let (ours, mut theirs) = (values(&kept).unwrap(), values(&original).unwrap());
        // What the chart makes of a plain credential, and the program alone can't.
        if ours.auth.credential.name.starts_with("argocd-auth-webhook-argocd-") {
            theirs.auth.credential = ours.auth.credential.clone();
        }
        assert_eq!(shown(&ours), shown(&theirs), "{name}\n{kept}");
        for pod in pods() {
            let after = |settings: &Settings| inject(&settings.injector(Engine::Webhook), &pod);
            let (ours, theirs) = (after(&ours), after(&theirs));
            assert_eq!((ours.pod, ours.outcome, ours.patch), (theirs.pod, theirs.outcome, theirs.patch), "{name}");
        }
    }
}

#[test]
fn the_role_names_the_secret_that_the_program_reads() {
    for (name, original) in table() {
        let objects = objects(&Helm::four().render(&original).unwrap());
        let auth = values(&program_values(&objects)).unwrap().auth;
        let role = super::helm::object(&objects, "Role", "argocd-auth-webhook-controller").unwrap();
        let named: Vec<&str> = role["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["resources"] == json!(["secrets"]))
            .flat_map(|rule| rule["resourceNames"].as_array().unwrap())
            .filter_map(Value::as_str)
            .collect();
        assert!(named.contains(&auth.credential.name.as_str()), "{name}: {named:?}");
        if let argocd_auth_webhook::core::Username::SecretKey(reference) = auth.username {
            assert!(named.contains(&reference.name.as_str()), "{name}: {named:?}");
        }
    }
}
