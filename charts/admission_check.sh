#!/usr/bin/env bash
# Tries the chart's rights and admission policies on a real API server, with impersonated users.
#
#   HELM=target/tools/bin/helm CRDS=charts/sluice/crds-generated charts/admission_check.sh KUBECONFIG [--types]
#
# The kubeconfig must be cluster-admin's. --types also wants the policies' CEL type-checked, which a controller manager does.
# The cluster keeps the chart's cluster-wide objects; the namespace of the trial is deleted.
set -euo pipefail
cd "$(dirname "$0")/.."

export KUBECONFIG=${1:?usage: charts/admission_check.sh KUBECONFIG [--types]}
TYPES=${2:-}
HELM=${HELM:-target/tools/bin/helm}
CRDS=${CRDS:-charts/sluice/crds-generated}
SPACE=sluice-admission-$$
ACCOUNT=system:serviceaccount:sluice-system:sluice
DEADLINE=60
WORK=$(mktemp -d)
FAILED=0
TRIED=0

# A trial that broke off leaves objects with finalizers, which would hold their namespace and their kinds for ever.
finish() {
  local object
  for object in deployments.sluice.dev/held deploymentgroups.sluice.dev/held; do
    kubectl --namespace "$SPACE" patch "$object" --type=merge --patch='{"metadata": {"finalizers": null}}' > /dev/null 2>&1 || true
  done
  kubectl delete namespace "$SPACE" --ignore-not-found --wait=false > /dev/null 2>&1 || true
  rm -rf "$WORK"
}
trap finish EXIT

complain() {
  echo "admission: $*" >&2
  FAILED=1
}

# wait_until WHAT COMMAND...: runs the command until it succeeds, at most DEADLINE seconds.
wait_until() {
  local what=$1 end=$((SECONDS + DEADLINE))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { echo "admission: $what did not come about in $DEADLINE s" >&2; exit 1; }
    sleep 0.2
  done
}

as() {
  local user=$1
  shift
  kubectl --as "$user" --namespace "$SPACE" "$@"
}

# allowed WHAT COMMAND...
allowed() {
  local what=$1
  shift
  TRIED=$((TRIED + 1))
  "$@" > "$WORK/out" 2>&1 || complain "refused, but should be allowed: $what: $(cat "$WORK/out")"
}

# denied WHAT TEXT COMMAND...: the refusal must hold the text, if any is given.
denied() {
  local what=$1 text=$2
  shift 2
  TRIED=$((TRIED + 1))
  if "$@" > "$WORK/out" 2>&1; then
    complain "allowed, but should be refused: $what"
  elif [ -n "$text" ] && ! grep -qF "$text" "$WORK/out"; then
    complain "refused for another reason ('$text' is missing): $what: $(cat "$WORK/out")"
  fi
}

# A deployment's manifest: manifest NAME [MORE-SPEC-AS-JSON [FINALIZERS-AS-JSON]]
manifest() {
  jq -n --arg name "$1" --argjson more "${2:-"{}"}" --argjson finalizers "${3:-[]}" '{
    apiVersion: "sluice.dev/v1alpha1", kind: "Deployment", metadata: {name: $name, finalizers: $finalizers},
    spec: ({deploymentGroupRef: {name: "none"}, revision: {appSpecContent: {content: "version: 0.0"}}} + $more)}' \
    > "$WORK/$1.json"
  echo "$WORK/$1.json"
}

group_manifest() {
  jq -n '{apiVersion: "sluice.dev/v1alpha1", kind: "DeploymentGroup",
    metadata: {name: "held", finalizers: ["sluice.dev/group"]},
    spec: {applicationRef: {name: "none"}, function: {aliases: [{name: "live", httpRoute: {name: "none"}}]}}}' > "$WORK/group.json"
  echo "$WORK/group.json"
}

# patch USER NAME SPEC-AS-JSON
patch() {
  as "$1" patch deployments.sluice.dev "$2" --type=merge --patch="{\"spec\": $3}"
}

set_finalizers() {
  as "$1" patch "$2" "$3" --type=merge --patch="{\"metadata\": {\"finalizers\": $4}}"
}

are_served() {
  kubectl get --filename="$CRDS" --output=json |
    jq -e '[.items[] | any(.status.conditions[]?; .type == "Established" and .status == "True")] | length > 0 and all' > /dev/null
}

