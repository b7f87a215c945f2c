#!/usr/bin/env bash
# package.sh DIR: makes what a release publishes beside the binaries' archives in DIR: the chart with
# the image's name in it, the manifest of the kubectl plugin, the bill of materials and what is known
# of its vulnerabilities, the notes, checksums. NOTES_OF is a section of CHANGELOG other than the version's.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$root"
source release.env
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
helm=${HELM:-${CLUSTER_BIN:-target/cluster/bin}/helm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -r charts/argocd-auth-webhook "$work/"
REPOSITORY=$REPOSITORY IMAGE_REPOSITORY=$IMAGE_REPOSITORY hack/stamp-chart.py "$work/argocd-auth-webhook" "v$version"
"$helm" package "$work/argocd-auth-webhook" --destination "$out" >/dev/null

hack/krew.sh "$out" "$version" >"$out/argocd-auth.yaml"
hack/sbom.py >"$out/argocd-auth-webhook.sbom.cdx.json"
hack/sbom.py vex >"$out/argocd-auth-webhook.vex.cdx.json"
hack/notes.sh "${NOTES_OF:-$version}" >"$out/notes.md"
cd "$out"
rm -f checksums.txt
sha256sum -- *.tar.gz *.tgz *.yaml *.json >checksums.txt
