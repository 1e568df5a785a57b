# shellcheck shell=bash
# The API server's audit log at level Metadata: who did which verb on what, one JSON line a request.

# audit_flags DIR: writes the policy and prints the API server's flags, one a line; the log is DIR/audit.log.
audit_flags() {
  cat >"$1/audit-policy.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
YAML
  printf '%s\n' "--audit-policy-file=$1/audit-policy.yaml" "--audit-log-path=$1/audit.log"
}
