#!/usr/bin/env bash
# Packs the example's bundle for one version: bundle.sh VERSION OUT.tgz [SETTING=VALUE...]; prints the archive's SHA-256.
# The program in it is the sample server. The same content is the same archive, whenever it is packed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"

version=$1 out=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ -x $IMAGES/sample/sample ]] || "$E2E/images.sh"
cp -R "$ROOT/examples/server/bundle/." "$work"
install -D -m 644 "$IMAGES/sample/sample" "$work/bin/web"
printf '%s\n' "VERSION=$version" "$@" >"$work/settings.env"
mkdir -p "$(dirname "$out")"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work" -cf - . | gzip -n -1 >"$out"
sha256sum "$out" | cut -d' ' -f1
