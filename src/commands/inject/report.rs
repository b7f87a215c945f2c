//! What standard error says about each object.

use crate::core::Outcome;
use serde_json::Value;
use std::fmt;

/// Where an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The input's name.
    pub input: String,
    /// Which of its documents, from 1.
    pub document: usize,
    /// In a List: which item, from 1; in a List of Lists one number for each.
    pub items: Vec<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: document {}", self.input, self.document)?;
        for (depth, item) in self.items.iter().enumerate() {
            write!(f, "{}{item}", if depth == 0 { ", item " } else { "." })?;
        }
        Ok(())
    }
}

/// What was done with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// A pod or pod template, about which the core decided.
    Decided {
        /// How it ended.
        outcome: Outcome,
        /// The service that it is a pod of.
        service: Option<String>,
        /// Why it is refused, if it is.
        denied: Option<String>,
    },
    /// Left as it is: not a pod or workload, or `Some` reason why its pod can't be told.
    PassedThrough(Option<&'static str>),
    /// The input holds no object at all.
    Empty,
}

/// One object of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands; for [`Treatment::Empty`] only the input counts.
    pub place: Place,
    /// Kind, namespace and name, as far as the object has them.
    pub object: String,
    /// What was done.
    pub treatment: Treatment,
    /// What a person can act on.
    pub warnings: Vec<String>,
}

impl Line {
    pub(super) fn empty(input: &str) -> Self {
        let place = Place { input: input.to_owned(), document: 0, items: Vec::new() };
        Self { place, object: String::new(), treatment: Treatment::Empty, warnings: Vec::new() }
    }

    /// Whether the object was refused.
    #[must_use]
    pub fn denied(&self) -> bool {
        matches!(self.treatment, Treatment::Decided { denied: Some(_), .. })
    }
}

impl fmt::Display for Line {
    /// One line, and an indented one for each warning and for a refusal's reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.treatment {
            Treatment::Empty => return write!(f, "{}: empty: no object in it", self.place.input),
            Treatment::PassedThrough(reason) => {
                write!(f, "{}: {}: passed through", self.place, self.object)?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                }
            }
            Treatment::Decided { outcome, service, denied } => {
                write!(f, "{}: {}: {outcome}", self.place, self.object)?;
                if let Some(service) = service {
                    write!(f, " (service {service})")?;
                }
                if let Some(reason) = denied {
                    write!(f, "\n  denied: {reason}")?;
                }
            }
        }
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}

/// Kind, namespace and name of an object, for people.
pub(super) fn describe(kind: &str, object: &Value) -> String {
    let metadata = |field| {
        object
            .get("metadata")
            .and_then(|metadata| metadata.get(field))
            .and_then(Value::as_str)
            .filter(|s| !s.is_empty())
    };
    let name = match (metadata("name"), metadata("generateName")) {
        (Some(name), _) => printable(name),
        (None, Some(prefix)) => format!("{}*", printable(prefix)),
        (None, None) => "(no name)".to_owned(),
    };
    let kind = if kind.is_empty() { "object without kind".to_owned() } else { printable(kind) };
    match metadata("namespace") {
        Some(namespace) => format!("{kind} {}/{name}", printable(namespace)),
        None => format!("{kind} {name}"),
    }
}

/// A manifest's text must not move the cursor of the terminal that shows it, nor fill its screen.
fn printable(text: &str) -> String {
    const MOST: usize = 253; // No name in Kubernetes is longer.
    let mut shown: String = text.chars().take(MOST).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    if text.chars().count() > MOST {
        shown.push('…');
    }
    shown
}
