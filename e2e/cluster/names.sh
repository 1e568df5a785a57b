# shellcheck shell=bash
# What this checkout's cluster is called on the machine. The namespaces are closed worlds, so addresses are the same in every
# checkout; only the names that the whole machine sees (network namespace, cgroup) carry a mark of the checkout's path.

STATE="$TARGET/cluster"
CLUSTER="sluice-$(printf '%s' "$ROOT" | sha256sum | cut -c1-8)"
NETNS="/run/netns/$CLUSTER"
ENTER=(nsenter "--net=$NETNS")

NODE=sluice-node
NODE_ADDRESS=10.99.0.1
POD_RANGE=10.244.0.0/16
DNS_ADDRESS=10.96.0.10
API_SERVER="https://$NODE_ADDRESS:6443"
PRODUCTION_PORT=18080
TEST_PORT=18081
METRICS_PORT=6444
export KUBECONFIG="$STATE/kubeconfig"
export KUBECACHEDIR="$STATE/discovery"

# kubectl from inside the cluster's network.
k() { "${ENTER[@]}" kubectl "$@"; }

# Held while a cluster starts or ends, so that two terminals do not do both.
lock_cluster() {
  mkdir -p "$TARGET"
  exec 8>"$TARGET/cluster.lock"
  flock 8
}

require_root() { ((EUID == 0)) || fail "the cluster needs root: it makes network namespaces, mounts and cgroups"; }
