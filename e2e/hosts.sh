#!/usr/bin/env bash
# Test hosts in the network of this checkout's cluster: each has a root file system (an overlay over this machine's), a network
# namespace, a process tree and a name of its own, and on it, as pid 1's child, sluice-agent.
#
#   hosts.sh up NAME NUMBER CONFIG   host NAME with the agent's configuration file CONFIG; DISK=256m is its disk. NUMBER is its place in
#                                    10.99.16.0/20, the hosts' network: 11 is 10.99.16.11, 267 is 10.99.17.11
#   hosts.sh down NAME...            end them (make down does, too)
#   hosts.sh run NAME COMMAND...     a command on it
#   hosts.sh reboot NAME             end every process on it at once and boot it again on the same disk
#   hosts.sh kill-agent NAME         SIGKILL to the agent, which is started again at once
#   hosts.sh stop-agent|start-agent NAME
#   hosts.sh unplug|plug NAME        take its cable out, put it back
#   hosts.sh address NAME            its address
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

HOSTS="$STATE/hosts"
HOSTS_PREFIX=20
HOST_GATEWAY=10.99.16.1
LAST_NUMBER=4094
BRIDGE=hosts
# Given, or a bridge takes the lowest of its ports': then the gateway's would change whenever a host comes or goes, and the others would send
# to the old one for a minute.
BRIDGE_MAC=02:10:99:10:00:01

main() {
  local verb=${1:-} name=${2:-}
  require_root
  [[ -e $STATE/env ]] || fail "the cluster does not run: make up"
  [[ -n $name ]] || fail "usage: hosts.sh up|down|run|reboot|kill-agent|stop-agent|start-agent|unplug|plug|address NAME ..."
  shift 2
  case $verb in
    up) create_host "$name" "$@" ;;
    down) remove_hosts "$name" "$@" ;;
    run) enter_host "$name" "$@" ;;
    reboot) reboot_host "$name" ;;
    kill-agent) signal_agent "$name" KILL ;;
    stop-agent) touch "$(root_of "$name")/run/agent-is-off" && signal_agent "$name" TERM ;;
    start-agent) rm -f "$(root_of "$name")/run/agent-is-off" ;;
    unplug) "${ENTER[@]}" ip link set "$(cable "$name")" down ;;
    plug) "${ENTER[@]}" ip link set "$(cable "$name")" up ;;
    address) address "$(number "$name")" ;;
    *) fail "hosts.sh has no verb '$verb'" ;;
  esac
}

number() { cat "$HOSTS/$1/number" 2>/dev/null || fail "there is no host $1"; }

address() { echo "10.99.$((16 + $1 / 256)).$(($1 % 256))"; }

# An interface's name has 15 characters at most.
cable() { echo "host$(number "$1")"; }

create_host() {
  local name=$1 number=$2 config=$3 dir="$HOSTS/$1"
  [[ ! -e $dir ]] || fail "host $name is there already"
  ((number >= 2 && number <= LAST_NUMBER)) || fail "a host's number is 2 to $LAST_NUMBER"
  [[ -x ${SLUICE_AGENT:=$TARGET/agent/sluice-agent} ]] || fail "there is no $SLUICE_AGENT: make agent"
  make_bridge
  mkdir -p "$dir/disk" "$dir/root"
  echo "$number" >"$dir/number"
  # From outside the host's namespaces, so that it outlives a reboot; `make down` unmounts what lies below the state folder.
  mount -t tmpfs -o "size=${DISK:-512m},mode=755" "sluice-$name" "$dir/disk"
  mkdir -p "$dir/disk"/{upper,work} "$dir/disk/upper"/{etc/sluice-agent,usr/local/bin}
  install -m 600 "$config" "$dir/disk/upper/etc/sluice-agent/config.yaml"
  share_agent
  ln -s "$SHARED_AGENT" "$dir/agent"
  touch "$dir/disk/upper/usr/local/bin/sluice-agent"
  boot_host "$name"
}

# The program as every host that boots now has it: stripped once, and in memory once, however many they are. One that is built while hosts
# run is another file; theirs stays.
share_agent() {
  SHARED_AGENT="$STATE/agent/$(stat -c '%Y-%s' "$SLUICE_AGENT")"
  mkdir -p "$STATE/agent"
  exec 7>"$STATE/agent/lock"
  flock 7
  if [[ ! -x $SHARED_AGENT ]]; then
    install -m 755 -s "$SLUICE_AGENT" "$SHARED_AGENT.part"
    mv "$SHARED_AGENT.part" "$SHARED_AGENT"
  fi
  exec 7>&-
}

