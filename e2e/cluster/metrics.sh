# shellcheck shell=bash
# What autoscalers go by: a process of the node behind the API server's aggregator. See e2e/metrics.

start_metrics() {
  local pki="$STATE/pki"
  issue_certificate "$pki" metrics "/O=system:masters/CN=metrics" "IP:$NODE_ADDRESS,DNS:metrics.kube-system.svc"
  start_process "$STATE" metrics "${ENTER[@]}" metrics -listen "$NODE_ADDRESS:$METRICS_PORT" -server "$API_SERVER" \
    -ca "$pki/ca.crt" -cert "$pki/metrics.crt" -key "$pki/metrics.key"
}

# A process of the node, not a pod: its Service has no selector and the slice is written here.
apply_metrics_service() {
  k apply --server-side -f - >/dev/null <<YAML
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: kube-system}
spec:
  ports: [{name: https, port: 443, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: metrics-node
  namespace: kube-system
  labels: {kubernetes.io/service-name: metrics, endpointslice.kubernetes.io/managed-by: sluice-e2e}
addressType: IPv4
ports: [{name: https, port: $METRICS_PORT, protocol: TCP}]
endpoints: [{addresses: [$NODE_ADDRESS], conditions: {ready: true}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta2.custom.metrics.k8s.io}
spec:
  group: custom.metrics.k8s.io
  version: v1beta2
  groupPriorityMinimum: 100
  versionPriority: 100
  caBundle: $(base64 -w0 "$STATE/pki/ca.crt")
  service: {name: metrics, namespace: kube-system}
YAML
}

metrics_are_served() { k wait --for=condition=Available --timeout=5s apiservice/v1beta2.custom.metrics.k8s.io; }
