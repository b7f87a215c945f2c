#!/usr/bin/env bash
# push.sh ARCHIVE...: pushes OCI archives, one for each architecture, as the one image IMAGE, and
# prints the digest that the registry has it under. `buildah login REGISTRY` comes before.
# IMAGE_PUSH_FLAGS are buildah's, such as --tls-verify=false for a registry of one's own.
set -euo pipefail
: "${IMAGE:?push.sh: say where to, with IMAGE=registry/name:tag}"
[[ $IMAGE =~ ^([^/]*[.:][^/]*|localhost)/ ]] || { echo "push.sh: IMAGE=$IMAGE names no registry" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
read -ra flags <<<"${IMAGE_PUSH_FLAGS:-}"

buildah manifest create release >/dev/null
for archive in "$@"; do
  [[ -f $archive ]] || { echo "push.sh: there is no $archive; make image builds it" >&2; exit 1; }
  buildah manifest add release "oci-archive:$archive" >/dev/null
done
buildah manifest push --all --format oci --digestfile "$work/digest" "${flags[@]}" release "docker://$IMAGE" >&2
# Older ones say nothing when a push fails, and exit with 0.
grep -xE 'sha256:[0-9a-f]{64}' "$work/digest" || { echo "push.sh: $IMAGE was not pushed: is the registry there, and are you logged in?" >&2; exit 1; }
