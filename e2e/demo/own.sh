# shellcheck shell=bash disable=SC2034
# The demo in the cluster of this checkout: brought up when it does not run, with the chart of the working tree.

bring_up_own_cluster() {
  step "A real Kubernetes cluster with Traefik as its gateway, in network namespaces of its own"
  show make up
  "$E2E/up.sh"
  step "Sluice, from the chart"
  show make install
  "$E2E/install.sh" >/dev/null
  # shellcheck source=/dev/null
  source "$TARGET/cluster/env"
  read -ra ENTER <<<"$ENTER"
  GATEWAY_URL=$PRODUCTION_URL
  ENTER_HINT="Look around, after \`source target/cluster/env\` and with \$ENTER before each command:"$'\n'
  DOWN_HINT="   (and the whole cluster: make down)"
  run kubectl -n sluice-system get pods
}

# manifest FILE: the example to apply.
manifest() {
  if [[ ${CLUSTER:-} == current ]]; then current_manifest "$1"; else echo "$EXAMPLES/$1"; fi
}
