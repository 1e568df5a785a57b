#!/usr/bin/env bash
# Shows what `make up`, `make import` and `make down` promise: a cluster that runs is found in moments, an archive becomes an image
# that pods run, and what crashed is taken down to the last process, mount and namespace, and nothing else with it. Leaves a fresh
# cluster, without the chart.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

SPACE=lifecycle-check
IMPORTED=docker.io/sluice/imported:check
# Longer than `make up` may take, on a machine with nothing to build.
MOST=30
BYSTANDER=$CLUSTER-bystander
WORK=$(mktemp -d)

main() {
  require_root
  trap remove_bystander EXIT
  "$E2E/up.sh"
  takes_moments "make up finds a cluster that runs" "$E2E/up.sh"
  check_import
  make_bystander
  remember_cluster
  crash
  "$E2E/down.sh"
  check_nothing_is_left
  check_bystander
  local said
  said=$("$E2E/down.sh" 2>&1) || fail "a second make down fails: $said"
  grep -q "no cluster runs" <<<"$said" || fail "a second make down finds something"
  say "ok: a second make down finds nothing"
  takes_moments "make up starts a cluster after a crash" "$E2E/up.sh"
  k get nodes >/dev/null
}

# takes_moments WHAT COMMAND...
takes_moments() {
  local what=$1 from=$SECONDS
  shift
  "$@" || fail "$what: it failed"
  ((SECONDS - from < MOST)) || fail "$what: that took $((SECONDS - from)) s, and may take $MOST"
  say "ok: $what, in $((SECONDS - from)) s"
}

# An image of a name that a fresh node has never seen, imported from an archive as a user has one, runs in a pod.
check_import() {
  local archive="$WORK/image.tar"
  enter_node
  make_archive "$archive"
  node_ctr images remove "$IMPORTED" >/dev/null 2>&1 || true
  ! has_image || fail "the node has the image already"
  make --no-print-directory -C "$ROOT" import ARCHIVE="$archive"
  has_image || fail "make import brought no image $IMPORTED"
  if make --no-print-directory -C "$ROOT" import ARCHIVE="$WORK/none.tar" 2>"$WORK/refused"; then fail "an archive that is not there is imported"; fi
  grep -q "no such archive" "$WORK/refused" || fail "an archive that is not there is not named: $(<"$WORK/refused")"
  run_pod
  say "ok: a pod runs the image that make import brought"
}

# A Docker archive, with the short name that Docker gives; `make up` itself imports OCI archives.
make_archive() {
  local buildah=(buildah --root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs) image
  image=$("${buildah[@]}" pull --quiet "oci-archive:$IMAGES/sample.tar")
  "${buildah[@]}" push --quiet "$image" "docker-archive:$1:${IMPORTED#docker.io/}"
  "${buildah[@]}" rmi --all --force >/dev/null
}

# All of the list first: grep ends at its match, and the list's own end would be a failure.
has_image() {
  local images
  images=$(node_ctr images list -q)
  grep -qx "$IMPORTED" <<<"$images"
}

# It stays until the crash: what it leaves is the node's.
run_pod() {
  k delete namespace "$SPACE" --ignore-not-found >/dev/null
  k create namespace "$SPACE" >/dev/null
  wait_until 30 "the default service account" k -n "$SPACE" get serviceaccount default
  k -n "$SPACE" run imported --image="$IMPORTED" --image-pull-policy=Never --env=VERSION=1 >/dev/null
  k -n "$SPACE" wait --for=condition=Ready --timeout=60s pod/imported >/dev/null || fail "the pod does not run: $(k -n "$SPACE" describe pod imported | tail -n 5)"
}

# Somebody else's: a process, a network namespace, a mount and a cgroup, of names that begin as the cluster's do.
make_bystander() {
  mkdir -p "$WORK/mount"
  ip netns add "$BYSTANDER"
  mount -t tmpfs tmpfs "$WORK/mount"
  mkdir -p "$(tracking_hierarchy)/$BYSTANDER"
  ip netns exec "$BYSTANDER" sleep 3600 8>&- &
  BYSTANDER_PID=$!
  BYSTANDER_START=$(process_start_time "$BYSTANDER_PID")
}

