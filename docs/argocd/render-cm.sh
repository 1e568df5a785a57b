#!/usr/bin/env bash
# Prints argocd-cm.yaml, the keys of Argo CD's own ConfigMap, from the health scripts beside it.
set -euo pipefail
cd "$(dirname "$0")"

print_head() {
  cat <<'YAML'
# The keys of Sluice for Argo CD's ConfigMap argocd-cm. Merge them into yours:
#   kubectl -n argocd patch configmap argocd-cm --type merge --patch-file argocd-cm.yaml
# Written by render-cm.sh from sluice.dev/*/health.lua; edit those.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
data:
  resource.customizations.ignoreDifferences.gateway.networking.k8s.io_HTTPRoute: |
    jqPathExpressions:
    - .spec.rules[]?.backendRefs
    managedFieldsManagers:
    - sluice
YAML
}

print_health() {
  echo "  resource.customizations.health.sluice.dev_$1: |"
  sed 's/^./    &/' "sluice.dev/$1/health.lua"
}

print_head
print_health Deployment
print_health DeploymentGroup
