//! Cases of stale pods.

use super::super::action::{Action, NextStep, Plan};
use super::super::snapshot::{Found, Kind, RolloutProgress, Snapshot, Workload, WorkloadId};
use super::{NOW, changed, done, id, judged, key, missed, planned, pod, said, says, scene, with, workload};

#[test]
fn a_stale_pod_restarts_its_workload_once_the_kubelets_know() {
    let seen = changed(scene(vec![pod("a"), pod("b")]), 59);
    assert_eq!(says(&planned(&seen, NOW)), "KubeletCache");
    assert_eq!(says(&planned(&seen, NOW + 1)), "restart Deployment/proxy");
}

#[test]
fn missed_pods_go_before_stale_ones() {
    assert_eq!(said(&changed(scene(vec![pod("a"), missed("b")]), 100)), "Evict b missed");
}

fn restarted(seen: &Snapshot) -> Snapshot {
    let NextStep::Execute(Action::Restart { value, .. }, record) = planned(seen, NOW).next else {
        panic!("no restart")
    };
    let mut after = with(seen.clone(), |workload| {
        workload.restarted = Some(value.clone());
        workload.progress = RolloutProgress::Going;
    });
    after.record = record;
    after
}

#[test]
fn one_change_is_one_restart() {
    let seen = restarted(&changed(scene(vec![pod("a")]), 100));
    assert_eq!(said(&seen), "Restarting");
    let failed = with(seen.clone(), |workload| workload.progress = RolloutProgress::Failed("no such image".to_owned()));
    assert_eq!(said(&failed), "RestartFailed");
    let over = with(seen.clone(), |workload| workload.progress = RolloutProgress::Done);
    assert_eq!(said(&over), "StillStale");
    let mut next = over;
    next.history.note(&key(), Some("c".to_owned()), None, NOW - 70);
    assert_eq!(said(&next), "restart Deployment/proxy", "the next change is another one");
}

#[test]
fn a_restart_that_is_undone_is_made_once_more_and_then_only_reported() {
    let seen = restarted(&changed(scene(vec![pod("a")]), 100));
    let undone = |workload: &mut Workload| {
        workload.restarted = None;
        workload.progress = RolloutProgress::Done;
    };
    let mut seen = with(seen, undone);
    assert_eq!(said(&seen), "restart Deployment/proxy");
    seen = with(restarted(&seen), undone);
    assert_eq!(said(&seen), "remember");
    seen.record = done(&seen, NOW);
    assert_eq!(said(&seen), "RestartUndone");
    seen.history.note(&key(), Some("c".to_owned()), None, NOW + 100);
    judged(&mut seen);
    assert_eq!(says(&planned(&seen, NOW + 200)), "RestartUndone", "for a day");
    assert_eq!(says(&planned(&seen, NOW + 25 * 3600)), "restart Deployment/proxy");
}

#[test]
fn a_successor_puts_the_same_value_into_the_workload() {
    let seen = changed(scene(vec![pod("a")]), 100);
    let mut killed = seen.clone();
    killed.record = done(&seen, NOW);
    let value = |plan: Plan| match plan.next {
        NextStep::Execute(Action::Restart { value, .. }, _) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value(planned(&killed, NOW + 50)), value(planned(&seen, NOW)));
}

#[test]
fn no_restart_while_it_would_do_no_good() {
    let seen = changed(scene(vec![pod("a")]), 100);
    assert_eq!(said(&with(seen.clone(), |workload| workload.paused = true)), "Paused");
    let rolls = |progress: RolloutProgress| {
        with(seen.clone(), |workload| (workload.progress, workload.whole) = (progress.clone(), false))
    };
    assert_eq!(said(&rolls(RolloutProgress::Going)), "RolloutGoesOn");
    assert_eq!(said(&rolls(RolloutProgress::Failed("no such image".to_owned()))), "RolloutFailed");
}

#[test]
fn a_pod_that_is_not_ready_for_what_it_holds_keeps_no_restart_waiting() {
    let mut seen = changed(scene(vec![pod("a"), pod("b")]), 100);
    seen.pods[0].facts.readiness.ready = false;
    for progress in [RolloutProgress::Going, RolloutProgress::Failed("no progress".to_owned())] {
        let seen = with(seen.clone(), |workload| workload.progress = progress.clone());
        assert_eq!(said(&seen), "restart Deployment/proxy");
    }
    let by_itself =
        with(stateful(seen.clone()), |workload| (workload.rolls, workload.progress) = (false, RolloutProgress::Going));
    assert_eq!(said(&by_itself), "Delete a stale");
    // Another pod is missed, and would wait for it.
    seen.pods[1] = missed("b");
    judged(&mut seen);
    assert_eq!(said(&with(seen, |workload| workload.progress = RolloutProgress::Going)), "restart Deployment/proxy");
}

