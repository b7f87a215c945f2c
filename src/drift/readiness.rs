//! Whether a pod is ready, and if not, why.

use crate::time::Seconds;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};

/// How many characters of a message by kubelet or scheduler are kept.
const MAX_REASON: usize = 200;

/// The readiness of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether condition `Ready` is true.
    pub ready: bool,
    /// The last transition of that condition, in seconds since 1970; 0 for a pod that isn't ready.
    pub since: Seconds,
    /// What the scheduler or the kubelet says about a pod that isn't ready; `None` if they say nothing.
    pub says: Option<String>,
    /// Whether no container has ever started, and at least one can't be created yet: a Secret or volume may
    /// be missing.
    pub held_up: bool,
}

impl Readiness {
    /// Why the pod isn't ready, as a sentence.
    #[must_use]
    pub fn why(&self) -> String {
        let says = self.says.as_deref().unwrap_or("its kubelet doesn't say why");
        format!("it carries what the settings say, and isn't ready: {says}")
    }

    /// When the pod has been ready for `least` seconds (`minReadySeconds`); `None` if it isn't ready.
    #[must_use]
    pub const fn available_at(&self, least: Seconds) -> Option<Seconds> {
        if self.ready { Some(self.since.saturating_add(least)) } else { None }
    }

    /// Reads a pod's status.
    #[must_use]
    pub fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
        if let Some(ready) = condition("Ready").filter(|ready| ready.status == "True") {
            let time =
                |condition: &PodCondition| condition.last_transition_time.as_ref().map(|time| time.0.as_second());
            return Self { ready: true, since: time(ready).unwrap_or_default(), ..Self::default() };
        }
        let containers: Vec<ContainerStatus> =
            [status.init_container_statuses, status.container_statuses].into_iter().flatten().flatten().collect();
        let scheduled = condition("PodScheduled").filter(|scheduled| scheduled.status == "False");
        let says = scheduled.and_then(|scheduled| words(scheduled.reason.as_deref(), scheduled.message.as_deref()));
        // A container that only waits for another says least.
        let by_container = || containers.iter().filter_map(of_container).min_by_key(|(vague, _)| *vague);
        let says = says.or_else(|| by_container().map(|(_, text)| text));
        Self { says, held_up: is_held_up(&containers), ..Self::default() }
    }
}

fn is_held_up(containers: &[ContainerStatus]) -> bool {
    let never = |status: &ContainerStatus| {
        let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
        let ran = status.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
        waiting.is_some() && !ran && status.restart_count == 0
    };
    let held = |status: &ContainerStatus| {
        let waiting = status.state.as_ref().and_then(|state| state.waiting.as_ref());
        let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
        matches!(reason, Some("CreateContainerConfigError" | "CreateContainerError" | "ContainerCreating"))
    };
    !containers.is_empty() && containers.iter().all(never) && containers.iter().any(held)
}

/// What the kubelet says about one container, and whether that is vague.
fn of_container(status: &ContainerStatus) -> Option<(bool, String)> {
    let state = status.state.as_ref()?;
    let named = |text: String| format!("container {}: {text}", status.name);
    if let Some(waiting) = &state.waiting {
        let vague = matches!(waiting.reason.as_deref(), Some("PodInitializing" | "ContainerCreating") | None);
        return Some((vague, named(words(waiting.reason.as_deref(), waiting.message.as_deref())?)));
    }
    if let Some(ended) = state.terminated.as_ref().filter(|ended| ended.exit_code != 0) {
        return Some((false, named(format!("ended with code {}", ended.exit_code))));
    }
    (state.running.is_some() && !status.ready).then(|| (true, named("runs and isn't ready".to_owned())))
}

fn words(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = [reason, message].into_iter().flatten().filter(|text| !text.is_empty()).collect();
    if parts.is_empty() {
        return None;
    }
    let text = parts.join(": ").replace(|c: char| c.is_control(), " ");
    let mut cut: String = text.chars().take(MAX_REASON).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(status: &Value) -> Readiness {
        Readiness::of(&serde_json::from_value(json!({ "status": status })).unwrap())
    }

    fn waits(reason: &str, message: &str) -> Value {
        json!({ "containerStatuses": [{
            "name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": reason, "message": message } },
        }] })
    }

    #[test]
    fn a_ready_pod_has_a_time_and_says_nothing() {
        let ready = json!({ "conditions": [
            { "type": "Ready", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z" }] });
        assert_eq!(of(&ready), Readiness { ready: true, since: 1_800_000_000, ..Readiness::default() });
    }

    #[test]
    fn a_pod_that_is_held_up_by_what_it_needs_is_told_from_one_that_fails() {
        let held = of(&waits("CreateContainerConfigError", "secret \"mine\" not\nfound"));
        assert_eq!(held.says.as_deref(), Some("container app: CreateContainerConfigError: secret \"mine\" not found"));
        assert!(held.held_up && of(&waits("ContainerCreating", "")).held_up);
        assert!(!of(&waits("ImagePullBackOff", "")).held_up);
        let mut crashes = waits("CrashLoopBackOff", "back-off");
        assert!(!of(&crashes).held_up);
        crashes["containerStatuses"][0]["restartCount"] = 3.into();
        crashes["containerStatuses"][0]["state"]["waiting"]["reason"] = "CreateContainerConfigError".into();
        assert!(!of(&crashes).held_up, "it ran");
        assert_eq!(of(&json!({})), Readiness::default());
    }

    #[test]
    fn the_scheduler_comes_first_and_the_container_that_says_most() {
        let pending = json!({ "conditions": [
            { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" }] });
        assert_eq!(of(&pending).says.as_deref(), Some("Unschedulable: 0/1 nodes"));
        let mut two = waits("PodInitializing", "");
        two["initContainerStatuses"] = waits("ImagePullBackOff", "x")["containerStatuses"].clone();
        two["initContainerStatuses"][0]["name"] = "first".into();
        assert_eq!(of(&two).says.as_deref(), Some("container first: ImagePullBackOff: x"));
        let long = of(&waits("Failed", &"x".repeat(5000))).says.unwrap();
        assert!(long.chars().count() < 230, "{}", long.len());
    }
}
