#!/usr/bin/env bash
# Builds the controller's image from the working tree into target/image/sluice.tar, as docker.io/sluice/controller:dev: how
# Kubernetes reads the chart's "sluice/controller:dev". Built again only when the sources or the compiler changed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/cluster/inputs.sh"
source "$E2E/cluster/build-image.sh"
source "$E2E/cluster/static.sh"

REFERENCE=docker.io/sluice/controller:dev
IMAGE="$TARGET/image"

main() {
  local inputs
  "$E2E/packages.sh"
  mkdir -p "$IMAGE"
  exec 9>"$IMAGE/lock"
  flock 9
  cd "$ROOT"
  inputs=$(hash_inputs "$(static_inputs)" Containerfile "$E2E/cluster/build-image.sh")
  is_stamped "$IMAGE/stamp" "$inputs" "$IMAGE/sluice.tar" && return
  say "building the image sluice/controller:dev"
  build_context
  build_image Containerfile "$IMAGE/context" "$REFERENCE" "$IMAGE/sluice.tar"
  stamp "$IMAGE/stamp" "$inputs"
}

# The context is what the image holds.
build_context() {
  rm -rf "$IMAGE/context"
  mkdir -p "$IMAGE/context"
  build_static sluice-controller "$IMAGE/context/sluice-controller"
  require_static "$IMAGE/context/sluice-controller"
  cp /etc/ssl/certs/ca-certificates.crt "$IMAGE/context/"
}

main "$@"
