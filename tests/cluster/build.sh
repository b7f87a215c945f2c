#!/usr/bin/env bash
# build.sh [node|old]...: builds the test cluster's one binary (etcd, Kubernetes, kubectl) from Go
# modules, into CLUSTER_BIN or target/cluster/bin. About 8 minutes on 2 cores the first time, nothing
# when its sources are the same. With "old" also the control plane of the oldest Kubernetes that the
# tests know (1.24), about 4 minutes. With "node" what a node needs besides: CoreDNS, built the same
# way, and Debian's containerd, runc, network plug-ins and iptables, installed where they are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${CLUSTER_BIN:-$here/../../target/cluster/bin}
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)

# kubernetes NAME VERSION: builds the module in the folder NAME, if its sources changed. The binary is
# the program by whose name it is called.
kubernetes() {
  local name=$1 version=$2 minor=${2#1.} sources flags package
  sources=$(cat "$here/build.sh" "$here/$name"/{go.mod,go.sum,main.go} | sha256sum | cut -d' ' -f1)
  [[ ! -x $bin/$name || $(cat "$bin/$name.sources" 2>/dev/null) != "$sources" ]] || return 0
  command -v go >/dev/null || { echo "build.sh: go is not installed; it is needed to build the test cluster" >&2; exit 1; }
  echo "building Kubernetes $version for the tests: minutes the first time" >&2
  # Programs ask the API server for its version, and the linker is the only place where it can be set.
  flags="-s -w"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%.*}"
  done
  # mod=mod: the list of modules is kept without those that only tests of Kubernetes need.
  (cd "$here/$name" && CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false" \
    go build -trimpath -tags selinux,notest,grpcnotrace -ldflags "$flags" -o "$bin/$name" .)
  echo "$sources" >"$bin/$name.sources"
}

kubernetes kubernetes 1.37.2
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
  ln -sf kubernetes "$bin/$name"
done

if [[ " $* " == *" old "* ]]; then
  kubernetes kubernetes-old 1.24.17
  mkdir -p "$bin/old"
  for name in kube-apiserver kube-controller-manager; do ln -sf ../kubernetes-old "$bin/old/$name"; done
fi
[[ " $* " == *" node "* ]] || exit 0

coredns=v1.15.0
if [[ ! -x $bin/coredns || $(cat "$bin/coredns.version" 2>/dev/null) != "$coredns" ]]; then
  echo "building CoreDNS $coredns for the tests: minutes the first time" >&2
  GOFLAGS="" CGO_ENABLED=0 GOBIN=$bin go install "github.com/coredns/coredns@$coredns"
  echo "$coredns" >"$bin/coredns.version"
fi
missing=()
for tool in containerd:containerd runc:runc iptables:iptables ip:iproute2 /usr/lib/cni/bridge:containernetworking-plugins; do
  command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
done
if ((${#missing[@]})); then
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi
