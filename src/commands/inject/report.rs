//! What standard error says about each object.

use crate::core::Outcome;
use crate::core::text::shown;
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
        /// Whether the pod was changed.
        changed: bool,
        /// Why it is refused, if it is.
        denied: Option<String>,
    },
    /// Left as it is: not a pod or workload, or `Some` reason why its pod can't be told.
    PassedThrough(Option<&'static str>),
    /// Can't be read, and left as it is.
    Unread,
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

    /// Whether a person should see the line without asking for every one.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.denied() || !self.warnings.is_empty() || self.treatment == Treatment::Empty
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
            Treatment::Unread => write!(f, "{}: left alone", self.place)?,
            Treatment::PassedThrough(reason) => {
                write!(f, "{}: {}: passed through", self.place, self.object)?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                }
            }
            Treatment::Decided { outcome, service, denied, .. } => {
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

/// No name in Kubernetes is longer.
const MAX_NAME: usize = 253;

fn printable(name: &str) -> String {
    shown(name, MAX_NAME)
}

/// What was done with all objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pods and pod templates that were changed.
    pub injected: usize,
    /// Those that carried all of it.
    pub right: usize,
    /// Everything else.
    pub left_alone: usize,
    /// Those that were refused; then nothing goes out.
    pub refused: usize,
    /// Whether any was a pod of a service that the settings name.
    pub matched: bool,
}

impl Summary {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut summary = Self::default();
        for line in lines {
            let count = match &line.treatment {
                Treatment::Empty => continue,
                Treatment::Decided { denied: Some(_), .. } => &mut summary.refused,
                Treatment::Decided { changed: true, .. } => &mut summary.injected,
                Treatment::Decided { outcome: Outcome::AlreadyRight, .. } => &mut summary.right,
                _ => &mut summary.left_alone,
            };
            *count += 1;
            summary.matched |= matches!(line.treatment, Treatment::Decided { service: Some(_), .. });
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { injected, right, left_alone, refused, matched } = self;
        write!(f, "{injected} injected, {right} right already, {left_alone} left alone")?;
        if *refused > 0 {
            write!(f, ", {refused} refused: nothing is written")?;
        }
        if !matched {
            f.write_str(": none is a pod of a service that gets a credential")?;
        }
        Ok(())
    }
}
