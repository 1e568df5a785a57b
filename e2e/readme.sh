#!/usr/bin/env bash
# Runs every command of the README, in order, against the running cluster with the chart installed; and asks the API server about
# the README's YAML and every file of examples/.
#
# A command is a line that begins with "$ " in a ```console block; the lines behind it are words that its output must have. A
# command that is not run has a comment with the reason right before its block: <!-- not run: REASON -->. make and cargo run in this
# checkout, all else in a scratch copy of it, with a home of its own.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/readme/read.sh"
source "$E2E/readme/run.sh"

README="$ROOT/${1:-README.md}"

main() {
  # shellcheck source=/dev/null
  source "$TARGET/cluster/env"
  SCRATCH=$(mktemp -d)
  trap 'rm -rf "$SCRATCH"' EXIT
  copy_checkout "$SCRATCH/sluice"
  read_page "$README" "$SCRATCH/page"
  check_inline_commands "$README" "$SCRATCH/page"
  forget_namespaces "$SCRATCH/page"
  run_page "$SCRATCH/page"
  check_manifests "$SCRATCH/page"
  say "$(basename "$README"): $(count run) commands run, $(count skip) not run for a stated reason"
}

count() { find "$SCRATCH/page" -name "*.$1" | wc -l; }

copy_checkout() {
  mkdir -p "$1"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf -) | tar -xf - -C "$1"
  ln -s "$TARGET" "$1/target"
}

main "$@"
