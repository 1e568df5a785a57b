#!/usr/bin/env bash
# Lints the chart, renders it with several sets of values and holds the result to its promises. Needs no cluster.
#
#   HELM=target/tools/bin/helm CRDS=charts/sluice/crds-generated charts/check.sh
#
# CRDS is the folder whose definitions are rendered; it defaults to the chart's own.
# shellcheck disable=SC2016 # the $names in single quotes are jq's
set -euo pipefail
cd "$(dirname "$0")/.."

HELM=${HELM:-target/tools/bin/helm}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
CHART=$WORK/sluice
FAILED=0

complain() {
  echo "chart: $*" >&2
  FAILED=1
}

# A copy, so that CRDS can stand in for the generated definitions.
copy_chart() {
  cp -r charts/sluice "$CHART"
  if [ -n "${CRDS:-}" ]; then
    rm -rf "$CHART/crds-generated"
    cp -r "$CRDS" "$CHART/crds-generated"
  fi
}

# Renders into $WORK/NAME.json, one array of objects: render NAME [helm's flags]
render() {
  local name=$1
  shift
  "$HELM" template sluice "$CHART" --namespace sluice-system --kube-version 1.34.0 "$@" > "$WORK/$name.yaml"
  to_json "$WORK/$name.yaml" > "$WORK/$name.json"
  [ "$(jq length "$WORK/$name.json")" -gt 0 ] || complain "$name: nothing was rendered"
}

to_json() {
  kubectl patch --local --type=merge --patch='{}' --filename="$1" --output=json | jq -s .
}

# expect NAME "what is promised" JQ: the program must say true of the rendered objects.
expect() {
  jq -e "$3" "$WORK/$1.json" > /dev/null || complain "$1: not so: $2"
}

# Holds for every set of values.
check_promises() {
  local name=$1
  expect "$name" "no rule mentions secrets" '[.. | objects | .rules? // empty | arrays | .[] | .resources? // [] | .[] | select(test("secrets"))] == []'
  expect "$name" "no rule has a wildcard" '[.. | objects | .rules? // empty | arrays | .[] | select(.verbs) | (.verbs + (.resources // []) + (.apiGroups // []))[] | select(. == "*" or test("/\\*|\\*/"))] == []'
  expect "$name" "no rule lets the controller hand out rights" '[.[] | select(.kind | test("Role$")) | .rules[].verbs[] | select(IN("escalate", "bind", "impersonate"))] == []'
  expect "$name" "pods named sluice are the controller's alone" '[.. | objects | select(.template?.metadata?.labels?["app.kubernetes.io/name"] == "sluice")] | length == 1'
  expect "$name" "nothing but the controller's Deployment makes pods" '[.[] | select(.kind | IN("Deployment", "Pod", "Job", "DaemonSet", "StatefulSet", "CronJob")) | .kind] == ["Deployment"]'
  expect "$name" "the pod is restricted" '.[] | select(.kind == "Deployment") | .spec.template.spec | .securityContext.runAsNonRoot and .securityContext.runAsUser == 65532 and .securityContext.seccompProfile.type == "RuntimeDefault" and (has("hostNetwork") or has("hostPID") or has("hostIPC") or has("volumes") | not)'
  expect "$name" "the containers are restricted" '[.[] | select(.kind == "Deployment") | .spec.template.spec | (.containers + (.initContainers // []))[] | .securityContext | .allowPrivilegeEscalation == false and .readOnlyRootFilesystem and .capabilities == {"drop": ["ALL"]}] | length > 0 and all'
  expect "$name" "the selector matches the pods" '.[] | select(.kind == "Deployment") | .spec.selector.matchLabels as $want | .spec.template.metadata.labels | contains($want)'
  expect "$name" "the Deployment never drops below its replicas" '.[] | select(.kind == "Deployment") | .spec.strategy.rollingUpdate.maxUnavailable == 0'
  expect "$name" "every binding is for the controller's account" '. as $all | [$all[] | select(.kind == "Deployment") | .spec.template.spec.serviceAccountName] as $account | [.[] | select(.kind | test("RoleBinding$")) | .subjects[] | .name] | unique == $account'
  expect "$name" "policies fail closed and are bound" '[.[] | select(.kind == "ValidatingAdmissionPolicy") | .spec.failurePolicy] + [.[] | select(.kind == "ValidatingAdmissionPolicyBinding") | .spec.validationActions[]] | unique | . == [] or . == ["Deny", "Fail"]'
}

