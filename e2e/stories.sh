#!/usr/bin/env bash
# Runs the stories inside the cluster's network: builds them as usual, and the hosts' agent as it is shipped, then enters. STORY, STORIES, KEEP: see tests/stories/main.rs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

[[ -e $STATE/env ]] || fail "the cluster does not run: make up"
cd "$ROOT"
"$E2E/agent.sh"
"$E2E/tools.sh" bundles versitygw registry
binary=$(cargo test --locked --no-run --test stories --message-format=json-render-diagnostics | jq -r 'select(.target.name == "stories") | .executable // empty')
# shellcheck disable=SC1091
source "$STATE/env"
# shellcheck disable=SC2086
exec $ENTER "$binary"
