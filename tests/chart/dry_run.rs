//! The goldens at a real API server, if `KUBECONFIG_DRY_RUN` names a kubeconfig. Nothing is kept there
//! but two namespaces and an account. `KUBECTL` is the client.

use super::helm::{NAMESPACE, RELEASE, root, table, yaml};
use std::path::Path;
use std::process::{Command, Stdio};

/// Kinds that come with operators which the test cluster doesn't have.
const FOREIGN: [&str; 5] = ["PodMonitor", "ServiceMonitor", "PrometheusRule", "Certificate", "Issuer"];

fn kubectl(kubeconfig: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    use std::io::Write;
    let program = std::env::var_os("KUBECTL").unwrap_or_else(|| "kubectl".into());
    let mut child = Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout) + &text(&output.stderr)) } else { Err(text(&output.stderr)) }
}

#[test]
fn an_api_server_accepts_every_golden() {
    let Some(kubeconfig) = std::env::var_os("KUBECONFIG_DRY_RUN") else {
        return println!("NOT RUN: an_api_server_accepts_every_golden: KUBECONFIG_DRY_RUN is not set");
    };
    let kubeconfig = Path::new(&kubeconfig);
    // Whatever breaks the restricted standard is a warning here, and fails the test.
    let labels = "labels: {pod-security.kubernetes.io/warn: restricted}";
    for namespace in [NAMESPACE, "argocd"] {
        let object = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}, {labels}}}}}");
        kubectl(kubeconfig, &["apply", "--server-side", "-f", "-"], &object).unwrap();
    }
    // A pod is refused without its account, and a dry run makes none.
    let name = format!("{RELEASE}-test");
    let account =
        format!("{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, namespace: {NAMESPACE}}}}}");
    kubectl(kubeconfig, &["apply", "--server-side", "-f", "-"], &account).unwrap();
    // A server without strict validation (before 1.25) leaves it to kubectl and its schema.
    let mut goldens: Vec<String> =
        table().into_iter().map(|(name, _)| format!("tests/chart/goldens/{name}.yaml")).collect();
    goldens.push("deploy/manifests.yaml".to_owned());
    for golden in goldens {
        let text = std::fs::read_to_string(root().join(&golden)).unwrap();
        let mine: Vec<&str> = text
            .split("\n---")
            .filter(|document| document.contains("\nkind:"))
            .filter(|document| {
                let kind = yaml(document.trim_start_matches("---"))["kind"].as_str().unwrap_or_default().to_owned();
                let foreign = FOREIGN.contains(&kind.as_str());
                if foreign {
                    println!("NOT RUN: {golden}: {kind} is not a kind of this cluster");
                }
                !foreign
            })
            .collect();
        let arguments =
            ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"];
        let said =
            kubectl(kubeconfig, &arguments, &mine.join("\n---")).unwrap_or_else(|error| panic!("{golden}: {error}"));
        // The node's network is not restricted; who asks for it knows.
        let expected = text.contains("hostNetwork: true");
        assert_eq!(said.contains("Warning"), expected, "{golden}: {said}");
    }
}