check_defaults() {
  render defaults
  check_promises defaults
  local count
  count=$(find "$CHART/crds-generated" -name '*.yaml' | wc -l)
  expect defaults "every definition is rendered and kept" "[.[] | select(.kind == \"CustomResourceDefinition\")] | length == $count and $count > 0 and all(.metadata.annotations[\"helm.sh/resource-policy\"] == \"keep\")"
  expect defaults "the definitions are the generated ones" '[.[] | select(.kind == "CustomResourceDefinition") | .metadata.name] | sort == ["applications.sluice.dev", "deploymentconfigs.sluice.dev", "deploymentgroups.sluice.dev", "deployments.sluice.dev", "instances.sluice.dev", "lifecyclehooks.sluice.dev"]'
  expect defaults "five policies with their bindings" '[.[] | select(.kind | startswith("ValidatingAdmission"))] | length == 10'
  expect defaults "only the controller has the verb assign" '[.[] | select(.kind | test("Role$")) | select([.rules[].verbs[]] | index("assign")) | .metadata.name] == ["sluice-controller.sluice-system"]'
  expect defaults "renewals of the Lease, and nothing else, have a flow of their own" '.[] | select(.kind == "FlowSchema") | .metadata.name == "sluice-lease.sluice-system" and .spec.priorityLevelConfiguration.name == "leader-election" and [.spec.rules[].resourceRules[] | [.resources, .namespaces]] == [[["leases"], ["sluice-system"]]]'
  expect defaults "one replica has no disruption budget" '[.[] | select(.kind == "PodDisruptionBudget")] == []'
  expect defaults "the Lease is held by name" '.[] | select(.kind == "Role") | .rules == [{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"]}, {apiGroups: ["coordination.k8s.io"], resources: ["leases"], resourceNames: ["sluice-controller"], verbs: ["get", "update"]}]'
  check_definitions_unchanged
}

# What the chart renders is the generated file plus labels and one annotation, to the last number.
check_definitions_unchanged() {
  local file
  for file in "$CHART"/crds-generated/*.yaml; do
    to_json "$file" | jq -S '.[0]' > "$WORK/generated.json"
    jq -S --arg name "$(jq -r .metadata.name "$WORK/generated.json")" \
      '.[] | select(.kind == "CustomResourceDefinition" and .metadata.name == $name) | del(.metadata.labels, .metadata.annotations)' \
      "$WORK/defaults.json" | diff - "$WORK/generated.json" >&2 || complain "${file##*/} is changed by the chart"
  done
}

check_replicas() {
  render replicas --set replicas=2
  check_promises replicas
  expect replicas "two replicas have a disruption budget and are spread" '([.[] | select(.kind == "PodDisruptionBudget") | .spec.maxUnavailable] == [1]) and ([.[] | select(.kind == "Deployment") | .spec.template.spec.topologySpreadConstraints[].labelSelector.matchLabels["app.kubernetes.io/name"]] == ["sluice"])'
}

check_namespaces() {
  render namespaces --set 'watchNamespaces={shop}'
  check_promises namespaces
  expect namespaces "over the whole cluster it sees Sluice's kinds and one definition, and lets go of what it holds" '[.[] | select(.kind == "ClusterRole" and (.metadata.name | endswith("-controller.sluice-system"))) | .rules[] | .verbs as $verbs | .resources[] | {(.): ($verbs | join(" "))}] | add == {customresourcedefinitions: "get list watch", namespaces: "get", jobs: "patch", deployments: "get list watch patch finalize", "deployments/status": "update", applications: "get list watch", deploymentconfigs: "get list watch", deploymentgroups: "get list watch", instances: "get list watch", lifecyclehooks: "get list watch"}'
  expect namespaces "its right to Jobs is held to its own" '.[] | select(.kind == "ValidatingAdmissionPolicy" and .metadata.name == "sluice-jobs.sluice-system") | .spec.matchConditions[0].expression == "request.userInfo.username == \u0027system:serviceaccount:sluice-system:sluice\u0027"'
  expect namespaces "the namespace has the rights" '[.[] | select(.kind == "RoleBinding") | .metadata.namespace] | sort == ["shop", "sluice-system"]'
  expect namespaces "the controller is told" '[.[] | select(.kind == "Deployment") | .spec.template.spec.containers[0].args[]] | index("--watch-namespaces=shop") != null'
  jq '[.[] | select(.kind == "Role" and .metadata.namespace == "shop") | .rules]' "$WORK/namespaces.json" > "$WORK/role.json"
  jq '[.[] | select(.kind == "ClusterRole" and .metadata.name == "sluice-controller.sluice-system") | .rules[1:]]' "$WORK/defaults.json" |
    diff - "$WORK/role.json" >&2 || complain "namespaces: the Role differs from the ClusterRole"
}

# names NAME JQ: kind, namespace and name of what was rendered and fits.
names() {
  jq -r ".[] | select($2) | \"\(.kind) \(.metadata.namespace // \"-\") \(.metadata.name)\"" "$WORK/$1.json" | sort
}

