//! What is said of pods and workloads, when, and how often.

use super::super::snapshot::{Kind, PodView};
use super::super::table::{changed, id, missed, pod, scene, unready};
use super::*;
use crate::cluster::scripted::{ApiServer, NAMESPACE};
use crate::controller::scripted::context;
use tokio::time::advance;

const STATUS: &str = "/api/v1/namespaces/codefresh/configmaps/rel-status";

const BLINK: Duration = Duration::from_millis(1);

fn just_before(time: Duration) -> Duration {
    time.checked_sub(BLINK).unwrap()
}

fn proxy() -> WorkloadId {
    id(Kind::Deployment)
}

/// A Deployment with these pods, the ready ones long since.
fn seen(pods: Vec<PodView>) -> Snapshot {
    let long_since = |mut pod: PodView| {
        pod.facts.readiness.since = 0;
        pod
    };
    scene(pods.into_iter().map(long_since).collect())
}

fn nothing() -> BTreeMap<WorkloadId, Waiting> {
    BTreeMap::new()
}

/// The Events since this was asked last, as `TYPE REASON: note`.
fn told(server: &ApiServer) -> Vec<String> {
    let calls = server.calls();
    let events = calls.iter().filter(|call| call.is("POST", "/events")).map(|call| &call.body);
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    events.map(|event| format!("{} {}: {}", text(event, "type"), text(event, "reason"), text(event, "note"))).collect()
}

fn metric(context: &Context, line: &str) -> bool {
    let text = context.metrics.text().unwrap();
    text.lines().any(|found| found.ends_with(line))
}

#[tokio::test(start_paused = true)]
async fn the_status_is_written_when_it_says_something_new_and_no_oftener_than_every_two_seconds() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let part = || -> Value {
        serde_json::from_str(server.get(STATUS)["data"]["pods.json"].as_str().unwrap_or("null")).unwrap()
    };
    let (good, bad) = (seen(vec![pod("a"), pod("b")]), seen(vec![pod("a"), missed("b")]));
    let mut publisher = StatusPublisher::default();
    assert_eq!(publisher.publish(&context, &good, &nothing()).await, Ok(false));
    assert_eq!(part()["counts"], json!({ "in_step": 2 }));
    assert!(part()["updatedAt"].is_string());
    server.calls();
    assert_eq!(publisher.publish(&context, &good, &nothing()).await, Ok(false));
    assert_eq!(publisher.publish(&context, &bad, &nothing()).await, Ok(true), "to be asked again soon");
    advance(just_before(MIN_INTERVAL)).await;
    assert_eq!(publisher.publish(&context, &bad, &nothing()).await, Ok(true));
    assert!(server.calls().is_empty());
    advance(BLINK).await;
    assert_eq!(publisher.publish(&context, &bad, &nothing()).await, Ok(false));
    assert_eq!(part()["counts"], json!({ "in_step": 1, "missed": 1 }));
    assert_eq!(part()["pods"][0]["name"], "b", "what somebody may look for comes first");
}

#[tokio::test(start_paused = true)]
async fn the_metrics_count_pods_by_verdict_and_the_other_parts_hear_of_what_is_new_only() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let mut consumers = context.consumers.subscribe();
    let waiting = BTreeMap::from([
        (proxy(), Waiting::trouble("Budget", "a")),
        (id(Kind::Rollout), Waiting::trouble("Budget", "b")),
        (id(Kind::StatefulSet), Waiting::patience("OneAtATime", "c")),
    ]);
    let in_step = seen(vec![pod("a"), pod("b"), missed("c")]);
    StatusPublisher::count(&context, &in_step, &waiting);
    assert!(metric(&context, "pods{verdict=\"in_step\"} 2") && metric(&context, "pods{verdict=\"missed\"} 1"));
    assert!(metric(&context, "workloads_waiting 2"), "patience is nothing to look at");
    assert!(consumers.has_changed().unwrap());
    assert_eq!(*consumers.borrow_and_update(), Consumers::InStep);
    StatusPublisher::count(&context, &in_step, &waiting);
    assert!(!consumers.has_changed().unwrap());
    StatusPublisher::count(&context, &changed(seen(vec![pod("a"), pod("b"), missed("c")]), 600), &nothing());
    assert!(consumers.has_changed().unwrap());
    assert_eq!(*consumers.borrow_and_update(), Consumers::Stale(2));
    assert!(metric(&context, "pods{verdict=\"stale\"} 2") && metric(&context, "workloads_waiting 0"));
    // Somebody else looks, and counts.
    StatusPublisher::count(&context, &in_step, &waiting);
    StatusPublisher::nothing_seen(&context);
    for line in ["pods{verdict=\"in_step\"} 0", "pods{verdict=\"missed\"} 0", "workloads_waiting 0"] {
        assert!(metric(&context, line), "{line}");
    }
}

fn replace(pod: &str, how: RemovalMethod, drift: Option<Drift>) -> Action {
    Action::Replace { workload: proxy(), pod: pod.to_owned(), uid: "u".to_owned(), how, drift }
}

