#!/usr/bin/env bash
# Builds the cluster's programs from Go modules into target/tools/bin: e2e/tools.sh [NAME...], all of them without a name.
# A program is built again only when its go.mod, go.sum, sources, flags or the Go version changed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/cluster/inputs.sh"

KUBERNETES=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
# Built by name only: kwok and argo-rollouts, for the bench; registry and versitygw, for the sources.
PROGRAMS=(etcd "${KUBERNETES[@]}" helm traefik coredns load bundles metrics)

export CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=readonly -buildvcs=false -trimpath"

main() {
  local name programs=("$@")
  if ((${#programs[@]} == 0)); then
    programs=("${PROGRAMS[@]}")
    command -v kubectl >/dev/null || programs+=(kubectl)
  fi
  command -v go >/dev/null || fail "the Go toolchain is not on the PATH"
  mkdir -p "$TOOLS/bin" "$TOOLS/stamps"
  exec 9>"$TOOLS/lock"
  flock 9
  for name in "${programs[@]}"; do build_if_changed "$name"; done
}

# The folder of a program's go.mod below e2e/.
module_folder() {
  case $1 in
    kube* ) echo "$E2E/kubernetes" ;;
    *) echo "$E2E/$1" ;;
  esac
}

# The package that a program is built from.
package() {
  case $1 in
    kwok) echo sigs.k8s.io/kwok/cmd/kwok ;;
    argo-rollouts) echo github.com/argoproj/argo-rollouts/cmd/rollouts-controller ;;
    registry) echo github.com/distribution/distribution/v3/cmd/registry ;;
    versitygw) echo github.com/versity/versitygw/cmd/versitygw ;;
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    kube*) echo "k8s.io/kubernetes/cmd/$1" ;;
    helm) echo helm.sh/helm/v4/cmd/helm ;;
    traefik) echo github.com/traefik/traefik/v3/cmd/traefik ;;
    *) echo . ;;
  esac
}

# Clients and Helm parse the version that Kubernetes' programs report; a plain build reports none.
link_flags() {
  local version field=k8s.io/component-base/version
  case $1 in
    kube*)
      version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$(module_folder "$1")/go.mod")
      echo "-s -w -X $field.gitVersion=$version -X $field.gitMajor=$(cut -d. -f1 <<<"${version#v}") -X $field.gitMinor=$(cut -d. -f2 <<<"$version")"
      ;;
    *) echo "-s -w" ;;
  esac
}

build_if_changed() {
  local name=$1 folder inputs
  folder=$(module_folder "$name")
  inputs=$(hash_inputs "$folder" "$(link_flags "$name") $GOFLAGS $(go env GOVERSION GOARCH | tr '\n' ' ')")
  is_stamped "$TOOLS/stamps/$name" "$inputs" "$TOOLS/bin/$name" && return
  say "building $name"
  [[ $name != traefik ]] || copy_lego "$folder"
  (cd "$folder" && nice -n 10 go build -ldflags "$(link_flags "$name")" -o "$TOOLS/bin/$name.part" "$(package "$name")")
  mv "$TOOLS/bin/$name.part" "$TOOLS/bin/$name"
  stamp "$TOOLS/stamps/$name" "$inputs"
}

# Traefik's ACME library imports some two hundred DNS providers, a few of which no module proxy serves. Its copy below target/
# gets our own short list instead; Traefik's go.mod points at that copy. As go.sum says nothing of a replaced module, lego.sum does.
copy_lego() {
  local folder=$1 module=github.com/go-acme/lego/v4 copy="$TOOLS/lego" version download
  version=$(awk -v module="$module" '$1 == module && $2 ~ /^v/ { print $2 }' "$folder/go.mod")
  download=$(cd / && GOFLAGS='' go mod download -json "$module@$version")
  [[ $(jq -r .Sum <<<"$download") == "$(<"$folder/lego/lego.sum")" ]] || fail "$module@$version is not what lego.sum says"
  rm -rf "$copy"
  cp -r --no-preserve=mode "$(jq -r .Dir <<<"$download")" "$copy"
  rm -rf "$copy/providers/dns"
  mkdir -p "$copy/providers/dns"
  cp "$folder/lego/dns_providers.go" "$copy/providers/dns/"
}

main "$@"
