#!/usr/bin/env bash
# up.sh STATE [node|old]: starts a Kubernetes control plane (etcd, API server, controller manager) on
# 127.0.0.1, as any user, with all its files in STATE. STATE/kubeconfig is the administrator's,
# STATE/audit.log what the API server logged about each request. With "node" there is a real node
# too (root only): see node.sh. With "old" the control plane is the oldest Kubernetes of the tests.
# Ports: CLUSTER_API_PORT (16443), CLUSTER_ETCD_PORT (12379), CLUSTER_ETCD_PEER_PORT (12380).
set -euo pipefail
[[ $# == 1 || ($# == 2 && $2 =~ ^(node|old)$) ]] || { echo "usage: up.sh STATE [node|old]" >&2; exit 2; }
level=${2:-control-plane}
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "${CLUSTER_BIN:-$here/../../target/cluster/bin}" && pwd) || exit 1
api_port=${CLUSTER_API_PORT:-16443}
etcd_port=${CLUSTER_ETCD_PORT:-12379}
peer_port=${CLUSTER_ETCD_PEER_PORT:-12380}

fail() { echo "up.sh: $*" >&2; exit 1; }
[[ -x $bin/kube-apiserver ]] || fail "$bin has no kube-apiserver; run tests/cluster/build.sh first"
[[ $level != old || -x $bin/old/kube-apiserver ]] || fail "$bin has no old kube-apiserver; run tests/cluster/build.sh old first"
[[ ! -e $1/pids ]] || fail "$1 belongs to a cluster already; run tests/cluster/down.sh $1 first"
for port in CLUSTER_API_PORT=$api_port CLUSTER_ETCD_PORT=$etcd_port CLUSTER_ETCD_PEER_PORT=$peer_port; do
  if (exec 3<>"/dev/tcp/127.0.0.1/${port#*=}") 2>/dev/null; then
    fail "port ${port#*=} is in use; choose another one with ${port%=*}"
  fi
done

mkdir -p "$1"
cd "$1"
state=$PWD
mkdir -p pids logs pki
trap 'code=$?; if [[ $code != 0 ]]; then "$here/down.sh" "$state"; fi; exit $code' EXIT

start() { # NAME ARGUMENT...: starts a component, ours or the system's
  local name=$1 program
  shift
  program=$bin/$name
  [[ $level != old || ! -x $bin/old/$name ]] || program=$bin/old/$name
  [[ -x $program ]] || program=$(command -v "$name") || fail "$name is not there; run tests/cluster/build.sh ${level/control-plane/}"
  "$program" "$@" >"logs/$name.log" 2>&1 </dev/null &
  echo $! >"pids/$name"
}
wait_for() { # NAME WHAT COMMAND...: waits up to a minute for what a component is to bring about
  local name=$1 what=$2 deadline=$((SECONDS + 60))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$(cat "pids/$name")" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "logs/$name.log" >&2
      fail "$name did not get as far as: $what; its last lines stand above"
    fi
    sleep 0.1
  done
}

# Without a node everything stays on the loopback; pods need an address that they can reach.
bind=127.0.0.1 address=127.0.0.1 endpoints=(--endpoint-reconciler-type=none)
if [[ $level == node ]]; then
  # shellcheck source=tests/cluster/node.sh
  source "$here/node.sh"
  node_network
  bind=0.0.0.0 address=$node_address endpoints=(--kubelet-preferred-address-types=InternalIP)
fi

openssl genrsa -out pki/service-accounts.key 2048 2>/dev/null
token=$(openssl rand -hex 16)
echo "$token,admin,admin,system:masters" >pki/tokens.csv
chmod 600 pki/*

# Nothing of it outlives the tests, so nothing needs to reach the disk.
start etcd --data-dir etcd --unsafe-no-fsync --log-level warn \
  --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
  --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
  --initial-cluster "default=http://127.0.0.1:$peer_port"
# The audit log is one file: where it rotates, a check would miss the older ones.
start kube-apiserver --etcd-servers="http://127.0.0.1:$etcd_port" "${endpoints[@]}" \
  --bind-address="$bind" --advertise-address="$address" --secure-port="$api_port" --cert-dir=pki/apiserver \
  --token-auth-file=pki/tokens.csv --authorization-mode=Node,RBAC --service-cluster-ip-range=10.96.0.0/16 \
  --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file=pki/service-accounts.key --service-account-signing-key-file=pki/service-accounts.key \
  --audit-policy-file="$here/audit-policy.yaml" --audit-log-path=audit.log --audit-log-maxsize=100000
wait_for kube-apiserver "its certificate" test -s pki/apiserver/apiserver.crt
cat >kubeconfig <<YAML
apiVersion: v1
kind: Config
clusters:
- name: tests
  cluster:
    server: https://127.0.0.1:$api_port
    # The certificate that the API server makes for itself does not name 127.0.0.1 everywhere.
    tls-server-name: kubernetes
    certificate-authority: $state/pki/apiserver/apiserver.crt
users: [{name: admin, user: {token: $token}}]
contexts: [{name: tests, context: {cluster: tests, user: admin}}]
current-context: tests
YAML
chmod 600 kubeconfig
kubectl=("$bin/kubectl" --kubeconfig="$state/kubeconfig")
wait_for kube-apiserver "ready" "${kubectl[@]}" get --raw /readyz
# Its default of 20 requests a second would make the tests' hundreds of pods a matter of minutes.
start kube-controller-manager --kubeconfig=kubeconfig --leader-elect=false --secure-port=0 \
  --kube-api-qps=500 --kube-api-burst=1000 \
  --service-account-private-key-file=pki/service-accounts.key --root-ca-file=pki/apiserver/apiserver.crt
wait_for kube-controller-manager "the default service account" "${kubectl[@]}" get serviceaccount default
if [[ $level == node ]]; then
  node_start
fi
echo "cluster ready: export KUBECONFIG=$state/kubeconfig" >&2
