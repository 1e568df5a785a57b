# shellcheck shell=bash
# The cluster's network namespace. A veth pair with both ends inside carries the node's address and the default route: packets for
# anywhere else end there, and nothing of the cluster is reachable from outside.

make_network() {
  ip netns add "$CLUSTER"
  ip -n "$CLUSTER" link set lo up
  ip -n "$CLUSTER" link add uplink type veth peer name void
  ip -n "$CLUSTER" addr add "$NODE_ADDRESS/24" dev uplink
  ip -n "$CLUSTER" link set void up
  ip -n "$CLUSTER" link set uplink up
  ip -n "$CLUSTER" route add default dev uplink
  "${ENTER[@]}" sysctl -qw net.ipv4.ip_forward=1
  "${ENTER[@]}" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true
}

remove_network() {
  [[ ! -e $NETNS ]] || ip netns delete "$CLUSTER"
}
