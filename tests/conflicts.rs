//! What becomes of a user's own variables where ours belong.

mod support {
    pub mod decision;
}

use argocd_auth_webhook::core::Outcome;
use serde_json::{Value, json};
use support::decision::{from_secret, inject, injector, plain, pod};

const TOKEN: &str = "auth: {type: token, tokenSecretKeyRef: {name: my-secret, key: my-key}}";

fn with(policy: &str) -> String {
    format!("onConflict: {policy}\n{TOKEN}")
}

/// A user's own forms of the app-proxy's variables. The last two belong to the other mode.
fn users() -> [Value; 5] {
    [
        plain("ARGO_CD_TOKEN", "a-pasted-token"),
        from_secret("ARGO_CD_TOKEN", "argocd-token", "another-key"),
        json!({ "name": "ARGO_CD_TOKEN", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }),
        plain("ARGO_CD_USERNAME", "carol"),
        from_secret("ARGO_CD_PASSWORD", "their-secret", "password"),
    ]
}

#[test]
fn a_users_own_variable_is_kept_with_a_warning_by_default() {
    for own in users() {
        let injected = inject(&injector(TOKEN), &pod("app-proxy", &json!([plain("A", "1"), own])));
        assert_eq!(injected.outcome, Outcome::ConflictKept, "{own}");
        assert!(injected.env(0).as_array().unwrap().contains(&own), "{own}");
        let name = own["name"].as_str().unwrap();
        let wanted = format!(
            "argocd-auth-webhook: cap-app-proxy keeps its own {name}; the settings say otherwise (onConflict: keep)"
        );
        assert_eq!(injected.warnings, [wanted]);
        // The token is there all the same where the user's own is of the other mode.
        assert!(injected.names(0).contains(&"ARGO_CD_TOKEN"), "{own}");
        assert_eq!(inject(&injector(TOKEN), &injected.pod).patch, None, "{own}");
    }
}

#[test]
fn a_users_own_variable_is_replaced_where_the_settings_ask_for_it() {
    for own in users() {
        let injected = inject(&injector(&with("replace")), &pod("app-proxy", &json!([plain("A", "1"), own])));
        assert_eq!(injected.outcome, Outcome::ConflictReplaced, "{own}");
        let mut names = injected.names(0);
        names.sort_unstable();
        assert_eq!(names, ["A", "ARGO_CD_TOKEN"], "{own}");
        assert!(injected.env(0).as_array().unwrap().contains(&from_secret("ARGO_CD_TOKEN", "my-secret", "my-key")));
        assert_eq!(injected.warnings.len(), 1);
        assert_eq!(inject(&injector(&with("replace")), &injected.pod).outcome, Outcome::AlreadyRight, "{own}");
    }
}

#[test]
fn a_pod_with_a_users_own_variable_is_refused_where_the_settings_ask_for_it() {
    for own in users() {
        let injected = inject(&injector(&with("deny")), &pod("app-proxy", &json!([own])));
        assert_eq!((injected.outcome, injected.patch), (Outcome::ConflictDenied, None), "{own}");
        let denied = injected.denied.unwrap();
        assert!(denied.contains(own["name"].as_str().unwrap()), "{denied}");
        assert!(!denied.contains("a-pasted-token"), "{denied}");
    }
}

#[test]
fn no_value_of_a_users_variable_stands_in_a_message() {
    for policy in ["keep", "replace", "deny"] {
        let own = json!([plain("ARGO_CD_TOKEN", "a-pasted-token")]);
        let injected = inject(&injector(&with(policy)), &pod("app-proxy", &own));
        let said = format!("{:?} {:?} {:?}", injected.warnings, injected.denied, injected.patch);
        assert!(!said.contains("a-pasted-token"), "{said}");
    }
}

#[test]
fn the_name_and_key_of_a_secret_count_as_a_pair() {
    let name = |value| plain("ARGO_CD_TOKEN_SECRET_NAME", value);
    let key = |value| plain("ARGO_CD_TOKEN_SECRET_KEY", value);
    let ours = json!([key("my-key"), name("my-secret")]);
    let user = |env: Value| (env.clone(), Outcome::ConflictKept, env);
    let cases = [
        // A user's name with the chart's key stays whole: our key would point into nowhere.
        user(json!([key("token"), name("their-secret")])),
        user(json!([key("their-key"), name("argocd-token")])),
        user(json!([name("their-secret")])),
        user(json!([key("their-key")])),
        user(json!([key("token"), from_secret("ARGO_CD_TOKEN_SECRET_NAME", "a", "b")])),
        (json!([key("token"), name("argocd-token")]), Outcome::Injected, ours.clone()),
        (json!([name("argocd-token")]), Outcome::Injected, json!([key("my-key"), name("my-secret")])),
        (json!([key("token")]), Outcome::Injected, json!([name("my-secret"), key("my-key")])),
        (json!([name("my-secret")]), Outcome::Injected, ours.clone()),
        (ours.clone(), Outcome::AlreadyRight, ours),
    ];
    for (env, outcome, wanted) in cases {
        let injected = inject(&injector(TOKEN), &pod("gitops-operator", &env));
        assert_eq!((injected.outcome, injected.env(0)), (outcome, &wanted), "{env}");
    }
}

#[test]
fn of_two_variables_with_one_name_the_last_one_counts() {
    let ours = from_secret("ARGO_CD_TOKEN", "my-secret", "my-key");
    let users = plain("ARGO_CD_TOKEN", "theirs");
    let last_is_right = inject(&injector(TOKEN), &pod("app-proxy", &json!([users, ours])));
    assert_eq!(last_is_right.outcome, Outcome::AlreadyRight);
    let last_is_theirs = inject(&injector(TOKEN), &pod("app-proxy", &json!([ours, users])));
    assert_eq!((last_is_theirs.outcome, last_is_theirs.patch), (Outcome::ConflictKept, None));
}

#[test]
fn a_services_other_variables_are_its_own() {
    // The app-proxy reads no Secret by name, and the operator no token: these are not ours to judge.
    let env = json!([plain("ARGO_CD_TOKEN_SECRET_NAME", "x"), plain("ARGO_CD_URL", "http://x")]);
    let injected = inject(&injector(TOKEN), &pod("app-proxy", &env));
    assert_eq!(injected.names(0), ["ARGO_CD_TOKEN", "ARGO_CD_TOKEN_SECRET_NAME", "ARGO_CD_URL"]);
    assert_eq!(injected.outcome, Outcome::Injected);
}
