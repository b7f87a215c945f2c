//! Bounds of replacements: a pod that drifts again, and the hourly bound.

use super::*;

#[test]
fn a_pod_that_comes_back_out_of_step_stops_it_longer_each_time() {
    let mut seen = scene(vec![unready(missed("a")), unready(missed("b"))]);
    seen.record = done(&seen, NOW);
    // Both existed before, so the second one doesn't count as drifting again.
    seen.pods.remove(0);
    assert_eq!(said(&seen), "Delete b missed");
    seen.record = done(&seen, NOW);
    let mut name = 0;
    let mut now = NOW;
    for delay in [60, 120, 240, 480, 960, 1920] {
        name += 1;
        seen.pods = vec![unready(missed(&format!("again-{name}")))];
        judged(&mut seen);
        assert_eq!(says(&planned(&seen, now + delay - 1)), "CameBack", "{delay}");
        now += delay;
        assert_eq!(says(&planned(&seen, now)), format!("Delete again-{name} missed"));
        seen.record = done(&seen, now);
    }
}

#[test]
fn other_settings_begin_anew() {
    let mut seen = scene(vec![unready(missed("a"))]);
    seen.record = done(&seen, NOW);
    seen.pods = vec![missed("b")];
    judged(&mut seen);
    assert_eq!(said(&seen), "CameBack");
    seen.settings = "s2".to_owned();
    assert_eq!(said(&seen), "Evict b missed");
}

#[test]
fn a_successor_repeats_what_was_begun_and_counts_it_once() {
    let mut seen = scene(vec![missed("a"), missed("b"), missed("c")]);
    let first = done(&seen, NOW);
    seen.record = first.clone();
    assert_eq!(says(&planned(&seen, NOW + 100)), "Evict a missed");
    assert_eq!(done(&seen, NOW + 100), first);
}

/// Six pods replaced within as many seconds, each under other settings.
fn six(of: fn(PodView) -> PodView) -> Snapshot {
    let mut seen = scene(vec![missed("a")]);
    for round in 0..6 {
        seen.pods = vec![of(missed(&format!("p{round}")))];
        seen.settings = format!("s{round}");
        judged(&mut seen);
        seen.record = done(&seen, NOW + round);
    }
    seen
}

#[test]
fn the_hour_holds_no_pod_that_is_not_ready_and_does_not_count_it() {
    let mut seen = six(|pod| pod);
    seen.settings = "another".to_owned();
    seen.pods = vec![unready(missed("broken"))];
    judged(&mut seen);
    assert_eq!(said(&seen), "Delete broken missed");
    let mut seen = six(unready);
    seen.settings = "another".to_owned();
    seen.pods = vec![missed("last")];
    judged(&mut seen);
    assert_eq!(says(&planned(&seen, NOW + 10)), "Evict last missed");
}

#[test]
fn the_hour_bounds_a_workload_and_says_until_when() {
    let mut seen = six(|pod| pod);
    seen.pods = vec![missed("last")];
    "another".clone_into(&mut seen.settings);
    judged(&mut seen);
    let bound = planned(&seen, NOW + 10);
    assert_eq!(says(&bound), "HourlyBound");
    assert_eq!(bound.next, NextStep::WaitUntil(NOW + 3600));
    let text = &bound.waiting[&id(Kind::Deployment)].text;
    insta::assert_snapshot!(text, @"6 of its ready pods were replaced within an hour, and no more are before 2027-01-15T09:00:00Z; kubectl delete pod replaces one now");
    assert_eq!(says(&planned(&seen, NOW + 3600)), "Evict last missed");
}
