# shellcheck shell=bash
# Where everything lives, and how scripts speak. Sourced first by every script of e2e/.

E2E="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ROOT="$(dirname "$E2E")"
TARGET="$ROOT/target"
TOOLS="$TARGET/tools"
IMAGES="$TARGET/images"
PATH="$TOOLS/bin:$PATH:/usr/sbin:/sbin"
export PATH

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# Runs a command until it succeeds: wait_until SECONDS WHAT COMMAND...; past the deadline it fails and names WHAT.
wait_until() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      say "error: $what: not within $seconds s"
      return 1
    fi
    sleep 0.1
  done
}
