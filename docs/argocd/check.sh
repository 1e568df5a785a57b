#!/usr/bin/env bash
# Runs the health scripts over their test data (needs lua5.1, jq, kubectl; no cluster) and holds argocd-cm.yaml to them.
set -euo pipefail
cd "$(dirname "$0")"

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0
RAN=0

complain() {
  echo "argocd: $*" >&2
  FAILED=1
}

# A YAML object as a Lua table; kubectl reads the YAML, jq prints the table.
to_lua() {
  kubectl patch --local --type=merge --patch='{}' --filename="$1" --output=json | jq -r '
    def lua:
      if type == "object" then "{" + ([to_entries[] | "[\(.key | tojson)]=\(.value | lua)"] | join(",")) + "}"
      elif type == "array" then "{" + (map(lua) | join(",")) + "}"
      elif . == null then "nil"
      else tojson end;
    "return " + lua'
}

# Lines "status<TAB>message<TAB>input" of a health_test.yaml.
list_cases() {
  awk '
    $1 == "status:" { status = $2 }
    $1 == "message:" { sub(/^ *message: "/, ""); sub(/"$/, ""); message = $0 }
    $1 == "inputPath:" { printf "%s\t%s\t%s\n", status, message, $2 }' "$1"
}

run_case() {
  local kind=$1 want_status=$2 want_message=$3 input=$4 got want
  to_lua "$kind/$input" > "$WORK/object.lua"
  want=$(printf '%s\n%s' "$want_status" "$want_message")
  got=$(lua5.1 run_health.lua "$kind/health.lua" "$WORK/object.lua" 2>&1) || true
  RAN=$((RAN + 1))
  [ "$got" = "$want" ] || complain "$kind/$input: got '${got//$'\n'/: }', want '${want//$'\n'/: }'"
}

check_kind() {
  local kind=$1 status message input file
  while IFS=$'\t' read -r status message input; do
    run_case "$kind" "$status" "$message" "$input"
  done < <(list_cases "$kind/health_test.yaml")
  for file in "$kind"/testdata/*.yaml; do
    grep -q "inputPath: testdata/$(basename "$file")\$" "$kind/health_test.yaml" || complain "$file is in no test"
  done
}

check_configmap() {
  ./render-cm.sh | diff -u argocd-cm.yaml - >&2 || complain "argocd-cm.yaml is stale: ./render-cm.sh > argocd-cm.yaml"
  kubectl patch --local --type=merge --patch='{}' --filename=argocd-cm.yaml --output=json > "$WORK/cm.json"
  local kind
  for kind in Deployment DeploymentGroup; do
    jq -r --arg key "resource.customizations.health.sluice.dev_$kind" '.data[$key]' "$WORK/cm.json" |
      diff -q - <(cat "sluice.dev/$kind/health.lua"; echo) > /dev/null || complain "argocd-cm.yaml changes the script of $kind"
  done
}

for program in lua5.1 jq kubectl; do
  command -v "$program" > /dev/null || { echo "argocd: $program is missing" >&2; exit 1; }
done
for dir in sluice.dev/*/; do
  check_kind "${dir%/}"
done
[ "$RAN" -gt 0 ] || complain "no test was found"
check_configmap
[ "$FAILED" -eq 0 ] || exit 1
echo "argocd: $RAN health tests passed"
