#!/usr/bin/env bash
# live.sh MODULE [ARGUMENT...]: runs one module of the test program `live` (cluster, argocd, node or
# pods) in the cluster of TEST_KUBECONFIG. Arguments go to the program: a test's name, --nocapture. With
# --no-run alone it only builds.
set -euo pipefail
cd "$(dirname "$0")/.."
module=$1
shift
if [[ $* == --no-run ]]; then exec cargo test --locked --test live --no-run; fi
# Several names are alternatives to the program, so that a module's can't be one of them.
others=()
for other in cluster argocd node pods; do
  [[ $other == "$module" ]] || others+=(--skip "$other::")
done
exec cargo test --locked --test live -- "${others[@]}" "$@"
