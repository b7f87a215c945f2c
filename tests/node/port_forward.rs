//! An Argo CD that only the cluster reaches, and a person outside of it.

use crate::support::cluster::{Cluster, bin, eventually, output, project, say};
use crate::support::machine::import_image;
use crate::support::scene::Scene;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const IMAGE: &str = "cluster.local/argocd:1";

/// Argo CD's server, where it was built.
pub fn server() -> Option<PathBuf> {
    let bin = bin();
    let server = bin.join("argocd-server");
    (server.exists() && bin.join("argocd-crds.yaml").exists()).then_some(server)
}

/// Runs Argo CD as a pod behind a Service, in plain HTTP, as it runs in the Runtime's namespace.
pub async fn argocd(scene: &Scene, server: &Path) {
    argocd_at(scene, server, "argo-cd-server", "").await;
}

/// The same under another name, and below a path.
pub async fn argocd_at(scene: &Scene, server: &Path, name: &str, root: &str) {
    let (cluster, namespace) = (&scene.cluster, scene.namespace());
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("argocd.tar");
    let made = Command::new("python3")
        .arg(project().join("tests/cluster/image.py"))
        .args([IMAGE, tar.to_str().unwrap(), r#"{"Entrypoint":["/argocd-server"],"User":"999"}"#])
        .arg(format!("/argocd-server={}", server.display()))
        .status()
        .unwrap();
    assert!(made.success());
    import_image(cluster, &tar);
    let kinds = server.with_file_name("argocd-crds.yaml");
    let seen = cluster.kubectl(&["apply", "--server-side", "-f", kinds.to_str().unwrap()], None);
    assert!(seen.success, "{}", seen.stderr);

    let labels = json!({ "app.kubernetes.io/part-of": "argocd" });
    let pod = json!({ "app": "argocd-server" });
    let container = json!({
        "name": "server", "image": IMAGE, "imagePullPolicy": "Never",
        "args": ["--insecure", "--port", "8080", "--repo-server", "127.0.0.1:1", "--dex-server", "http://127.0.0.1:1",
                 "--rootpath", root],
        "ports": [{ "name": "server", "containerPort": 8080 }],
        "readinessProbe": { "httpGet": { "path": format!("{root}/api/version"), "port": 8080 }, "periodSeconds": 1 },
    });
    let objects = [
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "argocd-cm", "labels": labels } }),
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "argocd-rbac-cm", "labels": labels } }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "argocd-secret", "labels": labels } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "argocd-server" } }),
        role("argocd-server", &json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }])),
        binding("argocd-server", namespace),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
            "spec": { "selector": { "matchLabels": pod }, "template": {
                "metadata": { "labels": pod },
                "spec": { "serviceAccountName": "argocd-server", "containers": [container] },
            } },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": { "selector": pod, "ports": [
                { "name": "http", "port": 80, "targetPort": "server" }, { "name": "https", "port": 443, "targetPort": "server" },
            ] },
        }),
    ];
    for object in objects {
        apply(cluster, namespace, &object);
    }
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
    eventually("Argo CD's pod is ready", async || {
        let status = cluster.get(&path).await?["status"].clone();
        if status["readyReplicas"] == 1 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let secret = format!("/api/v1/namespaces/{namespace}/secrets/argocd-initial-admin-secret");
    eventually("the first password", async || cluster.get(&secret).await.map(drop)).await;
}

pub fn apply(cluster: &Cluster, namespace: &str, object: &Value) {
    let seen = cluster.kubectl(&["--namespace", namespace, "apply", "--server-side", "-f", "-"], Some(object));
    assert!(seen.success, "{}", seen.stderr);
}

fn role(name: &str, rules: &Value) -> Value {
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": name }, "rules": rules })
}

fn binding(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
    })
}

/// A kubeconfig of somebody who may do no more than this account.
fn kubeconfig_as(cluster: &Cluster, folder: &Path, namespace: &str, account: &str) -> PathBuf {
    let mut config = kube::config::Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let user = config.auth_infos[0].auth_info.as_mut().unwrap();
    user.impersonate = Some(format!("system:serviceaccount:{namespace}:{account}"));
    let path = folder.join("kubeconfig");
    std::fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
    path
}

