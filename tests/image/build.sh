#!/bin/sh
# Builds the image from the Dockerfile into target/image.tar, an OCI archive named
# argocd-auth-webhook:VERSION. No container engine and no registry is needed: Debian's buildah runs
# the Dockerfile's last stage, and a static binary that cargo built here stands in for the stage
# "build".
#
#   IMAGE_BINARY=FILE   takes this static binary and builds none
#   IMAGE_TAR=FILE      writes there in place of target/image.tar
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-target}
tar=${IMAGE_TAR:-target/image.tar}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=argocd-auth-webhook:$version

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
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS='-C target-feature=+crt-static' \
        cargo build --locked --release --target "$host" --bin argocd-auth-webhook
    binary=$target/$host/release/argocd-auth-webhook
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
buildah bud --isolation chroot --build-context "build=$work/build" --build-arg "VERSION=$version" \
    --tag "$name" --file Dockerfile "$work/context"
mkdir -p "$(dirname "$tar")"
rm -f "$tar"
buildah push --quiet "$name" "oci-archive:$tar:$name"
python3 tests/image/name.py "$tar" "$name"

size=$(wc -c <"$tar")
limit=10000000
echo "build.sh: $tar, $name, $size bytes compressed"
[ "$size" -lt "$limit" ] || {
    echo "build.sh: the image is larger than $limit bytes" >&2
    exit 1
}