make_bridge() {
  exec 7>"$STATE/hosts.lock"
  flock 7
  if ! "${ENTER[@]}" ip link show "$BRIDGE" >/dev/null 2>&1; then
    "${ENTER[@]}" ip link add "$BRIDGE" address "$BRIDGE_MAC" type bridge
    "${ENTER[@]}" ip addr add "$HOST_GATEWAY/$HOSTS_PREFIX" dev "$BRIDGE"
    "${ENTER[@]}" ip link set "$BRIDGE" up
  fi
  exec 7>&-
}

boot_host() {
  local name=$1 dir="$HOSTS/$1" holder cable
  cable=$(cable "$name")
  make_cgroups
  rm -f "$dir/disk/is-up"
  start_process "$STATE" "host-$name" unshare --mount --net --uts --ipc --pid --fork --kill-child --propagation private \
    bash "$E2E/hosts/boot.sh" "$name" "$dir"
  wait_until 10 "host $name has its namespaces" host_pid "$name"
  holder=$(host_pid "$name")
  "${ENTER[@]}" ip link del "$cable" 2>/dev/null || true
  "${ENTER[@]}" ip link add "$cable" type veth peer name eth0 netns "$holder"
  "${ENTER[@]}" ip link set "$cable" master "$BRIDGE" up
  nsenter "--net=/proc/$holder/ns/net" ip addr add "$(address "$(number "$name")")/$HOSTS_PREFIX" dev eth0
  nsenter "--net=/proc/$holder/ns/net" ip link set lo up
  nsenter "--net=/proc/$holder/ns/net" ip link set eth0 up
  nsenter "--net=/proc/$holder/ns/net" ip route add default via "$HOST_GATEWAY"
  touch "$dir/disk/is-cabled"
  wait_until 10 "host $name is up" test -e "$dir/disk/is-up"
}

# The host's pid 1, as this machine counts.
host_pid() {
  local outer inner=
  outer=$(running_pid "$STATE" "host-$1") || return 1
  # The kernel ends the list without a line's end.
  read -r inner _ <"/proc/$outer/task/$outer/children" || [[ -n $inner ]] || return 1
  [[ $(readlink "/proc/$inner/ns/net") != $(readlink /proc/self/ns/net) ]] || return 1
  echo "$inner"
}

root_of() { echo "/proc/$(host_pid "$1")/root"; }

enter_host() {
  local name=$1 pid
  shift
  pid=$(host_pid "$name") || fail "host $name does not run"
  exec nsenter "--mount=/proc/$pid/ns/mnt" "--net=/proc/$pid/ns/net" "--uts=/proc/$pid/ns/uts" "--pid=/proc/$pid/ns/pid" \
    "--root=/proc/$pid/root" "--wd=/proc/$pid/root" -- "$@"
}

# Processes of the host whose program is the agent, and only there.
signal_agent() {
  local pid
  pid=$(cat "$(root_of "$1")/run/agent.pid") || fail "no agent runs on host $1"
  (enter_host "$1" kill "-$2" "$pid")
}

reboot_host() {
  local outer
  number "$1" >/dev/null
  if outer=$(running_pid "$STATE" "host-$1"); then
    kill -9 "$outer"
    wait_until 10 "host $1 is off" has_ended "$STATE" "host-$1"
  fi
  rm -f "$HOSTS/$1/disk/is-cabled"
  boot_host "$1"
}

# Side by side: each waits for its processes to end.
remove_hosts() {
  local name pid pids=()
  for name in "$@"; do
    remove_host "$name" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
}

remove_host() {
  local dir="$HOSTS/$1" outer
  [[ -e $dir ]] || return 0
  if outer=$(running_pid "$STATE" "host-$1"); then
    kill -9 "$outer" || true
    wait_until 10 "host $1 ends" has_ended "$STATE" "host-$1"
  fi
  "${ENTER[@]}" ip link del "$(cable "$1")" 2>/dev/null || true
  umount --lazy "$dir/disk" 2>/dev/null || true
  rm -rf "$dir" "$STATE/pids/host-$1"
}

main "$@"
