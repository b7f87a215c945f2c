#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the cluster tests. Arguments go to the test program: a test's name,
# --nocapture. Without TEST_KUBECONFIG it builds a cluster, starts it and always takes it down again,
# for each Kubernetes of TEST_KUBERNETES ("new old" if it is not given).
# What the processes printed stands in TEST_OUTPUT (target/cluster/output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/cluster/output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"
cd "$root"

tests() { # ARGUMENT...: the test program, and what it left behind
  "$root/tests/live.sh" cluster --test-threads "${TEST_THREADS:-4}" "$@"
  # Only a search that can find something proves anything: with all tests, patches name this Secret.
  if [[ $# == 0 && -n ${TEST_AUDIT_LOG:-} ]] && ! grep -qF gitops-runtime-argo-cd-token "$TEST_AUDIT_LOG"; then
    echo "secret values: $TEST_AUDIT_LOG holds no patch, so looking into it proves nothing" >&2
    return 1
  fi
  "$here/search.sh" "$TEST_OUTPUT"
}

if [[ -n ${TEST_KUBECONFIG:-} ]]; then
  echo "cluster tests: using the cluster of $TEST_KUBECONFIG"
  tests "$@"
  exit
fi

# The chart as an API server of this version takes it. `cargo test` builds it only where Helm is.
goldens() {
  KUBECONFIG_DRY_RUN=$TEST_KUBECONFIG KUBECTL=${CLUSTER_BIN:-$root/target/cluster/bin}/kubectl \
    cargo test --locked --test chart an_api_server_accepts_every_golden -- --nocapture
}

state=$root/target/cluster/tests.$$
base=$TEST_OUTPUT
# Also when the tests fail or somebody interrupts them. The logs are kept: they tell why.
trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null || true; "$here/down.sh" "$state"' EXIT
for version in ${TEST_KUBERNETES:-new old}; do
  level=()
  [[ $version == new ]] || level=("$version")
  export TEST_OUTPUT=$base/$version TEST_KUBECONFIG=$state/kubeconfig TEST_AUDIT_LOG=$state/audit.log
  mkdir -p "$TEST_OUTPUT"
  "$here/build.sh" "${level[@]}"
  "$here/up.sh" "$state" "${level[@]}"
  echo "cluster tests: $("${CLUSTER_BIN:-$root/target/cluster/bin}/kubectl" --kubeconfig "$TEST_KUBECONFIG" version | tail -n 1)"
  [[ $# != 0 ]] || goldens
  tests "$@"
  cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs"
  "$here/down.sh" "$state"
done
