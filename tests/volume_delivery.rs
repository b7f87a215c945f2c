//! The credential as a file.

mod support {
    pub mod decision;
}

use argocd_auth_webhook::core::Outcome;
use serde_json::{Value, json};
use support::decision::{from_secret, inject, injector, plain, pod};

const TOKEN: &str = "{delivery: volume, auth: {type: token, tokenSecretKeyRef: {name: my-secret, key: my-key}}}";
const PASSWORD: &str = "{delivery: volume, auth: {passwordSecretKeyRef: {name: my-secret, key: my-key}}}";

fn volume(secret: &str, key: &str, path: &str) -> Value {
    json!({ "name": "argocd-auth",
            "secret": { "secretName": secret, "items": [{ "key": key, "path": path }], "defaultMode": 0o444 } })
}

fn mount() -> Value {
    json!({ "name": "argocd-auth", "mountPath": "/var/run/secrets/argocd-auth", "readOnly": true })
}

fn token_file() -> Value {
    plain("ARGO_CD_TOKEN_FILE", "/var/run/secrets/argocd-auth/token")
}

#[test]
fn a_token_is_a_file_called_token_whatever_its_key() {
    let before = pod("app-proxy", &json!([plain("A", "1")]));
    let injected = inject(&injector(TOKEN), &before);
    assert_eq!(injected.env(0), &json!([token_file(), plain("A", "1")]));
    assert_eq!(injected.pod["spec"]["volumes"], json!([volume("my-secret", "my-key", "token")]));
    assert_eq!(injected.pod["spec"]["containers"][0]["volumeMounts"], json!([mount()]));
    assert_eq!(inject(&injector(TOKEN), &injected.pod).outcome, Outcome::AlreadyRight);
}

#[test]
fn a_password_is_a_file_and_the_user_name_stays_a_variable() {
    let injected = inject(&injector(PASSWORD), &pod("app-proxy", &json!([])));
    let file = plain("ARGO_CD_PASSWORD_FILE", "/var/run/secrets/argocd-auth/password");
    assert_eq!(injected.env(0), &json!([file, plain("ARGO_CD_USERNAME", "admin")]));
    assert_eq!(injected.pod["spec"]["volumes"], json!([volume("my-secret", "my-key", "password")]));
}

#[test]
fn the_older_app_proxy_gets_both_files_from_both_secrets() {
    let config = "{legacyAppProxy: true, delivery: volume}";
    let injected = inject(&injector(config), &pod("app-proxy", &json!([])));
    let sources = json!([
        { "secret": { "name": "argocd-initial-admin-secret", "items": [{ "key": "password", "path": "password" }] } },
        { "secret": { "name": "argocd-token", "items": [{ "key": "token", "path": "token" }], "optional": true } },
    ]);
    assert_eq!(
        injected.pod["spec"]["volumes"],
        json!([{ "name": "argocd-auth", "projected": { "sources": sources, "defaultMode": 0o444 } }])
    );
    assert_eq!(injected.names(0), ["ARGO_CD_PASSWORD_FILE", "ARGO_CD_TOKEN_FILE", "ARGO_CD_USERNAME"]);
    assert_eq!(inject(&injector(config), &injected.pod).outcome, Outcome::AlreadyRight);
    let token = format!("{{legacyAppProxy: true, {}", &TOKEN[1..]);
    let injected = inject(&injector(&token), &pod("app-proxy", &json!([])));
    let items = json!([{ "key": "my-key", "path": "token" }, { "key": "my-key", "path": "password" }]);
    assert_eq!(injected.pod["spec"]["volumes"][0]["secret"]["items"], items);
}

#[test]
fn services_that_read_by_reference_keep_name_and_key() {
    let injected = inject(&injector(TOKEN), &pod("argo-gateway", &json!([])));
    assert_eq!(injected.names(0), ["ARGO_CD_TOKEN_SECRET_KEY", "ARGO_CD_TOKEN_SECRET_NAME"]);
    assert_eq!(injected.pod["spec"].get("volumes"), None);
}

#[test]
fn delivery_may_be_set_for_one_service() {
    let config = "{services: [{name: app-proxy, delivery: volume}]}";
    assert!(inject(&injector(config), &pod("app-proxy", &json!([]))).pod["spec"].get("volumes").is_some());
    let config = "{delivery: volume, services: [{name: app-proxy, delivery: env}]}";
    assert!(inject(&injector(config), &pod("app-proxy", &json!([]))).pod["spec"].get("volumes").is_none());
}

