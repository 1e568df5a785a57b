# shellcheck shell=bash
# etcd, API server, controller manager and scheduler of the full cluster.

make_cluster_certificates() {
  local pki="$STATE/pki"
  make_authority "$pki"
  issue_certificate "$pki" server "/CN=kube-apiserver" \
    "IP:$NODE_ADDRESS,IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  issue_certificate "$pki" admin "/O=system:masters/CN=admin"
  issue_certificate "$pki" front-proxy "/CN=front-proxy"
  write_kubeconfig "$pki" admin "$API_SERVER" "$KUBECONFIG"
}

start_etcd() {
  local command
  mkdir -p "$STATE/etcd"
  chmod 700 "$STATE/etcd"
  mapfile -t command < <(etcd_command "$STATE/etcd" http://127.0.0.1:2379 http://127.0.0.1:2380)
  start_process "$STATE" etcd "${ENTER[@]}" "${command[@]}"
}

start_kube-apiserver() {
  local command audit=() pki="$STATE/pki"
  [[ -z ${AUDIT:-} ]] || mapfile -t audit < <(audit_flags "$STATE")
  mapfile -t command < <(api_server_command "$pki" http://127.0.0.1:2379 6443)
  start_process "$STATE" kube-apiserver "${ENTER[@]}" "${command[@]}" "${audit[@]}" \
    --bind-address=0.0.0.0 --advertise-address="$NODE_ADDRESS" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key" \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra-
}

api_server_is_ready() { k get --raw /readyz; }

# A loaded test machine is slow with node heartbeats: minutes of grace, or its pods would be taken out of their Services.
start_kube-controller-manager() {
  local command
  issue_certificate "$STATE/pki" kube-controller-manager "/CN=system:kube-controller-manager"
  write_kubeconfig "$STATE/pki" kube-controller-manager "$API_SERVER" "$STATE/config/kube-controller-manager.kubeconfig"
  mapfile -t command < <(controller_manager_command "$STATE/pki" "$STATE/config/kube-controller-manager.kubeconfig")
  start_process "$STATE" kube-controller-manager "${ENTER[@]}" "${command[@]}" --bind-address=127.0.0.1 \
    --node-monitor-grace-period=5m --kube-api-qps=200 --kube-api-burst=400 --horizontal-pod-autoscaler-sync-period=3s
}

start_kube-scheduler() {
  issue_certificate "$STATE/pki" kube-scheduler "/CN=system:kube-scheduler"
  write_kubeconfig "$STATE/pki" kube-scheduler "$API_SERVER" "$STATE/config/kube-scheduler.kubeconfig"
  cat >"$STATE/config/kube-scheduler.yaml" <<YAML
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {kubeconfig: $STATE/config/kube-scheduler.kubeconfig, qps: 200, burst: 400}
leaderElection: {leaderElect: false}
YAML
  start_process "$STATE" kube-scheduler "${ENTER[@]}" kube-scheduler --bind-address=127.0.0.1 \
    --config="$STATE/config/kube-scheduler.yaml"
}
