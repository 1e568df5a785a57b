#!/usr/bin/env bash
# Installs from Debian what the cluster needs and this machine lacks; silent and quick when nothing is missing.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"

# Program or file, then the package that brings it.
NEEDS="
containerd containerd
runc runc
/usr/lib/cni/ptp containernetworking-plugins
buildah buildah
/etc/containers/policy.json golang-github-containers-common
nft nftables
ip iproute2
nsenter util-linux
sysctl procps
openssl openssl
jq jq
lua5.1 lua5.1
strace strace
systemd-analyze systemd
/etc/ssl/certs/ca-certificates.crt ca-certificates
"

main() {
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} > 0)) || return 0
  ((EUID == 0)) || fail "missing packages, and only root can install them: ${missing[*]}"
  command -v apt-get >/dev/null || fail "install these first: ${missing[*]}"
  say "installing ${missing[*]}"
  install_packages "${missing[@]}"
}

missing_packages() {
  local need package
  while read -r need package; do
    case $need in
      '') ;;
      /*) [[ -e $need ]] || echo "$package" ;;
      *) command -v "$need" >/dev/null || echo "$package" ;;
    esac
  done <<<"$NEEDS"
}

# The cluster runs its own containerd: the packaged service must not start. Debian asks policy-rc.d (101: forbidden); one is
# put there for the length of the installation if the machine has none.
install_packages() {
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

main "$@"
