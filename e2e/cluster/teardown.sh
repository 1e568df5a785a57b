# shellcheck shell=bash
# Takes down everything that bears the cluster's name, whatever state a crash left it in. Mounts of the node are in its own mount
# namespace and go with its last process; pods' network namespaces and veths go with the node's.

tear_down() {
  kill_cluster_processes
  unmount_leftovers
  remove_network
  remove_cgroups
  remove_state
}

# Only what was mounted below the state folder from outside the node's namespace; the script itself mounts nothing there.
unmount_leftovers() {
  local mount
  while read -r mount; do umount --lazy "$mount"; done < <(awk -v state="$STATE/" 'index($5, state) == 1 { print $5 }' /proc/self/mountinfo | tac)
}

# Logs stay for whoever wants to know why.
remove_state() {
  local entry
  for entry in "$STATE"/* "$STATE"/.[!.]*; do
    [[ ! -e $entry && ! -L $entry || $entry == "$STATE/logs" ]] || rm -rf "$entry"
  done
}

leaves_traces() {
  [[ -e $NETNS || -n $(cluster_pids) || -e $KUBECONFIG ]] || compgen -G "/sys/fs/cgroup/*/$CLUSTER" >/dev/null
}
