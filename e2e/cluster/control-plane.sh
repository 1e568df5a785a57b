# shellcheck shell=bash
# Command lines of etcd, the API server and the controller manager that the full cluster and the API server alone share.
# Nothing here survives `down`, so etcd may skip fsync.

# etcd_command DATA CLIENT-URL PEER-URL
etcd_command() {
  printf '%s\n' etcd --name=etcd --data-dir="$1" --unsafe-no-fsync=true --log-level=warn --quota-backend-bytes=8589934592 \
    --listen-client-urls="$2" --advertise-client-urls="$2" \
    --listen-peer-urls="$3" --initial-advertise-peer-urls="$3" --initial-cluster="etcd=$3"
}

# api_server_command PKI ETCD-URL PORT
api_server_command() {
  local pki=$1
  printf '%s\n' kube-apiserver --etcd-servers="$2" --secure-port="$3" \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/server.crt" --tls-private-key-file="$pki/server.key" \
    --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
    --service-account-key-file="$pki/service-account.pub" --service-account-signing-key-file="$pki/service-account.key" \
    --allow-privileged=true --profiling=false --shutdown-watch-termination-grace-period=1s --event-ttl=24h
}

# controller_manager_command PKI KUBECONFIG
controller_manager_command() {
  local pki=$1
  printf '%s\n' kube-controller-manager --kubeconfig="$2" --use-service-account-credentials=true --leader-elect=false --profiling=false \
    --service-account-private-key-file="$pki/service-account.key" --root-ca-file="$pki/ca.crt"
}
