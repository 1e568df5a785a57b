#!/usr/bin/env bash
# (Re)installs the chart with the image of the working tree into the cluster: e2e/install.sh [HELM ARGUMENT...]
# The image's digest goes into the pods' annotations, so that another image is another rollout although its tag is the same.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/cluster/all.sh"
source "$E2E/cluster/build-image.sh"

ARCHIVE="$TARGET/image/sluice.tar"

require_root
enter_node
"$E2E/image.sh"
digest=$(image_digest "$ARCHIVE")
if [[ ! -e $STATE/imported/controller || $(<"$STATE/imported/controller") != "$digest" ]]; then
  import_archive "$ARCHIVE"
  echo "$digest" >"$STATE/imported/controller"
fi
"${ENTER[@]}" "$TOOLS/bin/helm" upgrade --install sluice "$ROOT/charts/sluice" --namespace sluice-system --create-namespace \
  --set image.repository=sluice/controller --set image.tag=dev --set image.pullPolicy=IfNotPresent \
  --set-string "podAnnotations.sluice\.dev/image-digest=$digest" --wait --timeout 3m "$@"
# kubectl remembers for hours which kinds there are, and does not ask again for a category that it has not seen.
rm -rf "$KUBECACHEDIR"
