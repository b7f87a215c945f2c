#!/usr/bin/env bash
# on_node.sh MODULE ALONE [ARGUMENT...]: builds the image and a cluster with a node, starts it, runs a
# module of the tests there and always takes the cluster down again. Tests whose names contain ALONE take the
# API server away: they go last, by themselves, and after them what looks at all that was called. Arguments go to the test program in
# place of that. What was printed stands in TEST_OUTPUT (target/cluster/MODULE-output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/tests/cluster
module=$1 alone=$2
shift 2

export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/cluster/$module-output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"
cd "$root"
"$cluster/build.sh" node
"$root/tests/chart/build-helm.sh" >&2
"$root/tests/image/build.sh"
# Built before the cluster is there: compiling takes the processors that it needs.
"$root/tests/live.sh" "$module" --no-run

state=$root/target/cluster/$module.$$
trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null || true; "$cluster/down.sh" "$state"' EXIT
"$cluster/up.sh" "$state" node
ctr --address "$state/containerd.sock" --namespace k8s.io images import "${IMAGE_TAR:-target/image.tar}" >/dev/null
export TEST_KUBECONFIG=$state/kubeconfig TEST_AUDIT_LOG=$state/audit.log
tests() { "$root/tests/live.sh" "$module" --test-threads "${TEST_THREADS:-2}" "$@"; }
if [[ $# != 0 ]]; then
  tests "$@"
else
  # Each is run whatever came of the one before: a cluster takes minutes to come up.
  failed=0
  tests --skip "$alone" --skip afterwards:: || failed=$?
  tests "$alone" || failed=$?
  tests afterwards:: || failed=$?
  ((failed == 0)) || exit "$failed"
fi
cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs"
"$cluster/search.sh" "$TEST_OUTPUT"
