# shellcheck shell=bash disable=SC2034
# The demo in somebody's own cluster (CLUSTER=current). It expects, and says when it misses them:
#   - Sluice's chart, installed
#   - a Gateway: GATEWAY=namespace/name (default/sluice-demo) with a listener LISTENER (production) open to all namespaces
#   - where that listener is reached from here: GATEWAY_URL (else PRODUCTION_URL for `production`, else
#     the Gateway's own address)
#   - the sample image: SAMPLE_IMAGE (sluice/sample:dev; e2e/images.sh builds target/images/sample.tar)
#   - ENTER, if a command prefix is needed to reach these; else it stays empty

find_current_cluster() {
  GATEWAY=${GATEWAY:-default/sluice-demo} LISTENER=${LISTENER:-production} SAMPLE_IMAGE=${SAMPLE_IMAGE:-sluice/sample:dev}
  read -ra ENTER <<<"${ENTER:-}"
  ENTER_HINT="Look around:"$'\n' DOWN_HINT=
  command -v kubectl >/dev/null || fail "kubectl is not on the PATH"
  command -v jq >/dev/null || fail "jq is not on the PATH"
  step "Your cluster: context $(k config current-context 2>/dev/null || echo '(none)')"
  k version >/dev/null 2>&1 || fail "the API server of your kubeconfig does not answer"
  expect_sluice
  expect_gateway
  say "Gateway $GATEWAY, listener $LISTENER, reached at $GATEWAY_URL (GATEWAY, LISTENER, GATEWAY_URL)"
  say "image $SAMPLE_IMAGE (SAMPLE_IMAGE; build it with e2e/images.sh: target/images/sample.tar)"
}

expect_sluice() {
  k get crd deployments.sluice.dev >/dev/null 2>&1 ||
    fail "Sluice is not installed there: helm install sluice charts/sluice --namespace sluice-system --create-namespace"
  [[ -n $(k get pods -A -l app.kubernetes.io/name=sluice --field-selector=status.phase=Running -o name) ]] ||
    fail "no pod of Sluice's controller is running: kubectl get pods -A -l app.kubernetes.io/name=sluice"
}

expect_gateway() {
  local address port
  gateway "{.metadata.name}" >/dev/null 2>&1 || fail "there is no Gateway $GATEWAY: name one with GATEWAY=namespace/name and its listener with LISTENER=name"
  port=$(gateway "{.spec.listeners[?(@.name==\"$LISTENER\")].port}")
  [[ -n $port ]] || fail "Gateway $GATEWAY has no listener $LISTENER, it has: $(gateway '{.spec.listeners[*].name}') (LISTENER=name)"
  [[ $LISTENER != production ]] || GATEWAY_URL=${GATEWAY_URL:-${PRODUCTION_URL:-}}
  if [[ -z ${GATEWAY_URL:-} ]]; then
    address=$(gateway '{.status.addresses[0].value}')
    [[ -n $address ]] || fail "Gateway $GATEWAY has no address: say where it is reached from here with GATEWAY_URL=http://host:port"
    GATEWAY_URL="http://$address:$port"
  fi
}

gateway() { k -n "${GATEWAY%%/*}" get gateways.gateway.networking.k8s.io "${GATEWAY#*/}" -o "jsonpath=$1"; }

# current_manifest FILE: the example with that cluster's image and gateway in their places.
current_manifest() {
  local parent="{name: ${GATEWAY#*/}, namespace: ${GATEWAY%%/*}, sectionName: $LISTENER}"
  sed -e "s|image: sluice/sample:dev|image: $SAMPLE_IMAGE|" \
    -e "s|{name: sluice-demo, namespace: default, sectionName: production}|$parent|" "$ROOT/$EXAMPLES/$1" >"$WORK/$1"
  if cmp -s "$WORK/$1" "$ROOT/$EXAMPLES/$1"; then echo "$EXAMPLES/$1"; else echo "${WORK#"$ROOT/"}/$1"; fi
}
