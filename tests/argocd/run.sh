#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the tests at a real Argo CD. Arguments go to the test program: a test's
# name, --nocapture. Without TEST_KUBECONFIG it builds and starts a cluster and always takes it down
# again. What the processes printed stands in TEST_OUTPUT (target/argocd/output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/argocd/output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"

"$here/build.sh"
if [[ -n ${TEST_KUBECONFIG:-} ]]; then
  echo "Argo CD tests: using the cluster of $TEST_KUBECONFIG"
else
  "$here/../cluster/build.sh"
  state=$root/target/argocd/tests.$$
  # Also when the tests fail or somebody interrupts them.
  trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null; "$here/../cluster/down.sh" "$state"' EXIT
  "$here/../cluster/up.sh" "$state"
  export TEST_KUBECONFIG=$state/kubeconfig
fi

cd "$root"
cargo test --locked --test argocd -- --test-threads "${TEST_THREADS:-4}" "$@"
