//! Reading one mapping of a settings file, with the path of everything in it.

use super::nearest::nearest;
use crate::core::text;
use serde_json::{Map, Value};
use std::fmt;

/// Something in a settings file that is wrong, or worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, with dots between the keys.
    pub path: String,
    /// What is wrong and what to do.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are a person's, or of whoever wrote the file that a person was given.
        write!(f, "{}: ", text::shown(&self.path, MAX_SHOWN))?;
        // The lines are ours: values are quoted.
        let lines = self.text.lines().map(|line| text::shown(line, MAX_SHOWN));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Longer than any sentence of ours with the names that Kubernetes allows.
const MAX_SHOWN: usize = 2000;

/// Everything that was found while reading a file.
pub(super) struct Report {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// Whether an unknown key is an error.
    strict: bool,
}

impl Report {
    pub(super) fn new(strict: bool) -> Self {
        Self { problems: Vec::new(), warnings: Vec::new(), strict }
    }

    /// Notes an error. Returns `None`, so that a reader can end with it.
    pub(super) fn problem<T>(&mut self, path: &str, text: impl Into<String>) -> Option<T> {
        self.problems.push(Problem { path: path.to_owned(), text: text.into() });
        None
    }

    pub(super) fn warn(&mut self, path: &str, text: impl Into<String>) {
        self.warnings.push(Problem { path: path.to_owned(), text: text.into() });
    }
}

/// A mapping and where it stands.
#[derive(Clone)]
pub(super) struct Block<'v> {
    pub map: &'v Map<String, Value>,
    pub path: String,
}

impl<'v> Block<'v> {
    /// A mapping, or an error. What is absent, null or empty is no mapping and no error either.
    pub(super) fn new(value: &'v Value, path: String, report: &mut Report) -> Option<Self> {
        match value {
            _ if !is_given(value) => None,
            Value::Object(map) => Some(Self { map, path }),
            // The value isn't shown: people paste tokens into the wrong place.
            other => report.problem(&path, format!("must be a mapping, but it is {}", kind(other))),
        }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A value that is given: not absent, null or empty.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| is_given(value))
    }

    pub(super) fn block(&self, key: &str, report: &mut Report) -> Option<Block<'v>> {
        Block::new(self.map.get(key)?, self.path_of(key), report)
    }

    /// A string. Numbers and booleans are refused: what YAML made of them may not be what was
    /// written.
    pub(super) fn string(&self, key: &str, report: &mut Report) -> Option<&'v str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            scalar @ (Value::Number(_) | Value::Bool(_)) => report
                .problem(&self.path_of(key), format!("must be a string, but it is {}; put it in quotes", kind(scalar))),
            other => report.problem(&self.path_of(key), format!("must be a string, but it is {}", kind(other))),
        }
    }

    /// A string that must not be shown.
    pub(super) fn secret(&self, key: &str, report: &mut Report) -> Option<&'v str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            other => {
                report.problem(&self.path_of(key), format!("must be a string (in quotes), but it is {}", kind(other)))
            }
        }
    }

    pub(super) fn boolean(&self, key: &str, report: &mut Report) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => report.problem(&self.path_of(key), "is not allowed; allowed: true, false"),
        }
    }

    /// One of a few names.
    pub(super) fn one_of<T: Copy>(&self, key: &str, allowed: &[(&str, T)], report: &mut Report) -> Option<T> {
        let value = self.get(key)?;
        if let Some((_, found)) = allowed.iter().find(|(name, _)| value.as_str() == Some(name)) {
            return Some(*found);
        }
        let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
        let hint = value.as_str().and_then(|text| nearest(text, &names)).map(did_you_mean).unwrap_or_default();
        let text = format!("is not allowed; allowed: {}{hint}", names.join(", "));
        report.problem(&self.path_of(key), text)
    }

    /// Complains of keys that nobody reads: an error in our own file, elsewhere a warning.
    pub(super) fn only(&self, known: &[&str], report: &mut Report) {
        if report.strict {
            return self.refuse_others(known, report);
        }
        for (key, text) in self.others(known) {
            report.warn(&self.path_of(key), text);
        }
    }

    /// Refuses keys that nobody reads.
    pub(super) fn refuse_others(&self, known: &[&str], report: &mut Report) {
        for (key, text) in self.others(known) {
            report.problem::<()>(&self.path_of(key), text);
        }
    }

    fn others(&self, known: &[&str]) -> impl Iterator<Item = (&String, String)> {
        // Null is how a later values file takes a key away.
        let given = self.map.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
        given.filter(|key| !known.contains(&key.as_str())).map(|key| {
            let hint = nearest(key, known).map(did_you_mean).unwrap_or_default();
            (key, format!("unknown key; known here: {}{hint}", known.join(", ")))
        })
    }
}

/// Whether Helm's templates would take a value as given: null and everything empty is not.
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

pub(super) fn did_you_mean(name: &str) -> String {
    format!("; did you mean {name}?")
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