check_bystander() {
  [[ $(process_start_time "$BYSTANDER_PID") == "$BYSTANDER_START" ]] || fail "make down ended somebody else's process"
  [[ -e /run/netns/$BYSTANDER ]] || fail "make down deleted somebody else's network namespace"
  mountpoint -q "$WORK/mount" || fail "make down unmounted what somebody else mounted"
  [[ -d $(tracking_hierarchy)/$BYSTANDER ]] || fail "make down removed somebody else's cgroup"
  say "ok: make down touched nothing else"
}

remove_bystander() {
  [[ -z ${BYSTANDER_PID:-} ]] || kill "$BYSTANDER_PID" 2>/dev/null || true
  [[ ! -e /run/netns/$BYSTANDER ]] || ip netns delete "$BYSTANDER"
  ! mountpoint -q "$WORK/mount" 2>/dev/null || umount "$WORK/mount"
  [[ ! -d $(tracking_hierarchy)/$BYSTANDER ]] || rmdir "$(tracking_hierarchy)/$BYSTANDER"
  rm -rf "$WORK"
}

# What bears no name of the cluster's, but is: the namespaces of its processes, by their numbers.
remember_cluster() {
  local pid kind
  OWN_NAMESPACES=()
  for pid in $(cluster_pids | sort -u); do
    for kind in net mnt; do
      OWN_NAMESPACES+=("$(readlink "/proc/$pid/ns/$kind" 2>/dev/null || true)")
    done
  done
  mapfile -t OWN_NAMESPACES < <(printf '%s\n' "${OWN_NAMESPACES[@]}" | sort -u | grep -vxF -e "$(readlink /proc/self/ns/net)" -e "$(readlink /proc/self/ns/mnt)" -e "")
  ((${#OWN_NAMESPACES[@]} > 2)) || fail "the cluster's namespaces are not known: ${OWN_NAMESPACES[*]}"
}

# As the kernel ends processes when memory is short: the API server and the kubelet first, then the node's own world and containerd.
crash() {
  local name pid
  for name in kube-apiserver kubelet containerd node-world; do
    pid=$(running_pid "$STATE" "$name") || fail "$name does not run"
    kill -9 "$pid"
    wait_until 10 "$name ends" has_ended "$STATE" "$name"
  done
}

check_nothing_is_left() {
  local hierarchy left
  left=$(cluster_pids)
  [[ -z $left ]] || fail "processes of the cluster are left: $left"
  left=$({ cat /proc/[0-9]*/mountinfo 2>/dev/null || true; } | awk -v state="$STATE/" 'index($5, state) == 1 { print $5 }' | sort -u)
  [[ -z $left ]] || fail "mounts of the cluster are left: $left"
  [[ ! -e $NETNS ]] || fail "the cluster's network namespace is left"
  wait_until 10 "the namespaces of the cluster's processes go" has_no_namespace_left
  while read -r hierarchy; do
    [[ ! -d $hierarchy/$CLUSTER ]] || fail "the cgroup $hierarchy/$CLUSTER is left"
  done < <(cgroup_hierarchies)
  left=$(find "$STATE" -mindepth 1 -maxdepth 1 ! -name logs)
  [[ -z $left ]] || fail "files of the cluster are left: $left"
  say "ok: make down after a crash leaves no process, mount, namespace, cgroup or file but the logs"
}

# Nobody lives in one, and no name holds one.
has_no_namespace_left() {
  local all
  all=$(readlink /proc/[0-9]*/ns/net /proc/[0-9]*/ns/mnt 2>/dev/null | sort -u || true)
  ! grep -qxF -f <(printf '%s\n' "${OWN_NAMESPACES[@]}") <<<"$all"
}

main "$@"
