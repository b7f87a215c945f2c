//! Running Helm, and reading what it renders.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const RELEASE: &str = "argocd-auth-webhook";
pub const NAMESPACE: &str = "codefresh";

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn chart() -> PathBuf {
    root().join("charts/argocd-auth-webhook")
}

/// A Helm client: the path in a variable, or where `build-helm.sh` puts it.
pub struct Helm(PathBuf);

impl Helm {
    pub fn four() -> Self {
        Self::find("HELM", "helm").expect("Helm is not there: run tests/chart/build-helm.sh, or set HELM to its path")
    }

    pub fn three() -> Option<Self> {
        Self::find("HELM3", "helm3")
    }

    fn find(variable: &str, name: &str) -> Option<Self> {
        let built = || {
            let folder = std::env::var_os("CLUSTER_BIN").map_or_else(|| root().join("target/cluster/bin"), Into::into);
            folder.join(name)
        };
        let path = std::env::var_os(variable).map_or_else(built, PathBuf::from);
        path.exists().then_some(Self(path))
    }

    /// Runs it; standard output, or standard error where it fails.
    pub fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.0)
            .args(arguments)
            // Nothing of the user's own set-up, and no cluster.
            .env("HELM_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("HELM_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("HELM_DATA_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env_remove("KUBECONFIG")
            .output()
            .expect("Helm runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("Helm writes UTF-8");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Renders a chart with a file of values.
    pub fn template(&self, chart: &Path, values: &Path, more: &[&str]) -> Result<String, String> {
        let (chart, values) = (chart.to_str().unwrap(), values.to_str().unwrap());
        let mut arguments = vec!["template", RELEASE, chart, "--namespace", NAMESPACE, "--values", values];
        // A Helm 3 that `go install` built takes itself for one of Kubernetes 1.20.
        arguments.extend(["--kube-version", "1.36.0"]);
        arguments.extend(more);
        self.run(&arguments)
    }

    /// Renders our chart with values given as text. Where they hold no block, the Runtime's default is
    /// asked for.
    pub fn render(&self, values: &str) -> Result<String, String> {
        let has_block = ["auth: {", "auth:\n", "external-arg", "integrations"].iter().any(|word| values.contains(word));
        let asked = values_file(if has_block { "{}" } else { "auth: {type: password}" });
        let file = values_file(values);
        self.template(&chart(), asked.path(), &["--values", file.path().to_str().unwrap()])
    }

    /// Renders our chart with values given as text, and nothing else.
    pub fn render_alone(&self, values: &str) -> Result<String, String> {
        self.template(&chart(), values_file(values).path(), &[])
    }
}

pub fn values_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// The table of values: name and text, in the order of their names.
pub fn table() -> Vec<(String, String)> {
    let mut table: Vec<(String, String)> = std::fs::read_dir(root().join("tests/chart/values"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    table.sort();
    table
}

/// The objects of a rendered chart.
pub fn objects(rendered: &str) -> Vec<Value> {
    rendered
        .split("\n---")
        .map(|document| document.trim_start_matches("---"))
        .filter(|document| document.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')))
        .map(yaml)
        .collect()
}

pub fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The one object of this kind and name.
pub fn object<'o>(objects: &'o [Value], kind: &str, name: &str) -> Option<&'o Value> {
    let mut found = objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let first = found.next();
    assert!(found.next().is_none(), "{kind} {name} is rendered twice");
    first
}

/// The values that the program gets.
pub fn program_values(objects: &[Value]) -> String {
    let config = objects.iter().find(|object| object["data"]["values.yaml"].is_string()).expect("a ConfigMap");
    config["data"]["values.yaml"].as_str().unwrap().to_owned()
}

/// Compares a file with what it should be, or writes it with `UPDATE_GOLDENS=1`.
pub fn compare(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, expected).unwrap();
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found != expected {
        let line = found.lines().zip(expected.lines()).position(|(a, b)| a != b);
        let line = line.unwrap_or_else(|| found.lines().count().min(expected.lines().count()));
        panic!(
            "{} is out of date at line {}:\n  is:        {}\n  should be: {}\nWrite it again with UPDATE_GOLDENS=1 and read the difference.",
            path.display(),
            line + 1,
            found.lines().nth(line).unwrap_or("(the end)"),
            expected.lines().nth(line).unwrap_or("(the end)"),
        );
    }
}
