//! What Kubernetes reads: a small Go program around kubectl's own decoder (`kubernetes/`).

use crate::support::go;
use serde::Deserialize;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One document as kubectl reads it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Read {
    Object(Value),
    Error(String),
}

/// The program that reads; `None`, and said, where there is no Go to build it with.
pub fn reader() -> Option<&'static Path> {
    static READER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let lost = "what Kubernetes reads of manifests isn't compared";
    READER.get_or_init(|| go::program("inject/kubernetes", lost)).as_deref()
}

/// Reads streams, each into its documents; those that are empty or null are left out.
pub fn read(reader: &Path, streams: &[String]) -> Vec<Vec<Read>> {
    let mut child =
        Command::new(reader).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the reader starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            for stream in streams {
                writeln!(stdin, "{}", Value::from(stream.as_str())).expect("the reader reads");
            }
        });
        child.wait_with_output().expect("the reader ends")
    });
    assert!(output.status.success(), "{}", output.status);
    let read: Vec<_> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter::<Vec<Read>>()
        .collect::<Result<_, _>>()
        .expect("what the reader says");
    assert_eq!(read.len(), streams.len());
    read
}

/// Whether two objects are one to Kubernetes: the order of keys doesn't count, and a number is a
/// number however it is written.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() || other.is_f64() => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
