#!/usr/bin/env bash
# on_node.sh PROGRAM ALONE [ARGUMENT...]: builds the image and a cluster with a node, starts it, runs a
# test program there and always takes the cluster down again. Tests whose names contain ALONE take the
# API server away: they go last, by themselves. Arguments go to the test program in place of that.
# What was printed stands in TEST_OUTPUT (target/cluster/PROGRAM-output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/tests/cluster
program=$1 alone=$2
shift 2

export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/cluster/$program-output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"
cd "$root"
"$cluster/build.sh" node
"$root/tests/chart/build-helm.sh" >&2
"$root/tests/image/build.sh"
# Built before the cluster is there: compiling takes the processors that it needs.
cargo test --locked --test "$program" --no-run

state=$root/target/cluster/$program.$$
trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null || true; "$cluster/down.sh" "$state"' EXIT
"$cluster/up.sh" "$state" node
ctr --address "$state/containerd.sock" --namespace k8s.io images import "${IMAGE_TAR:-target/image.tar}" >/dev/null
export TEST_KUBECONFIG=$state/kubeconfig TEST_AUDIT_LOG=$state/audit.log
tests() { cargo test --locked --test "$program" -- --test-threads "${TEST_THREADS:-2}" "$@"; }
if [[ $# != 0 ]]; then
  tests "$@"
else
  tests --skip "$alone"
  tests "$alone"
fi
cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs"
"$cluster/search.sh" "$TEST_OUTPUT"
