#!/usr/bin/env bash
# Looks at .github with actionlint, which Go builds, and zizmor, which comes as a Python wheel, both
# without asking GitHub; and that each action is pinned by its commit. About half a minute the first
# time, a second afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/tools
actionlint=v1.7.12
zizmor=1.32.0
mkdir -p "$tools"

if [[ ! -x $tools/actionlint-$actionlint ]]; then
  echo "lint-workflows.sh: building actionlint $actionlint" >&2
  GOFLAGS='' CGO_ENABLED=0 GOBIN=$tools/go go install "github.com/rhysd/actionlint/cmd/actionlint@$actionlint"
  mv "$tools/go/actionlint" "$tools/actionlint-$actionlint"
fi
# shellcheck is used if it is there, so that a result doesn't depend on it.
"$tools/actionlint-$actionlint" -shellcheck= -pyflakes=

if [[ ! -x $tools/zizmor-$zizmor/bin/zizmor ]]; then
  echo "lint-workflows.sh: fetching zizmor $zizmor" >&2
  python3 -m pip install --quiet --no-deps --target "$tools/zizmor-$zizmor" "zizmor==$zizmor" 2>"$tools/pip" || {
    tail -n 3 "$tools/pip" >&2
    echo "NOT RUN: zizmor: no pip here, or no wheel for this machine"
  }
fi
[[ ! -x $tools/zizmor-$zizmor/bin/zizmor ]] || "$tools/zizmor-$zizmor/bin/zizmor" --offline --quiet --persona=pedantic .github

# A tag can be moved; a commit can't. The tag behind it is for people and for dependabot.
unpinned=$(grep -rnE '^\s*(- )?uses:' .github | grep -vE '@[0-9a-f]{40} # v[0-9.]+$|uses: \./' || true)
[[ -z $unpinned ]] || { echo "lint-workflows.sh: not pinned by commit, with its version behind it:" >&2; echo "$unpinned" >&2; exit 1; }
echo "lint-workflows.sh: $(ls .github/workflows | wc -l) workflows are clean"
