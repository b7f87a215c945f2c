//! When all other tests have ended: what they called, and what they could have called.

use crate::support::calls::every_permission_is_used;

/// What only the tests of `pods` use.
pub const USED_ELSEWHERE: &[&str] = &[
    "controller: create pods/eviction",
    "controller: delete pods",
    "controller: get statefulsets.apps",
    "controller: patch statefulsets.apps",
    "test: create pods",
    "test: get configmaps of the settings",
    "test: get mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "test: get services",
    "test: list endpointslices.discovery.k8s.io",
];

#[test]
fn every_permission_is_used_here_or_by_other_tests() {
    every_permission_is_used(USED_ELSEWHERE);
}

#[test]
fn what_one_suite_leaves_to_the_other_is_not_left_back() {
    let both: Vec<_> =
        USED_ELSEWHERE.iter().filter(|one| crate::pods::afterwards::USED_ELSEWHERE.contains(one)).collect();
    assert!(both.is_empty(), "nobody uses {both:?}");
}
