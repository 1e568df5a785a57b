#!/usr/bin/env bash
# Builds the images that the cluster itself and its stories need into target/images: the pause container and the sample.
# An image is built again only when its folder, the build script or the Go version changed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/cluster/inputs.sh"
source "$E2E/cluster/build-image.sh"

main() {
  local name
  mkdir -p "$IMAGES"
  exec 9>"$IMAGES/lock"
  flock 9
  for name in pause sample; do build_if_changed "$name"; done
}

build_if_changed() {
  local name=$1 inputs context="$IMAGES/$1"
  inputs=$(hash_inputs "$E2E/$name" "$E2E/cluster/build-image.sh" "$(go env GOVERSION)")
  is_stamped "$IMAGES/$name.stamp" "$inputs" "$IMAGES/$name.tar" && return
  say "building the image sluice/$name:dev"
  rm -rf "$context"
  mkdir -p "$context"
  (cd "$E2E/$name" && CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false go build -trimpath -ldflags "-s -w" -o "$context/$name" .)
  build_image "$E2E/$name/Containerfile" "$context" "docker.io/sluice/$name:dev" "$IMAGES/$name.tar"
  stamp "$IMAGES/$name.stamp" "$inputs"
}

main "$@"
