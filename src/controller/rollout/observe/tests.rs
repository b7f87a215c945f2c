//! What is looked up of owners and workloads, how often, and what it makes of a pod.

use super::super::snapshot::Kind;
use super::*;
use crate::cluster::scripted::{Answer, ApiServer, NAMESPACE, secret};
use crate::controller::scripted::context;
use crate::core::Engine;
use crate::drift::Drift;
use crate::settings::Settings;
use crate::webhook_probe::sample;
use serde_json::{Value, json};
use tokio::time::advance;

const BLINK: Duration = Duration::from_millis(1);

fn just_before(time: Duration) -> Duration {
    time.checked_sub(BLINK).unwrap()
}

fn apps(kind: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}/{name}")
}

fn proxy() -> WorkloadId {
    WorkloadId { kind: Kind::Deployment, name: "proxy".to_owned() }
}

fn set() -> Owner {
    Owner { kind: "ReplicaSet".to_owned(), name: "proxy-1".to_owned() }
}

fn owned_by(kind: &str, name: &str) -> Value {
    let reference = json!({ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true });
    json!([reference])
}

/// What pods are made of: a service's, and with a person's own variable in the place of one of ours.
fn templates(settings: &Settings) -> [Value; 2] {
    let clean = sample::of(&settings.services[0]);
    let injector = settings.injector(Engine::Webhook);
    let patch = injector.decide(&Pod::from_json(&clean.to_string()).unwrap()).patch.unwrap();
    let mut injected = clean.clone();
    let patch: json_patch::Patch = serde_json::from_str(&patch).unwrap();
    json_patch::patch(&mut injected, &patch).unwrap();
    let mut own = injected;
    let variable = &mut own["spec"]["containers"][0]["env"][0];
    *variable = json!({ "name": variable["name"], "value": "mine" });
    let template = |pod: Value| json!({ "metadata": { "labels": pod["metadata"]["labels"] }, "spec": pod["spec"] });
    [template(clean), template(own)]
}

/// A pod of this template, of this owner.
fn facts(subjects: &TrackedKeys, template: &Value, owner: (&str, &str), uid: &str) -> PodFacts {
    let mut pod = json!({ "metadata": template["metadata"], "spec": template["spec"] });
    pod["metadata"]["name"] = "proxy-1-a".into();
    pod["metadata"]["uid"] = uid.into();
    pod["metadata"]["ownerReferences"] = owned_by(owner.0, owner.1);
    PodFacts::of(&serde_json::from_value(pod).unwrap(), subjects).unwrap()
}

/// A Deployment with its `ReplicaSet`, and a `StatefulSet`, all of this template.
fn cluster(template: &Value) -> ApiServer {
    let server = ApiServer::default();
    let spec = json!({ "replicas": 1, "selector": {}, "serviceName": "s", "template": template });
    server.put(&apps("deployments", "proxy"), json!({ "spec": spec }));
    server.put(&apps("statefulsets", "proxy"), json!({ "spec": spec }));
    let owners = json!({ "ownerReferences": owned_by("Deployment", "proxy") });
    server.put(&apps("replicasets", "proxy-1"), json!({ "metadata": owners, "spec": spec }));
    server
}

