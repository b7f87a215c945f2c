#!/bin/sh
# Builds the image from the Dockerfile into target/image.tar, an OCI archive named
# argocd-auth-webhook:VERSION. No container engine and no registry is needed: Debian's buildah runs
# the Dockerfile's last stage, and a static binary that cargo built here stands in for the stage
# "build".
#
#   IMAGE=NAME:TAG      names it so: `make push` takes it to that registry
#   IMAGE_BINARY=FILE   takes this static binary and builds none
#   IMAGE_PROFILE=NAME  the cargo profile of the binary that it builds, in place of dist
#   IMAGE_SOURCE=URL    the repository, as a label of the image
#   IMAGE_TAR=FILE      writes there in place of target/image.tar
#   SOURCE_DATE_EPOCH   the image's time, in place of the commit's
#
# The same sources, toolchain and public CAs make the same image, in whatever folder.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-target}
tar=${IMAGE_TAR:-target/image.tar}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=${IMAGE:-argocd-auth-webhook:$version}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

command -v buildah >/dev/null 2>&1 || {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || {
        echo "build.sh: buildah is needed (apt-get install buildah)" >&2
        exit 1
    }
    echo "installing buildah" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq buildah >/dev/null
}

binary=${IMAGE_BINARY:-}
if [ -z "$binary" ]; then
    profile=${IMAGE_PROFILE:-dist}
    binary=$(hack/static-binary.sh "$profile")
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/build" "$work/context"
cp "$binary" "$work/build/argocd-auth-webhook"
# This machine's public CAs, wherever it has them.
mkdir -p "$work/build/etc/ssl/certs"
for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    [ -f "$bundle" ] && break
done
cp "$bundle" "$work/build/etc/ssl/certs/ca-certificates.crt"
buildah() {
    command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}
# The stage "build" is replaced, so the last stage needs nothing of the source tree.
buildah bud --isolation chroot --timestamp "$epoch" \
    --build-context "build=$work/build" --build-arg "VERSION=$version" \
    ${IMAGE_SOURCE:+--label "org.opencontainers.image.source=$IMAGE_SOURCE"} --tag "$name" --file Dockerfile "$work/context"
mkdir -p "$(dirname "$tar")"
rm -f "$tar"
buildah push --quiet "$name" "oci-archive:$tar:$name"
digest=$(python3 tests/image/name.py "$tar" "$name")

size=$(wc -c <"$tar")
limit=10000000
echo "build.sh: $tar, $name, $digest, $size bytes compressed"
[ "${IMAGE_PROFILE:-dist}" != dist ] || [ "$size" -lt "$limit" ] || {
    echo "build.sh: the image is larger than $limit bytes" >&2
    exit 1
}
