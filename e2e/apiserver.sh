#!/usr/bin/env bash
# etcd and the API server alone, on free ports of 127.0.0.1: for tests of the API's rules and for the bench. Needs no root.
#
#   e2e/apiserver.sh start [DIR]    writes DIR/kubeconfig (cluster-admin); DIR defaults to target/apiserver
#   e2e/apiserver.sh stop [DIR]
#
# AUDIT=1  writes DIR/audit.log (level Metadata)
# GC=1     also starts the controller manager, with garbage collection and namespace deletion and nothing else
# PODS=1   the same with ReplicaSets and EndpointSlices, and KWOK, which plays nodes and pods: what is bound to a node is ready at once
#
# DIR/etcd.url is where etcd answers, its metrics too.
#
# No controller makes default service accounts here, so the ServiceAccount admission plugin is off: pods can be created without one.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/cluster/processes.sh"
source "$E2E/cluster/certificates.sh"
source "$E2E/cluster/control-plane.sh"
source "$E2E/cluster/audit.sh"

PROCESSES=(kwok kube-controller-manager kube-apiserver etcd)
COLLECTORS=garbage-collector-controller,namespace-controller

main() {
  local verb=${1:-} dir=${2:-$TARGET/apiserver}
  case $verb in
    start | stop) ;;
    *) fail "usage: e2e/apiserver.sh start|stop [DIR]" ;;
  esac
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  exec 9>"$dir.lock"
  flock 9
  "$verb" "$dir"
}

start() {
  local dir=$1
  if is_running "$dir" kube-apiserver && is_ready "$dir"; then
    say "the API server of $dir runs already"
    return
  fi
  "$E2E/tools.sh" etcd kube-apiserver ${GC:+kube-controller-manager} ${PODS:+kube-controller-manager kwok}
  stop "$dir"
  rm -rf "${dir:?}"/{etcd,etcd.url,pki,logs,audit.log,kubeconfig,kwok.yaml}
  mkdir -p "$dir"/{etcd,pki,logs}
  chmod 700 "$dir/etcd"
  # shellcheck disable=SC2064
  trap "stop '$dir'" EXIT
  start_etcd "$dir"
  start_api_server "$dir"
  if [[ -n ${PODS:-} ]]; then
    start_controllers "$dir" "$COLLECTORS,replicaset-controller,endpointslice-controller"
    start_kwok "$dir"
  elif [[ -n ${GC:-} ]]; then
    start_controllers "$dir" "$COLLECTORS"
  fi
  trap - EXIT
  say "the API server runs: KUBECONFIG=$dir/kubeconfig"
}

stop() {
  local name
  for name in "${PROCESSES[@]}"; do end_process "$1" "$name"; done
}

# A TCP port of 127.0.0.1 that nobody listens on, below the kernel's own range for outgoing connections.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

start_etcd() {
  local dir=$1 command
  ETCD_URL="http://127.0.0.1:$(free_port)"
  mapfile -t command < <(etcd_command "$dir/etcd" "$ETCD_URL" "http://127.0.0.1:$(free_port)")
  start_process "$dir" etcd "${command[@]}"
  echo "$ETCD_URL" >"$dir/etcd.url"
}

start_api_server() {
  local dir=$1 port command audit=()
  port=$(free_port)
  make_authority "$dir/pki"
  issue_certificate "$dir/pki" server "/CN=kube-apiserver" "IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"
  issue_certificate "$dir/pki" admin "/O=system:masters/CN=admin"
  write_kubeconfig "$dir/pki" admin "https://127.0.0.1:$port" "$dir/kubeconfig"
  [[ -z ${AUDIT:-} ]] || mapfile -t audit < <(audit_flags "$dir")
  mapfile -t command < <(api_server_command "$dir/pki" "$ETCD_URL" "$port")
  start_process "$dir" kube-apiserver "${command[@]}" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
    --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount "${audit[@]}"
  wait_until 180 "the API server is ready" is_ready_or_dead "$dir"
  if ! is_ready "$dir"; then
    show_log "$dir" etcd
    show_log "$dir" kube-apiserver
    fail "the API server did not become ready"
  fi
}

is_ready() { kubectl --kubeconfig="$1/kubeconfig" get --raw /readyz >/dev/null 2>&1; }

is_ready_or_dead() { is_ready "$1" || has_ended "$1" kube-apiserver || has_ended "$1" etcd; }

# kubeconfig_of DIR NAME SUBJECT: DIR/pki/NAME.kubeconfig
kubeconfig_of() {
  local dir=$1 name=$2 server
  server=$(kubectl --kubeconfig="$dir/kubeconfig" config view -o jsonpath='{.clusters[0].cluster.server}')
  issue_certificate "$dir/pki" "$name" "$3"
  write_kubeconfig "$dir/pki" "$name" "$server" "$dir/pki/$name.kubeconfig"
}

# start_controllers DIR NAMES: those of the controller manager's controllers
start_controllers() {
  local dir=$1 command
  kubeconfig_of "$dir" kube-controller-manager "/CN=system:kube-controller-manager"
  mapfile -t command < <(controller_manager_command "$dir/pki" "$dir/pki/kube-controller-manager.kubeconfig")
  start_process "$dir" kube-controller-manager "${command[@]}" --secure-port=0 --controllers="$2" \
    --kube-api-qps=200 --kube-api-burst=400
}

# Nodes become ready once and send no heartbeats: nobody here looks for them.
start_kwok() {
  local dir=$1 stages
  kubeconfig_of "$dir" kwok "/O=system:masters/CN=kwok"
  stages="$(cd "$E2E/kwok" && GOWORK=off go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage"
  awk 'FNR == 1 { print "---" } { print }' "$stages"/node/fast/node-*.yaml "$stages"/pod/fast/pod-*.yaml >"$dir/kwok.yaml"
  start_process "$dir" kwok kwok --kubeconfig="$dir/pki/kwok.kubeconfig" --config="$dir/kwok.yaml" --manage-all-nodes=true \
    --node-lease-duration-seconds=0
}

main "$@"
