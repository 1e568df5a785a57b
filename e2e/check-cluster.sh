#!/usr/bin/env bash
# Shows that the running cluster is one: pods run, find each other by name, reach the API server with their own token's authority,
# and the gateway splits by weight without losing a request while a version's pods are replaced.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

SPACE=cluster-check

main() {
  require_root
  enter_node
  k delete namespace "$SPACE" --ignore-not-found >/dev/null
  trap 'k delete namespace "$SPACE" --wait=false >/dev/null' EXIT
  k create namespace "$SPACE" >/dev/null
  apply_version 1
  apply_version 2
  apply_route 90 10
  k -n "$SPACE" rollout status deployment/v1 --timeout=60s >/dev/null
  k -n "$SPACE" rollout status deployment/v2 --timeout=60s >/dev/null
  expect_answer "a pod finds a Service by its name" "http://v2.$SPACE/" '"version":"2"'
  expect_answer "a pod reaches itself by its Service" "http://v1/" '"version":"1"'
  expect_answer "a pod reaches the API server by name, with its CA" https://kubernetes.default.svc/readyz ok
  expect_answer "a pod reaches the API server by address" https://10.96.0.1/version gitVersion
  wait_until 20 "the route is served" serves_route
  expect_split
}

apply_version() {
  k -n "$SPACE" apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: v$1}
spec:
  selector: {matchLabels: {version: "$1"}}
  template:
    metadata: {labels: {version: "$1"}}
    spec:
      containers:
      - name: sample
        image: sluice/sample:dev
        env:
        - {name: VERSION, value: "$1"}
        - {name: SSL_CERT_FILE, value: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt}
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: v$1}
spec: {selector: {version: "$1"}, ports: [{port: 80, targetPort: 8080}]}
YAML
}

apply_route() {
  k -n "$SPACE" apply -f - >/dev/null <<YAML
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: split}
spec:
  hostnames: [$SPACE.example]
  parentRefs: [{name: sluice-demo, namespace: default, sectionName: production}]
  rules: [{backendRefs: [{name: v1, port: 80, weight: $1}, {name: v2, port: 80, weight: $2}]}]
YAML
}

# expect_answer WHAT URL TEXT: asked from a pod of version 1, the answer holds TEXT.
expect_answer() {
  local answer
  answer=$(k -n "$SPACE" exec deployment/v1 -- /sample get "$2" 2>&1) && [[ $answer == *"$3"* ]] || fail "$1: $answer"
  say "ok: $1"
}

load() {
  "${ENTER[@]}" "$TOOLS/bin/load" -url "http://$NODE_ADDRESS:$PRODUCTION_PORT/" -host "$SPACE.example" "$@"
}

serves_route() { load -rps 10 -duration 500ms >/dev/null; }

expect_split() {
  local summary="$STATE/check.json" share
  load -rps 100 -duration 10s -out "$summary" &
  k -n "$SPACE" rollout restart deployment/v1 >/dev/null
  k -n "$SPACE" rollout status deployment/v1 --timeout=60s >/dev/null
  wait $! || fail "requests failed: $(jq -c .byError "$summary")"
  share=$(jq '(.byVersion["2"] // 0) * 100 / .total' "$summary")
  jq -en --argjson share "$share" '$share > 7 and $share < 13' >/dev/null || fail "the gateway sent $share % to the version of weight 10"
  say "ok: the gateway splits 90 to 10 and loses no request while pods are replaced ($(jq .total "$summary") requests)"
}

main "$@"