#[test]
fn somebody_elses_rollout_of_a_stateful_set_is_freed_of_a_stale_pod_that_is_not_ready() {
    let rolls = |seen: Snapshot| {
        with(stateful(seen), |workload| {
            (workload.revision, workload.progress, workload.whole) =
                (Some("2".to_owned()), RolloutProgress::Going, false);
        })
    };
    let mut seen = scene(vec![pod("a"), pod("b")]);
    seen.pods[0].facts.readiness.ready = false;
    assert_eq!(said(&rolls(seen.clone())), "", "what isn't stale is theirs");
    assert_eq!(said(&rolls(changed(seen.clone(), 59))), "KubeletCache");
    assert_eq!(said(&rolls(changed(seen, 100))), "Delete a stale");
}

#[test]
fn six_restarts_an_hour_are_enough() {
    let mut seen = scene(vec![pod("a")]);
    for round in 0..6 {
        let at = NOW + round * 100;
        seen.history.note(&key(), Some(format!("v{round}")), None, at - 60);
        judged(&mut seen);
        seen.record = done(&seen, at);
    }
    seen.history.note(&key(), Some("last".to_owned()), None, NOW + 600);
    let bound = planned(&seen, NOW + 700);
    assert_eq!((says(&bound).as_str(), bound.next), ("HourlyBound", NextStep::WaitUntil(NOW + 3600)));
    assert_eq!(says(&planned(&seen, NOW + 3600)), "restart Deployment/proxy");
    seen.pods[0].facts.readiness.ready = false;
    assert_eq!(says(&planned(&seen, NOW + 700)), "restart Deployment/proxy", "it serves nobody");
}

/// The scene with a second workload, whose pod is stale, too.
fn two(seen: &Snapshot) -> Snapshot {
    let mut seen = seen.clone();
    let other = WorkloadId { kind: Kind::Deployment, name: "second".to_owned() };
    let mut second = pod("z");
    second.workload = Some(other.clone());
    seen.pods.push(second);
    seen.workloads.insert(other, Found::There(workload(1)));
    judged(&mut seen);
    seen
}

#[test]
fn workloads_restart_one_after_the_other() {
    let seen = changed(scene(vec![pod("a")]), 100);
    let mut seen = two(&restarted(&seen));
    assert_eq!(said(&seen), "Restarting, OneAtATime");
    seen.pods[0].facts.readiness.ready = false;
    seen.pods[0].facts.readiness.says = Some("container app: ImagePullBackOff".to_owned());
    let stuck = planned(&seen, NOW + 6000);
    assert_eq!(says(&stuck), "Restarting, OneAtATime", "one that gets stuck stops them all");
    let second = WorkloadId { kind: Kind::Deployment, name: "second".to_owned() };
    insta::assert_snapshot!(stuck.waiting[&second].text, @"waits for Deployment/proxy, which was restarted, to be available: pod a to become ready: container app: ImagePullBackOff");
    let failed = with(seen.clone(), |workload| workload.progress = RolloutProgress::Failed("no progress".to_owned()));
    assert_eq!(said(&failed), "RestartFailed, OneAtATime");
    seen.pods[0].facts.readiness = pod("a").facts.readiness;
    seen = with(seen, |workload| workload.progress = RolloutProgress::Done);
    assert_eq!(said(&seen), "restart Deployment/second");
}

fn stateful(seen: Snapshot) -> Snapshot {
    let mut seen = seen;
    let found = seen.workloads.remove(&id(Kind::Deployment)).unwrap();
    seen.workloads.insert(id(Kind::StatefulSet), found);
    for pod in &mut seen.pods {
        pod.workload = Some(id(Kind::StatefulSet));
    }
    seen
}

#[test]
fn a_pod_that_keeps_a_stateful_set_from_restarting_is_deleted() {
    let seen = restarted(&stateful(changed(scene(vec![pod("a"), pod("b")]), 100)));
    let mut seen = with(seen, |workload| workload.revision = Some("2".to_owned()));
    assert_eq!(said(&seen), "Restarting");
    seen.pods[0].facts.readiness.ready = false;
    assert_eq!(said(&seen), "Delete a stale");
    seen.pods[0].facts.held.clear();
    judged(&mut seen);
    assert_eq!(said(&seen), "Delete a stuck", "crash-looping, it holds nothing, and stands in the way all the same");
    seen.pods[0].facts.revision = Some("2".to_owned());
    assert_eq!(said(&seen), "Restarting");
}

#[test]
fn what_does_not_roll_by_itself_is_evicted() {
    let seen = stateful(changed(scene(vec![pod("a"), pod("b")]), 100));
    let seen = with(seen, |workload| workload.rolls = false);
    assert_eq!(said(&seen), "Evict a stale");
    let mut waits = seen;
    waits.pods[1].facts.readiness.ready = false;
    waits.pods[1].facts.held[0].started = NOW;
    judged(&mut waits);
    assert_eq!(said(&waits), "OneAtATime");
}
