//! The report on each object, for standard error.

use crate::core::Outcome;
use crate::core::text::shown;
use serde_json::Value;
use std::fmt;

/// The place of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The input's name.
    pub input: String,
    /// The document's number in the input, from 1.
    pub document: usize,
    /// The item's number in a List, from 1; one number per level in nested Lists.
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

/// What was done to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// A pod or pod template that the core decided about.
    Decided {
        /// The outcome.
        outcome: Outcome,
        /// The name of the service that the pod belongs to, if it does.
        service: Option<String>,
        /// Whether the pod was changed.
        changed: bool,
        /// Why the pod is refused, if it is.
        denied: Option<String>,
    },
    /// Passed through: neither a pod nor a workload, or (`Some`) why its pod can't be determined.
    PassedThrough(Option<&'static str>),
    /// Passed through, because it can't be read.
    Unread,
    /// The input has no object.
    Empty,
}

/// The report on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The object's place; for [`Treatment::Empty`] only the input's name matters.
    pub place: Place,
    /// Kind, namespace and name, as far as the object has them.
    pub object: String,
    /// What was done to the object.
    pub treatment: Treatment,
    /// Warnings that a person can act on.
    pub warnings: Vec<String>,
}

impl Line {
    pub(super) fn empty(input: &str) -> Self {
        let place = Place { input: input.to_owned(), document: 0, items: Vec::new() };
        Self { place, object: String::new(), treatment: Treatment::Empty, warnings: Vec::new() }
    }

    /// Whether the line is shown without `--verbose`.
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
    /// One line, followed by an indented line for each warning and for the reason of a refusal.
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

/// Kind, namespace and name of an object, made safe to show.
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

/// How many characters of a name are shown: the longest object name of Kubernetes.
const MAX_NAME: usize = 253;

fn printable(name: &str) -> String {
    shown(name, MAX_NAME)
}

/// The number of objects by what was done to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pods and pod templates that were changed.
    pub injected: usize,
    /// Pods and pod templates that carried everything already.
    pub right: usize,
    /// All other objects.
    pub left_alone: usize,
    /// Refused pods and pod templates; with any of them there is no output.
    pub refused: usize,
    /// Whether any pod belongs to a service of the settings.
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
