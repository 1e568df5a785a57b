#!/usr/bin/env bash
# Builds the controller's image from the working tree into target/image/sluice.tar, as docker.io/sluice/controller:dev: how
# Kubernetes reads the chart's "sluice/controller:dev". Built again only when the sources or the compiler changed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/cluster/inputs.sh"
source "$E2E/cluster/build-image.sh"

REFERENCE=docker.io/sluice/controller:dev
IMAGE="$TARGET/image"

main() {
  local inputs
  "$E2E/packages.sh"
  mkdir -p "$IMAGE"
  exec 9>"$IMAGE/lock"
  flock 9
  cd "$ROOT"
  inputs=$(hash_inputs src Cargo.toml Cargo.lock Containerfile rust-toolchain.toml build.rs crds .cargo \
    "$E2E/cluster/build-image.sh" "$(rustc --version)")
  is_stamped "$IMAGE/stamp" "$inputs" "$IMAGE/sluice.tar" && return
  say "building the image sluice/controller:dev"
  build_static_controller
  build_image Containerfile "$IMAGE/context" "$REFERENCE" "$IMAGE/sluice.tar"
  stamp "$IMAGE/stamp" "$inputs"
}

# Its target folder is its own: the static flag would have cargo build everything again whenever the two take turns. Packed, the
# program's relocations take 6 KiB instead of 430, all of them read at its start (lld, and glibc 2.36 or later, know how).
build_static_controller() {
  local triple
  triple="$(uname -m)-unknown-linux-gnu"
  RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" nice -n 10 cargo build --release --locked --target "$triple" --target-dir "$IMAGE/cargo" \
    --bin sluice-controller
  rm -rf "$IMAGE/context"
  mkdir -p "$IMAGE/context"
  cp "$IMAGE/cargo/$triple/release/sluice-controller" /etc/ssl/certs/ca-certificates.crt "$IMAGE/context/"
}

main "$@"
