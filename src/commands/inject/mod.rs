//! The command `inject`: injects credentials into manifests, without a cluster.
//!
//! Manifests pass [`Input`] → `split` (YAML) or `json` → `object`, which finds the pods and asks the core →
//! `write`. Pods and the pod templates of workloads are changed; everything else is passed through, byte for
//! byte if the format stays the same. A YAML document that is changed is written anew: comments before its
//! first and after its last line and the order of its keys stay; comments inside it, anchors and quoting are
//! lost.
//!
//! A document that can't be read is passed through with a warning, unless it may be a pod of a service.

mod emit;
mod error;
mod input;
mod json;
mod object;
mod report;
mod split;
mod tree;
mod workload;
mod write;
mod yaml;

pub use error::{InjectError, Position};
pub use input::Input;
pub use report::{Line, Place, Summary, Treatment};

use crate::core::Injector;
use object::Treater;
use write::{Layout, Writer};

/// The format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A stream of YAML documents.
    Yaml,
    /// JSON objects, one after another.
    Json,
}

/// The result of the command.
#[derive(Debug)]
pub struct Injected {
    /// The manifests for standard output; empty if an object was refused.
    pub manifests: String,
    /// One line per object, in order, for standard error.
    pub report: Vec<Line>,
}

impl Injected {
    /// The number of objects by what was done to them.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.report)
    }

    /// Whether an object was refused (`onConflict: deny`).
    #[must_use]
    pub fn denied(&self) -> bool {
        self.report.iter().any(Line::denied)
    }
}

/// Injects into the manifests of all inputs. Without `output`, each input keeps its format.
///
/// # Errors
/// An input isn't text or can't be split into documents, or a document that may be a pod of a service can't
/// be read. Then there is no output.
pub fn run(injector: &Injector, inputs: &[Input], output: Option<Format>) -> Result<Injected, InjectError> {
    let parsed = inputs.iter().map(|input| Source::of(input, input.text()?)).collect::<Result<Vec<_>, _>>()?;
    let formats = parsed.iter().map(|source| output.unwrap_or(source.format()));
    // JSON among YAML can be told apart only as documents of one YAML stream.
    let layout = if formats.clone().all(|format| format == Format::Json) { Layout::Json } else { Layout::Yaml };
    let formats: Vec<_> = formats.collect();
    let mut treater = Treater::new(injector);
    let mut writer = Writer::new(layout);
    for ((input, source), format) in inputs.iter().zip(parsed).zip(formats) {
        let before = treater.report.len();
        writer.next_input();
        match source {
            Source::Json(documents) => json::treat(input, documents, format, &mut treater, &mut writer)?,
            Source::Yaml(text) => yaml::treat(input, text, format, &mut treater, &mut writer)?,
        }
        if treater.report.len() == before {
            treater.report.push(Line::empty(&input.shown_name()));
        }
    }
    let mut injected = Injected { manifests: writer.finish(), report: treater.report };
    if injected.denied() {
        injected.manifests.clear();
    }
    Ok(injected)
}

/// An input, read as far as its format requires.
enum Source<'a> {
    Json(Vec<json::Document<'a>>),
    Yaml(&'a str),
}

impl<'a> Source<'a> {
    fn of(input: &Input, text: &'a str) -> Result<Self, InjectError> {
        let begin = text.trim_start();
        // An action of a template isn't JSON.
        if !begin.starts_with('{') || begin.starts_with("{{") {
            return Ok(Self::Yaml(text));
        }
        match json::documents(input, text) {
            Ok(documents) => Ok(Self::Json(documents)),
            // YAML flow mappings and JSON documents between markers begin with a brace, too. Anything else
            // was meant as JSON.
            Err(error) if yaml::is_stream(text) => {
                drop(error);
                Ok(Self::Yaml(text))
            }
            Err(error) => Err(error),
        }
    }

    fn format(&self) -> Format {
        match self {
            Self::Json(_) => Format::Json,
            Self::Yaml(_) => Format::Yaml,
        }
    }
}
