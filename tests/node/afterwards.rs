//! When all other tests have ended: what they called, and what they could have called.

use crate::support::calls::every_permission_is_used;

/// What only the tests of `pods` use.
pub const USED_ELSEWHERE: &[&str] = &[
    "controller: create pods/eviction",
    "controller: delete pods",
    "controller: get statefulsets.apps",
    "controller: patch statefulsets.apps",
];

#[test]
fn every_permission_is_used_here_or_by_other_tests() {
    every_permission_is_used(USED_ELSEWHERE);
}