install_chart() {
  kubectl apply --server-side --force-conflicts --filename="$CRDS" > /dev/null
  wait_until "the kinds" are_served
  mkdir "$WORK/chart"
  cp -r charts/sluice/. "$WORK/chart"
  "$HELM" template sluice "$WORK/chart" --namespace sluice-system --set crds.enabled=false \
    --show-only templates/rbac.yaml --show-only templates/userroles.yaml --show-only templates/admissionpolicy.yaml \
    --show-only templates/instancepolicy.yaml > "$WORK/chart.yaml"
  kubectl create namespace sluice-system --dry-run=client --output=yaml | kubectl apply --server-side --filename=- > /dev/null
  kubectl apply --server-side --force-conflicts --filename="$WORK/chart.yaml" > /dev/null
}

make_users() {
  kubectl create namespace "$SPACE" > /dev/null
  local k="kubectl --namespace $SPACE create"
  $k rolebinding editor --clusterrole=sluice-edit.sluice-system --user=editor > /dev/null
  $k rolebinding approver --clusterrole=sluice-approve.sluice-system --user=approver > /dev/null
  $k rolebinding viewer --clusterrole=sluice-view.sluice-system --user=viewer > /dev/null
  $k rolebinding lead-edit --clusterrole=sluice-edit.sluice-system --user=lead > /dev/null
  $k rolebinding lead-approve --clusterrole=sluice-approve.sluice-system --user=lead > /dev/null
  $k role stopper --verb=get,patch,stop --resource=deployments.sluice.dev > /dev/null
  $k rolebinding stopper --role=stopper --user=stopper > /dev/null
  $k role named-patch --verb=get,patch --resource=deployments.sluice.dev > /dev/null
  $k role named-stop --verb=stop --resource=deployments.sluice.dev --resource-name=mine > /dev/null
  $k rolebinding named-patch --role=named-patch --user=named > /dev/null
  $k rolebinding named-stop --role=named-stop --user=named > /dev/null
}

is_refused() {
  ! as editor create --dry-run=server --filename="$1"
}

wait_for_policies() {
  local probe
  wait_until "the editor's right" as editor create --dry-run=server --filename="$(manifest probe)"
  probe=$(manifest stopped-probe '{"stop": {}}')
  wait_until "the policy of the verbs" is_refused "$probe"
  kubectl --namespace "$SPACE" apply --server-side --filename="$(group_manifest)" > /dev/null
  wait_until "the policy of the finalizers" is_held
}

is_held() {
  ! as editor patch deploymentgroups.sluice.dev held --dry-run=server --type=merge --patch='{"metadata": {"finalizers": []}}'
}

is_type_checked() {
  kubectl get validatingadmissionpolicy "$1" --output=json | jq -e '.status.observedGeneration == .metadata.generation' > /dev/null
}

check_types() {
  local policy
  for policy in deployment-verbs finalizers assignments agents instance-status; do
    policy=sluice-$policy.sluice-system
    wait_until "the type check of $policy" is_type_checked "$policy"
    TRIED=$((TRIED + 1))
    kubectl get validatingadmissionpolicy "$policy" --output=json > "$WORK/policy.json"
    jq -e '.status.typeChecking.expressionWarnings // [] == []' "$WORK/policy.json" > /dev/null ||
      complain "$policy: $(jq -c .status.typeChecking "$WORK/policy.json")"
  done
}

STOP='{"stop": {"autoRollback": true}}'
CONTINUE='{"continue": {"readyWait": true}}'
ANSWER='{"hookResults": [{"executionId": "e1", "status": "Succeeded"}]}'

check_creation() {
  allowed "an editor creates a plain deployment" as editor create --filename="$(manifest plain)"
  denied "an editor creates one that is stopped" 'verb "stop"' as editor create --filename="$(manifest a "$STOP")"
  denied "an editor creates one that is approved" 'verb "continue"' as editor create --filename="$(manifest a "$CONTINUE")"
  denied "an editor creates one that is answered" 'verb "answer"' as editor create --filename="$(manifest a "$ANSWER")"
  allowed "an editor who approves creates one that is stopped" as lead create --filename="$(manifest born-stopped "$STOP")"
  denied "an approver creates anything" 'cannot create' as approver create --filename="$(manifest b)"
}

