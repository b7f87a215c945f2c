//! From a pod to the decision about it: patch, warnings or refusal.

use super::container::Plan;
use super::injection::{Injection, VOLUME_NAME, WantedVolume};
use super::lenient::{List, Shape};
use super::patch::Patch;
use super::pod::{Container, Pod, Spec};
use super::text::shown;
use super::volume::VolumeState;
use super::{Auth, INJECT, MIRROR, OnConflict, Outcome, Reads, STATUS, Service};
use serde_json::json;

/// Which program changes the pod; written into the pod's status annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The admission webhook.
    Webhook,
    /// The `inject` command.
    Inject,
}

impl Engine {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Inject => "inject",
        }
    }
}

/// Decides about pods. Built once from the settings; deciding takes no lock.
#[derive(Clone, Debug)]
pub struct Injector {
    auth: Auth,
    services: Vec<(Service, Injection)>,
    on_conflict: OnConflict,
    engine: Engine,
}

/// What is to be done with one pod, and why.
#[derive(Debug)]
pub struct Decision<'i> {
    /// How the review ended, as logs and metrics name it.
    pub outcome: Outcome,
    /// The service that the pod belongs to, with its index in [`Injector::services`]; `None` if no selector
    /// matches.
    pub service: Option<(usize, &'i Service)>,
    /// An RFC 6902 patch as JSON text; `None` where nothing changes.
    pub patch: Option<String>,
    /// Admission warnings for whoever creates the pod; only what they can act on.
    pub warnings: Vec<String>,
    /// The message of the refusal; `None` where the pod is admitted.
    pub denied: Option<String>,
}

impl Decision<'_> {
    pub(crate) fn unchanged(outcome: Outcome) -> Self {
        Self { outcome, service: None, patch: None, warnings: Vec::new(), denied: None }
    }
}

/// A container that gets the credential, with its list (`containers` or `initContainers`) and index there.
pub(super) struct Target<'p> {
    list: &'static str,
    index: usize,
    name: &'p str,
    pub container: &'p Container<'p>,
}

/// What of the user's own in a container stands where ours belongs.
struct Conflict<'p> {
    container: &'p str,
    what: Vec<&'static str>,
    /// Whether the container gets no credential because of it.
    without: bool,
}

const VOLUME_CONFLICT: &str = "volume argocd-auth";
const MOUNT_CONFLICT: &str = "mount at /var/run/secrets/argocd-auth";

impl Injector {
    /// Builds an injector. Of services whose selectors overlap, the first in the list counts.
    #[must_use]
    pub fn new(auth: Auth, services: Vec<(Service, Injection)>, on_conflict: OnConflict, engine: Engine) -> Self {
        Self { auth, services, on_conflict, engine }
    }

    /// The services in the order in which their selectors are tried.
    #[must_use]
    pub fn services(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.services.iter().map(|(service, _)| service)
    }

    /// The services with what each of their pods must carry.
    pub fn injections(&self) -> impl Iterator<Item = (&Service, &Injection)> {
        self.services.iter().map(|(service, injection)| (service, injection))
    }

    /// The first service whose selector matches the pod, and what its pods must carry.
    pub(super) fn service_of(&self, pod: &Pod<'_>) -> Option<(&Service, &Injection)> {
        let labels = &pod.metadata.value.labels.entries;
        self.injections().find(|(service, _)| service.selector.matches(labels))
    }

