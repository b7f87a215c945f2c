//! Whom a command believes that would send a credential: the cluster's ConfigMap takes fewer rights to write
//! than Secrets take to read.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// No resolver knows it.
const AWAY: &str = "https://argocd.example.test";
const SENDING: [&[&str]; 4] = [
    &["account", "verify"],
    &["token", "verify"],
    &["token", "generate", "--to-stdout"],
    &["token", "revoke", "some-id"],
];

async fn object(server: &MockServer, name: &str, mut object: Value) {
    object["metadata"]["name"] = name.rsplit('/').next().into();
    let answer = ResponseTemplate::new(200).set_body_json(object);
    let at = path(format!("/api/v1/namespaces/codefresh/{name}"));
    Mock::given(method("GET")).and(at).respond_with(answer).mount(server).await;
}

/// A cluster whose release says that Argo CD is there.
async fn cluster(argocd: &str, home: &Path) -> MockServer {
    let server = MockServer::start().await;
    object(&server, "configmaps/argocd-auth-webhook", json!({ "data": { "release": "hook" } })).await;
    let config = format!("{{auth: {{type: password}}, argocd: {{url: '{argocd}'}}}}");
    object(&server, "configmaps/hook-config", json!({ "data": { "config.yaml": config } })).await;
    // hunter2-hunter2
    let password = json!({ "data": { "password": "aHVudGVyMi1odW50ZXIy" } });
    object(&server, "secrets/argocd-initial-admin-secret", password).await;
    let kubeconfig = format!(
        "{{current-context: c, contexts: [{{name: c, context: {{cluster: c, namespace: codefresh, user: u}}}}], \
         users: [{{name: u, user: {{}}}}], clusters: [{{name: c, cluster: {{server: '{}'}}}}]}}",
        server.uri()
    );
    std::fs::write(home.join("kubeconfig"), kubeconfig).unwrap();
    server
}

async fn run(arguments: &[&str], home: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"));
    command.env_clear().env("HOME", home).env("KUBECONFIG", home.join("kubeconfig")).stdin(Stdio::null());
    let output = command.args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), format!("{}{}", text(output.stdout), text(output.stderr)))
}

#[tokio::test]
async fn nothing_leaves_the_cluster_on_a_config_maps_word_alone() {
    let home = tempfile::tempdir().unwrap();
    for command in SENDING {
        let server = cluster(AWAY, home.path()).await;
        let (code, said) = run(command, home.path()).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing was sent: ConfigMap codefresh/hook-config"), "{command:?}: {said}");
        assert!(said.contains("--yes") && said.contains("--argocd-url"), "{said}");
        let asked = server.received_requests().await.unwrap();
        assert!(!asked.iter().any(|request| request.url.path().contains("/secrets/")), "{command:?}: {asked:?}");
        // Agreed to, it goes on, to where nobody is.
        let (_, said) = run(&[command, &["--yes"]].concat(), home.path()).await;
        assert!(!said.contains("nothing was sent") && !said.contains("hunter2"), "{command:?}: {said}");
        // What a person typed isn't the ConfigMap's.
        let (_, said) = run(&[command, &["--argocd-url", "https://127.0.0.1:9"]].concat(), home.path()).await;
        assert!(!said.contains("nothing was sent"), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn where_argo_cd_is_in_the_cluster_nobody_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let _server = cluster("http://127.0.0.1:9", home.path()).await;
    for command in SENDING {
        let (_, said) = run(command, home.path()).await;
        assert!(said.contains("Argo CD is at http://127.0.0.1:9, as ConfigMap codefresh/hook-config says"), "{said}");
        assert!(!said.contains("nothing was sent"), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn a_command_that_sends_nothing_has_nothing_to_agree_to() {
    let home = tempfile::tempdir().unwrap();
    for command in [&["account", "enable", "--yes"][..], &["doctor", "--yes"], &["status", "--yes"]] {
        let (code, said) = run(command, home.path()).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("unexpected argument '--yes'"), "{said}");
    }
}