check_verbs() {
  denied "an editor stops" 'sluice-approve.sluice-system' patch editor plain "$STOP"
  denied "an editor continues" 'verb "continue"' patch editor plain "$CONTINUE"
  denied "an editor answers" 'verb "answer"' patch editor plain "$ANSWER"
  denied "an editor replaces with a stop" 'verb "stop"' as editor replace --filename="$(manifest plain "$STOP")"
  allowed "an editor sets a label" as editor label deployments.sluice.dev plain team=shop
  denied "a viewer stops" 'cannot patch' patch viewer plain "$STOP"
  denied "one with the verb stop continues" 'verb "continue"' patch stopper plain "$CONTINUE"
  denied "one with the verb stop answers" 'verb "answer"' patch stopper plain "$ANSWER"
  allowed "an approver continues" patch approver plain "$CONTINUE"
  allowed "an approver answers" patch approver plain "$ANSWER"
  denied "one with the verb stop changes the answer" '' patch stopper plain '{"hookResults": [{"executionId": "e1", "status": "Failed"}]}'
  allowed "one with the verb stop stops" patch stopper plain "$STOP"
  denied "an editor changes the stop" '' patch editor plain '{"stop": {"autoRollback": false}}'
  denied "an editor takes the stop back" '' patch editor plain '{"stop": null}'
  allowed "an editor sets a label on what is stopped" as editor label deployments.sluice.dev plain tier=web
}

check_names() {
  allowed "an editor creates mine" as editor create --filename="$(manifest mine)"
  allowed "an editor creates yours" as editor create --filename="$(manifest yours)"
  denied "the verb for another name" 'verb "stop"' patch named yours "$STOP"
  allowed "the verb for this name" patch named mine "$STOP"
}

check_apply() {
  allowed "an editor creates one to answer" as editor create --filename="$(manifest applied)"
  local answer="$WORK/answer.json"
  jq -n --argjson spec "$ANSWER" '{apiVersion: "sluice.dev/v1alpha1", kind: "Deployment", metadata: {name: "applied"}, spec: $spec}' > "$answer"
  denied "an editor answers by server-side apply" 'verb "answer"' as editor apply --server-side --field-manager=hook --filename="$answer"
  allowed "an approver answers by server-side apply" as approver apply --server-side --field-manager=hook --validate=false --filename="$answer"
}

check_finalizers() {
  local deployment=deployments.sluice.dev group=deploymentgroups.sluice.dev held='["sluice.dev/traffic"]'
  allowed "an editor creates one to hold" as editor create --filename="$(manifest held '{}' '["example.com/other"]')"
  allowed "the controller holds it" set_finalizers "$ACCOUNT" $deployment held '["example.com/other", "sluice.dev/traffic"]'
  denied "an editor lets go" 'verb "finalize"' set_finalizers editor $deployment held '["example.com/other"]'
  denied "an approver lets go" 'verb "finalize"' set_finalizers approver $deployment held '[]'
  denied "an editor replaces without the finalizers" 'verb "finalize"' as editor replace --filename="$(manifest held)"
  allowed "an editor takes off somebody else's" set_finalizers editor $deployment held "$held"
  allowed "the controller lets go" set_finalizers "$ACCOUNT" $deployment held '[]'
  allowed "the controller holds it again" set_finalizers "$ACCOUNT" $deployment held "$held"
  allowed "a cluster admin lets go" kubectl --namespace "$SPACE" patch $deployment held --type=merge --patch='{"metadata": {"finalizers": null}}'
  denied "an editor lets go of a group" 'verb "finalize"' set_finalizers editor $group held '[]'
  allowed "the controller lets go of a group" set_finalizers "$ACCOUNT" $group held '[]'
}

write_status() {
  as "$1" patch instances.sluice.dev host --subresource=status --type=merge --patch="{\"status\": $2}"
}

