# shellcheck shell=bash
# Programs that need nothing of the machine that they run on. Controller and agent share one target folder, so that what they have in
# common is compiled once; it is not cargo's usual one, as the static flag would have cargo build everything again by turns.

STATIC="$TARGET/image/cargo"

# static_inputs: what they are built from.
static_inputs() {
  hash_inputs src Cargo.toml Cargo.lock rust-toolchain.toml build.rs crds .cargo "$E2E/cluster/static.sh" "$(rustc --version)"
}

# build_static PROGRAM OUT. Packed, the program's relocations take 6 KiB instead of 430, all of them read at its start (lld, and glibc
# 2.36 or later, know how).
build_static() {
  local program=$1 out=$2 triple
  triple="$(uname -m)-unknown-linux-gnu"
  RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" nice -n 10 cargo build --release --locked \
    --target "$triple" --target-dir "$STATIC" --bin "$program"
  install -D -m 755 "$STATIC/$triple/release/$program" "$out"
}

# require_static PROGRAM: it asks for no interpreter and no library and, where this can be tried, starts where there is no other file.
require_static() {
  local program=$1 said empty
  said=$(LC_ALL=C readelf --program-headers --dynamic --wide "$program") || fail "$program cannot be read"
  ! grep -Eq '\bINTERP\b|\(NEEDED\)' <<<"$said" || fail "$program is not static: it needs $(grep -Eo 'interpreter: [^]]*|library: \[[^]]*' <<<"$said" | tr '\n' ' ')"
  ((EUID == 0)) || return 0
  empty=$(mktemp -d)
  install -m 755 "$program" "$empty/program"
  said=$(chroot "$empty" /program --version 2>&1) || said="error: $said"
  rm -rf "$empty"
  [[ $said != error:* ]] || fail "$program does not start in an empty root: $said"
}
