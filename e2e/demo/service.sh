# shellcheck shell=bash disable=SC2034
# `web`, a Deployment of Kubernetes behind a Service, is taken over by a task set; the next one follows as a canary; a third one
# fails its check on the test listener and goes again, before it gets any production traffic.

export SPACE=sluice-demo-service
EXAMPLES=examples/service
HOST=web.example

tell_story() {
  serve_without_sluice
  take_over
  shift_to_version_2
  fail_version_3
}

serve_without_sluice() {
  step "What there is: a Deployment of Kubernetes (its version is 0), a Service, a route. The test listener is new"
  make_namespace
  apply existing.yaml routes.yaml
  run kubectl -n "$SPACE" rollout status deployments.apps/web --timeout=60s
  wait_until 30 "the gateway serves http://$HOST/ at $GATEWAY_URL" is_served
  step "An application, a deployment group with two target groups (the second is created), and a check"
  apply application.yaml hook.yaml
  await_group web-prod
  run kubectl -n "$SPACE" get services
}

take_over() {
  step "The pods as a PodTemplate, made of what runs; with VERSION 1 it is version-1.yaml"
  template_of_what_runs >"$WORK/web-1.json"
  expect "container and port of PodTemplate web-1" "web 8080" \
    "$(jq -r '.template.spec.containers[0] | "\(.name) \(.ports[0].containerPort)"' "$WORK/web-1.json")"
  expect "labels of PodTemplate web-1" '{"service":"web"}' "$(jq -c .template.metadata.labels "$WORK/web-1.json")"
  step "web-1 takes over, all at once; from here on $RPS requests a second go through the gateway"
  start_load version-1
  apply version-1.yaml deploy-1.yaml
  watch_deployment web-1 0
  sleep 2 # some seconds of load after the swap
  step "The Deployment of before stands on, untouched, until somebody scales it down"
  expect "ready pods of the Deployment of before" 2 "$(k -n "$SPACE" get deployments.apps web -o 'jsonpath={.status.readyReplicas}')"
  run kubectl -n "$SPACE" scale deployments.apps/web --replicas=0
  sleep 2
  stop_load
  expect_no_loss "$WORK/version-1.json"
  expect_versions "$WORK/version-1.json" '["0","1"]'
  expect "target group that serves" web-b "$(serving_target_group)"
}

shift_to_version_2() {
  step "web-2 is deployed: pods, test traffic, a check, 20 % for 10 s, everything; 15 s later web-1's pods go"
  start_load version-2
  apply version-2.yaml deploy-2.yaml
  watch_deployment web-2 0
  sleep 3 # some seconds of the table after the end
  stop_load
  expect "phase of web-2" Succeeded "$(field web-2 .status.phase)"
  expect "target group that serves" web "$(serving_target_group)"
  expect "pods wanted of web-1's task set" 0 "$(task_set_size web-1)"
  run kubectl -n "$SPACE" get replicasets -l sluice.dev/deployment-group=web-prod
  step "What the clients saw"
  show_table "$WORK/version-2.json" 1 2
  expect_no_loss "$WORK/version-2.json"
  expect_versions "$WORK/version-2.json" '["1","2"]'
}

fail_version_3() {
  step "web-3's pods are ready and answer every request with a 500: the check on the test listener says no. The load goes on"
  start_load version-3
  apply version-3.yaml deploy-3.yaml
  fail_and_roll_back web-3
  sleep 2 # some seconds of load after the rollback
  stop_load
  expect_no_loss "$WORK/version-3.json"
  expect_versions "$WORK/version-3.json" '["2"]'
  expect "target group that serves" web "$(serving_target_group)"
  expect "pods wanted of web-3's task set" 0 "$(task_set_size web-3)"
  step "The test listener is back at what serves"
  ask_test_listener >"$WORK/test.json"
  expect_versions "$WORK/test.json" '["2"]'
}

# The command of docs/service.md, word for word; the API server is only asked.
template_of_what_runs() {
  local command
  command=$(sed -n '/^kubectl get deployments.apps web -o json | jq/,/kubectl apply -f -$/p' "$ROOT/docs/service.md")
  echo "\$ $command" >&2
  (
    kubectl() { k -n "$SPACE" "$@"; }
    eval "${command/apply -f -/apply --dry-run=server -o json -f -}"
  )
}

# The target group that has all the weight of the production route.
serving_target_group() {
  k -n "$SPACE" get httproute web -o json |
    jq -r '[.spec.rules[].backendRefs[] | select((.weight // 1) > 0) | .name] | unique | join(" and ")'
}

# task_set_size DEPLOYMENT: how many pods are wanted of the task set that it made.
task_set_size() {
  local name
  name=$(field "$1" .status.resolved.service.replacement.taskSet)
  k -n "$SPACE" get replicasets "$name" -o 'jsonpath={.spec.replicas}'
}

ask_test_listener() { "${ENTER[@]}" "$TOOLS/bin/load" -url "$TEST_URL" -host "$HOST" -rps 10 -duration 1s; }

look_around() {
  cat <<LOOK
  kubectl -n $SPACE get sluice,replicasets,services
  kubectl -n $SPACE describe deployments.sluice.dev web-3           # why it failed, event by event
  kubectl -n $SPACE get sdep web-2 -o yaml                           # the snapshot, the steps and when the gateway took them
  kubectl -n $SPACE get httproutes web web-test -o yaml              # the weights
  kubectl -n $SPACE scale sdg/web-prod --replicas=3                  # the side that serves; an HPA would do the same
  $PLUGIN -n $SPACE get-deployment web-2
  $PLUGIN -n $SPACE get-deployment-group web-prod
  $PLUGIN -n $SPACE create-deployment web-prod --task-definition web-1 --watch      # back to web-1
LOOK
}
