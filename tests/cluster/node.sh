# shellcheck shell=bash
# The node of the test cluster, for up.sh and down.sh to source: containerd, kubelet, kube-proxy,
# scheduler and cluster DNS on this machine. Needs root. NetworkPolicies are not enforced by the
# bridge plug-in. CLUSTER_CGROUP names a control group (version 1) for its pods alone, so that the
# kubelets of two clusters on one machine don't clear away each other's pods.

node_bridge=cluster0
node_address=10.244.0.1

node_network() {
  [[ $(id -u) == 0 ]] || fail "a node needs root"
  # The pods' own bridge carries the node's address: not every kernel has dummy links.
  ip link show "$node_bridge" >/dev/null 2>&1 || ip link add "$node_bridge" type bridge
  ip addr show dev "$node_bridge" | grep -qF "$node_address/24" || ip addr add "$node_address/24" dev "$node_bridge"
  ip link set "$node_bridge" up
  # Where nothing leads out, the addresses of Services need a way too, before they are replaced.
  ip route get 10.96.0.1 >/dev/null 2>&1 || ip route add 10.96.0.0/16 dev "$node_bridge"
  sysctl -qw net.ipv4.ip_forward=1
}

node_start() {
  gcc -static -O2 -Wall -o probe "$here/probe.c"
  python3 "$here/image.py" cluster.local/probe:1 probe.tar '{"Entrypoint":["/probe"]}' /probe=probe
  # What stands in for the Runtime's images, which don't run as root either.
  python3 "$here/image.py" cluster.local/workload:1 workload.tar '{"Entrypoint":["/probe"],"User":"1000"}' /probe=probe
  mkdir -p cni
  cat >containerd.toml <<TOML
version = 2
root = "$state/containerd/root"
state = "$state/containerd/state"
[grpc]
  address = "$state/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "cluster.local/probe:1"
  # Where nothing may lower its OOM score, sandboxes would not start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    # Overlay may be missing; this one works everywhere.
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$state/cni"
TOML
  cat >cni/10-bridge.conflist <<JSON
{"cniVersion": "0.4.0", "name": "cluster", "plugins": [
  {"type": "bridge", "bridge": "$node_bridge", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$state/cni/addresses",
            "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "loopback"}]}
JSON
  cat >kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$state/containerd.sock
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: ""
maxPods: 200
enforceNodeAllocatable: []
# No image that went could be pulled again.
imageGCHighThresholdPercent: 100
evictionHard: {nodefs.available: "0%", imagefs.available: "0%", memory.available: "0%"}
# The defaults would make a stream of pods a matter of minutes.
registryPullQPS: 0
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
eventRecordQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
YAML
  cat >Corefile <<DNS
.:53 {
  bind $node_address
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $state/kubeconfig tests
  }
  cache 5
}
DNS
  if [[ -n ${CLUSTER_CGROUP:-} ]]; then
    awk '$3 == "cgroup" {print $2}' /proc/mounts | while read -r hierarchy; do mkdir -p "$hierarchy/$CLUSTER_CGROUP"; done
    echo "cgroupRoot: /$CLUSTER_CGROUP" >>kubelet.yaml
  fi
  start containerd -c containerd.toml
  wait_for containerd "its socket" ctr -a containerd.sock version
  local image
  for image in probe workload; do ctr -a containerd.sock -n k8s.io images import $image.tar >/dev/null; done
  start kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --bind-address=127.0.0.1 --kube-api-qps=500 --kube-api-burst=1000
  start kube-proxy --kubeconfig=kubeconfig --proxy-mode=iptables --hostname-override=node --masquerade-all \
    --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 \
    --iptables-min-sync-period=100ms
  start kubelet --config=kubelet.yaml --kubeconfig=kubeconfig --root-dir="$state/kubelet" \
    --hostname-override=node --node-ip="$node_address"
  start coredns -conf Corefile
  "${kubectl[@]}" apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-host, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
endpoints: [{addresses: [$node_address]}]
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
YAML
  wait_for kubelet "a node that is ready" "${kubectl[@]}" wait --for=condition=Ready node/node --timeout=1s
}

# Before the components end: what runs in pods, which no pid file names.
node_stop() {
  [[ -S containerd.sock ]] || return 0
  [[ ! -e pids/kubelet ]] || kill -KILL "$(cat pids/kubelet)" 2>/dev/null || true
  local id
  for id in $(ctr -a containerd.sock -n k8s.io tasks ls -q 2>/dev/null); do
    ctr -a containerd.sock -n k8s.io tasks kill -s 9 "$id" >/dev/null 2>&1 || true
  done
  for id in $(ctr -a containerd.sock -n k8s.io tasks ls -q 2>/dev/null); do
    ctr -a containerd.sock -n k8s.io tasks rm -f "$id" >/dev/null 2>&1 || true
  done
}

# After they ended: mounts below the state, the pods' network and kube-proxy's rules.
node_clean() {
  awk -v below="$PWD/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount" 2>/dev/null || umount -l "$mount" || true
  done
  local namespace
  for namespace in $(ip netns list 2>/dev/null | awk '/^cni-/ {print $1}'); do ip netns del "$namespace" || true; done
  ip link del "$node_bridge" 2>/dev/null || true
  local table
  for table in nat filter mangle; do
    iptables-save -t "$table" 2>/dev/null | grep -v KUBE- | iptables-restore -T "$table" 2>/dev/null || true
  done
}
