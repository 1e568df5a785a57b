# shellcheck shell=bash
# Archives into the node's image store.

# import_archive FILE: OCI or Docker archive. Read from standard input, as the node does not see every folder of the machine.
import_archive() {
  local name
  [[ -f $1 ]] || fail "no such archive: $1"
  node_ctr images import --snapshotter "$(snapshotter)" - <"$1" >/dev/null
  while read -r name; do name_fully "$name"; done < <(node_ctr images list -q)
}

# Kubernetes reads "sluice/controller:dev" as "docker.io/sluice/controller:dev"; an archive may hold the short name.
name_fully() {
  local name=$1 full
  case $name in
    sha256:* | *@sha256:*) return ;;
    */*) [[ ${name%%/*} == *[.:]* || ${name%%/*} == localhost ]] && return || full="docker.io/$name" ;;
    *) full="docker.io/library/$name" ;;
  esac
  node_ctr images tag --force "$name" "$full" >/dev/null
  node_ctr images remove "$name" >/dev/null
}

# Imports the cluster's own images, those that changed since they were imported.
import_own_images() {
  local archive stamp
  mkdir -p "$STATE/imported"
  for archive in "$IMAGES"/{pause,sample}.tar; do
    stamp="$STATE/imported/$(basename "$archive")"
    cmp -s "${archive%.tar}.stamp" "$stamp" && continue
    import_archive "$archive"
    cp "${archive%.tar}.stamp" "$stamp"
  done
}
