#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the tests of pods in step: builds the image and a cluster with a node,
# starts it and always takes it down again. Arguments go to the test program: a test's name,
# --nocapture. Needs root on Linux; elsewhere it says what it leaves out, and is content.
# What was printed stands in TEST_OUTPUT (target/cluster/pods-output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/tests/cluster
if [[ $(uname) != Linux || $(id -u) != 0 ]]; then
  why="they need root on Linux"
  echo "NOT RUN: pods in step ($why): missed, outdated and stale pods replaced on a real node, once each"
  echo "NOT RUN: pods in step ($why): budgets, quotas, manifests applied in a loop, killed controllers, a hundred pods"
  exit 0
fi

export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/cluster/pods-output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"
cd "$root"
"$cluster/build.sh" node
"$root/tests/chart/build-helm.sh" >&2
"$root/tests/image/build.sh"
# Built before the cluster is there: compiling takes the processors that it needs.
cargo test --locked --test pods --no-run

state=$root/target/cluster/pods.$$
trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null || true; "$cluster/down.sh" "$state"' EXIT
"$cluster/up.sh" "$state" node
ctr --address "$state/containerd.sock" --namespace k8s.io images import "${IMAGE_TAR:-target/image.tar}" >/dev/null
export TEST_KUBECONFIG=$state/kubeconfig TEST_AUDIT_LOG=$state/audit.log
tests() { cargo test --locked --test pods -- --test-threads "${TEST_THREADS:-2}" "$@"; }
if [[ $# != 0 ]]; then
  tests "$@"
else
  # What takes the API server away goes last, and alone.
  tests --skip alone_the_api_server
  tests alone_the_api_server
fi
cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs"
"$cluster/search.sh" "$TEST_OUTPUT"
