#!/usr/bin/env bash
# Loads an OCI or Docker archive into the cluster's node: e2e/import.sh image.tar
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"

[[ $# == 1 && -n $1 ]] || fail "usage: make import ARCHIVE=image.tar"
require_root
enter_node
import_archive "$1"
