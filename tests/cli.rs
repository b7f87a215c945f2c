//! The binary as a person meets it: help, exit codes, what goes to which stream.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ARGOCD_AUTH_WEBHOOK_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("COLUMNS", "100");
    command
}

fn run_with(mut command: Command, arguments: &[&str], input: &str) -> Output {
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A process that refuses its arguments may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let output = run_with(command(), arguments, input);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// With a configuration that asks for the Runtime's default.
fn with_password(arguments: &[&str], input: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = file(&folder, "config.yaml", "auth: {type: password}");
    run(&[arguments, &["--config", &config]].concat(), input)
}

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"app":"gitops-operator"}},"spec":{"containers":[{"name":"manager"}]}}"#;

#[test]
fn help_teaches_each_command() {
    insta::assert_snapshot!("help", run(&["--help"], "").1);
    for name in [
        "serve",
        "controller",
        "inject",
        "doctor",
        "status",
        "account",
        "account verify",
        "account enable",
        "token",
        "token generate",
        "token verify",
        "token revoke",
        "demo",
        "completions",
    ] {
        let arguments: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let (code, help, _) = run(&arguments, "");
        assert_eq!(code, 0);
        assert!(help.contains("Example"), "{name}");
        insta::assert_snapshot!(format!("help-{}", name.replace(' ', "-")), help);
    }
}

#[test]
fn as_a_plugin_of_kubectl_it_goes_by_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kubectl-argocd_auth");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_argocd-auth-webhook"), &link).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(&link).args(arguments).env("NO_COLOR", "1").env("COLUMNS", "100").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let help = run(&["token", "generate", "--help"]);
    assert!(help.contains("Usage: kubectl argocd-auth token generate"), "{help}");
    assert!(help.contains("\n  kubectl argocd-auth token generate --password-stdin"), "{help}");
    assert!(!help.contains("argocd-auth-webhook token"), "{help}");
    assert!(run(&["--version"]).starts_with("kubectl argocd-auth "));
}

#[test]
fn the_demo_shows_what_goes_in_and_what_comes_out() {
    let (code, shown, said) = run(&["demo"], "");
    assert_eq!((code, said.as_str()), (0, ""));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"in \d+ µs", "in N µs");
    settings.bind(|| insta::assert_snapshot!("demo", shown));
}

