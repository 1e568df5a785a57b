#!/usr/bin/env bash
# Ends this checkout's cluster, also one that crashed or is half up, and nothing else. Logs stay in target/cluster/logs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

require_root
lock_cluster
if leaves_traces; then
  tear_down
  say "the cluster is down"
else
  say "no cluster runs"
fi
