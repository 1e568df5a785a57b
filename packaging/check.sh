#!/usr/bin/env bash
# Has systemd read the agent's unit, and holds the unit to what it takes away. Needs systemd's programs, not systemd itself.
set -euo pipefail
cd "$(dirname "$0")/.."

UNIT=packaging/sluice-agent.service
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
FAILED=0
# Of systemd: --recursive-errors and --offline.
OLDEST=250

complain() {
  echo "unit: $*" >&2
  FAILED=1
}

# Where the program is not installed the unit would be refused for that alone.
verify() {
  local said
  sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$UNIT" >"$WORK/sluice-agent.service"
  said=$(systemd-analyze verify --man=no --recursive-errors=no "$WORK/sluice-agent.service" 2>&1) || complain "it is refused"
  # An unknown key is only told.
  [[ -z $said ]] || complain "systemd says: $said"
}

# What no deployment needs is taken away, and what scripts need is not.
hardening() {
  local has setting
  has=$(systemd-analyze security --offline=true --no-pager --json=short "$WORK/sluice-agent.service" |
    jq -r '.[] | "\(.set) \(.name)"')
  for setting in CapabilityBoundingSet=~CAP_{SYS_MODULE,SYS_RAWIO,SYS_TIME,WAKE_ALARM} KeyringMode=; do
    grep -qxF "true $setting" <<<"$has" || complain "$setting is not in force"
  done
  for setting in ProtectSystem= ProtectHome= PrivateTmp= PrivateDevices= NoNewPrivileges= RestrictSUIDSGID= \
    ProtectControlGroups= ProtectKernelTunables=; do
    grep -qxF "false $setting" <<<"$has" || complain "$setting would keep scripts from what root does on a host"
  done
}

command -v systemd-analyze >/dev/null || {
  echo "systemd-analyze is not installed: the agent's unit is not checked (e2e/packages.sh installs it)"
  exit 0
}
# "252 (252.38-1)", "250~rc1", "249-6.el9": the number that comes first.
VERSION=$(systemd-analyze --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
((${VERSION:-0} >= OLDEST)) || {
  echo "systemd-analyze is of systemd ${VERSION:-unknown}, and what reads a unit without a running systemd came with $OLDEST: the agent's unit is not checked"
  exit 0
}
verify
hardening
exit "$FAILED"
