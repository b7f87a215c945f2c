//! The demo's output.

use super::api_server::Reviewed;
use super::pods::Sample;
use serde_json::Value;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

/// Writes the demo's page.
pub(super) struct Page<'o, W> {
    out: &'o mut W,
    colour: bool,
}

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";
const DIM: &str = "2";

impl<'o, W: Write> Page<'o, W> {
    pub(super) fn new(out: &'o mut W, colour: bool) -> Self {
        Self { out, colour }
    }

    fn line(&mut self, style: &str, text: &str) -> io::Result<()> {
        if self.colour { writeln!(self.out, "\x1b[{style}m{text}\x1b[0m") } else { writeln!(self.out, "{text}") }
    }

    pub(super) fn opening(&mut self) -> io::Result<()> {
        writeln!(
            self.out,
            "Pods of a GitOps Runtime's services need Argo CD credentials. This webhook puts them in as the pods\n\
             are created. Here the real HTTPS server runs on this machine, and the demo plays the API server:\n\
             it sends each pod for review and applies the patch that comes back.\n\
             + is what the webhook adds, - what it takes away; the rest of the pod stays as it is."
        )
    }

    pub(super) fn mode(&mut self, title: &str, values: &str, address: SocketAddr) -> io::Result<()> {
        writeln!(self.out)?;
        self.line(BOLD, title)?;
        writeln!(self.out, "served at https://{address}/mutate with these values:\n")?;
        for line in values.lines() {
            self.line(DIM, &format!("    {line}"))?;
        }
        Ok(())
    }

    pub(super) fn sample(&mut self, sample: &Sample, reviewed: &Reviewed) -> io::Result<()> {
        let outcome = reviewed.answer["response"]["auditAnnotations"]["outcome"].as_str().unwrap_or("?");
        writeln!(self.out)?;
        self.line(BOLD, &format!("  {}", sample.title))?;
        writeln!(self.out, "  container {}: {outcome}, in {} µs", sample.container, reviewed.took.as_micros())?;
        let before = variables(&sample.pod, sample.container);
        let after = variables(&reviewed.pod, sample.container);
        let mut lines: Vec<(&String, &str)> = Vec::new();
        lines.extend(after.iter().map(|variable| (variable, if before.contains(variable) { " " } else { "+" })));
        lines.extend(before.iter().filter(|variable| !after.contains(variable)).map(|variable| (variable, "-")));
        for (variable, sign) in lines {
            let text = format!("    {sign} {variable}");
            match sign {
                "+" => self.line(GREEN, &text)?,
                "-" => self.line(RED, &text)?,
                _ => self.line(DIM, &text)?,
            }
        }
        Ok(())
    }

    pub(super) fn left_alone(&mut self) -> io::Result<()> {
        writeln!(self.out)?;
        self.line(BOLD, "What is left alone")
    }

    pub(super) fn on_the_wire(&mut self, reviewed: &Reviewed) -> io::Result<()> {
        writeln!(self.out)?;
        self.line(BOLD, "The same on the wire")?;
        let review = reviewed.review.to_string().len();
        writeln!(self.out, "  in: an AdmissionReview of {review} bytes; out: this answer, and in its patch:\n")?;
        self.line(DIM, &format!("    {}", reviewed.answer))?;
        writeln!(self.out)?;
        for operation in reviewed.patch.as_ref().and_then(Value::as_array).into_iter().flatten() {
            self.line(DIM, &format!("    {operation}"))?;
        }
        writeln!(self.out, "\n  Names of Secrets and keys only: no credential ever passes through the webhook.")
    }

    pub(super) fn closing(&mut self, stay: bool) -> io::Result<()> {
        writeln!(self.out)?;
        self.line(BOLD, "What to try next")?;
        writeln!(
            self.out,
            "  your own manifests:  argocd-auth-webhook inject --values values.yaml deployment.yaml\n  \
             the server itself:   argocd-auth-webhook serve --values values.yaml --tls-self-signed"
        )?;
        if !stay {
            writeln!(self.out, "  requests of yours:   argocd-auth-webhook demo --stay")?;
        }
        self.out.flush()
    }

    pub(super) fn serving(
        &mut self,
        title: &str,
        address: SocketAddr,
        admin: SocketAddr,
        folder: &Path,
    ) -> io::Result<()> {
        writeln!(self.out)?;
        self.line(BOLD, title)?;
        writeln!(
            self.out,
            "  curl --cacert {folder}/ca.crt -H 'Content-Type: application/json' \\\n       \
             --data @{folder}/review.json https://{address}/mutate\n  curl http://{admin}/metrics",
            folder = folder.display()
        )?;
        Ok(())
    }

    pub(super) fn waiting(&mut self) -> io::Result<()> {
        writeln!(self.out, "\nServing until Ctrl-C.")?;
        self.out.flush()
    }

    pub(super) fn ended(&mut self) -> io::Result<()> {
        writeln!(self.out, "\nEnded.")
    }
}

/// The variables of a container, one per line.
fn variables(pod: &Value, container: &str) -> Vec<String> {
    let containers = pod["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = containers.iter().find(|candidate| candidate["name"] == container);
    let env = found.and_then(|container| container["env"].as_array()).map(Vec::as_slice).unwrap_or_default();
    env.iter()
        .map(|variable| {
            let name = variable["name"].as_str().unwrap_or_default();
            let from = &variable["valueFrom"];
            let source = match (from["secretKeyRef"].as_object(), from["configMapKeyRef"].as_object()) {
                (Some(secret), _) => {
                    format!("from Secret {}, key {}", text(secret.get("name")), text(secret.get("key")))
                }
                (_, Some(map)) => format!("from ConfigMap {}, key {}", text(map.get("name")), text(map.get("key"))),
                _ => format!("= {}", text(variable.get("value"))),
            };
            format!("{name:<26} {source}")
        })
        .collect()
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}
