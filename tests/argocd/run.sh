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

# Passwords, keys and sessions are noted here as they come up, and must stand nowhere but in Secrets.
export TEST_SECRET_VALUES=$root/target/argocd/secret-values
: >"$TEST_SECRET_VALUES"

"$here/build.sh"
if [[ -n ${TEST_KUBECONFIG:-} ]]; then
  echo "Argo CD tests: using the cluster of $TEST_KUBECONFIG"
else
  "$here/../cluster/build.sh"
  state=$root/target/argocd/tests.$$
  # Also when the tests fail or somebody interrupts them.
  trap 'cp -r "$state/logs" "$TEST_OUTPUT/cluster-logs" 2>/dev/null || true; "$here/../cluster/down.sh" "$state"' EXIT
  "$here/../cluster/up.sh" "$state"
  export TEST_KUBECONFIG=$state/kubeconfig
  log=$state/audit.log
fi

"$root/tests/live.sh" argocd --test-threads "${TEST_THREADS:-4}" "$@"

searched=("$TEST_OUTPUT")
if [[ -n ${log:-} ]]; then
  searched+=("$log")
else
  echo "NOT RUN: secret values in the API server's audit log, which can't be read from here"
fi
# Only a search that has something to look for proves anything.
[[ -s $TEST_SECRET_VALUES ]] || { echo "secret values: none were noted" >&2; exit 1; }
found=0
grep -rlFf "$TEST_SECRET_VALUES" "${searched[@]}" && found=1
# Whatever looks like a token, in the plain or in base64.
grep -rlE 'eyJ[A-Za-z0-9_-]{8,}\.eyJ|ZXlK[A-Za-z0-9+/]{40}' "${searched[@]}" && found=1
if ((found)); then
  echo "secret values: the files above hold some" >&2
  exit 1
fi
echo "secret values: none of $(sort -u "$TEST_SECRET_VALUES" | wc -l) in $(find "${searched[@]}" -type f | wc -l) files, $(du -cb "${searched[@]}" | tail -n 1 | cut -f1) bytes"