    /// Decides about one pod. Pure: the same pod and settings give the same decision.
    #[must_use]
    pub fn decide(&self, pod: &Pod<'_>) -> Decision<'_> {
        let metadata = &pod.metadata.value;
        let mut services = self.services.iter().enumerate();
        let selected = services.find(|(_, (service, _))| service.selector.matches(&metadata.labels.entries));
        let Some((place, (service, injection))) = selected else {
            return Decision::unchanged(Outcome::NotSelected);
        };
        let decided = if metadata.annotations.get(MIRROR).is_some() {
            Decision::unchanged(Outcome::MirrorPod)
        } else if [&metadata.labels, &metadata.annotations].iter().any(|map| map.get(INJECT) == Some("false")) {
            Decision::unchanged(Outcome::OptedOut)
        } else {
            self.inject(pod, service, injection)
        };
        Decision { service: Some((place, service)), ..decided }
    }

    fn inject(&self, pod: &Pod<'_>, service: &Service, injection: &Injection) -> Decision<'_> {
        let spec = &pod.spec.value;
        let targets = targets(spec, service);
        let can_change = |target: &Target<'_>| {
            let container = target.container;
            let odd_volumes = spec.volumes.shape == Shape::Odd || container.volume_mounts.shape == Shape::Odd;
            container.env.shape != Shape::Odd && !(injection.volume.is_some() && odd_volumes)
        };
        if targets.is_empty() || !targets.iter().all(can_change) {
            let warnings = vec![not_found(spec, service, !targets.is_empty())];
            return Decision { warnings, ..Decision::unchanged(Outcome::ContainerNotFound) };
        }

        let mut patch = Patch::default();
        let mut conflicts = Vec::new();
        let volume = VolumeState::of(&spec.volumes, injection.volume.as_ref(), &self.auth);
        let others = if injection.volume.is_some() && volume != VolumeState::Right {
            mounted_elsewhere(spec, &targets)
        } else {
            Vec::new()
        };
        let mut volume_needed = false;
        for target in &targets {
            let Target { list, index, name, container } = *target;
            let env = &container.env;
            let plan = Plan::new(env, injection, &self.auth, self.on_conflict);
            let mut what = Vec::new();
            // Where the user's own variables name the paths, nothing would read our files.
            let wanted = injection.volume.as_ref().filter(|_| !plan.keeps_files_of_user(injection));
            if let Some(wanted) = wanted {
                what = self.mount(target, volume, !others.is_empty(), wanted, &mut patch);
                if !what.is_empty() && self.on_conflict != OnConflict::Replace {
                    // Without the file a variable with its path would mislead, so none is added.
                    plan.of_the_other_mode().write(env, format_args!("/spec/{list}/{index}/env"), &mut patch);
                    conflicts.push(Conflict { container: name, what, without: true });
                    continue;
                }
                volume_needed = true;
            }
            plan.write(env, format_args!("/spec/{list}/{index}/env"), &mut patch);
            what.extend(plan.conflicts);
            if !what.is_empty() {
                conflicts.push(Conflict { container: name, what, without: false });
            }
        }
        match &injection.volume {
            Some(wanted) if volume_needed => {
                // A mount made for something else must not bring the credential into another container.
                for (list, index, mount) in others.iter().rev() {
                    patch.remove(format_args!("/spec/{list}/{index}/volumeMounts/{mount}"));
                }
                put_volume(spec, volume, wanted, &mut patch);
            }
            None if injection.reads == Reads::Credential => drop_stale_volume(spec, &targets, volume, &mut patch),
            _ => {}
        }
        self.conclude(pod, service, patch, &conflicts)
    }

    /// Mounts the volume into one container. Returns the user's mount that is in the way, if any; then
    /// nothing changes unless the settings say that it is replaced.
    fn mount(
        &self,
        target: &Target<'_>,
        volume: VolumeState,
        mounted_elsewhere: bool,
        wanted: &WantedVolume,
        patch: &mut Patch,
    ) -> Vec<&'static str> {
        let Target { list, index, container, .. } = *target;
        let mounts = &container.volume_mounts;
        let there = mounts.iter().find(|(_, mount)| mount.at_our_path());
        let below: Vec<usize> =
            mounts.iter().filter(|(_, mount)| mount.below_our_path()).map(|(place, _)| place).collect();
        let mut what = Vec::new();
        if matches!(volume, VolumeState::Users(_)) || mounted_elsewhere {
            what.push(VOLUME_CONFLICT);
        }
        if there.is_some_and(|(_, mount)| !mount.is_ours()) || !below.is_empty() {
            what.push(MOUNT_CONFLICT);
        }
        if !what.is_empty() && self.on_conflict != OnConflict::Replace {
            return what;
        }
        let at = format_args!("/spec/{list}/{index}/volumeMounts");
        let mount = &wanted.mount_json;
        match there {
            Some((_, mount)) if mount.is_ours() => {}
            Some((place, _)) => patch.replace(format_args!("{at}/{place}"), mount),
            None if mounts.shape == Shape::Missing => patch.add(at, &format!("[{mount}]")),
            None => patch.add(format_args!("{at}/-"), mount),
        }
        for place in below.iter().rev() {
            patch.remove(format_args!("{at}/{place}"));
        }
        what
    }

    fn conclude(&self, pod: &Pod<'_>, service: &Service, mut patch: Patch, conflicts: &[Conflict<'_>]) -> Decision<'_> {
        let outcome = match (conflicts.is_empty(), self.on_conflict) {
            (true, _) if patch.is_empty() => Outcome::AlreadyRight,
            (true, _) => Outcome::Injected,
            (false, OnConflict::Keep) => Outcome::ConflictKept,
            (false, OnConflict::Replace) => Outcome::ConflictReplaced,
            (false, OnConflict::Deny) => {
                let denied = Some(refusal(service, conflicts));
                return Decision { denied, ..Decision::unchanged(Outcome::ConflictDenied) };
            }
        };
        if !patch.is_empty() {
            let status = json!({ "v": 1, "outcome": outcome.as_str(), "engine": self.engine.as_str() }).to_string();
            match pod.metadata.value.annotations.shape {
                Shape::Missing => {
                    patch.add(format_args!("/metadata/annotations"), &json!({ STATUS: status }).to_string());
                }
                Shape::Expected => {
                    patch.add(
                        format_args!("/metadata/annotations/{}", STATUS.replace('/', "~1")),
                        &json!(status).to_string(),
                    );
                }
                Shape::Odd => {}
            }
        }
        let kept = outcome == Outcome::ConflictKept;
        let warnings = conflicts.iter().map(|Conflict { container, what, without }| {
            let what = what.join(", ");
            if *without {
                format!("argocd-auth-webhook: {container} keeps its own {what} and got no credential (onConflict: keep)")
            } else if kept {
                format!("argocd-auth-webhook: {container} keeps its own {what}; the settings say otherwise (onConflict: keep)")
            } else {
                format!("argocd-auth-webhook: {container}: its own {what} gave way to the settings (onConflict: replace)")
            }
        });
        Decision { patch: patch.finish(), warnings: warnings.collect(), ..Decision::unchanged(outcome) }
    }
}

