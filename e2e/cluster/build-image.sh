# shellcheck shell=bash
# Images from scratch: nothing is pulled, no daemon is asked, storage lies below target/.

# build_image CONTAINERFILE CONTEXT REFERENCE ARCHIVE: an OCI archive. Times are fixed, so the same content is the same digest.
build_image() {
  local containerfile=$1 context=$2 reference=$3 archive=$4
  local buildah=(buildah --root "$TARGET/buildah/storage" --runroot "$TARGET/buildah/run" --storage-driver vfs)
  mkdir -p "$(dirname "$archive")"
  "${buildah[@]}" build --quiet --isolation chroot --timestamp 0 --tag "$reference" --file "$containerfile" "$context" >/dev/null
  rm -f "$archive"
  "${buildah[@]}" push --quiet "$reference" "oci-archive:$archive:$reference"
  "${buildah[@]}" rmi --all --force >/dev/null
}

# The digest of an OCI archive's image.
image_digest() { tar -xOf "$1" index.json | jq -r '.manifests[0].digest'; }