# The policies alone: by RBAC everybody here may write instances.
check_instances() {
  local agent=system:serviceaccount:$SPACE:sluice-agent-host other=system:serviceaccount:$SPACE:sluice-agent-other k="kubectl --namespace $SPACE create"
  local work='{"assignments": [{"deploymentGroup": "g", "deploymentGroupId": "g", "deployment": "d", "deploymentUid": "d", "application": "a"}]}'
  local ready='{"conditions": [{"type": "Ready", "status": "True", "reason": "Heard", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}]}'
  jq -n '{apiVersion: "sluice.dev/v1alpha1", kind: "Instance", metadata: {name: "host"}, spec: {tags: {env: "prod"}}}' > "$WORK/host.json"
  $k role wide --verb=get,patch --resource=instances.sluice.dev,instances.sluice.dev/status > /dev/null
  $k rolebinding wide --role=wide --user=editor --user="$agent" --user="$other" > /dev/null
  wait_until "the wide role" as editor create --filename="$WORK/host.json"
  wait_until "the rights to a status" write_status "$agent" '{"agent": {"version": "1"}}'
  allowed "the agent reports" write_status "$agent" '{"agent": {"version": "2"}, "installed": []}'
  denied "the agent says that it is ready" 'the controller' write_status "$agent" "$ready"
  denied "another agent reports" 'another host' write_status "$other" '{"agent": {"version": "3"}}'
  denied "an editor reports" 'verb "assign"' write_status editor '{"agent": {"version": "3"}}'
  denied "the agent changes its tags" 'changes nothing' as "$agent" patch instances.sluice.dev host --type=merge --patch='{"spec": {"tags": null}}'
  denied "an editor assigns" 'verb "assign"' as editor patch instances.sluice.dev host --type=merge --patch="{\"spec\": $work}"
  allowed "the controller assigns" as "$ACCOUNT" patch instances.sluice.dev host --type=merge --patch="{\"spec\": $work}"
  jq -n --argjson status "$ready" '{apiVersion: "sluice.dev/v1alpha1", kind: "Instance", metadata: {name: "host"}, status: $status}' > "$WORK/ready.json"
  allowed "the controller says that it is ready" as "$ACCOUNT" apply --server-side --subresource=status --validate=false --field-manager=controller --filename="$WORK/ready.json"
  allowed "the agent reports again" write_status "$agent" '{"agent": {"version": "3"}}'
  denied "an editor takes the assignment away" 'verb "assign"' as editor patch instances.sluice.dev host --type=merge --patch='{"spec": {"assignments": null}}'
}

can() {
  [ "$(as "$ACCOUNT" auth can-i "$@" 2> /dev/null)" = yes ]
}

# Asked by review, not by can-i, which knows no kind whose definition is missing.
can_patch_routes() {
  jq -n --arg user "$ACCOUNT" --arg space "$SPACE" '{apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: {user: $user,
    resourceAttributes: {namespace: $space, group: "gateway.networking.k8s.io", resource: "httproutes", verb: "patch"}}}' |
    kubectl create --filename=- --output=json | jq -e .status.allowed
}

check_rights() {
  local verb
  for verb in get list watch create update patch delete; do
    denied "the controller may $verb secrets" '' can "$verb" secrets
    denied "the controller may $verb secrets of its own namespace" '' can "$verb" secrets --namespace sluice-system
  done
  denied "the controller may change a deployment's whole object" '' can update deployments.sluice.dev
  denied "the controller may stop" '' can stop deployments.sluice.dev
  denied "the controller may replace services" '' can update services
  allowed "the controller may create deployments" can create deployments.sluice.dev
  allowed "the controller may patch routes" can_patch_routes
  allowed "the controller may update a deployment's status" can update deployments.sluice.dev --subresource=status
  allowed "the controller may renew its Lease" can update leases.coordination.k8s.io/sluice-controller --namespace sluice-system
  denied "the controller may renew another Lease" '' can update leases.coordination.k8s.io/other --namespace sluice-system
  denied "the controller may see other definitions" '' can get customresourcedefinitions.apiextensions.k8s.io/deployments.sluice.dev
  allowed "the controller may see the routes' definition" can watch customresourcedefinitions.apiextensions.k8s.io/httproutes.gateway.networking.k8s.io
}

install_chart
make_users
wait_for_policies
[ "$TYPES" != --types ] || check_types
check_creation
check_verbs
check_names
check_apply
check_finalizers
check_instances
check_rights
[ "$FAILED" -eq 0 ] || exit 1
echo "admission: $TRIED cases passed"
