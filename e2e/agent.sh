#!/usr/bin/env bash
# Builds the hosts' program from the working tree, static, as target/agent/sluice-agent: it runs on any Linux of this architecture.
# Built again only when the sources or the compiler changed; that it is static is looked at each time.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/cluster/inputs.sh"
source "$E2E/cluster/static.sh"

AGENT="$TARGET/agent"

main() {
  local inputs
  mkdir -p "$AGENT"
  exec 9>"$AGENT/lock"
  flock 9
  cd "$ROOT"
  inputs=$(static_inputs)
  if ! is_stamped "$AGENT/stamp" "$inputs" "$AGENT/sluice-agent"; then
    say "building sluice-agent"
    build_static sluice-agent "$AGENT/sluice-agent"
    stamp "$AGENT/stamp" "$inputs"
  fi
  require_static "$AGENT/sluice-agent"
}

main "$@"
