#!/usr/bin/env bash
# build.sh: builds Argo CD's API server from Go modules, into CLUSTER_BIN or target/cluster/bin, with
# the kinds that it needs beside it (argocd-crds.yaml). About 4 minutes on 2 cores the first time,
# nothing when its sources are the same.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${CLUSTER_BIN:-$here/../../target/cluster/bin}
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)

sources=$(cat "$here/build.sh" "$here"/server/{go.mod,go.sum,main.go} | sha256sum | cut -d' ' -f1)
if [[ -x $bin/argocd-server && -s $bin/argocd-crds.yaml && $(cat "$bin/argocd-server.sources" 2>/dev/null) == "$sources" ]]; then
  exit 0
fi
command -v go >/dev/null || { echo "build.sh: go is not installed; it is needed to build Argo CD" >&2; exit 1; }
# mod=mod: the list of modules is kept without those that only Argo CD's own tests need.
export CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false"
cd "$here/server"
version=$(go list -m -f '{{.Version}}' github.com/argoproj/argo-cd/v3)
echo "building Argo CD $version for the tests: minutes the first time" >&2
# It compares versions with its clients' and refuses them where its own has a "v" before it.
go build -trimpath -ldflags "-s -w -X github.com/argoproj/argo-cd/v3/common.version=${version#v}" -o "$bin/argocd-server" .
kinds=$(go list -m -f '{{.Dir}}' github.com/argoproj/argo-cd/v3)/manifests/crds
for kind in application applicationset appproject; do
  echo ---
  cat "$kinds/$kind-crd.yaml"
done >"$bin/argocd-crds.yaml"
echo "$sources" >"$bin/argocd-server.sources"
