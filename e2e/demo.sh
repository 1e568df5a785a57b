#!/usr/bin/env bash
# The demo: a good version under load, then a bad one that is rolled back. Prints what each step is by hand. Fails if a request was
# lost or anything ended otherwise than it should.
#
#   make demo                   in the cluster of this checkout (brought up, chart installed): a function's alias
#   DEMO=service make demo      a service: taken over from a plain Deployment, then blue/green with test traffic
#   DEMO=server make demo       six hosts with an agent each, behind one Service
#   CLUSTER=current make demo   in the cluster of your kubeconfig; see e2e/demo/current.sh for what it expects
#
# What differs is in e2e/demo/{function,service,server}.sh: SPACE, EXAMPLES, HOST, tell_story and look_around.
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2034  # the sourced files read these
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cluster/paths.sh"
source "$E2E/demo/steps.sh"
source "$E2E/demo/table.sh"
source "$E2E/demo/current.sh"
source "$E2E/demo/own.sh"
case ${DEMO:-function} in
  function) source "$E2E/demo/function.sh" ;;
  service) source "$E2E/demo/service.sh" ;;
  server) source "$E2E/demo/server.sh" ;;
  *) fail "there is no demo '$DEMO': DEMO=function, service or server" ;;
esac

WORK="$TARGET/demo"
RPS=20

main() {
  cd "$ROOT"
  mkdir -p "$WORK"
  if [[ ${CLUSTER:-} == current ]]; then find_current_cluster; else bring_up_own_cluster; fi
  build_programs
  trap stop_load EXIT
  clean_namespace
  tell_story
  step "Done. No request was lost. Everything is still there to look at"
  run kubectl -n "$SPACE" get sluice
  printf '\n%s' "$ENTER_HINT"
  look_around
  printf '\nTo end it: kubectl delete namespace %s%s\n' "$SPACE" "$DOWN_HINT"
}

main "$@"