#[test]
fn one_json_pod_in_is_one_json_pod_out() {
    let (code, out, said) = with_password(&["inject", "-o", "json"], POD);
    assert_eq!(code, 0, "{said}");
    let pod: serde_json::Value = serde_json::from_str(&out).unwrap();
    let env = &pod["spec"]["containers"][0]["env"];
    assert_eq!(env[1]["value"], "argocd-token");
    assert!(
        pod["metadata"]["annotations"]["argocd-auth-webhook/status"].as_str().unwrap().contains(r#""engine":"inject""#)
    );
    assert!(said.contains("injected"), "{said}");
}

#[test]
fn what_is_broken_leaves_standard_output_empty_and_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let bad_values = file(&folder, "values.yaml", "global: {external-arg-cd: {auth: {type: toke}}}");
    let good = file(&folder, "good.yaml", "a: 1\nkind: X\n");
    let missing = folder.path().join("missing.yaml").to_str().unwrap().to_owned();
    let config = file(&folder, "config.yaml", "auth: {type: password}");
    let cases: [(&[&str], &str, &str); 13] = [
        (&["inject", "--config", &config], "kind: Pod\n---\ncap-app-proxy: [1\n", "document 2"),
        (&["inject", "--config", &config, &good, &missing], "", "missing.yaml"),
        (&["inject"], POD, "neither --values nor --config is given"),
        (&["inject", "-f", &good, "-f", &good], POD, "good.yaml: auth: must be given"),
        (&["serve", "--tls-self-signed", "--listen", "127.0.0.1:0"], "", "tokenSecretKeyRef: {name: SECRET, key: KEY}"),
        (&["inject", "--values", &bad_values], POD, "global.external-arg-cd.auth.type: is not allowed"),
        (&["inject", "--values", &missing], POD, "reading the settings from"),
        (&["inject", "--values", &good, "--config", &good], POD, "keep one of them"),
        (&["inject", "--nonsense"], "", "--nonsense"),
        (&["serve"], "", "--tls-cert"),
        (&["serve", "--tls-cert", &good], "", "--tls-key"),
        (&["serve", "--tls-self-signed", "--answer-timeout", "0s"], "", "it must be above 0"),
        (&["serve", "--tls-self-signed", "--drain-delay", "10"], "", "write it as 250ms, 10s, 2m or 1h"),
    ];
    for (arguments, input, wanted) in cases {
        let (code, out, said) = run(arguments, input);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
}

#[test]
fn what_nobody_reads_on_standard_error_costs_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(&folder, "config.yaml", "auth: {type: password}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = command()
        .args(["inject", "--config", &config])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(full)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(POD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
}

#[test]
fn a_refused_pod_ends_with_1() {
    let pod = POD.replace(
        r#""name":"manager""#,
        r#""name":"manager","env":[{"name":"ARGO_CD_TOKEN_SECRET_NAME","value":"theirs"}]"#,
    );
    let (code, out, said) = with_password(&["inject", "--on-conflict", "deny"], &pod);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(said.contains("ARGO_CD_TOKEN_SECRET_NAME"), "{said}");
}

#[test]
fn a_flag_counts_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(&folder, "token.yaml", "auth: {type: token, tokenSecretKeyRef: {name: from-config, key: k}}");
    let values = file(
        &folder,
        "values.yaml",
        "global: {external-arg-cd: {auth: {type: token, tokenSecretKeyRef: {name: from-values, key: k}}}}",
    );
    let by_environment = |arguments: &[&str]| {
        let mut command = command();
        command.env("ARGOCD_AUTH_WEBHOOK_CONFIG", &token);
        let output = run_with(command, arguments, POD);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(by_environment(&["inject"]).contains("from-config"));
    assert!(by_environment(&["inject", "--values", &values]).contains("from-values"));
    let by_environment = |files: &str| {
        let mut command = command();
        command.env("ARGOCD_AUTH_WEBHOOK_VALUES", files);
        String::from_utf8(run_with(command, &["inject"], POD).stdout).unwrap()
    };
    let over = file(&folder, "over.yaml", "global: {external-arg-cd: {auth: {tokenSecretKeyRef: {name: from-over}}}}");
    assert!(by_environment(&values).contains("from-values"));
    assert!(by_environment(&format!("{values},{over}")).contains("from-over"));
    let (_, out, _) = run(&["inject", "-f", &values, "--values", &over], POD);
    assert!(out.contains("from-over"));
}

#[test]
fn what_was_taken_from_where_is_said_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let values =
        file(&folder, "values.yaml", "cf: {global: {external-arg-cd: {auth: {type: token, token: plain-credential}}}}");
    let (_, out, said) = run(&["inject", "--values", &values], POD);
    assert!(said.starts_with("settings: cf.global.external-arg-cd.auth: token mode, Secret "), "{said}");
    assert!(!said.contains("plain-credential") && !out.contains("plain-credential"), "{said}");
}

#[test]
fn a_warning_about_the_values_goes_to_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let values = file(&folder, "values.yaml", "deliverie: volume\nglobal: {external-arg-cd: {auth: {type: password}}}");
    let (code, _, said) = run(&["inject", "--values", &values], POD);
    assert_eq!(code, 0);
    assert!(said.contains("warning: deliverie: is not read; did you mean delivery?"), "{said}");
    let values = file(&folder, "values.yaml", "global: {external-arg-cd: {auth: {type: password, tokn: x}}}");
    let (code, out, said) = run(&["inject", "--values", &values], POD);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(said.contains("global.external-arg-cd.auth.tokn: unknown key"), "{said}");
    assert!(said.contains("did you mean token?"), "{said}");
}

#[test]
fn completions_are_there_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script, _) = run(&["completions", shell], "");
        assert!(code == 0 && script.contains("argocd-auth-webhook"), "{shell}");
    }
}

/// Without a cluster: neither the kubeconfig nor a pod's ServiceAccount is there.
fn without_cluster(arguments: &[&str], input: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    command.env("KUBECONFIG", folder.path().join("none")).env("HOME", folder.path());
    command.env_remove("KUBERNETES_SERVICE_HOST");
    let output = run_with(command, arguments, input);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_token_is_judged_without_a_cluster_and_never_quoted() {
    let url = ["--argocd-url", "http://127.0.0.1:9"];
    for token in ["hunter2-hunter2", "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJvdGhlciIsInN1YiI6ImEifQ.c2ln", " "] {
        let (code, out, said) = without_cluster(&[&["token", "verify", "--file", "-"], &url[..]].concat(), token);
        assert_eq!(code, 1, "{out} {said}");
        assert!(out.starts_with("problem      token: standard input: it "), "{out}");
        assert!(out.contains("not checked  Argo CD: key: it can't be an API key"), "{out}");
        assert!(!out.contains("hunter2") && !out.contains("eyJ"), "{out}");
        assert_eq!(said, "note: Argo CD is at http://127.0.0.1:9, as --argocd-url says, in plain HTTP\n");
    }
}

#[test]
fn a_credential_in_the_wrong_place_of_the_command_line_is_not_repeated() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
    for arguments in [
        &["token", "verify", token][..],
        &["token", "verify", "hunter2-eyJ"],
        &["status", "hunter2-eyJ"],
        &["token", "revoke", token],
        &["token", "revoke", "some-id", "hunter2-eyJ"],
        &["account", "verify", "--account", token],
        &["account", "verify", "--output", token],
        &["doctor", "--context", token, token],
        &["inject", "--argocd-url", token],
    ] {
        let (code, out, said) = without_cluster(arguments, "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {said}");
        assert!(!said.contains("eyJ") && !said.contains("hunter2"), "{arguments:?}: {said}");
        assert!(said.starts_with("error: "), "{said}");
    }
    for stray in ["hunter2", "a"] {
        let (_, _, said) = without_cluster(&["token", "verify", stray], "");
        assert!(said.starts_with("error: an argument stands where none belongs."), "{said}");
        assert!(said.contains("Usage: argocd-auth-webhook token verify [OPTIONS]"), "{said}");
    }
    let (code, out, _) = without_cluster(&["token", "--help"], "");
    assert!(code == 0 && out.contains("Usage: "));
}

