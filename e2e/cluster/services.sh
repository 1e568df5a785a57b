# shellcheck shell=bash
# Services: kube-proxy turns their addresses into pods' (nftables), CoreDNS their names into addresses.

start_kube-proxy() {
  issue_certificate "$STATE/pki" kube-proxy "/CN=system:kube-proxy"
  write_kubeconfig "$STATE/pki" kube-proxy "$API_SERVER" "$STATE/config/kube-proxy.kubeconfig"
  cat >"$STATE/config/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $STATE/config/kube-proxy.kubeconfig}
mode: nftables
nftables: {minSyncPeriod: 100ms, syncPeriod: 30s}
clusterCIDR: $POD_RANGE
hostnameOverride: $NODE
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
oomScoreAdj: 0
YAML
  start_process "$STATE" kube-proxy "${ENTER[@]}" kube-proxy --config="$STATE/config/kube-proxy.yaml"
}

start_coredns() {
  issue_certificate "$STATE/pki" coredns "/O=system:masters/CN=coredns"
  write_kubeconfig "$STATE/pki" coredns "$API_SERVER" "$STATE/config/coredns.kubeconfig"
  cat >"$STATE/config/Corefile" <<COREFILE
.:53 {
    bind $NODE_ADDRESS
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $STATE/config/coredns.kubeconfig
        ttl 2
    }
    loadbalance
}
COREFILE
  start_process "$STATE" coredns "${ENTER[@]}" coredns -conf "$STATE/config/Corefile"
}

# CoreDNS is a process of the node, not a pod, so its Service has no selector and the slice is written here.
apply_dns_service() {
  k apply --server-side -f - >/dev/null <<YAML
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: $DNS_ADDRESS
  ports:
  - {name: dns, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53, protocol: TCP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns-node
  namespace: kube-system
  labels: {kubernetes.io/service-name: kube-dns, endpointslice.kubernetes.io/managed-by: sluice-e2e}
addressType: IPv4
ports:
- {name: dns, port: 53, protocol: UDP}
- {name: dns-tcp, port: 53, protocol: TCP}
endpoints:
- addresses: [$NODE_ADDRESS]
  conditions: {ready: true}
YAML
}

dns_is_ready() { "${ENTER[@]}" bash -c 'exec 3<>/dev/tcp/127.0.0.1/8181 && printf "GET /ready HTTP/1.0\r\n\r\n" >&3 && grep -q "200 OK" <&3'; }