# Two releases share the definitions; beyond them only what makes Helm refuse the second one that watches the same namespace.
check_two_releases() {
  render elsewhere --namespace other --set crds.enabled=false
  render beside --set crds.enabled=false,fullnameOverride=blue
  render same --namespace other --set 'crds.enabled=false,watchNamespaces={shop}'
  local name
  for name in elsewhere beside; do
    check_promises "$name"
    comm -12 <(names defaults true) <(names "$name" true) > "$WORK/shared"
    [ ! -s "$WORK/shared" ] || complain "$name: two releases share $(tr '\n' ';' < "$WORK/shared")"
  done
  comm -12 <(names namespaces true) <(names same true) > "$WORK/shared"
  printf '%s\n' 'Role shop sluice-controller' 'RoleBinding shop sluice-controller' | diff - "$WORK/shared" >&2 ||
    complain "same: two releases that watch one namespace must share just its Role and RoleBinding"
}

check_switches() {
  render off --set crds.enabled=false,admissionPolicy.enabled=false,userRoles.create=false,serviceAccount.create=false
  check_promises off
  expect off "what is switched off is absent" '[.[] | select(.kind | test("^CustomResource|^Validating|^ServiceAccount$"))] == []'
  render unkept --set crds.keep=false,userRoles.aggregate=false
  check_promises unkept
  expect unkept "definitions go with the release" '[.. | objects | select(has("helm.sh/resource-policy"))] == []'
  expect unkept "no role of Kubernetes includes ours" '[.. | objects | keys[] | select(contains("aggregate-to"))] == []'
}

check_extras() {
  cat > "$WORK/extras.yaml.in" <<'YAML'
replicas: 3
image: {repository: registry.example/sluice, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
imagePullSecrets: [{name: pull}]
fullnameOverride: cd
log: {format: text, level: "info,sluice::engine=debug"}
serviceAccount: {name: cd-account, annotations: {owner: platform}}
podAnnotations: {note: "7"}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{operator: Exists}]
affinity: {nodeAffinity: {}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
priorityClassName: system-cluster-critical
metrics: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}
networkPolicy: {enabled: true, from: [{namespaceSelector: {}}], egress: [{ports: [{port: 6443}]}]}
YAML
  render extras --values "$WORK/extras.yaml.in"
  check_promises extras
  expect extras "the digest wins" '.[] | select(.kind == "Deployment") | .spec.template.spec.containers[0].image | startswith("registry.example/sluice@sha256:0")'
  expect extras "extras are rendered" '[.[].kind] | contains(["NetworkPolicy", "ServiceMonitor", "Service", "PodDisruptionBudget"])'
  expect extras "a given spread gets our selector" '.[] | select(.kind == "Deployment") | .spec.template.spec.topologySpreadConstraints == [{maxSkew: 1, topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: {matchLabels: {"app.kubernetes.io/name": "sluice", "app.kubernetes.io/instance": "sluice"}}}]'
}

# refuse FLAG...: the schema must say no.
refuse() {
  if "$HELM" template sluice "$CHART" "$@" > /dev/null 2> "$WORK/refused"; then
    complain "values are accepted that should not be: $*"
  elif ! grep -q "schema" "$WORK/refused"; then
    complain "refused for another reason than the schema: $*: $(head -n 3 "$WORK/refused")"
  fi
}

check_schema() {
  refuse --set replica=2
  refuse --set image.tga=v1
  refuse --set-string replicas=two
  refuse --set log.format=xml
  refuse --set image.digest=latest
  refuse --set 'watchNamespaces={Shop}'
  refuse --set 'watchNamespaces={shop,bank}'
  jq -r 'keys[]' charts/sluice/values.schema.json > /dev/null
}

check_no_definitions() {
  cp -r "$CHART" "$WORK/empty"
  rm -rf "$WORK/empty/crds-generated"
  if "$HELM" template sluice "$WORK/empty" > /dev/null 2> "$WORK/refused"; then
    complain "a chart without definitions renders"
  fi
  grep -q "make generate" "$WORK/refused" || complain "a chart without definitions does not say what to do"
}

for program in "$HELM" kubectl jq; do
  command -v "$program" > /dev/null || { echo "chart: $program is missing" >&2; exit 1; }
done
copy_chart
"$HELM" lint --strict "$CHART" > "$WORK/lint" || { cat "$WORK/lint" >&2; complain "lint"; }
check_defaults
check_replicas
check_namespaces
check_two_releases
check_switches
check_extras
check_schema
check_no_definitions
[ "$FAILED" -eq 0 ] || exit 1
echo "chart: lint, 9 sets of values and the schema passed"