#[test]
fn values_come_from_standard_input_as_with_helm_but_not_together_with_the_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = file(&folder, "m.yaml", "kind: Nothing\n");
    let values = "global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: from-stdin, key: k}}}}";
    let (code, out, said) = run(&["inject", "-f", "-", &manifest], values);
    assert_eq!((code, out.as_str()), (0, "kind: Nothing\n"), "{said}");
    assert!(said.contains("Secret from-stdin, key k"), "{said}");
    for arguments in [&["inject", "-f", "-"][..], &["inject", "-f", "-", "-"], &["inject", "--config", "-"]] {
        let (code, out, said) = run(arguments, values);
        assert_eq!((code, out.as_str()), (2, ""), "{said}");
        assert!(said.contains("standard input is named for the settings and for the manifests"), "{said}");
    }
    for arguments in [
        &["token", "verify", "-f", "-", "--file", "-"][..],
        &["token", "verify", "--file", "-", "--password-stdin"],
        &["token", "generate", "--to-stdout", "--config", "-", "--password-stdin"],
        &["token", "revoke", "-f", "-", "--file", "-"],
        &["account", "verify", "-f", "-", "--password-stdin"],
    ] {
        let (code, out, said) = without_cluster(arguments, values);
        assert_eq!((code, out.as_str()), (2, ""), "{said}");
        assert!(said.contains("standard input is named twice"), "{said}");
    }
}

#[test]
fn a_password_that_was_not_taken_anywhere_is_in_no_output() {
    let arguments = ["token", "generate", "--to-stdout", "--password-stdin", "--argocd-url", "http://127.0.0.1:9"];
    let (code, out, said) = without_cluster(&arguments, "hunter2-hunter2\n");
    assert_eq!((code, out.as_str()), (1, ""), "{said}");
    assert!(said.contains("no connection") && !said.contains("hunter2"), "{said}");
}

#[test]
fn what_is_needed_and_not_given_is_said() {
    for (arguments, expected) in [
        (&["token", "generate"][..], "--to-secret"),
        (&["token", "revoke"], "<ID|--secret"),
        (&["token", "generate", "--to-stdout", "-o", "json"], "cannot be used with"),
        (&["token", "generate", "--to-stdout", "--expires-in", "1ms"], "from 1s"),
        (&["token", "verify", "--account", "a b"], "no name of an account"),
        (&["account"], "Usage: argocd-auth-webhook account <COMMAND>"),
        (&["account", "verify", "--argocd-url", "http://a b"], "no URL"),
    ] {
        let (code, out, said) = without_cluster(arguments, "");
        let found = format!("{out}{said}");
        assert!(found.contains(expected), "{arguments:?}: {found}");
        assert_eq!(code, 2, "{arguments:?}: {found}");
    }
}

#[test]
fn a_name_that_kubernetes_does_not_allow_is_wrong_usage_and_an_empty_one_is_none() {
    for arguments in [
        &["status", "-n", "A b"][..],
        &["status", "--release", "a/b"],
        &["doctor", "-n", "a.b"],
        &["doctor", "--service", "A"],
        &["account", "verify", "--argocd-namespace", "a/b"],
        &["controller", "--namespace", "", "--config", "x"],
    ] {
        let (code, _, said) = without_cluster(arguments, "");
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains("no name that Kubernetes allows"), "{arguments:?}: {said}");
    }
    for arguments in [&["status", "-n", ""][..], &["status", "--release", ""], &["doctor", "-n", ""]] {
        let (code, _, said) = without_cluster(arguments, "");
        assert!(code == 1 && said.contains("there is no kubeconfig"), "{arguments:?}: {said}");
    }
}

#[test]
fn without_a_cluster_there_is_a_problem_and_no_wrong_usage() {
    for command in [&["status"][..], &["doctor"], &["account", "enable"]] {
        let (code, out, said) = without_cluster(command, "");
        assert!(said.contains("finding the cluster: there is no kubeconfig"), "{command:?}: {out}{said}");
        assert_eq!((code, out.as_str()), (1, ""), "{command:?}: {said}");
    }
}
