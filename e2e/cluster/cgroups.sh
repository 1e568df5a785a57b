# shellcheck shell=bash
# Every process of the cluster lives in a cgroup named after it, the pods' below the kubelet's. What `down` ends is exactly what is
# in there: no pid file can be stale, and no process that somebody else started can be hit.

# Mount points of the machine's cgroup hierarchies.
cgroup_hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# The hierarchy whose membership counts: the unified one, or v1's pids.
tracking_hierarchy() {
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/pids; fi
}

# The kubelet wants its root to exist in every hierarchy.
make_cgroups() {
  local hierarchy
  while read -r hierarchy; do mkdir -p "$hierarchy/$CLUSTER"; done < <(cgroup_hierarchies)
  mkdir -p "$(tracking_hierarchy)/$CLUSTER/system"
  export CGROUP_PROCS
  CGROUP_PROCS="$(tracking_hierarchy)/$CLUSTER/system/cgroup.procs"
}

cluster_pids() {
  find "$(tracking_hierarchy)/$CLUSTER" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

# SIGKILL at once: nothing in the cluster outlives it, so nothing has anything to save.
kill_cluster_processes() {
  local pids deadline=$((SECONDS + 20))
  while pids=$(cluster_pids) && [[ -n $pids ]]; do
    ((SECONDS < deadline)) || fail "these processes of the cluster do not end: $pids"
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null || true
    sleep 0.05
  done
}

# The kernel lets go of a cgroup a moment after its last process.
remove_cgroups() {
  local hierarchy
  while read -r hierarchy; do
    [[ -d $hierarchy/$CLUSTER ]] || continue
    wait_until 10 "the cgroup $hierarchy/$CLUSTER goes" remove_cgroup_tree "$hierarchy/$CLUSTER"
  done < <(cgroup_hierarchies)
}

remove_cgroup_tree() {
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
  [[ ! -d $1 ]]
}
