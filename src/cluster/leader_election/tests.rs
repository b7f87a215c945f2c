//! Two candidates at a scripted API server, with a clock that stands still between steps.

mod waiting;

use super::*;
use crate::cluster::scripted::{Answer, ApiServer};
use serde_json::json;
use tokio::time::{advance, timeout};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/codefresh/leases/the-lease";

fn metadata() -> Value {
    json!({ "name": "the-lease", "namespace": "codefresh", "labels": { MANAGED_BY: FIELD_MANAGER } })
}

fn candidate(server: &ApiServer, identity: &str) -> (LeaderElector, Leadership) {
    LeaderElector::new(server.client(), "codefresh", identity.to_owned(), metadata(), None)
}

fn held_by(server: &ApiServer, holder: &str, lasts: u64) {
    let spec = json!({ "holderIdentity": holder, "leaseDurationSeconds": lasts });
    server.put(PATH, json!({ "metadata": metadata(), "spec": spec }));
}

fn holder(server: &ApiServer) -> Value {
    server.get(PATH)["spec"]["holderIdentity"].clone()
}

/// The seconds until a candidate that looks every second has the Lease.
async fn takes(elector: &mut LeaderElector, leadership: &Leadership) -> u64 {
    for second in 0..200 {
        elector.round().await.unwrap();
        if leadership.may_write() {
            return second;
        }
        advance(Duration::from_secs(1)).await;
    }
    u64::MAX
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_there_is_made_with_its_labels_and_taken() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    assert!(!leadership.may_write(), "before it was taken");
    elector.round().await.unwrap();
    assert!(leadership.may_write());
    assert_eq!(holder(&server), "a");
    let lease = server.get(PATH);
    assert_eq!(lease["metadata"]["labels"][MANAGED_BY], FIELD_MANAGER);
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
    assert!(lease["spec"]["acquireTime"].is_string() && lease["spec"]["renewTime"].is_string());
}

#[tokio::test(start_paused = true)]
async fn no_write_begins_later_than_ten_seconds_after_the_last_renewal() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    elector.round().await.unwrap();
    // The process is suspended: nobody renews, and nobody tells it that a renewal failed.
    advance(Duration::from_millis(9_999)).await;
    assert!(leadership.may_write());
    advance(Duration::from_millis(1)).await;
    assert!(!leadership.may_write(), "the rest is for what was begun");
}

#[tokio::test(start_paused = true)]
async fn the_time_for_writes_counts_from_before_the_renewal_was_sent() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    elector.round().await.unwrap();
    let until = *leadership.0.borrow();
    // The answer is late: others may have seen the renewal as soon as it arrived.
    server.script(|call, _| {
        assert!(call.is("PATCH", "/the-lease"));
        None
    });
    advance(Duration::from_secs(5)).await;
    let begun = Instant::now();
    elector.round().await.unwrap();
    assert_eq!(*leadership.0.borrow(), Some(begun + RENEW_DEADLINE));
    assert!(*leadership.0.borrow() > until);
}

