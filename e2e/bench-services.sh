#!/usr/bin/env bash
# The bench of service deployments beside Argo Rollouts, in a network namespace that has loopback only: programs of others
# listen on every address there is. Its parameters: tests/bench/service/mod.rs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"

main() {
  local who=() binary
  "$E2E/tools.sh" etcd kube-apiserver kube-controller-manager kwok argo-rollouts
  (cd "$E2E/gateway-api" && GOWORK=off go mod download sigs.k8s.io/gateway-api)
  cd "$ROOT"
  binary=$(cargo test --locked --no-run --test bench --message-format=json-render-diagnostics |
    jq -r 'select(.target.name == "bench") | .executable // empty')
  ((EUID == 0)) || who=(--map-root-user)
  # shellcheck disable=SC2016
  exec unshare --net "${who[@]}" -- bash -c 'ip link set lo up && exec "$@"' bash "$binary"
}

main "$@"