#[test]
fn the_charts_variable_gives_way_to_the_file() {
    for own in
        [from_secret("ARGO_CD_TOKEN", "my-secret", "my-key"), from_secret("ARGO_CD_TOKEN", "argocd-token", "token")]
    {
        let injected = inject(&injector(TOKEN), &pod("app-proxy", &json!([own])));
        assert_eq!((injected.outcome, injected.env(0)), (Outcome::Injected, &json!([token_file()])), "{own}");
    }
}

#[test]
fn other_volumes_and_mounts_stay_as_they_are() {
    let mut before = pod("app-proxy", &json!([]));
    let theirs = json!([{ "name": "certs", "emptyDir": {} }]);
    let mounted = json!([{ "name": "certs", "mountPath": "/certs" }]);
    before["spec"]["volumes"] = theirs.clone();
    before["spec"]["containers"][0]["volumeMounts"] = mounted.clone();
    let injected = inject(&injector(TOKEN), &before);
    assert_eq!(injected.pod["spec"]["volumes"], json!([theirs[0], volume("my-secret", "my-key", "token")]));
    assert_eq!(injected.pod["spec"]["containers"][0]["volumeMounts"], json!([mounted[0], mount()]));
}

/// A pod whose own volume, or own mount, stands where ours belongs.
fn in_the_way() -> [(Value, &'static str); 2] {
    let mut volume = pod("app-proxy", &json!([]));
    volume["spec"]["volumes"] = json!([{ "name": "argocd-auth", "emptyDir": {} }]);
    let mut mount = pod("app-proxy", &json!([]));
    mount["spec"]["volumes"] = json!([{ "name": "theirs", "emptyDir": {} }]);
    mount["spec"]["containers"][0]["volumeMounts"] =
        json!([{ "name": "theirs", "mountPath": "/var/run/secrets/argocd-auth/" }]);
    [(volume, "volume argocd-auth"), (mount, "mount at /var/run/secrets/argocd-auth")]
}

#[test]
fn a_users_own_volume_or_mount_follows_the_same_rule() {
    for (before, what) in in_the_way() {
        let kept = inject(&injector(TOKEN), &before);
        assert_eq!((kept.outcome, &kept.pod), (Outcome::ConflictKept, &before), "{what}");
        assert!(kept.warnings[0].contains(what), "{:?}", kept.warnings);

        let replace = format!("{{onConflict: replace, {}", &TOKEN[1..]);
        let replaced = inject(&injector(&replace), &before);
        assert_eq!(replaced.outcome, Outcome::ConflictReplaced, "{what}");
        assert_eq!(replaced.env(0), &json!([token_file()]));
        assert!(replaced.pod["spec"]["volumes"].as_array().unwrap().contains(&volume("my-secret", "my-key", "token")));
        assert_eq!(replaced.pod["spec"]["containers"][0]["volumeMounts"], json!([mount()]));
        assert_eq!(inject(&injector(&replace), &replaced.pod).outcome, Outcome::AlreadyRight, "{what}");

        let denied = inject(&injector(&format!("{{onConflict: deny, {}", &TOKEN[1..])), &before);
        assert!(denied.denied.unwrap().contains(what));
    }
}

#[test]
fn a_volume_of_ours_from_other_settings_gives_way() {
    let env = "{auth: {type: token, tokenSecretKeyRef: {name: my-secret, key: my-key}}}";
    let by_file = inject(&injector("{delivery: volume, auth: {type: token, token: x}}"), &pod("app-proxy", &json!([])));
    let changed = inject(&injector(TOKEN), &by_file.pod);
    assert_eq!(changed.outcome, Outcome::Injected);
    assert_eq!(changed.pod["spec"]["volumes"], json!([volume("my-secret", "my-key", "token")]));
    // Without the volume delivery nothing of it stays: its Secret may be gone.
    let by_variable = inject(&injector(env), &by_file.pod);
    assert_eq!(by_variable.env(0), &json!([from_secret("ARGO_CD_TOKEN", "my-secret", "my-key")]));
    assert_eq!(by_variable.pod["spec"]["volumes"], json!([]));
    assert_eq!(by_variable.pod["spec"]["containers"][0]["volumeMounts"], json!([]));
    assert_eq!(inject(&injector(env), &by_variable.pod).outcome, Outcome::AlreadyRight);
    // Another container's use of it is a reason to leave it there.
    let mut shared = by_file.pod.clone();
    let other = json!({ "name": "other", "volumeMounts": [mount()] });
    shared["spec"]["containers"].as_array_mut().unwrap().push(other);
    let kept = inject(&injector(env), &shared);
    assert_eq!(kept.pod["spec"]["volumes"].as_array().unwrap().len(), 1);
}

#[test]
fn no_other_container_gets_the_credential_by_a_mount_of_its_own() {
    let replace = format!("{{onConflict: replace, {}", &TOKEN[1..]);
    for volumes in [json!([{ "name": "argocd-auth", "emptyDir": {} }]), json!([])] {
        let mut before = pod("app-proxy", &json!([]));
        before["spec"]["volumes"] = volumes;
        let sidecar =
            json!({ "name": "leader-elector", "volumeMounts": [{ "name": "argocd-auth", "mountPath": "/data" }] });
        before["spec"]["containers"].as_array_mut().unwrap().push(sidecar);
        let kept = inject(&injector(TOKEN), &before);
        assert_eq!((kept.outcome, &kept.pod), (Outcome::ConflictKept, &before));
        let replaced = inject(&injector(&replace), &before);
        assert_eq!(replaced.outcome, Outcome::ConflictReplaced);
        assert_eq!(replaced.pod["spec"]["containers"][1]["volumeMounts"], json!([]));
        assert_eq!(inject(&injector(&replace), &replaced.pod).outcome, Outcome::AlreadyRight);
    }
}

#[test]
fn a_mount_in_the_place_of_a_file_of_ours_is_a_conflict() {
    let mut before = pod("app-proxy", &json!([]));
    before["spec"]["containers"][0]["volumeMounts"] =
        json!([{ "name": "theirs", "mountPath": "/var/run/secrets/argocd-auth/token", "subPath": "x" }]);
    assert_eq!(inject(&injector(TOKEN), &before).outcome, Outcome::ConflictKept);
    let replaced = inject(&injector(&format!("{{onConflict: replace, {}", &TOKEN[1..])), &before);
    assert_eq!(replaced.pod["spec"]["containers"][0]["volumeMounts"], json!([mount()]));
}

#[test]
fn the_other_modes_variables_go_even_where_a_users_volume_stays() {
    let env = json!([
        from_secret("ARGO_CD_PASSWORD", "argocd-initial-admin-secret", "password"),
        from_secret("ARGO_CD_TOKEN", "my-secret", "my-key"),
        plain("ARGO_CD_USERNAME", "admin"),
    ]);
    let mut before = pod("app-proxy", &env);
    before["spec"]["volumes"] = json!([{ "name": "argocd-auth", "emptyDir": {} }]);
    let kept = inject(&injector(TOKEN), &before);
    // The token's own variable is this mode's: without a file it is all that the container has.
    assert_eq!((kept.outcome, kept.names(0)), (Outcome::ConflictKept, vec!["ARGO_CD_TOKEN"]));
    assert_eq!(
        kept.warnings,
        [
            "argocd-auth-webhook: cap-app-proxy keeps its own volume argocd-auth and got no credential (onConflict: keep)"
        ]
    );
}

#[test]
fn files_that_nothing_would_read_are_not_mounted() {
    let own = plain("ARGO_CD_TOKEN_FILE", "/their/token");
    let kept = inject(&injector(TOKEN), &pod("app-proxy", &json!([own])));
    assert_eq!((kept.outcome, kept.patch), (Outcome::ConflictKept, None));
}

#[test]
fn files_of_another_mode_are_made_anew() {
    let mut by_file = inject(&injector(TOKEN), &pod("app-proxy", &json!([]))).pod;
    by_file["spec"]["volumes"][0]["secret"]["defaultMode"] = json!(0o400);
    let again = inject(&injector(TOKEN), &by_file);
    assert_eq!(again.pod["spec"]["volumes"], json!([volume("my-secret", "my-key", "token")]));
}
