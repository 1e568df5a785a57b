#!/usr/bin/env bash
# The demo: `hello` goes from version 1 to 2 as a canary under load, then a version 3 fails its hook and is rolled back.
# Prints what each step is by hand. Fails if a request was lost or anything ended otherwise than it should.
#
#   make demo                   in the cluster of this checkout (brought up, chart installed)
#   CLUSTER=current make demo   in the cluster of your kubeconfig; see e2e/demo/current.sh for what it expects
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2034  # the sourced files read these
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/demo/steps.sh"
source "$E2E/demo/table.sh"
source "$E2E/demo/current.sh"
source "$E2E/demo/own.sh"

export SPACE=sluice-demo
EXAMPLES=examples/function
WORK="$TARGET/demo"
RPS=20

main() {
  cd "$ROOT"
  mkdir -p "$WORK"
  if [[ ${CLUSTER:-} == current ]]; then find_current_cluster; else bring_up_own_cluster; fi
  build_programs
  trap stop_load EXIT
  clean_namespace
  serve_version_1
  shift_to_version_2
  fail_version_3
  show_what_is_left
}

build_programs() {
  step "The kubectl plugin"
  show cargo build --locked --bin kubectl-sluice
  cargo build --quiet --locked --bin kubectl-sluice
  "$E2E/tools.sh" load
}

# Deletes only a namespace that an earlier demo has made.
clean_namespace() {
  local made
  if k get namespace "$SPACE" >/dev/null 2>&1; then
    made=$(k get namespace "$SPACE" -o 'jsonpath={.metadata.labels.sluice\.dev/demo}')
    [[ $made == "true" ]] || fail "namespace $SPACE is there and was not made by the demo: delete it, or choose another cluster"
    say "(deleting what an earlier demo left in namespace $SPACE)"
    k delete namespace "$SPACE" --wait --timeout=90s >/dev/null
  fi
}

serve_version_1() {
  step "Version 1 serves"
  run kubectl create namespace "$SPACE"
  k label namespace "$SPACE" sluice.dev/demo=true >/dev/null
  apply version-1.yaml route.yaml
  run kubectl -n "$SPACE" rollout status deployments.apps/hello-1 --timeout=60s
  wait_until 30 "the gateway serves http://hello.example/ at $GATEWAY_URL" is_served
  step "An application, a deployment group that rolls back by itself, and a smoke test"
  apply application.yaml hook.yaml
  wait_until 30 "the group is ready" k -n "$SPACE" wait --for=condition=Ready --timeout=5s deploymentgroups.sluice.dev/hello-prod
  run kubectl -n "$SPACE" get sluice
}

shift_to_version_2() {
  step "Version 2 starts beside version 1; from here on $RPS requests a second go through the gateway"
  start_load version-2
  apply version-2.yaml
  run kubectl -n "$SPACE" rollout status deployments.apps/hello-2 --timeout=60s
  step "Version 2 is deployed: a smoke test, 20 % for 10 s, then everything"
  apply deploy-2.yaml
  watch_deployment hello-2 0
  sleep 3 # some seconds of the table after the shift
  stop_load
  expect "phase of hello-2" Succeeded "$(field hello-2 .status.phase)"
  step "What the clients saw"
  show_table "$WORK/version-2.json"
  expect_no_loss "$WORK/version-2.json"
  expect_versions "$WORK/version-2.json" '["1","2"]'
}

fail_version_3() {
  step "Version 3 answers every request with a 500, though its pods are ready. The load goes on"
  start_load version-3
  apply version-3.yaml
  run kubectl -n "$SPACE" rollout status deployments.apps/hello-3 --timeout=60s
  step "Version 3 is deployed: its smoke test fails before it gets any traffic, and a rollback follows by itself"
  apply deploy-3.yaml
  watch_deployment hello-3 1
  expect "phase of hello-3" Failed "$(field hello-3 .status.phase)"
  expect "error of hello-3" HookExecutionFailure "$(field hello-3 .status.errorInformation.code)"
  follow_rollback "$(field hello-3 .status.rollbackInfo.rollbackDeployment)"
  sleep 2 # some seconds of load after the rollback
  stop_load
  expect_no_loss "$WORK/version-3.json"
  expect_versions "$WORK/version-3.json" '["2"]'
}

follow_rollback() {
  local rollback=$1
  [[ -n $rollback ]] || fail "the deployment of version 3 names no rollback"
  wait_until 30 "the rollback $rollback is there" k -n "$SPACE" get deployments.sluice.dev "$rollback"
  watch_deployment "$rollback" 0
  expect "phase of the rollback" Succeeded "$(field "$rollback" .status.phase)"
  expect "creator of the rollback" AutoRollback "$(field "$rollback" .status.creator)"
  expect "backends of the route" hello-2 \
    "$(k -n "$SPACE" get httproute hello -o 'jsonpath={.spec.rules[*].backendRefs[*].name}')"
}

show_what_is_left() {
  step "Done. No request was lost. Everything is still there to look at"
  run kubectl -n "$SPACE" get sluice
  cat <<LOOK

$ENTER_HINT  kubectl -n $SPACE get sluice
  kubectl -n $SPACE describe deployments.sluice.dev hello-3        # why it failed, event by event
  kubectl -n $SPACE get sdep hello-2 -o yaml                        # the snapshot, the steps and when the gateway took them
  kubectl -n $SPACE describe sdg hello-prod                         # what serves since when
  kubectl -n $SPACE get httproute hello -o yaml                     # the weights
  kubectl -n $SPACE events --for=deployments.sluice.dev/hello-3
  $PLUGIN -n $SPACE get-deployment hello-2

To end it: kubectl delete namespace $SPACE$DOWN_HINT
LOOK
}

main "$@"