/// Runs a command to its end; what it printed, with its exit code.
pub fn run(kubeconfig: &Path, namespace: &str, arguments: &[&str]) -> (i32, String) {
    let output = tokio::task::block_in_place(|| {
        Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"))
            .args(arguments)
            .args(["--namespace", namespace])
            .env("KUBECONFIG", kubeconfig)
            .env_remove("KUBERNETES_SERVICE_HOST")
            .output()
            .unwrap()
    });
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (code, printed) = (output.status.code().unwrap(), text(output.stdout) + &text(output.stderr));
    let log = self::output("port-forward").join("commands.log");
    let mut log = File::options().create(true).append(true).open(log).unwrap();
    write!(log, "$ {}\n{printed}[{code}]\n\n", arguments.join(" ")).unwrap();
    (code, printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_an_argo_cd_that_only_the_cluster_reaches_and_name_the_permission_they_lack() {
    let Some(server) = server() else {
        return say("NOT RUN: port-forwarding to Argo CD (there is no argocd-server; tests/argocd/build.sh builds it)");
    };
    let scene = Scene::new("port-forward").await;
    argocd(&scene, &server).await;
    let (cluster, namespace) = (&scene.cluster, scene.namespace());
    let admin = cluster.kubeconfig();
    let by_pod = format!("port-forwarded to pod {namespace}/argo-cd-server-");

    let (code, printed) = run(&admin, namespace, &["account", "verify"]);
    assert!(code == 1 && printed.contains(&by_pod) && printed.contains("it lacks apiKey"), "{printed}");
    assert_eq!(run(&admin, namespace, &["account", "enable"]).0, 0);
    let fit = eventually("the account is fit", async || {
        let (code, printed) = run(&admin, namespace, &["account", "verify"]);
        if code == 0 { Ok(printed) } else { Err(printed) }
    })
    .await;
    assert!(fit.contains("ok           Argo CD: login"), "{fit}");
    let (code, printed) = run(&admin, namespace, &["token", "generate", "--to-secret", "argocd-token"]);
    assert!(code == 0 && printed.contains(&by_pod), "{printed}");

    // Somebody who may read and not port-forward is told what is missing, and needs both verbs.
    let folder = tempfile::tempdir().unwrap();
    apply(
        cluster,
        namespace,
        &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "person" } }),
    );
    apply(cluster, namespace, &binding("person", namespace));
    let person = kubeconfig_as(cluster, folder.path(), namespace, "person");
    let may = |verbs: &[&str]| {
        let mut rules = vec![
            json!({ "apiGroups": [""], "resources": ["services", "secrets", "configmaps"], "verbs": ["get"] }),
            json!({ "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"] }),
        ];
        if !verbs.is_empty() {
            rules.push(json!({ "apiGroups": [""], "resources": ["pods/portforward"], "verbs": verbs }));
        }
        apply(cluster, namespace, &role("person", &json!(rules)));
    };
    may(&[]);
    let needed = format!("needed: get and create on pods/portforward in namespace {namespace}");
    eventually("the permission is named", async || {
        let (code, printed) = run(&person, namespace, &["token", "verify"]);
        if code == 1 && printed.contains(&needed) { Ok(()) } else { Err(printed) }
    })
    .await;
    may(&["get", "create"]);
    let taken = eventually("the person reaches Argo CD", async || {
        let (code, printed) = run(&person, namespace, &["token", "verify"]);
        if code == 0 { Ok(printed) } else { Err(printed) }
    })
    .await;
    assert!(taken.contains(": takes it"), "{taken}");

    // What goes wrong at the pod's end is said, and not that a connection broke.
    let nobody = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "nobody" },
        "spec": { "selector": { "app": "argocd-server" }, "ports": [{ "name": "http", "port": 80, "targetPort": 9999 }] },
    });
    apply(cluster, namespace, &nobody);
    eventually("nobody listens there", async || {
        let (_, printed) = run(&admin, namespace, &["token", "verify", "--argocd-url", "http://nobody"]);
        if printed.contains("port 9999 of pod") && printed.contains("refused") { Ok(()) } else { Err(printed) }
    })
    .await;
}