/// Judges these pods. With it which workloads were looked at.
async fn judged(
    (server, subjects, known): (&ApiServer, &TrackedKeys, &mut WorkloadCache),
    (record, automatic): (&RolloutRecord, bool),
    pods: Vec<PodFacts>,
) -> Result<(Vec<PodVerdict>, Vec<String>), ClusterError> {
    let client = server.client();
    let cluster = Workloads { client: &client, namespace: NAMESPACE };
    let (injector, history) = (&subjects.injector, &History::default());
    let by = JudgedBy { injector, history, record, settings: "now", cache: KUBELET_CACHE, automatic };
    let (views, workloads) = known.judge(cluster, by, pods).await?;
    let verdicts = views.into_iter().map(|view| view.verdict).collect();
    Ok((verdicts, workloads.keys().map(ToString::to_string).collect()))
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_workload_counts_for_two_seconds_or_until_something_is_done_to_it() {
    let server = cluster(&json!({}));
    let client = server.client();
    let cluster = Workloads { client: &client, namespace: NAMESPACE };
    let mut known = WorkloadCache::default();
    assert_eq!(known.uid(&proxy()), None);
    for (after, read) in [
        (Duration::ZERO, true),
        (Duration::ZERO, false),
        (just_before(WORKLOAD_CACHE_TTL), false),
        (BLINK, true),
        (just_before(WORKLOAD_CACHE_TTL), false),
        (BLINK * 2, true),
    ] {
        advance(after).await;
        assert!(matches!(known.workload(cluster, &proxy()).await, Ok(Found::There(_))));
        assert_eq!(server.calls().len(), usize::from(read), "{after:?} later");
    }
    let uid = server.get(&apps("deployments", "proxy"))["metadata"]["uid"].clone();
    assert_eq!(known.uid(&proxy()).map(String::as_str), uid.as_str());
    advance(WORKLOAD_CACHE_TTL).await;
    known.workload(cluster, &proxy()).await.unwrap();
    server.calls();
    known.forget_state(&WorkloadId { kind: Kind::Rollout, name: "proxy".to_owned() });
    known.workload(cluster, &proxy()).await.unwrap();
    assert!(server.calls().is_empty(), "it was done to another one");
    known.forget_state(&proxy());
    known.workload(cluster, &proxy()).await.unwrap();
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whose_a_pod_is_is_asked_once_where_it_is_known_and_every_half_minute_where_it_is_not() {
    let settings = Settings::of_the_charts();
    let injector = settings.injector(Engine::Webhook);
    let server = cluster(&json!({}));
    let there = server.remove(&apps("replicasets", "proxy-1")).unwrap();
    let client = server.client();
    let cluster = Workloads { client: &client, namespace: NAMESPACE };
    let mut known = WorkloadCache::default();
    for (after, asked) in
        [(Duration::ZERO, true), (Duration::ZERO, false), (just_before(MAX_UNKNOWN_AGE), false), (BLINK, true)]
    {
        advance(after).await;
        let owned = known.owned(cluster, &set(), &injector).await.unwrap();
        assert!(owned.workload.is_none() && owned.seen && owned.clean.is_none());
        assert_eq!(server.calls().len(), usize::from(asked), "{after:?} later");
    }
    server.put(&apps("replicasets", "proxy-1"), there);
    for (after, asked) in [(MAX_UNKNOWN_AGE, true), (Duration::ZERO, false), (Duration::from_hours(5), false)] {
        advance(after).await;
        assert_eq!(known.owned(cluster, &set(), &injector).await.unwrap().workload, Some(proxy()));
        assert_eq!(server.calls().len(), usize::from(asked), "{after:?} later");
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_may_not_be_seen_is_no_error_and_leaves_its_pods_to_be_replaced_by_nobody() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let subjects = TrackedKeys::new(&context.settings);
    let [clean, _] = templates(&context.settings);
    let pods = || vec![facts(&subjects, &clean, ("ReplicaSet", "proxy-1"), "a1")];
    let nothing = (&RolloutRecord::default(), true);
    let unknown = NotOurs::UnknownKind("ReplicaSet".to_owned());
    let gone = judged((&server, &subjects, &mut WorkloadCache::default()), nothing, pods()).await.unwrap();
    assert_eq!(gone, (vec![PodVerdict::NotOurs(unknown, Some(Drift::Missed))], vec![]));
    server.script(|_, _| Some(Answer::Status(403, "not you")));
    let hidden = judged((&server, &subjects, &mut WorkloadCache::default()), nothing, pods()).await.unwrap();
    assert_eq!(hidden, (vec![PodVerdict::Drifted(Drift::Missed)], vec![]), "that it lacks something is said");
    server.script(|_, _| Some(Answer::Status(503, "away")));
    let error = judged((&server, &subjects, &mut WorkloadCache::default()), nothing, pods()).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unavailable(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_no_template_says_was_injected_under_other_settings_and_gives_way() {
    let settings = Settings::of_the_charts();
    let subjects = TrackedKeys::new(&settings);
    let [clean, own] = templates(&settings);
    let (outdated, kept) = (PodVerdict::Drifted(Drift::Outdated), PodVerdict::NotOurs(NotOurs::ConflictKept, None));
    let round = |under: &str, pods: &[&str]| {
        let mut record = RolloutRecord::default();
        let pods = pods.iter().map(|uid| (*uid).to_owned());
        record.replace(&proxy(), ("0f", true), pods, under, Some(0), now());
        record
    };
    let none = RolloutRecord::default();
    let (of_set, of_stateful) = (("ReplicaSet", "proxy-1"), ("StatefulSet", "proxy"));
    for (template, owner, record, wanted, why) in [
        (&clean, of_set, &none, &outdated, "no template says so"),
        (&own, of_set, &none, &kept, "a person put it there"),
        (&clean, of_stateful, &none, &outdated, "no template says so"),
        (&own, of_stateful, &none, &kept, "a person put it there"),
        (&clean, ("Job", "proxy"), &none, &kept, "nobody knows the template of that"),
        (&clean, of_set, &round("now", &["a1"]), &outdated, "it was there when the round began"),
        (&clean, of_set, &round("now", &["b2"]), &kept, "it came since: somebody else puts it in each time"),
        (&clean, of_set, &round("before", &["b2"]), &outdated, "that round was under other settings"),
    ] {
        let server = cluster(template);
        let pods = vec![facts(&subjects, &own, owner, "a1")];
        assert!(pods[0].outcome == Outcome::ConflictKept && !pods[0].changed);
        let (verdicts, _) =
            judged((&server, &subjects, &mut WorkloadCache::default()), (record, false), pods).await.unwrap();
        assert_eq!(verdicts, std::slice::from_ref(wanted), "{owner:?}: {why}");
        if owner.0 == "Job" {
            assert!(server.calls().is_empty(), "and nobody asks for it");
        }
    }
    // Where there is no conflict nothing is asked for it.
    let server = cluster(&clean);
    let pods = vec![facts(&subjects, &clean, of_stateful, "a1")];
    let judged = judged((&server, &subjects, &mut WorkloadCache::default()), (&none, false), pods).await.unwrap();
    assert_eq!(judged, (vec![PodVerdict::Drifted(Drift::Missed)], vec![]));
    assert!(server.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn workloads_are_looked_at_where_pods_lack_something_or_something_was_just_done_to_them() {
    let settings = Settings::of_the_charts();
    let subjects = TrackedKeys::new(&settings);
    let [clean, _] = templates(&settings);
    let server = cluster(&clean);
    let missed = facts(&subjects, &clean, ("ReplicaSet", "proxy-1"), "a1");
    let in_step = PodFacts { outcome: Outcome::AlreadyRight, changed: false, carries: true, ..missed.clone() };
    let (none, mut restarted, mut replaced) =
        (RolloutRecord::default(), RolloutRecord::default(), RolloutRecord::default());
    restarted.restart(&proxy(), "cause", "value", now());
    replaced.replace(&proxy(), ("0f", true), std::iter::empty(), "now", Some(0), now());
    let looked = vec![proxy().to_string()];
    for (pods, record, automatic, wanted, why) in [
        (vec![in_step.clone()], &none, true, &vec![], "all is well"),
        (vec![missed.clone()], &none, true, &looked, "one lacks something"),
        (vec![missed.clone()], &none, false, &vec![], "who only reports changes none"),
        (vec![in_step], &restarted, true, &looked, "it was restarted"),
        (vec![], &replaced, true, &looked, "it lost its only pod to us"),
    ] {
        let (_, workloads) =
            judged((&server, &subjects, &mut WorkloadCache::default()), (record, automatic), pods).await.unwrap();
        assert_eq!(workloads, *wanted, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_verdicts_gets_those_of_the_controller() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let subjects = TrackedKeys::new(&context.settings);
    let [clean, own] = templates(&context.settings);
    let server = cluster(&clean);
    let pods = || vec![facts(&subjects, &clean, ("ReplicaSet", "proxy-1"), "a1")];
    let client = server.client();
    let ask = async |rollout, state: Option<&Secret>, pods| -> Vec<PodVerdict> {
        let found = verdicts(&client, NAMESPACE, &subjects, state, rollout, pods).await.unwrap();
        found.into_iter().map(|(facts, verdict)| (assert_eq!(facts.name, "proxy-1-a"), verdict).1).collect()
    };
    let missed = PodVerdict::Drifted(Drift::Missed);
    assert_eq!(ask(Rollout::Automatic, None, pods()).await, std::slice::from_ref(&missed));
    let opted_out = json!({ "metadata": { "annotations": { "argocd-auth-webhook/rollout": "false" } } });
    server.merge(&apps("deployments", "proxy"), &opted_out);
    let left = PodVerdict::NotOurs(NotOurs::WorkloadOptedOut, Some(Drift::Missed));
    assert_eq!(ask(Rollout::Automatic, None, pods()).await, [left]);
    assert_eq!(ask(Rollout::Report, None, pods()).await, [missed], "no workload is looked at");
    // And by what it remembers: a pod that came since a round began is taken at its word.
    let mut state = StateSecret::open(&context_of_state(&server)).await.unwrap();
    let settings = StoredState::of(&state, &subjects.injector).settings;
    let mut record = RolloutRecord::default();
    record.replace(&proxy(), ("0f", true), ["b2".to_owned()].into_iter(), &settings, Some(0), now());
    state.put(&context_of_state(&server), super::super::persisted::ROLLOUT_ENTRY, Some(&record)).await.unwrap();
    let state: Secret = serde_json::from_value(server.get(&secret("rel-state"))).unwrap();
    let pods = || vec![facts(&subjects, &own, ("ReplicaSet", "proxy-1"), "a1")];
    assert_eq!(ask(Rollout::Report, None, pods()).await, [PodVerdict::Drifted(Drift::Outdated)], "no template says so");
    assert_eq!(ask(Rollout::Report, Some(&state), pods()).await, [PodVerdict::NotOurs(NotOurs::ConflictKept, None)]);
}

fn context_of_state(server: &ApiServer) -> crate::controller::Context {
    context(server, "").0
}
