#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the node tests: builds the image and a cluster with a node, starts it
# and always takes it down again. Arguments go to the test program: a test's name, --nocapture.
# Needs root on Linux; elsewhere it says what it leaves out, and is content.
# What was printed stands in TEST_OUTPUT (target/cluster/node-output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/tests/cluster
if [[ $(uname) != Linux || $(id -u) != 0 ]]; then
  why="they need root on Linux"
  echo "NOT RUN: node tests ($why): the image, installs by Helm and processes that hold what they were given"
  echo "NOT RUN: node tests ($why): planned changes and faults under a stream of creations, permissions, uninstalling"
  exit 0
fi
echo "NOT RUN: NetworkPolicies: the network of the test cluster's node enforces none"

export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/cluster/node-output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"
cd "$root"
"$cluster/build.sh" node
"$root/tests/argocd/build.sh"
"$root/tests/chart/build-helm.sh" >&2
"$root/tests/image/build.sh"
# Built before the cluster is there: compiling takes the processors that it needs.
cargo test --locked --test node --no-run

state=$root/target/cluster/node.$$
trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null || true; "$cluster/down.sh" "$state"' EXIT
"$cluster/up.sh" "$state" node
ctr --address "$state/containerd.sock" --namespace k8s.io images import "${IMAGE_TAR:-target/image.tar}" >/dev/null
export TEST_KUBECONFIG=$state/kubeconfig TEST_AUDIT_LOG=$state/audit.log
tests() { cargo test --locked --test node -- --test-threads "${TEST_THREADS:-2}" "$@"; }
if [[ $# != 0 ]]; then
  tests "$@"
else
  # What takes the API server away goes last, and alone.
  tests --skip an_api_server
  tests an_api_server
fi
cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs"
"$cluster/search.sh" "$TEST_OUTPUT"
