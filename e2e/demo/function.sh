# shellcheck shell=bash disable=SC2034
# `hello` goes from version 1 to 2 as a canary, then a version 3 fails its hook before it gets any traffic.

export SPACE=sluice-demo
EXAMPLES=examples/function
HOST=hello.example

tell_story() {
  serve_version_1
  shift_to_version_2
  fail_version_3
}

serve_version_1() {
  step "Version 1 serves"
  make_namespace
  apply version-1.yaml route.yaml
  run kubectl -n "$SPACE" rollout status deployments.apps/hello-1 --timeout=60s
  wait_until 30 "the gateway serves http://$HOST/ at $GATEWAY_URL" is_served
  step "An application, a deployment group that rolls back by itself, and a smoke test"
  apply application.yaml hook.yaml
  await_group hello-prod
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
  show_table "$WORK/version-2.json" 1 2
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
  fail_and_roll_back hello-3
  expect "backends of the route" hello-2 \
    "$(k -n "$SPACE" get httproute hello -o 'jsonpath={.spec.rules[*].backendRefs[*].name}')"
  sleep 2 # some seconds of load after the rollback
  stop_load
  expect_no_loss "$WORK/version-3.json"
  expect_versions "$WORK/version-3.json" '["2"]'
}

look_around() {
  cat <<LOOK
  kubectl -n $SPACE get sluice
  kubectl -n $SPACE describe deployments.sluice.dev hello-3        # why it failed, event by event
  kubectl -n $SPACE get sdep hello-2 -o yaml                        # the snapshot, the steps and when the gateway took them
  kubectl -n $SPACE describe sdg hello-prod                         # what serves since when
  kubectl -n $SPACE get httproute hello -o yaml                     # the weights
  kubectl -n $SPACE events --for=deployments.sluice.dev/hello-3
  $PLUGIN -n $SPACE get-deployment hello-2
LOOK
}
