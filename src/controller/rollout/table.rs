//! Cases of the plan: a snapshot, and what is done about it.

mod bounds;
mod stale;

use super::action::{Action, NextStep, Plan};
use super::plan::plan;
use super::record::RolloutRecord;
use super::snapshot::{Found, Kind, PodView, RolloutProgress, Snapshot, Workload, WorkloadId};
use super::status::says as says_of;
use crate::controller::health::Doubt;
use crate::core::Outcome;
use crate::drift::{Drift, Held, History, Holder, Key, Need, Owner, PodFacts, PodVerdict, Readiness, judge};
use crate::time::Seconds;
use std::collections::BTreeSet;

const NOW: Seconds = 1_800_000_000;
const CACHE: Seconds = 60;

pub(super) fn id(kind: Kind) -> WorkloadId {
    WorkloadId { kind, name: "proxy".to_owned() }
}

fn workload(desired: usize) -> Workload {
    Workload {
        desired,
        min_ready: 0,
        progress: RolloutProgress::Done,
        whole: true,
        paused: false,
        opted_out: false,
        refused: None,
        restarted: None,
        revision: None,
        rolls: true,
    }
}

fn key() -> Key {
    Key::new("password", "password")
}

/// A pod that is in step and ready.
pub(super) fn pod(name: &str) -> PodView {
    let facts = PodFacts {
        name: name.to_owned(),
        uid: format!("{:012x}", name.bytes().fold(7_u64, |sum, byte| sum * 31 + u64::from(byte)) % (1 << 40)),
        created: NOW - 1000,
        owner: Some(Owner { kind: "ReplicaSet".to_owned(), name: "proxy-1".to_owned() }),
        revision: Some("1".to_owned()),
        service: "app-proxy".to_owned(),
        outcome: Outcome::AlreadyRight,
        changed: false,
        carries: true,
        held: vec![Held { key: key(), started: NOW - 1000, optional: false }],
        readiness: Readiness { ready: true, since: NOW - 990, ..Readiness::default() },
        needs: BTreeSet::new(),
        terminating: false,
        completed: false,
    };
    PodView { facts, verdict: PodVerdict::InStep, workload: Some(id(Kind::Deployment)) }
}

pub(super) fn missed(name: &str) -> PodView {
    let mut pod = pod(name);
    (pod.facts.outcome, pod.facts.changed, pod.facts.carries) = (Outcome::Injected, true, false);
    pod.facts.held.clear();
    pod
}

pub(super) fn unready(mut pod: PodView) -> PodView {
    pod.facts.readiness.ready = false;
    pod
}

/// A Deployment with these pods; the webhook was shown to inject.
pub(super) fn scene(pods: Vec<PodView>) -> Snapshot {
    let mut history = History::default();
    history.note(&key(), Some("a".to_owned()), None, NOW - 5000);
    let workloads = [(id(Kind::Deployment), Found::There(workload(pods.len())))];
    let mut seen = Snapshot {
        workloads: workloads.into_iter().collect(),
        pods,
        proofs: [("app-proxy".to_owned(), Ok(()))].into_iter().collect(),
        history,
        settings: "s1".to_owned(),
        cache: CACHE,
        ..Snapshot::default()
    };
    judged(&mut seen);
    seen
}

fn judged(seen: &mut Snapshot) {
    for pod in &mut seen.pods {
        pod.verdict = judge(&pod.facts, &seen.history, false, seen.cache);
    }
}

/// The same after the Secret's value changed, this many seconds ago.
pub(super) fn changed(mut seen: Snapshot, ago: Seconds) -> Snapshot {
    seen.history.note(&key(), Some("b".to_owned()), None, NOW - ago);
    judged(&mut seen);
    seen
}

fn with(mut seen: Snapshot, change: impl Fn(&mut Workload)) -> Snapshot {
    for found in seen.workloads.values_mut() {
        if let Found::There(workload) = found {
            change(workload);
        }
    }
    seen
}

/// The plan in one line: the change, or why there is none.
fn says(plan: &Plan) -> String {
    match &plan.next {
        NextStep::Execute(Action::Replace { pod, how, drift, .. }, _) => {
            format!("{how:?} {pod} {}", drift.map_or("stuck", Drift::as_str))
        }
        NextStep::Execute(Action::Restart { workload, .. }, _) => format!("restart {workload}"),
        NextStep::Execute(Action::Remember, _) => "remember".to_owned(),
        NextStep::ProbeWebhook(services) => format!("prove {services:?}"),
        NextStep::WaitUntil(_) => plan.waiting.values().map(|why| why.reason).collect::<Vec<_>>().join(", "),
    }
}

