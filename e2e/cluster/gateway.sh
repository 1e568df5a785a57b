# shellcheck shell=bash
# The gateway: Gateway API's standard kinds, Traefik, and the Gateway `sluice-demo` with a production and a test listener.

apply_gateway_kinds() {
  local module
  module=$(cd "$E2E/gateway-api" && GOWORK=off GOFLAGS=-mod=readonly go mod download -json sigs.k8s.io/gateway-api | jq -r .Dir)
  k apply --server-side --force-conflicts -f "$module/config/crd/standard" >/dev/null
  k wait --for=condition=Established --timeout=60s crd/gatewayclasses.gateway.networking.k8s.io \
    crd/gateways.gateway.networking.k8s.io crd/httproutes.gateway.networking.k8s.io >/dev/null
}

# Traefik matches a Gateway's listener to an entry point by its port. By default it gathers changes for two seconds, although a
# route's status already speaks of the new weights; here it acts at once.
start_traefik() {
  issue_certificate "$STATE/pki" traefik "/O=system:masters/CN=traefik"
  write_kubeconfig "$STATE/pki" traefik "$API_SERVER" "$STATE/config/traefik.kubeconfig"
  start_process "$STATE" traefik env KUBECONFIG="$STATE/config/traefik.kubeconfig" "${ENTER[@]}" traefik \
    --entrypoints.production.address="$NODE_ADDRESS:$PRODUCTION_PORT" --entrypoints.test.address="$NODE_ADDRESS:$TEST_PORT" \
    --providers.kubernetesgateway=true --providers.kubernetesgateway.statusaddress.ip="$NODE_ADDRESS" \
    --providers.providersthrottleduration=50ms --global.checknewversion=false --global.sendanonymoususage=false --log.level=INFO
}

apply_gateway() {
  k apply --server-side -f - >/dev/null <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: traefik}
spec: {controllerName: traefik.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: sluice-demo, namespace: default}
spec:
  gatewayClassName: traefik
  listeners:
  - {name: production, port: $PRODUCTION_PORT, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - {name: test, port: $TEST_PORT, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
YAML
}

wait_for_gateway() {
  k wait --for=condition=Accepted --timeout=60s gatewayclass/traefik >/dev/null
  k wait --for=condition=Programmed --timeout=60s gateway/sluice-demo -n default >/dev/null
}
