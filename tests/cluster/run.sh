#!/usr/bin/env bash
# run.sh [ARGUMENT...]: runs the cluster tests. Arguments go to the test program: a test's name,
# --nocapture. Without TEST_KUBECONFIG it builds and starts a cluster and always takes it down again.
# What the processes printed stands in TEST_OUTPUT (target/cluster/output) afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export TEST_OUTPUT=${TEST_OUTPUT:-$root/target/cluster/output}
rm -rf "$TEST_OUTPUT"
mkdir -p "$TEST_OUTPUT"

if [[ -n ${TEST_KUBECONFIG:-} ]]; then
  echo "cluster tests: using the cluster of $TEST_KUBECONFIG"
else
  "$here/build.sh"
  state=$root/target/cluster/tests.$$
  # Also when the tests fail or somebody interrupts them. The logs are kept: they tell why.
  trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null; "$here/down.sh" "$state"' EXIT
  "$here/up.sh" "$state"
  export TEST_KUBECONFIG=$state/kubeconfig TEST_AUDIT_LOG=$state/audit.log
fi

cd "$root"
cargo test --locked --test cluster -- --test-threads "${TEST_THREADS:-4}" "$@"

# The values stand in the settings of the tests and must stand nowhere else. What the tests check of
# their own webhooks is checked here once more, over everything that was printed.
searched=("$TEST_OUTPUT")
if [[ -n ${TEST_AUDIT_LOG:-} ]]; then
  # Only a search that can find something proves anything: with all tests, patches name this Secret.
  if [[ $# == 0 ]] && ! grep -qF gitops-runtime-argo-cd-token "$TEST_AUDIT_LOG"; then
    echo "secret values: $TEST_AUDIT_LOG holds no patch, so looking into it proves nothing" >&2
    exit 1
  fi
  searched+=("$TEST_AUDIT_LOG")
else
  echo "NOT RUN: secret values in the API server's audit log, which can't be read from here"
fi
if grep -rlFf "$here/secret-values" "${searched[@]}"; then
  echo "secret values: the files above hold some" >&2
  exit 1
fi
echo "secret values: none in $(find "${searched[@]}" -type f | wc -l) files, $(du -cb "${searched[@]}" | tail -n 1 | cut -f1) bytes"