/// The plan after completed changes were recorded.
fn planned(seen: &Snapshot, now: Seconds) -> Plan {
    match seen.noted(now) {
        Some(record) => plan(&Snapshot { record, ..seen.clone() }, now),
        None => plan(seen, now),
    }
}

fn said(seen: &Snapshot) -> String {
    says(&planned(seen, NOW))
}

/// The record as the plan writes it.
fn done(seen: &Snapshot, now: Seconds) -> RolloutRecord {
    match planned(seen, now).next {
        NextStep::Execute(_, record) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_done_where_everything_is_in_step() {
    assert_eq!(said(&scene(vec![pod("a"), unready(pod("b"))])), "");
}

#[test]
fn a_pod_that_is_not_ready_is_not_called_in_step() {
    let need = Need { holder: Holder::Secret, name: "mine".to_owned(), key: Some("token".to_owned()) };
    let mut seen = scene(vec![pod("a"), unready(pod("b"))]);
    seen.pods[1].facts.readiness.says = Some("container app: ContainerCreating".to_owned());
    seen.pods[1].facts.needs = BTreeSet::from([need.clone()]);
    seen.absent = BTreeSet::from([need]);
    let said = says_of(&seen, &std::collections::BTreeMap::new());
    assert_eq!(said["counts"], serde_json::json!({ "in_step": 1, "not_ready": 1 }));
    assert_eq!(said["pods"][0]["verdict"], "not_ready");
    insta::assert_snapshot!(said["pods"][0]["reason"].as_str().unwrap(), @"it carries what the settings say, and isn't ready: container app: ContainerCreating; there is no key token of Secret mine");
    let id = id(Kind::Deployment);
    assert!(!seen.is_complete(&id, NOW));
    seen.pods[1].facts.readiness = Readiness { ready: true, since: NOW, ..Readiness::default() };
    assert!(seen.is_complete(&id, NOW));
    assert!(!with(seen, |workload| workload.min_ready = 1).is_complete(&id, NOW));
}

#[test]
fn a_missed_pod_is_evicted_when_ready_and_deleted_when_not() {
    assert_eq!(said(&scene(vec![missed("a"), pod("b")])), "Evict a missed");
    assert_eq!(said(&scene(vec![unready(missed("a")), pod("b")])), "Delete a missed");
    assert_eq!(
        said(&scene(vec![missed("a"), unready(missed("b"))])),
        "Delete b missed",
        "who serves nobody goes first"
    );
}

#[test]
fn the_first_new_pod_shows_that_api_servers_reach_the_webhook_before_another_workload_is_touched() {
    let other = id(Kind::StatefulSet);
    let of_other = |mut pod: PodView| {
        pod.workload = Some(other.clone());
        pod
    };
    let mut seen = scene(vec![missed("a")]);
    seen.workloads.insert(other.clone(), Found::There(workload(1)));
    seen.pods.push(of_other(missed("b")));
    assert_eq!(said(&seen), "Evict a missed");
    seen.record = done(&seen, NOW);
    // The process was killed before the change: it plans the same again.
    assert_eq!(said(&seen), "Evict a missed");
    seen.pods[0].facts.terminating = true;
    judged(&mut seen);
    assert_eq!(said(&seen), "OneAtATime, FirstOfAll");
    seen.pods.remove(0);
    assert_eq!(said(&seen), "OneAtATime, FirstOfAll");
    assert_eq!(says(&planned(&seen, NOW + 60)), "NotBack, FirstOfAll");
    let refused = with(seen.clone(), |workload| workload.refused = Some("no endpoints".to_owned()));
    assert_eq!(said(&refused), "PodsRefused, PodsRefused");
    let mut unready_there = seen.clone();
    unready_there.pods[0].facts.readiness.ready = false;
    assert_eq!(said(&unready_there), "Delete b missed", "who serves nobody is no risk");
    seen.pods.push(unready(pod("new")));
    seen.pods[1].facts.readiness.says = Some("container app: CreateContainerConfigError".to_owned());
    let waits = planned(&seen, NOW + 60);
    assert_eq!(says(&waits), "NotReady, FirstOfAll");
    let text = |kind: Kind| waits.waiting[&id(kind)].text.clone();
    insta::assert_snapshot!(text(Kind::Deployment), @"a pod was replaced; waits for pod new to become ready: container app: CreateContainerConfigError");
    insta::assert_snapshot!(text(Kind::StatefulSet), @"waits for a new pod of Deployment/proxy, which shows that new ones start: pod new to become ready: container app: CreateContainerConfigError");
    assert_eq!(says(&planned(&seen, NOW + 20 * 24 * 3600)), "NotReady, FirstOfAll", "however long it takes");
    let mut mended = seen.clone();
    mended.settings = "s2".to_owned();
    assert_eq!(said(&mended), "Evict b missed", "other settings begin anew");
    seen.pods[1].facts.readiness = Readiness { ready: true, since: NOW + 5, ..Readiness::default() };
    let patient = with(seen.clone(), |workload| workload.min_ready = 10);
    assert_eq!(says(&planned(&patient, NOW + 14)), "OneAtATime, FirstOfAll");
    assert_eq!(says(&planned(&patient, NOW + 15)), "Evict b missed");
    assert_eq!(says(&planned(&seen, NOW + 5)), "Evict b missed");
}

#[test]
fn ready_pods_wait_while_a_new_one_does_not_start() {
    let other = id(Kind::StatefulSet);
    let mut seen = scene(vec![missed("a")]);
    seen.workloads.insert(other.clone(), Found::There(workload(1)));
    let mut hung = unready(pod("hung"));
    hung.workload = Some(other);
    hung.facts.readiness.held_up = true;
    hung.facts.held.clear();
    seen.pods.push(hung);
    assert_eq!(said(&seen), "FirstOfAll");
    assert_eq!(said(&changed(seen.clone(), 100)), "FirstOfAll");
    seen.pods[1].facts.readiness.held_up = false;
    assert_eq!(said(&seen), "Evict a missed", "that one crashes for reasons of its own");
    seen.pods[1].facts.readiness.held_up = true;
    seen.pods[0] = unready(missed("a"));
    judged(&mut seen);
    assert_eq!(said(&seen), "Delete a missed");
}

#[test]
fn who_serves_nobody_goes_first_of_all_workloads() {
    let other = id(Kind::StatefulSet);
    let mut seen = scene(vec![missed("a")]);
    seen.workloads.insert(other.clone(), Found::There(workload(1)));
    seen.pods.push(PodView { workload: Some(other), ..unready(missed("b")) });
    judged(&mut seen);
    assert_eq!(said(&seen), "Delete b missed");
}

#[test]
fn no_pod_goes_for_one_that_would_not_start() {
    let need = Need { holder: Holder::ConfigMap, name: "argocd-user".to_owned(), key: Some("name".to_owned()) };
    for mut seen in [scene(vec![missed("a")]), scene(vec![unready(missed("a"))]), changed(scene(vec![pod("a")]), 100)] {
        seen.pods[0].facts.needs = BTreeSet::from([need.clone()]);
        let free = said(&seen);
        assert!(free.starts_with("Evict") || free.starts_with("Delete") || free.starts_with("restart"), "{free}");
        seen.absent = BTreeSet::from([need.clone()]);
        let held = planned(&seen, NOW);
        assert_eq!(says(&held), "NeedMissing");
        insta::allow_duplicates! {
            let text = &held.waiting[&id(Kind::Deployment)].text;
            insta::assert_snapshot!(text, @"no pod is moved: a new one would not start, because there is no key name of ConfigMap argocd-user");
        }
    }
}

#[test]
fn the_next_of_a_workload_goes_when_the_one_before_has_been_ready_long_enough() {
    let mut seen = with(scene(vec![missed("a"), pod("b")]), |workload| workload.min_ready = 10);
    seen.pods[1].facts.readiness.since = NOW - 9;
    let waits = planned(&seen, NOW);
    assert_eq!((says(&waits).as_str(), waits.next), ("OneAtATime", NextStep::WaitUntil(NOW + 1)));
    assert_eq!(says(&planned(&seen, NOW + 1)), "Evict a missed");
}

#[test]
fn an_outdated_pod_is_told_from_a_missed_one() {
    let mut outdated = missed("a");
    outdated.facts.carries = true;
    assert_eq!(said(&scene(vec![outdated])), "Evict a outdated");
}

#[test]
fn ready_pods_go_one_at_a_time() {
    assert_eq!(said(&scene(vec![missed("a"), unready(pod("b"))])), "OneAtATime");
    let mut going = pod("b");
    going.facts.terminating = true;
    assert_eq!(said(&scene(vec![missed("a"), going])), "OneAtATime");
    assert_eq!(said(&with(scene(vec![missed("a")]), |workload| workload.desired = 2)), "OneAtATime");
}

#[test]
fn nothing_is_done_before_the_webhook_is_shown_to_inject() {
    let mut seen = scene(vec![unready(missed("a"))]);
    seen.proofs.clear();
    assert_eq!(said(&seen), "prove {\"app-proxy\"}");
    seen.proofs.insert("app-proxy".to_owned(), Err("no ready pod is behind it".to_owned()));
    assert_eq!(said(&seen), "WebhookNotProven");
    let mut stale = changed(scene(vec![pod("a")]), 100);
    stale.proofs.clear();
    assert_eq!(said(&stale), "prove {\"app-proxy\"}", "a restart makes new pods as well");
}

#[test]
fn no_pod_is_moved_for_a_credential_that_is_not_known_to_be_good() {
    let doubted = |seen: &Snapshot, doubt: Doubt| {
        let mut seen = seen.clone();
        seen.doubts.insert("app-proxy".to_owned(), doubt);
        planned(&seen, NOW)
    };
    let acts = [
        (scene(vec![missed("a")]), "Evict a missed"),
        (scene(vec![unready(missed("a"))]), "Delete a missed"),
        (changed(scene(vec![pod("a")]), 100), "restart Deployment/proxy"),
        (with(changed(scene(vec![pod("a")]), 100), |workload| workload.rolls = false), "Evict a stale"),
    ];
    for (seen, act) in acts {
        assert_eq!(said(&seen), act);
        let bad = doubted(&seen, Doubt::bad("of no use: it is no token of Argo CD".to_owned()));
        assert_eq!((says(&bad).as_str(), bad.wants_credential), ("CredentialNotGood", true));
        insta::allow_duplicates! {
            let text = &bad.waiting.values().next().unwrap().text;
            insta::assert_snapshot!(text, @"no pod is moved: the credential that a new one would get is of no use: it is no token of Argo CD");
        }
        let unknown = doubted(&seen, Doubt::unknown("not known to work: Argo CD is away".to_owned()));
        assert_eq!((says(&unknown).as_str(), unknown.wants_credential), ("CredentialNotKnown", true));
        assert!(matches!(unknown.next, NextStep::WaitUntil(_)));
    }
    let in_step = doubted(&scene(vec![pod("a")]), Doubt::bad("of no use".to_owned()));
    assert_eq!((says(&in_step).as_str(), in_step.wants_credential), ("", false), "nobody waits for it");
}

#[test]
fn a_doubt_about_one_service_holds_no_other() {
    let mut seen = scene(vec![missed("a")]);
    seen.doubts.insert("gitops-operator".to_owned(), Doubt::bad("of no use".to_owned()));
    assert_eq!(said(&seen), "Evict a missed");
}

#[test]
fn nothing_is_done_where_new_pods_are_refused_or_the_workload_is_unknown() {
    let refused = |workload: &mut Workload| workload.refused = Some("exceeded quota".to_owned());
    assert_eq!(said(&with(scene(vec![missed("a")]), refused)), "PodsRefused");
    assert_eq!(said(&with(changed(scene(vec![pod("a")]), 100), refused)), "PodsRefused");
    let mut seen = scene(vec![missed("a")]);
    seen.workloads.insert(id(Kind::Deployment), Found::Unknown("not allowed".to_owned()));
    assert_eq!(said(&seen), "WorkloadUnknown");
}

#[test]
fn what_was_refused_just_now_is_left_alone() {
    let mut seen = scene(vec![missed("a")]);
    seen.held_back.insert(id(Kind::Deployment), (NOW + 10, "a disruption budget".to_owned()));
    assert_eq!(said(&seen), "Refused");
    assert_eq!(says(&planned(&seen, NOW + 10)), "Evict a missed");
}

#[test]
fn bare_pods_and_those_of_workloads_that_say_no_are_reported() {
    let mut bare = missed("a");
    bare.facts.owner = None;
    let history = History::default();
    assert_eq!(judge(&bare.facts, &history, false, CACHE).as_str(), "not_ours");
    let verdict = judge(&missed("a").facts, &history, true, CACHE);
    assert_eq!(verdict.as_str(), "not_ours");
    insta::assert_snapshot!(verdict.reason().unwrap(), @r#"missed, but its workload has the annotation argocd-auth-webhook/rollout: "false""#);
    let mut seen = scene(vec![missed("a")]);
    seen.pods[0].verdict = verdict;
    assert_eq!(said(&seen), "");
}
