//! What becomes of a pod's variables: the contract's tables, case by case.

mod support {
    pub mod decision;
}

use argocd_auth_webhook::core::Outcome;
use serde_json::{Value, json};
use support::decision;
use support::decision::{BY_REFERENCE, from_config_map, from_secret, inject, injector, plain, pod};

const TOKEN_PLAIN: &str = "auth: {type: token, token: plain-token-value}";
const TOKEN_REF: &str = "auth: {type: token, tokenSecretKeyRef: {name: my-secret, key: my-key}}";
const PASSWORD_DEFAULT: &str = "";
const PASSWORD_PLAIN: &str = "auth: {type: password, password: plain-password-value}";
const PASSWORD_REF: &str = "auth: {username: bob, passwordSecretKeyRef: {name: my-secret, key: my-key}}";

/// Configuration, the app-proxy's variables, and the Secret that the other services are to read.
fn contract() -> [(&'static str, Vec<Value>, (&'static str, &'static str)); 5] {
    let token = |secret, key| vec![from_secret("ARGO_CD_TOKEN", secret, key)];
    let password =
        |secret, key, user| vec![from_secret("ARGO_CD_PASSWORD", secret, key), plain("ARGO_CD_USERNAME", user)];
    [
        (TOKEN_PLAIN, token("gitops-runtime-argo-cd-token", "token"), ("gitops-runtime-argo-cd-token", "token")),
        (TOKEN_REF, token("my-secret", "my-key"), ("my-secret", "my-key")),
        (PASSWORD_DEFAULT, password("argocd-initial-admin-secret", "password", "admin"), ("argocd-token", "token")),
        (PASSWORD_PLAIN, password("gitops-runtime-argo-cd-password", "token", "admin"), ("argocd-token", "token")),
        (PASSWORD_REF, password("my-secret", "my-key", "bob"), ("argocd-token", "token")),
    ]
}

fn reference((secret, key): (&str, &str)) -> Vec<Value> {
    vec![plain("ARGO_CD_TOKEN_SECRET_KEY", key), plain("ARGO_CD_TOKEN_SECRET_NAME", secret)]
}

fn own() -> Value {
    json!([plain("PORT", "8080"), plain("LATER", "$(ARGO_CD_TOKEN)")])
}

fn followed_by_own(mut wanted: Vec<Value>) -> Value {
    wanted.extend(own().as_array().unwrap().iter().cloned());
    Value::Array(wanted)
}

/// What the chart may have put into an app-proxy, whatever the settings say.
fn chart_forms() -> Vec<Vec<Value>> {
    let optional = json!({ "name": "ARGO_CD_TOKEN",
        "valueFrom": { "secretKeyRef": { "name": "argocd-token", "key": "token", "optional": true } } });
    vec![
        vec![
            from_secret("ARGO_CD_PASSWORD", "argocd-initial-admin-secret", "password"),
            from_config_map("ARGO_CD_USERNAME", "cap-app-proxy-cm", "argoCdUsername"),
        ],
        vec![
            from_secret("ARGO_CD_PASSWORD", "gitops-runtime-argo-cd-password", "token"),
            plain("ARGO_CD_USERNAME", "admin"),
        ],
        vec![from_secret("ARGO_CD_TOKEN", "gitops-runtime-argo-cd-token", "token")],
        vec![
            from_secret("ARGO_CD_PASSWORD", "argocd-initial-admin-secret", "password"),
            optional,
            from_config_map("ARGO_CD_USERNAME", "cap-app-proxy-cm", "argoCdUsername"),
        ],
    ]
}

#[test]
fn a_stripped_app_proxy_gets_what_the_settings_say_in_front_of_its_own() {
    for (config, wanted, _) in contract() {
        let injected = inject(&injector(config), &pod("app-proxy", &own()));
        assert_eq!(injected.outcome, Outcome::Injected, "{config}");
        assert_eq!(injected.env(0), &followed_by_own(wanted), "{config}");
    }
}

#[test]
fn services_that_read_a_secret_by_name_get_its_name_and_key() {
    for (config, _, secret) in contract() {
        for name in BY_REFERENCE {
            let injected = inject(&injector(config), &pod(name, &own()));
            assert_eq!(injected.outcome, Outcome::Injected, "{config} {name}");
            assert_eq!(injected.env(0), &followed_by_own(reference(secret)), "{config} {name}");
        }
    }
}

#[test]
fn what_the_chart_put_into_an_app_proxy_gives_way() {
    let by_name = |env: &Value| {
        let mut env = env.as_array().unwrap().clone();
        env.sort_by_key(|variable| variable["name"].to_string());
        env
    };
    for (config, wanted, _) in contract() {
        for chart in chart_forms() {
            let injected = inject(&injector(config), &pod("app-proxy", &followed_by_own(chart.clone())));
            let chart_username = chart.iter().find(|v| v["name"] == "ARGO_CD_USERNAME" && v.get("valueFrom").is_some());
            let mut wanted = wanted.clone();
            for variable in wanted.iter_mut().filter(|v| v["name"] == "ARGO_CD_USERNAME") {
                // The ConfigMap's user name means the same where it is the default, so it stays.
                if variable["value"] == "admin" {
                    *variable = chart_username.unwrap_or(variable).clone();
                }
            }
            let names: Vec<_> = wanted.iter().map(|v| v["name"].clone()).collect();
            assert_eq!(by_name(injected.env(0)), by_name(&followed_by_own(wanted)), "{config} {chart:?}");
            assert!(injected.warnings.is_empty(), "{config} {chart:?} {:?}", injected.warnings);
            let own: Vec<_> = injected.names(0).into_iter().filter(|name| !names.contains(&json!(name))).collect();
            assert_eq!(own, ["PORT", "LATER"], "{config} {chart:?}");
        }
    }
}

#[test]
fn what_the_chart_put_into_the_other_services_gives_way() {
    let secrets = [
        ("argocd-token", "token"),
        ("gitops-runtime-argo-cd-token", "token"),
        ("gitops-runtime-argo-cd-password", "token"),
        ("argocd-initial-admin-secret", "password"),
    ];
    for (config, _, wanted) in contract() {
        for chart in secrets {
            let injected = inject(&injector(config), &pod("event-reporter", &followed_by_own(reference(chart))));
            assert_eq!(injected.env(0), &followed_by_own(reference(wanted)), "{config} {chart:?}");
            assert_eq!(injected.patch.is_none(), chart == wanted, "{config} {chart:?}");
        }
    }
}

#[test]
fn a_pod_that_is_already_right_gets_no_patch() {
    for (config, wanted, secret) in contract() {
        for (name, env) in [("app-proxy", wanted), ("argo-gateway", reference(secret))] {
            let injected = inject(&injector(config), &pod(name, &followed_by_own(env)));
            assert_eq!((injected.outcome, injected.patch), (Outcome::AlreadyRight, None), "{config} {name}");
        }
    }
}

#[test]
fn the_user_name_of_the_charts_config_map_counts_where_every_chart_that_reads_the_block_has_it() {
    let env = json!([
        from_secret("ARGO_CD_PASSWORD", "my-secret", "my-key"),
        from_config_map("ARGO_CD_USERNAME", "cap-app-proxy-cm", "argoCdUsername"),
    ]);
    let auth = "{auth: {username: bob, passwordSecretKeyRef: {name: my-secret, key: my-key}}}";
    let integrations = format!("integrations: {{argo-cd: {{server: {auth}}}}}");
    for (block, stays) in [
        // The charts since 0.26 don't read it, and have `admin` there.
        (format!("external-argo-cd: {auth}"), false),
        (format!("external-arg-cd: {auth}"), false),
        (integrations, true),
        (format!("external-argo-cd: {auth}").replace("bob", "admin"), true),
    ] {
        let spelling = &block;
        let settings = decision::values(&format!("global: {{{block}}}")).unwrap();
        let injected = inject(&settings.injector(argocd_auth_webhook::core::Engine::Webhook), &pod("app-proxy", &env));
        assert_eq!(injected.patch.is_none(), stays, "{spelling}");
        if !stays {
            assert_eq!(injected.env(0)[1], plain("ARGO_CD_USERNAME", "bob"));
        }
    }
}

#[test]
fn the_user_name_may_come_from_a_secret_or_a_config_map() {
    let secret = json!({ "name": "ARGO_CD_USERNAME", "valueFrom": { "secretKeyRef": { "name": "u", "key": "k" } } });
    for (field, wanted) in
        [("usernameSecretKeyRef", secret), ("usernameConfigMapKeyRef", from_config_map("ARGO_CD_USERNAME", "u", "k"))]
    {
        let config = format!("auth: {{{field}: {{name: u, key: k}}}}");
        let injected = inject(&injector(&config), &pod("app-proxy", &json!([])));
        assert_eq!(injected.env(0)[1], wanted, "{field}");
        assert_eq!(inject(&injector(&config), &injected.pod).patch, None, "{field}");
    }
}

#[test]
fn an_optional_reference_is_passed_on() {
    let config = "auth: {type: token, tokenSecretKeyRef: {name: s, key: k, optional: true}}";
    let injected = inject(&injector(config), &pod("app-proxy", &json!([])));
    assert_eq!(injected.env(0)[0]["valueFrom"]["secretKeyRef"], json!({ "name": "s", "key": "k", "optional": true }));
    // A pod whose reference is not optional would wait for the Secret: that is another meaning.
    let strict = pod("app-proxy", &json!([from_secret("ARGO_CD_TOKEN", "s", "k")]));
    assert_eq!(inject(&injector(config), &strict).outcome, Outcome::Injected);
}

#[test]
fn the_older_app_proxy_gets_both_modes_variables() {
    let token = inject(&injector(&format!("legacyAppProxy: true\n{TOKEN_REF}")), &pod("app-proxy", &json!([])));
    let wanted = json!([
        from_secret("ARGO_CD_PASSWORD", "my-secret", "my-key"),
        from_secret("ARGO_CD_TOKEN", "my-secret", "my-key"),
        plain("ARGO_CD_USERNAME", "admin"),
    ]);
    assert_eq!(token.env(0), &wanted);
    let password = inject(&injector("legacyAppProxy: true"), &pod("app-proxy", &json!([])));
    let wanted = json!([
        from_secret("ARGO_CD_PASSWORD", "argocd-initial-admin-secret", "password"),
        { "name": "ARGO_CD_TOKEN",
          "valueFrom": { "secretKeyRef": { "name": "argocd-token", "key": "token", "optional": true } } },
        plain("ARGO_CD_USERNAME", "admin"),
    ]);
    assert_eq!(password.env(0), &wanted);
}

#[test]
fn the_containers_own_list_may_be_absent_null_or_empty() {
    for env in [None, Some(Value::Null), Some(json!([]))] {
        let mut bare = pod("app-proxy", &Value::Null);
        match env {
            Some(env) => bare["spec"]["containers"][0]["env"] = env,
            None => drop(bare["spec"]["containers"][0].as_object_mut().unwrap().remove("env")),
        }
        let injected = inject(&injector(TOKEN_REF), &bare);
        assert_eq!(injected.env(0), &json!([from_secret("ARGO_CD_TOKEN", "my-secret", "my-key")]));
    }
}

#[test]
fn only_the_named_container_is_touched_wherever_it_stands() {
    let mut several = pod("gitops-operator", &own());
    several["spec"]["containers"] = json!([{ "name": "notifications" }, { "name": "leader-elector", "env": [] }]);
    several["spec"]["initContainers"] =
        json!([{ "name": "init", "env": [] }, { "name": "debug", "restartPolicy": "Always" }]);
    let injected = inject(&injector(TOKEN_REF), &several);
    assert_eq!(injected.pod["spec"]["initContainers"][1]["env"], json!(reference(("my-secret", "my-key"))));
    let mut untouched = injected.pod.clone();
    untouched["spec"]["initContainers"][1].as_object_mut().unwrap().remove("env");
    untouched["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(untouched, several);
}

#[test]
fn the_debug_name_counts_only_where_the_usual_one_is_absent() {
    let mut both = pod("gitops-operator", &own());
    both["spec"]["containers"].as_array_mut().unwrap().push(json!({ "name": "debug" }));
    let injected = inject(&injector(TOKEN_REF), &both);
    assert_eq!(injected.names(0).len(), 4);
    assert_eq!(injected.pod["spec"]["containers"][1].get("env"), None);
}

#[test]
fn a_missing_container_is_named_beside_those_that_are_there() {
    let mut other = pod("gitops-operator", &own());
    other["spec"]["containers"][0]["name"] = json!("operator");
    let injected = inject(&injector(TOKEN_REF), &other);
    assert_eq!((injected.outcome, injected.patch), (Outcome::ContainerNotFound, None));
    assert_eq!(
        injected.warnings,
        ["argocd-auth-webhook: gitops-operator: no container manager or debug in the pod (it has: operator); \
          nothing was injected"]
    );
}

#[test]
fn a_label_or_an_annotation_opts_out_and_only_false_does() {
    for place in ["labels", "annotations"] {
        for (value, outcome) in [("false", Outcome::OptedOut), ("true", Outcome::Injected), ("", Outcome::Injected)] {
            let mut marked = pod("app-proxy", &own());
            marked["metadata"][place]["argocd-auth-webhook/inject"] = json!(value);
            assert_eq!(inject(&injector(TOKEN_REF), &marked).outcome, outcome, "{place} {value}");
        }
    }
}

#[test]
fn a_pod_of_no_service_is_not_selected() {
    let mut foreign = pod("sources-server", &own());
    foreign["metadata"]["labels"]["app.kubernetes.io/component"] = json!("something-else");
    let injected = inject(&injector(TOKEN_REF), &foreign);
    assert_eq!((injected.outcome, injected.patch), (Outcome::NotSelected, None));
}

#[test]
fn an_injected_pod_is_marked_for_people() {
    let mut annotated = pod("app-proxy", &own());
    annotated["metadata"]["annotations"] = json!({ "theirs": "stays" });
    for before in [pod("app-proxy", &own()), annotated] {
        let injected = inject(&injector(TOKEN_REF), &before);
        let annotations = injected.pod["metadata"]["annotations"].as_object().unwrap();
        assert_eq!(annotations["argocd-auth-webhook/status"], r#"{"v":1,"outcome":"injected","engine":"webhook"}"#);
        let theirs = before["metadata"].get("annotations").map_or(0, |theirs| theirs.as_object().unwrap().len());
        assert_eq!(annotations.len(), theirs + 1);
    }
}

#[test]
fn a_fifth_service_and_a_renamed_container_come_from_the_configuration() {
    let config = format!(
        "{TOKEN_REF}
services:
- {{name: app-proxy, containers: [renamed]}}
- name: fifth
  selector: {{matchExpressions: [{{key: app, operator: In, values: [fifth, sixth]}}]}}
  containers: [web, worker]
  reads: reference"
    );
    let mut renamed = pod("app-proxy", &own());
    renamed["spec"]["containers"][0]["name"] = json!("renamed");
    assert_eq!(inject(&injector(&config), &renamed).outcome, Outcome::Injected);
    let mut fifth = pod("app-proxy", &own());
    fifth["metadata"]["labels"]["app"] = json!("sixth");
    fifth["spec"]["containers"] = json!([{ "name": "worker" }, { "name": "web" }]);
    let injected = inject(&injector(&config), &fifth);
    assert_eq!(injected.names(0), ["ARGO_CD_TOKEN_SECRET_KEY", "ARGO_CD_TOKEN_SECRET_NAME"]);
    assert_eq!(injected.names(1), injected.names(0));
}
