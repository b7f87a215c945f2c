//! Reads one mapping of a settings file and knows the path of everything in it.

use super::nearest::nearest;
use crate::core::text;
use serde_json::{Map, Value};
use std::fmt;

/// A problem or a warning about one place in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place, as keys joined by dots.
    pub path: String,
    /// What is wrong there and what to write instead.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys come from whoever wrote the file, so they are escaped.
        write!(f, "{}: ", text::shown(&self.path, MAX_SHOWN))?;
        // The sentences are ours, the values quoted in them are not.
        let lines = self.text.lines().map(|line| text::shown(line, MAX_SHOWN));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// How many characters of a path or line are shown: more than any sentence of ours with the longest names
/// that Kubernetes allows.
const MAX_SHOWN: usize = 2000;

/// The problems and warnings found while reading a file.
pub(super) struct Report {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// Whether an unknown key is a problem instead of a warning.
    strict: bool,
}

impl Report {
    pub(super) fn new(strict: bool) -> Self {
        Self { problems: Vec::new(), warnings: Vec::new(), strict }
    }

    /// Adds a problem. Always returns `None`, so that a reader can end with the call.
    pub(super) fn problem<T>(&mut self, path: &str, text: impl Into<String>) -> Option<T> {
        self.problems.push(Problem { path: path.to_owned(), text: text.into() });
        None
    }

    pub(super) fn warn(&mut self, path: &str, text: impl Into<String>) {
        self.warnings.push(Problem { path: path.to_owned(), text: text.into() });
    }
}

/// A mapping of a settings file, with its path.
#[derive(Clone)]
pub(super) struct Block<'v> {
    pub map: &'v Map<String, Value>,
    pub path: String,
}

impl<'v> Block<'v> {
    /// A mapping. An absent, null or empty value is `None`; a value of another type is `None` and a problem.
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

    /// The value of a key, unless it is null or empty.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| is_given(value))
    }

    pub(super) fn block(&self, key: &str, report: &mut Report) -> Option<Block<'v>> {
        Block::new(self.map.get(key)?, self.path_of(key), report)
    }

    /// A string. Numbers and booleans are problems: what YAML read may not be what was written (`1e3`, `no`).
    pub(super) fn string(&self, key: &str, report: &mut Report) -> Option<&'v str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            scalar @ (Value::Number(_) | Value::Bool(_)) => report
                .problem(&self.path_of(key), format!("must be a string, but it is {}; put it in quotes", kind(scalar))),
            other => report.problem(&self.path_of(key), format!("must be a string, but it is {}", kind(other))),
        }
    }

    /// A string whose value no message repeats.
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

    /// A string out of a list of names; any other is a problem that lists them.
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

    /// Reports unknown keys: as problems if the report is strict, else as warnings.
    pub(super) fn only(&self, known: &[&str], report: &mut Report) {
        if report.strict {
            return self.refuse_others(known, report);
        }
        for (key, text) in self.others(known) {
            report.warn(&self.path_of(key), text);
        }
    }

    /// Reports unknown keys as problems, whatever the report's strictness.
    pub(super) fn refuse_others(&self, known: &[&str], report: &mut Report) {
        for (key, text) in self.others(known) {
            report.problem::<()>(&self.path_of(key), text);
        }
    }

    fn others(&self, known: &[&str]) -> impl Iterator<Item = (&String, String)> {
        // In a later values file, null removes a key.
        let given = self.map.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key);
        given.filter(|key| !known.contains(&key.as_str())).map(|key| {
            let hint = nearest(key, known).map(did_you_mean).unwrap_or_default();
            (key, format!("unknown key; known here: {}{hint}", known.join(", ")))
        })
    }
}

/// Whether Helm's templates would treat a value as given: not null or empty. Unlike in Go templates, false
/// and 0 are.
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