fn lists<'p>(spec: &'p Spec<'p>) -> [(&'static str, &'p List<Container<'p>>); 2] {
    [("containers", &spec.containers), ("initContainers", &spec.init_containers)]
}

pub(super) fn targets<'p>(spec: &'p Spec<'p>, service: &Service) -> Vec<Target<'p>> {
    let targets = named(spec, &service.containers);
    if targets.is_empty() { named(spec, &service.or_containers) } else { targets }
}

fn named<'p>(spec: &'p Spec<'p>, names: &[String]) -> Vec<Target<'p>> {
    let mut targets = Vec::new();
    for (list, containers) in lists(spec) {
        for (index, container) in containers.iter() {
            if let Some(name) = container.name.get().filter(|name| names.iter().any(|wanted| wanted == name)) {
                targets.push(Target { list, index, name, container });
            }
        }
    }
    targets
}

/// Mounts of a volume with our name in containers that get no credential: list, container index, mount index.
fn mounted_elsewhere(spec: &Spec<'_>, targets: &[Target<'_>]) -> Vec<(&'static str, usize, usize)> {
    let mut found = Vec::new();
    for (list, containers) in lists(spec) {
        for (index, container) in containers.iter() {
            if !targets.iter().any(|target| (target.list, target.index) == (list, index)) {
                let ours = container.volume_mounts.iter().filter(|(_, mount)| mount.name.is(VOLUME_NAME));
                found.extend(ours.map(|(mount, _)| (list, index, mount)));
            }
        }
    }
    found
}

fn put_volume(spec: &Spec<'_>, volume: VolumeState, wanted: &WantedVolume, patch: &mut Patch) {
    match volume {
        VolumeState::Right => {}
        VolumeState::Stale(index) | VolumeState::Users(index) => {
            patch.replace(format_args!("/spec/volumes/{index}"), &wanted.json);
        }
        VolumeState::Absent if spec.volumes.shape == Shape::Missing => {
            patch.add(format_args!("/spec/volumes"), &format!("[{}]", wanted.json));
        }
        VolumeState::Absent => patch.add(format_args!("/spec/volumes/-"), &wanted.json),
    }
}

/// Removes a volume of ours that the settings no longer ask for: its Secret may be gone, and the pod would
/// wait for it forever. It stays while another container mounts it.
fn drop_stale_volume(spec: &Spec<'_>, targets: &[Target<'_>], volume: VolumeState, patch: &mut Patch) {
    let VolumeState::Stale(place) = volume else { return };
    let mut removed = 0;
    for Target { list, index, container, .. } in targets {
        for (mount, _) in container.volume_mounts.iter().rev().filter(|(_, mount)| mount.is_ours()) {
            patch.remove(format_args!("/spec/{list}/{index}/volumeMounts/{mount}"));
            removed += 1;
        }
    }
    let all = lists(spec).into_iter().flat_map(|(_, list)| list.iter()).map(|(_, container)| &container.volume_mounts);
    let used = all.flat_map(List::iter).filter(|(_, mount)| mount.name.is(VOLUME_NAME)).count();
    if used == removed {
        patch.remove(format_args!("/spec/volumes/{place}"));
    }
}

/// The longest name of a container, in characters (RFC 1123 label).
const MAX_NAME: usize = 63;

/// The warning for a pod without the expected container: what was looked for and what the pod has.
fn not_found(spec: &Spec<'_>, service: &Service, unreadable: bool) -> String {
    let wanted = [service.containers.as_slice(), service.or_containers.as_slice()].concat().join(" or ");
    if unreadable {
        return shorten(format!(
            "argocd-auth-webhook: {}: {wanted}: env or volumes are not lists; nothing was injected",
            service.name
        ));
    }
    let mut names: Vec<String> = lists(spec)
        .into_iter()
        .flat_map(|(_, list)| list.iter())
        .filter_map(|(_, container)| container.name.get())
        .map(|name| shown(name, MAX_NAME))
        .collect();
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shorten(format!(
        "argocd-auth-webhook: {}: no container {wanted} in the pod (it has: {there}{more}); nothing was injected",
        service.name
    ))
}

fn refusal(service: &Service, conflicts: &[Conflict<'_>]) -> String {
    let each =
        conflicts.iter().map(|Conflict { container, what, .. }| format!("{container} has its own {}", what.join(", ")));
    format!(
        "{}: {}, and onConflict is deny: remove it there, or label the pod {INJECT}: \"false\" to do without injection",
        service.name,
        each.collect::<Vec<_>>().join("; ")
    )
}

/// Cuts a warning. The API server cuts each at 256 characters where there are many.
fn shorten(mut text: String) -> String {
    const MAX_WARNING: usize = 250;
    if text.chars().count() > MAX_WARNING {
        text = text.chars().take(MAX_WARNING - 1).collect();
        text.push('…');
    }
    text
}
