# shellcheck shell=bash disable=SC2034
# The demo in somebody's own cluster (CLUSTER=current). It expects, and says when it misses them:
#   - Sluice's chart, installed
#   - a Gateway: GATEWAY=namespace/name (default/sluice-demo) with a listener LISTENER (production) open to all namespaces, and
#     for DEMO=service a second one, TEST_LISTENER (test)
#   - where these are reached from here, and from pods: GATEWAY_URL (else PRODUCTION_URL for `production`, else the Gateway's own
#     address), and TEST_URL likewise
#   - the sample image: SAMPLE_IMAGE (sluice/sample:dev; e2e/images.sh builds target/images/sample.tar)
#   - ENTER, if a command prefix is needed to reach these; else it stays empty

find_current_cluster() {
  GATEWAY=${GATEWAY:-default/sluice-demo} LISTENER=${LISTENER:-production} SAMPLE_IMAGE=${SAMPLE_IMAGE:-sluice/sample:dev}
  read -ra ENTER <<<"${ENTER:-}"
  TEST_LISTENER=${TEST_LISTENER:-test}
  ENTER_HINT="Look around:"$'\n' DOWN_HINT=
  command -v kubectl >/dev/null || fail "kubectl is not on the PATH"
  command -v jq >/dev/null || fail "jq is not on the PATH"
  step "Your cluster: context $(k config current-context 2>/dev/null || echo '(none)')"
  k version >/dev/null 2>&1 || fail "the API server of your kubeconfig does not answer"
  expect_sluice
  expect_gateway
  say "Gateway $GATEWAY, listener $LISTENER, reached at $GATEWAY_URL (GATEWAY, LISTENER, GATEWAY_URL)"
  [[ ${DEMO:-} != service ]] || say "test listener $TEST_LISTENER, reached at $TEST_URL (TEST_LISTENER, TEST_URL)"
  say "image $SAMPLE_IMAGE (SAMPLE_IMAGE; build it with e2e/images.sh: target/images/sample.tar)"
}

expect_sluice() {
  k get crd deployments.sluice.dev >/dev/null 2>&1 ||
    fail "Sluice is not installed there. Build its image (make image), push it, and: helm install sluice charts/sluice \
--namespace sluice-system --create-namespace --set image.repository=REGISTRY/sluice --set image.tag=TAG"
  [[ -n $(k get pods -A -l app.kubernetes.io/name=sluice --field-selector=status.phase=Running -o name) ]] ||
    fail "no pod of Sluice's controller is running: kubectl get pods -A -l app.kubernetes.io/name=sluice"
}

expect_gateway() {
  gateway "{.metadata.name}" >/dev/null 2>&1 || fail "there is no Gateway $GATEWAY: name one with GATEWAY=namespace/name and its listener with LISTENER=name"
  [[ $LISTENER != production ]] || GATEWAY_URL=${GATEWAY_URL:-${PRODUCTION_URL:-}}
  GATEWAY_URL=$(listener_url "$LISTENER" LISTENER "${GATEWAY_URL:-}" GATEWAY_URL)
  [[ ${DEMO:-} != service ]] || TEST_URL=$(listener_url "$TEST_LISTENER" TEST_LISTENER "${TEST_URL:-}" TEST_URL)
}

# listener_url LISTENER VARIABLE URL VARIABLE: URL, or else the Gateway's address with the listener's port.
listener_url() {
  local address port
  port=$(gateway "{.spec.listeners[?(@.name==\"$1\")].port}")
  [[ -n $port ]] || fail "Gateway $GATEWAY has no listener $1, it has: $(gateway '{.spec.listeners[*].name}') ($2=name)"
  if [[ -n $3 ]]; then
    echo "$3"
    return
  fi
  address=$(gateway '{.status.addresses[0].value}')
  [[ -n $address ]] || fail "Gateway $GATEWAY has no address: say where listener $1 is reached from here with $4=http://host:port"
  echo "http://$address:$port"
}

gateway() { k -n "${GATEWAY%%/*}" get gateways.gateway.networking.k8s.io "${GATEWAY#*/}" -o "jsonpath=$1"; }

# current_manifest FILE: the example with that cluster's image, gateway and address in their places.
current_manifest() {
  local name="name: ${GATEWAY#*/}, namespace: ${GATEWAY%%/*}" demo="name: sluice-demo, namespace: default"
  sed -e "s|image: sluice/sample:dev|image: $SAMPLE_IMAGE|" \
    -e "s|{$demo, sectionName: production}|{$name, sectionName: $LISTENER}|" \
    -e "s|{$demo, sectionName: test}|{$name, sectionName: $TEST_LISTENER}|" \
    -e "s|http://10.99.0.1:18081/|${TEST_URL:-}/|" "$ROOT/$EXAMPLES/$1" >"$WORK/$1"
  if cmp -s "$WORK/$1" "$ROOT/$EXAMPLES/$1"; then echo "$EXAMPLES/$1"; else echo "${WORK#"$ROOT/"}/$1"; fi
}