#[tokio::test(start_paused = true)]
async fn two_candidates_never_may_write_at_once_though_one_stands_still() {
    let server = ApiServer::default();
    let (mut one, leads_one) = candidate(&server, "one");
    let (mut other, leads_other) = candidate(&server, "other");
    one.round().await.unwrap();
    assert!(leads_one.may_write());
    let mut last = None;
    for second in 0_u64..30 {
        other.round().await.unwrap();
        assert!(!(leads_one.may_write() && leads_other.may_write()), "both at {second} s");
        if leads_one.may_write() {
            last = Some(second);
        }
        if leads_other.may_write() {
            let gap = second - last.unwrap();
            assert!(gap > CALL_TIMEOUT.as_secs(), "what was begun has ended: {gap} s");
            assert_eq!(holder(&server), "other");
            // The one that resumes finds out, and changes nothing.
            one.round().await.unwrap();
            assert!(!leads_one.may_write());
            assert_eq!(holder(&server), "other");
            return;
        }
        advance(Duration::from_secs(1)).await;
    }
    panic!("the other one never took it");
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_lease_taken_stops_writing_at_once() {
    let server = ApiServer::default();
    let (mut elector, mut leadership) = candidate(&server, "a");
    elector.round().await.unwrap();
    held_by(&server, "b", 15);
    elector.round().await.unwrap();
    assert!(!leadership.may_write());
    assert_eq!(holder(&server), "b", "a renewal holds only at the version that was written last");
    assert!(timeout(Duration::from_secs(5), leadership.granted()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_lease_gone_stops_writing_at_once() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    elector.round().await.unwrap();
    server.remove(PATH);
    elector.round().await.unwrap();
    assert!(!leadership.may_write());
    elector.round().await.unwrap();
    assert!(leadership.may_write(), "made again");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_stops_writing_until_one_succeeds() {
    let server = ApiServer::default();
    let (mut elector, mut leadership) = candidate(&server, "a");
    let keeping = tokio::spawn(async move { elector.run().await });
    timeout(Duration::from_mins(1), leadership.granted()).await.unwrap();
    server.script(|_, _| Some(Answer::Status(500, "etcd")));
    tokio::time::sleep(RENEW_INTERVAL + Duration::from_millis(1)).await;
    assert!(!leadership.may_write(), "though RENEW_DEADLINE isn't over");
    server.script(|_, _| None);
    tokio::time::sleep(RETRY_DELAY).await;
    assert!(leadership.may_write());
    assert_eq!(holder(&server), "a");
    keeping.abort();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_without_an_answer_ends_before_writes_are_over() {
    let server = ApiServer::default();
    let (mut elector, mut leadership) = candidate(&server, "a");
    let keeping = tokio::spawn(async move { elector.run().await });
    timeout(Duration::from_mins(1), leadership.granted()).await.unwrap();
    server.script(|_, _| Some(Answer::Never));
    tokio::time::sleep(RENEW_INTERVAL + CALL_TIMEOUT + Duration::from_millis(1)).await;
    assert!(!leadership.may_write());
    keeping.abort();
}

#[tokio::test(start_paused = true)]
async fn a_failing_holder_counts_as_none_once_its_duration_is_over() {
    let server = ApiServer::default();
    let (mut elector, _) = candidate(&server, "a");
    elector.round().await.unwrap();
    server.script(|_, _| Some(Answer::Status(503, "away")));
    advance(Duration::from_secs(14)).await;
    elector.round().await.unwrap_err();
    assert!(elector.held, "nobody else may have taken it yet");
    advance(Duration::from_secs(1)).await;
    elector.round().await.unwrap_err();
    assert!(!elector.held);
}

#[tokio::test(start_paused = true)]
async fn a_holder_is_waited_for_as_long_as_it_renews() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "b");
    held_by(&server, "a", 15);
    for _ in 0..60 {
        elector.round().await.unwrap();
        assert!(!leadership.may_write());
        advance(Duration::from_secs(1)).await;
        held_by(&server, "a", 15);
    }
    assert_eq!(takes(&mut elector, &leadership).await, 15);
    assert_eq!(holder(&server), "b");
}

#[tokio::test(start_paused = true)]
async fn an_absurd_duration_is_not_believed() {
    for (lasts, waits) in [(2_147_483_647, 60), (61, 60), (40, 40), (15, 15), (1, 15), (0, 15)] {
        let server = ApiServer::default();
        let (mut elector, leadership) = candidate(&server, "b");
        held_by(&server, "a", lasts);
        assert_eq!(takes(&mut elector, &leadership).await, waits, "{lasts} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_somebody_elses_is_neither_taken_nor_changed() {
    for labels in [json!(null), json!({}), json!({ MANAGED_BY: "Helm" })] {
        let server = ApiServer::default();
        let (mut elector, leadership) = candidate(&server, "b");
        server.put(PATH, json!({ "metadata": { "labels": labels }, "spec": {} }));
        let before = server.get(PATH);
        for _ in 0..3 {
            let error = elector.round().await.unwrap_err();
            assert_eq!(error.cause, Cause::NotOurs);
            assert!(error.to_string().contains("Lease codefresh/the-lease") && error.to_string().contains("to do:"));
            advance(MAX_DURATION).await;
        }
        assert!(!leadership.may_write());
        assert_eq!(server.get(PATH), before);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_take_a_free_lease_one_gets_it() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "b");
    held_by(&server, "", 15);
    server.script(|call, objects| {
        if call.is("PATCH", "/the-lease") {
            objects.merge(PATH, &json!({ "spec": { "holderIdentity": "faster" } }));
        }
        None
    });
    elector.round().await.unwrap();
    assert!(!leadership.may_write());
    assert_eq!(holder(&server), "faster");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_process_carries_on_with_its_own_lease() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    held_by(&server, "a", 15);
    assert_eq!(takes(&mut elector, &leadership).await, 0);
    assert!(server.get(PATH)["spec"].get("acquireTime").is_none(), "it had it before");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_is_free_at_once_and_only_ours_is() {
    let server = ApiServer::default();
    let (mut elector, leadership) = candidate(&server, "a");
    elector.round().await.unwrap();
    let version = server.get(PATH)["metadata"]["resourceVersion"].clone();
    server.script(move |call, _| {
        assert_eq!(call.body["metadata"]["resourceVersion"], version);
        None
    });
    elector.release().await;
    assert!(!leadership.may_write());
    assert_eq!(holder(&server), "");
    server.script(|_, _| None);
    let (mut next, leads) = candidate(&server, "b");
    assert_eq!(takes(&mut next, &leads).await, 0);
    // A candidate that doesn't hold the Lease has nothing to give up.
    elector.release().await;
    assert_eq!(holder(&server), "b");
}
