#!/usr/bin/env bash
# release-check.sh TAG: whether this commit can be released under that tag. Says all that is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
source release.env
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
wrong=()
[[ $1 == "v$version" ]] || wrong+=("the tag is $1, and Cargo.toml has version $version")
for key in version appVersion; do
  grep -qx "$key: \"\\?$version\"\\?" charts/argocd-auth-webhook/Chart.yaml || wrong+=("Chart.yaml's $key is not $version")
done
hack/notes.sh "$version" >/dev/null 2>&1 || wrong+=("CHANGELOG.md has no section \"## $version\"")
[[ -z ${GITHUB_REPOSITORY:-} || $GITHUB_REPOSITORY == "$REPOSITORY" ]] ||
  wrong+=("release.env says REPOSITORY=$REPOSITORY, and this is $GITHUB_REPOSITORY")
((${#wrong[@]} == 0)) || { printf 'release-check.sh: %s\n' "${wrong[@]}" >&2; exit 1; }
echo "release-check.sh: $1 can be released"
