# shellcheck shell=bash
# How the demo speaks, runs commands, applies examples, and keeps the load. Uses ENTER, SPACE, EXAMPLES, WORK, RPS of the demo.

PLUGIN=target/debug/kubectl-sluice
LOAD_PID=

# Headings are bold on a terminal.
step() {
  if [[ -t 1 ]]; then printf '\n\033[1m== %s ==\033[0m\n' "$*"; else printf '\n== %s ==\n' "$*"; fi
}

show() { echo "\$ $*"; }

k() { "${ENTER[@]}" kubectl "$@"; }

run() {
  show "$@"
  "${ENTER[@]}" "$@"
}

# apply FILE...: examples, as they are or, elsewhere than in our own cluster, with the image and the gateway of that cluster.
apply() {
  local file
  for file in "$@"; do run kubectl -n "$SPACE" apply -f "$(manifest "$file")"; done
}

# watch_deployment NAME CODE: follows it to its end, which is to be that of exit code CODE.
watch_deployment() {
  local code=0
  show kubectl sluice -n "$SPACE" watch "$1"
  "${ENTER[@]}" "$PLUGIN" -n "$SPACE" watch "$1" --timeout 90s || code=$?
  expect "exit code of watch" "$2" "$code"
}

field() { k -n "$SPACE" get deployments.sluice.dev "$1" -o "jsonpath={$2}"; }

# expect WHAT WANTED GOT
expect() {
  [[ $2 == "$3" ]] || fail "$1: expected $2, got '$3'"
  echo "ok: $1: $3"
}

load() { "${ENTER[@]}" "$TOOLS/bin/load" -url "$GATEWAY_URL" -host hello.example "$@"; }

is_served() { load -rps 20 -duration 1s >/dev/null; }

start_load() {
  # Not by the function: the process that is told to end must be the load itself, not a shell around it.
  "${ENTER[@]}" "$TOOLS/bin/load" -url "$GATEWAY_URL" -host hello.example -rps "$RPS" -duration 0 -out "$WORK/$1.json" &
  LOAD_PID=$!
}

# Ends the load and has it write its summary; its exit code 1 only repeats what the summary says.
stop_load() {
  [[ -n $LOAD_PID ]] || return 0
  kill -TERM "$LOAD_PID"
  wait "$LOAD_PID" || true
  LOAD_PID=
}
