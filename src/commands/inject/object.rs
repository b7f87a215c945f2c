//! Finds the pods in an object, and injects into them.

use super::error::Unread;
use super::report::{Line, Place, Treatment, describe};
use super::workload::{is_workload_name, pod_pointer};
use super::{InjectError, Input};
use crate::core::{Decision, Injector, Pod, Service};
use serde_json::Value;

/// Whether an unreadable text may hold a pod of this service: it names one of the service's containers and
/// what its labels have to say.
fn may_hold(text: &str, service: &Service) -> bool {
    let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
    let is_word = |name: &str| {
        let mut found = text.match_indices(name);
        found.any(|(at, _)| is_end(text[..at].chars().next_back()) && is_end(text[at + name.len()..].chars().next()))
    };
    // A name of one word occurs by chance, so `containers` must occur, too.
    let has_containers = text.contains("containers");
    let mut names = service.containers.iter().chain(&service.or_containers);
    names.any(|name| (has_containers || name.contains('-')) && is_word(name))
        && service.selector.match_labels.iter().all(|(_, value)| is_word(value))
}

/// The prefix of the core's warnings, which is redundant here.
const OURS: &str = "argocd-auth-webhook: ";

/// Injects into objects one by one, and collects the report.
pub(super) struct Treater<'i> {
    injector: &'i Injector,
    pub report: Vec<Line>,
}

/// `apiVersion` and `kind`; empty if missing.
#[derive(Clone, Copy, Default)]
struct TypeMeta<'a> {
    api_version: &'a str,
    kind: &'a str,
}

impl<'i> Treater<'i> {
    pub fn new(injector: &'i Injector) -> Self {
        Self { injector, report: Vec::new() }
    }

    /// Reports a document that can't be read. It is passed through, since Kubernetes can't read it either,
    /// unless it may be a pod of a service, which must not be passed without its credential.
    pub fn unread(&mut self, input: &Input, document: usize, text: &str, why: Unread) -> Result<(), InjectError> {
        if matches!(why, Unread::Broken { .. }) && self.injector.services().any(|service| may_hold(text, service)) {
            return Err(why.into_error(input.shown_name(), document));
        }
        let place = Place { input: input.shown_name(), document, items: Vec::new() };
        let warnings = vec![format!("{why}; it is left as it is")];
        self.report.push(Line { place, object: String::new(), treatment: Treatment::Unread, warnings });
        Ok(())
    }

    /// Adds a warning about the last object.
    pub fn warn(&mut self, warning: String) {
        if let Some(line) = self.report.last_mut() {
            line.warnings.push(warning);
        }
    }

    /// Injects into an object, or into the items of a List. Returns whether anything was changed.
    pub fn object(&mut self, object: &mut Value, input: &Input, document: usize) -> Result<bool, InjectError> {
        let place = Place { input: input.shown_name(), document, items: Vec::new() };
        self.at(object, &place, TypeMeta::default())
    }

    fn at(&mut self, object: &mut Value, place: &Place, implied: TypeMeta<'_>) -> Result<bool, InjectError> {
        let text = |field| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        // The API server omits both fields in the items of a typed list.
        let own = TypeMeta { api_version: &api_version, kind: &kind };
        let TypeMeta { api_version, kind } = if api_version.is_empty() && kind.is_empty() { implied } else { own };
        if kind.ends_with("List") && object.get("items").is_some_and(Value::is_array) {
            return self.list(object, place, TypeMeta { api_version, kind });
        }
        let subject = describe(kind, object);
        let Some(pointer) = pod_pointer(api_version, kind) else {
            let reason = if !object.is_object() {
                Some("not an object")
            } else if kind.is_empty() {
                Some("no kind")
            } else if api_version.is_empty() && is_workload_name(kind) {
                Some("no apiVersion")
            } else {
                None
            };
            self.passed(place, subject, reason);
            return Ok(false);
        };
        let Some(pod) = object.pointer_mut(pointer).filter(|pod| pod.is_object()) else {
            self.passed(place, subject, Some("no pod template in it"));
            return Ok(false);
        };
        self.pod(pod, place, subject)
    }

    fn list(&mut self, list: &mut Value, place: &Place, of: TypeMeta<'_>) -> Result<bool, InjectError> {
        let kind = of.kind.strip_suffix("List").unwrap_or_default();
        let subject = describe(of.kind, list);
        let Some(items) = list.get_mut("items").and_then(Value::as_array_mut) else { return Ok(false) };
        if items.is_empty() {
            self.passed(place, subject, Some("no items"));
        }
        let implied = if kind.is_empty() { TypeMeta::default() } else { TypeMeta { kind, ..of } };
        let mut changed = false;
        for (index, item) in items.iter_mut().enumerate() {
            let mut place = place.clone();
            place.items.push(index + 1);
            changed |= self.at(item, &place, implied)?;
        }
        Ok(changed)
    }

    fn passed(&mut self, place: &Place, object: String, reason: Option<&'static str>) {
        let treatment = Treatment::PassedThrough(reason);
        self.report.push(Line { place: place.clone(), object, treatment, warnings: Vec::new() });
    }

    fn pod(&mut self, pod: &mut Value, place: &Place, subject: String) -> Result<bool, InjectError> {
        // None of these can happen to a value that was read from a document. If one does, the object must not
        // be printed half done.
        let fault = |reason: &str| InjectError::Fault { place: place.to_string(), reason: reason.to_owned() };
        let text = serde_json::to_string(pod).map_err(|_| fault("the pod can't be written as JSON"))?;
        let read = Pod::from_json(&text).map_err(|_| fault("the pod can't be read"))?;
        let Decision { outcome, service, patch, warnings, denied } = self.injector.decide(&read);
        let changed = patch.is_some();
        if let Some(patch) = patch {
            let patch: json_patch::Patch =
                serde_json::from_str(&patch).map_err(|_| fault("the patch can't be read"))?;
            json_patch::patch(pod, &patch).map_err(|_| fault("the patch doesn't apply"))?;
        }
        let service = service.map(|(_, service)| service.name.clone());
        let warnings = warnings.into_iter().map(|warning| match warning.strip_prefix(OURS) {
            Some(rest) => rest.to_owned(),
            None => warning,
        });
        let warnings = warnings.collect();
        let treatment = Treatment::Decided { outcome, service, changed, denied };
        self.report.push(Line { place: place.clone(), object: subject, treatment, warnings });
        Ok(changed)
    }
}
