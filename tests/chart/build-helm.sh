#!/bin/sh
# Builds the Helm clients that the chart's tests use, version 4 and version 3.
#
# Output: ${CLUSTER_BIN:-target/cluster/bin}/helm and …/helm3.
# A client that is there already is left alone. Delete it to build it again.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${CLUSTER_BIN:-$root/target/cluster/bin}

helm4_version=v4.3.1
helm3_version=v3.22.0

command -v go >/dev/null 2>&1 || {
    echo "build-helm.sh: Go is needed to build Helm, and 'go' is not in PATH" >&2
    exit 1
}
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)

# build NAME MODULE@VERSION: `go install` names the file after the package,
# so it works in a folder of its own.
build() {
    if [ -x "$bin/$1" ]; then
        echo "build-helm.sh: $bin/$1 is there"
        return
    fi
    folder=$(mktemp -d "$bin/.helm.XXXXXX")
    echo "build-helm.sh: building $1 from $2"
    if GOFLAGS='' GOBIN="$folder" CGO_ENABLED=0 go install "$2"; then
        mv "$folder/helm" "$bin/$1"
        rmdir "$folder"
    else
        rm -rf "$folder"
        return 1
    fi
}

build helm "helm.sh/helm/v4/cmd/helm@$helm4_version"
build helm3 "helm.sh/helm/v3/cmd/helm@$helm3_version"
