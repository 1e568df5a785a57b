# shellcheck shell=bash
# Everything that the scripts on the full cluster share.
# shellcheck source-path=SCRIPTDIR

cluster_scripts="$(dirname "${BASH_SOURCE[0]}")"
source "$cluster_scripts/paths.sh"
source "$cluster_scripts/names.sh"
source "$cluster_scripts/processes.sh"
source "$cluster_scripts/certificates.sh"
source "$cluster_scripts/audit.sh"
source "$cluster_scripts/cgroups.sh"
source "$cluster_scripts/network.sh"
source "$cluster_scripts/control-plane.sh"
source "$cluster_scripts/masters.sh"
source "$cluster_scripts/node.sh"
source "$cluster_scripts/images-on-node.sh"
source "$cluster_scripts/services.sh"
source "$cluster_scripts/metrics.sh"
source "$cluster_scripts/gateway.sh"
source "$cluster_scripts/teardown.sh"