#[tokio::test(start_paused = true)]
async fn of_many_acts_the_first_three_are_told_and_all_are_counted_until_the_workload_is_in_step() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let (mut publisher, known) = (StatusPublisher::default(), WorkloadCache::default());
    let out = seen(vec![missed("a"), pod("b")]);
    publisher.report(&context, &known, &out, &nothing()).await;
    publisher.acted(&context, &known, &Action::Remember).await;
    assert_eq!(told(&server), [""; 0]);
    for (act, said) in [
        (replace("a", RemovalMethod::Evict, Some(Drift::Missed)), "PodReplaced: evicted pod a: it was created without"),
        (replace("b", RemovalMethod::Delete, None), "PodReplaced: deleted pod b: it isn't ready and keeps the restart"),
        (Action::Restart { workload: proxy(), value: "t".to_owned() }, "Restarted: restarted, because its pods hold"),
    ] {
        publisher.acted(&context, &known, &act).await;
        let events = told(&server);
        assert!(matches!(events.as_slice(), [one] if one.starts_with(&format!("Normal {said}"))), "{events:?}");
    }
    for drift in [Drift::Outdated, Drift::Stale] {
        publisher.acted(&context, &known, &replace("c", RemovalMethod::Evict, Some(drift))).await;
    }
    assert_eq!(told(&server), [""; 0], "a hundred pods are one story");
    for (reason, times) in [("missed", 1), ("outdated", 1), ("stale", 2), ("stuck", 1)] {
        assert!(metric(&context, &format!("restarts_total{{reason=\"{reason}\"}} {times}")), "{reason}");
    }
    // Still out of step, and then not all there.
    advance(Duration::from_secs(30)).await;
    publisher.report(&context, &known, &out, &nothing()).await;
    publisher.report(&context, &known, &seen(vec![pod("a"), unready(pod("b"))]), &nothing()).await;
    assert_eq!(told(&server), [""; 0]);
    assert!(metric(&context, "time_to_in_step_seconds_count 0"));
    publisher.report(&context, &known, &seen(vec![pod("a"), pod("b")]), &nothing()).await;
    let end = "Normal InStep: its pods are in step again, after 30.0 s; replaced or restarted: 5";
    assert_eq!(told(&server), [end]);
    assert!(metric(&context, "time_to_in_step_seconds_sum 30.0"));
    assert!(metric(&context, "time_to_in_step_seconds_count 1"));
    publisher.report(&context, &known, &seen(vec![pod("a"), pod("b")]), &nothing()).await;
    assert_eq!(told(&server), [""; 0]);
    // The next story is told from its beginning.
    publisher.acted(&context, &known, &replace("a", RemovalMethod::Evict, Some(Drift::Stale))).await;
    assert_eq!(told(&server).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_comes_right_by_itself_is_counted_and_not_told_of_and_others_do_not_hold_it_up() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let (mut publisher, known) = (StatusPublisher::default(), WorkloadCache::default());
    let mut out = seen(vec![missed("a"), missed("b")]);
    out.pods[1].workload = Some(id(Kind::StatefulSet));
    publisher.report(&context, &known, &out, &nothing()).await;
    advance(Duration::from_secs(7)).await;
    let mut half = seen(vec![pod("a"), missed("b")]);
    half.pods[1].workload = Some(id(Kind::StatefulSet));
    let desired_one = |seen: &mut Snapshot| {
        for found in seen.workloads.values_mut() {
            if let super::super::snapshot::Found::There(workload) = found {
                workload.desired = 1;
            }
        }
    };
    desired_one(&mut half);
    publisher.report(&context, &known, &half, &nothing()).await;
    assert!(metric(&context, "time_to_in_step_seconds_count 1") && metric(&context, "time_to_in_step_seconds_sum 7.0"));
    assert_eq!(told(&server), [""; 0], "nobody had done anything to it");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_of_after_a_while_and_again_every_hour() {
    let second = Duration::from_secs(1);
    for (why, kind, delay) in [
        (Waiting::trouble("Budget", "the budget"), "trouble", TELL_DELAY),
        (Waiting::patience("OneAtATime", "the budget"), "patience", PASSING_DELAY),
    ] {
        let server = ApiServer::default();
        let (context, _lease) = context(&server, "");
        let (mut publisher, known) = (StatusPublisher::default(), WorkloadCache::default());
        let out = seen(vec![missed("a")]);
        let said = format!("Warning {}: pods are out of step: the budget", why.reason);
        let waits = BTreeMap::from([(proxy(), why)]);
        // How long after the step before, and whether it is told then.
        for (after, is_told) in [
            (Duration::ZERO, false),
            (just_before(delay), false),
            (BLINK, true),
            (second, false),
            (just_before(REPEAT_DELAY.checked_sub(second).unwrap()), false),
            (BLINK, true),
        ] {
            advance(after).await;
            publisher.report(&context, &known, &out, &waits).await;
            assert_eq!(told(&server), vec![said.as_str(); usize::from(is_told)], "{kind}, {after:?} later");
        }
        // For another reason the time begins anew, and so it does after it waited for nothing.
        let other = BTreeMap::from([(proxy(), Waiting::trouble("Webhook", "the webhook"))]);
        publisher.report(&context, &known, &out, &other).await;
        advance(just_before(TELL_DELAY)).await;
        publisher.report(&context, &known, &out, &other).await;
        publisher.report(&context, &known, &out, &nothing()).await;
        publisher.report(&context, &known, &out, &other).await;
        advance(just_before(TELL_DELAY)).await;
        publisher.report(&context, &known, &out, &other).await;
        assert_eq!(told(&server), [""; 0], "{kind}");
        advance(BLINK).await;
        publisher.report(&context, &known, &out, &other).await;
        assert_eq!(told(&server), ["Warning Webhook: pods are out of step: the webhook"], "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_about_the_workload() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let mut publisher = StatusPublisher::default();
    let known = WorkloadCache::default();
    for (kind, api) in [(Kind::Deployment, "apps/v1"), (Kind::Rollout, "argoproj.io/v1alpha1")] {
        publisher.acted(&context, &known, &Action::Restart { workload: id(kind), value: "t".to_owned() }).await;
        let regarding =
            server.calls().iter().find(|call| call.is("POST", "/events")).unwrap().body["regarding"].clone();
        let wanted = json!({ "apiVersion": api, "kind": kind.as_str(), "name": "proxy", "namespace": NAMESPACE });
        assert_eq!(regarding, wanted);
    }
}
