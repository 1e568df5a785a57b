# shellcheck shell=bash disable=SC2034
# Six hosts behind one Service get `shop` version 1, then 2 half at a time under load; version 3 fails its validation on the first
# hosts, and what it touched goes back to version 2.

export SPACE=sluice-demo-server
EXAMPLES=examples/server
HOST=shop.example
HOSTS=(shop-1 shop-2 shop-3 shop-4 shop-5 shop-6)
BUNDLES_URL=http://10.99.0.1:18090
BUNDLES_PID=

tell_story() {
  [[ ${CLUSTER:-} != current ]] || fail "DEMO=server starts hosts of its own: it runs in the cluster of this checkout only"
  start_hosts
  serve_version_1
  update_to_version_2
  fail_version_3
}

start_hosts() {
  step "Six hosts, each with a root file system, a network and an agent of its own"
  make_namespace
  show make agent
  "$E2E/agent.sh"
  "$E2E/tools.sh" bundles
  mkdir -p "$WORK/bundles"
  "${ENTER[@]}" "$TOOLS/bin/bundles" -listen "${BUNDLES_URL#http://}" -dir "$WORK/bundles" 2>"$WORK/bundles.log" &
  BUNDLES_PID=$!
  trap 'stop_load; kill "$BUNDLES_PID" 2>/dev/null || true' EXIT
  local name number=11
  "$E2E/hosts.sh" down "${HOSTS[@]}"
  for name in "${HOSTS[@]}"; do
    register_host "$name" "$number" "$((number % 2))"
    number=$((number + 1))
  done
  wait_until 60 "all hosts report" all_hosts_report
  run kubectl -n "$SPACE" get instances.sluice.dev
}

# register_host NAME NUMBER ZONE
register_host() {
  local config="$WORK/$1.yaml"
  run "$PLUGIN" -n "$SPACE" register "$1" --tag env=prod --tag role=web --address "10.99.16.$2" --zone "zone-$3" --config-file "$config"
  "$E2E/hosts.sh" up "$1" "$2" "$config"
}

all_hosts_report() {
  [[ $(k -n "$SPACE" get instances.sluice.dev -o json | jq '[.items[] | select(.status.conditions[]? | .type == "Ready" and .status == "True")] | length') == "${#HOSTS[@]}" ]]
}

# deploy NAME VERSION [SETTING...]: packs a bundle, and deploys it from where it is served.
deploy() {
  local name=$1 version=$2 sum
  shift 2
  show e2e/bundle.sh "$version" "bundles/shop-$version.tgz" "$@"
  sum=$("$E2E/bundle.sh" "$version" "$WORK/bundles/shop-$version.tgz" "$@")
  run "$PLUGIN" -n "$SPACE" create-deployment shop-prod --name "$name" --http-location "url=$BUNDLES_URL/shop-$version.tgz,sha256=$sum"
}

serve_version_1() {
  step "A Service without a selector, a route to it, an application and a deployment group of the hosts with these tags"
  apply service.yaml application.yaml
  step "Version 1 is deployed: nothing serves yet, half of the hosts at a time"
  deploy shop-1 1
  watch_deployment shop-1 0
  wait_until 30 "the gateway serves http://$HOST/ at $GATEWAY_URL" is_served
}

update_to_version_2() {
  step "Version 2 half at a time; from here on $RPS requests a second go through the gateway"
  start_load version-2
  deploy shop-2 2
  watch_deployment shop-2 0
  sleep 3 # some seconds of the table after the end
  stop_load
  expect "phase of shop-2" Succeeded "$(field shop-2 .status.phase)"
  step "What the clients saw"
  show_table "$WORK/version-2.json" 1 2
  expect_no_loss "$WORK/version-2.json"
  expect_versions "$WORK/version-2.json" '["1","2"]'
}

fail_version_3() {
  local rollback
  step "Version 3 answers every request with a 500: ValidateService says no on the first hosts. The load goes on"
  start_load version-3
  deploy shop-3 3 FAIL=1
  watch_deployment shop-3 1
  expect "error of shop-3" HealthConstraints "$(field shop-3 .status.errorInformation.code)"
  step "The hosts that it touched go back to version 2 by a Deployment of its own"
  rollback=$(field shop-3 .status.rollbackInfo.rollbackDeployment)
  [[ -n $rollback ]] || fail "Deployment shop-3 names no rollback"
  wait_until 30 "the rollback $rollback is there" k -n "$SPACE" get deployments.sluice.dev "$rollback"
  watch_deployment "$rollback" 0
  sleep 2
  stop_load
  expect_no_loss "$WORK/version-3.json"
  expect_versions "$WORK/version-3.json" '["2"]'
  step "What became of each host"
  run "$PLUGIN" -n "$SPACE" list-deployment-targets shop-3
  run "$PLUGIN" -n "$SPACE" list-deployment-targets "$rollback"
  step "The fleet at a glance: a letter a host, in the order in which they were worked on"
  expect_grid shop-3 FFFKKK
  expect_grid "$rollback" SSS
}

# expect_grid NAME LETTERS: the line of get-deployment that has one letter for each host.
expect_grid() {
  local page
  show "$PLUGIN" -n "$SPACE" get-deployment "$1"
  page=$("${ENTER[@]}" "$PLUGIN" -n "$SPACE" get-deployment "$1")
  echo "$page"
  grep -Eqx " +$2" <<<"$page" || fail "get-deployment $1 draws no grid $2"
  echo "ok: grid of $1: $2"
}

look_around() {
  cat <<LOOK
  kubectl -n $SPACE get sluice,endpointslices
  kubectl -n $SPACE get instance shop-1 -o yaml                     # what is assigned, what ran, what is installed
  $PLUGIN -n $SPACE get-deployment-target shop-3 shop-1             # events, error, last lines of the script
  e2e/hosts.sh run shop-1 bash                                       # the host itself (no \$ENTER before this one)
  $PLUGIN -n $SPACE create-deployment shop-prod --restart --watch
LOOK
}
