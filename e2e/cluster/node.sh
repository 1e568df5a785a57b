# shellcheck shell=bash
# The node: containerd with runc, and the kubelet, in a mount namespace of their own.

start_node_world() {
  case $STATE in
    /run/* | /var/lib/* | /var/log/*) fail "the node has its own /run, /var/lib and /var/log: move this checkout elsewhere than $ROOT" ;;
  esac
  start_process "$STATE" node-world "${ENTER[@]}" unshare --mount --propagation private bash "$E2E/cluster/node-world.sh" "$STATE"
  wait_until 10 "the node's mount namespace" test -e "$STATE/node/run/ready"
  enter_node
}

# Sets NODE_ENTER, the prefix that runs a program inside the node.
enter_node() {
  local pid
  pid=$(running_pid "$STATE" node-world) || fail "no cluster runs here: make up"
  NODE_ENTER=(nsenter "--mount=/proc/$pid/ns/mnt" "--net=$NETNS" --)
}

node_ctr() { "${NODE_ENTER[@]}" ctr --address /run/containerd/containerd.sock --namespace k8s.io "$@"; }

# Overlay cannot stand on overlay (a checkout inside a container): then containerd copies.
snapshotter() {
  if [[ $(stat -f -c %T "$STATE") == overlayfs ]]; then echo native; else echo overlayfs; fi
}

start_containerd() {
  write_containerd_config
  write_cni_config
  start_process "$STATE" containerd "${NODE_ENTER[@]}" containerd --config "$STATE/config/containerd.toml"
  wait_until 30 "containerd answers" node_ctr version
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc may not lower a score and would refuse every pod.
write_containerd_config() {
  cat >"$STATE/config/containerd.toml" <<TOML
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/sluice/pause:dev"
restrict_oom_score_adj = true
disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$STATE/config/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "$(snapshotter)"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
TOML
}

# Point to point, not a bridge: a bridge would carry answers between two pods past the address translation of their Service.
write_cni_config() {
  mkdir -p "$STATE/config/cni"
  cat >"$STATE/config/cni/10-sluice.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "sluice", "plugins": [{
  "type": "ptp",
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_RANGE"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
JSON
}

start_kubelet() {
  issue_certificate "$STATE/pki" kubelet "/O=system:nodes/CN=system:node:$NODE"
  write_kubeconfig "$STATE/pki" kubelet "$API_SERVER" "$STATE/config/kubelet.kubeconfig"
  write_kubelet_config
  : >"$STATE/config/resolv.conf"
  start_process "$STATE" kubelet "${NODE_ENTER[@]}" "$TOOLS/bin/kubelet" --config="$STATE/config/kubelet.yaml" \
    --kubeconfig="$STATE/config/kubelet.kubeconfig" --hostname-override="$NODE" --node-ip="$NODE_ADDRESS"
}

# Tuned for short-lived test pods: restarts back off for a second at most, nothing is evicted or collected for want of disk.
write_kubelet_config() {
  cat >"$STATE/config/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_ADDRESS
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $STATE/pki/ca.crt}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$CLUSTER
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [$DNS_ADDRESS]
clusterDomain: cluster.local
resolvConf: $STATE/config/resolv.conf
makeIPTablesUtilChains: false
healthzBindAddress: 127.0.0.1
maxPods: 250
syncFrequency: 10s
configMapAndSecretChangeDetectionStrategy: Watch
serializeImagePulls: false
registryPullQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
eventRecordQPS: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
featureGates: {KubeletCrashLoopBackOffMax: true}
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
YAML
}
