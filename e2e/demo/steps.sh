# shellcheck shell=bash
# How the demo speaks, runs commands, applies examples, and keeps the load. Uses ENTER, SPACE, EXAMPLES, HOST, WORK, RPS of the demo.

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

build_programs() {
  step "The kubectl plugin"
  show cargo build --locked --bin kubectl-sluice
  cargo build --quiet --locked --bin kubectl-sluice
  "$E2E/tools.sh" load
}

# Deletes only a namespace that an earlier demo has made.
clean_namespace() {
  local made
  if k get namespace "$SPACE" >/dev/null 2>&1; then
    made=$(k get namespace "$SPACE" -o 'jsonpath={.metadata.labels.sluice\.dev/demo}')
    [[ $made == "true" ]] || fail "namespace $SPACE is there and was not made by the demo: delete it, or choose another cluster"
    say "(deleting what an earlier demo left in namespace $SPACE)"
    k delete namespace "$SPACE" --wait --timeout=90s >/dev/null
  fi
}

make_namespace() {
  run kubectl create namespace "$SPACE"
  k label namespace "$SPACE" sluice.dev/demo=true >/dev/null
}

await_group() {
  wait_until 30 "the group is ready" k -n "$SPACE" wait --for=condition=Ready --timeout=5s "deploymentgroups.sluice.dev/$1"
  run kubectl -n "$SPACE" get sluice
}

# watch_deployment NAME CODE: follows it to its end, which is to be that of exit code CODE.
watch_deployment() {
  local code=0
  show kubectl sluice -n "$SPACE" watch "$1"
  "${ENTER[@]}" "$PLUGIN" -n "$SPACE" watch "$1" --timeout 90s || code=$?
  expect "exit code of watch" "$2" "$code"
}

# fail_and_roll_back NAME: follows it to its failure by a hook, and the rollback to its success.
fail_and_roll_back() {
  local rollback
  watch_deployment "$1" 1
  expect "phase of $1" Failed "$(field "$1" .status.phase)"
  expect "error of $1" HookExecutionFailure "$(field "$1" .status.errorInformation.code)"
  rollback=$(field "$1" .status.rollbackInfo.rollbackDeployment)
  [[ -n $rollback ]] || fail "Deployment $1 names no rollback"
  wait_until 30 "the rollback $rollback is there" k -n "$SPACE" get deployments.sluice.dev "$rollback"
  watch_deployment "$rollback" 0
  expect "phase of the rollback" Succeeded "$(field "$rollback" .status.phase)"
  expect "creator of the rollback" AutoRollback "$(field "$rollback" .status.creator)"
}

field() { k -n "$SPACE" get deployments.sluice.dev "$1" -o "jsonpath={$2}"; }

# expect WHAT WANTED GOT
expect() {
  [[ $2 == "$3" ]] || fail "$1: expected $2, got '$3'"
  echo "ok: $1: $3"
}

is_served() { "${ENTER[@]}" "$TOOLS/bin/load" -url "$GATEWAY_URL" -host "$HOST" -rps 20 -duration 1s >/dev/null; }

start_load() {
  # Not by the function: the process that is told to end must be the load itself, not a shell around it.
  "${ENTER[@]}" "$TOOLS/bin/load" -url "$GATEWAY_URL" -host "$HOST" -rps "$RPS" -duration 0 -out "$WORK/$1.json" &
  LOAD_PID=$!
}

# Ends the load and has it write its summary; its exit code 1 only repeats what the summary says.
stop_load() {
  [[ -n $LOAD_PID ]] || return 0
  kill -TERM "$LOAD_PID"
  wait "$LOAD_PID" || true
  LOAD_PID=
}
