#!/usr/bin/env bash
# Ends and starts one process of the running cluster: e2e/restart.sh kube-apiserver [--kill]; with --kill it ends by SIGKILL.
# Names: etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy containerd kubelet coredns metrics traefik
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

name=${1:-}
declare -F "start_$name" >/dev/null || fail "no process of the cluster is called '$name'"
require_root
lock_cluster
enter_node
make_cgroups
if [[ ${2:-} == --kill ]] && pid=$(running_pid "$STATE" "$name"); then kill -9 "$pid"; fi
end_process "$STATE" "$name" 60
"start_$name"
[[ $name != kube-apiserver ]] || wait_until 120 "the API server is ready" api_server_is_ready
