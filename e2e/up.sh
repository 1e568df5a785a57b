#!/usr/bin/env bash
# Starts the cluster of this checkout, or finds it running. State is below target/cluster; target/cluster/env is to be sourced.
# AUDIT=1 writes target/cluster/audit.log (level Metadata).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

PROCESSES=(node-world etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy coredns metrics traefik)

main() {
  require_root
  "$E2E/packages.sh"
  "$E2E/tools.sh"
  "$E2E/images.sh"
  lock_cluster
  if runs_completely; then
    enter_node
    import_own_images
    say "the cluster runs already: source ${STATE#"$PWD/"}/env"
    return
  fi
  if leaves_traces; then
    say "taking down what is left of an earlier cluster"
    tear_down
  fi
  rm -rf "$STATE"
  mkdir -p "$STATE"/{config,logs,pki}
  trap explain_failure EXIT
  bring_up
  trap - EXIT
  say "the cluster runs after $SECONDS s: source ${STATE#"$PWD/"}/env"
}

runs_completely() {
  local name
  [[ -e $STATE/env ]] || return 1
  for name in "${PROCESSES[@]}"; do is_running "$STATE" "$name" || return 1; done
  api_server_is_ready >/dev/null 2>&1
}

bring_up() {
  local node
  make_cgroups
  make_network
  make_cluster_certificates
  start_etcd
  start_kube-apiserver
  start_node_world
  start_containerd
  import_own_images &
  node=$!
  wait_until 120 "the API server is ready" api_server_is_ready
  start_kube-controller-manager
  start_kube-scheduler
  start_kube-proxy
  start_coredns
  start_metrics
  wait "$node" || fail "the images could not be imported"
  start_kubelet
  apply_gateway_kinds
  start_traefik
  apply_gateway
  apply_dns_service
  apply_metrics_service
  wait_until 120 "the node is ready" k wait --for=condition=Ready --timeout=60s "node/$NODE"
  wait_until 60 "the default service account" k get serviceaccount default -n default
  wait_until 60 "cluster DNS answers" dns_is_ready
  wait_until 60 "autoscalers get their figures" metrics_are_served
  wait_for_gateway
  write_env
}

# The contract for scripts from outside. The programs come last on the PATH: a kubectl of the machine's own goes first.
write_env() {
  cat >"$STATE/env.part" <<ENV
export KUBECONFIG='$KUBECONFIG'
export KUBECACHEDIR='$KUBECACHEDIR'
export PRODUCTION_URL='http://$NODE_ADDRESS:$PRODUCTION_PORT'
export TEST_URL='http://$NODE_ADDRESS:$TEST_PORT'
export ENTER='${ENTER[*]}'
case ":\$PATH:" in *':$TOOLS/bin:'*) ;; *) export PATH="\$PATH:$TOOLS/bin" ;; esac
ENV
  mv "$STATE/env.part" "$STATE/env"
}

explain_failure() {
  local name
  for name in "${PROCESSES[@]}"; do
    [[ ! -e $STATE/pids/$name ]] || is_running "$STATE" "$name" || show_log "$STATE" "$name"
  done
  say "the cluster did not come up; logs are in $STATE/logs, what runs of it ends with: make down"
}

main "$@"
