#!/usr/bin/env bash
# build.sh: builds the image from the Dockerfile into target/image.tar, an OCI archive named
# argocd-auth-webhook:VERSION, without a container engine or a registry: buildah takes the binary that
# the host's compiler made in place of the Dockerfile's first stage.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
host=$(rustc -vV | sed -n 's/^host: //p')

command -v buildah >/dev/null || {
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || { echo "build.sh: buildah is not installed" >&2; exit 1; }
  echo "installing buildah" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq buildah >/dev/null
}
RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$host"
folder=target/image
rm -rf "$folder" target/image.tar
mkdir -p "$folder"
trap 'rm -rf "$folder"' EXIT
cp "${CARGO_TARGET_DIR:-target}/$host/release/argocd-auth-webhook" "$folder/"
name=argocd-auth-webhook:$version
# Storage of its own, so that nothing stays on the machine and no other storage's kind matters.
storage=(--root "$PWD/$folder/storage" --runroot "$PWD/$folder/run" --storage-driver vfs)
buildah "${storage[@]}" bud --isolation chroot --pull-never --build-context "build=$folder" \
  --build-arg "VERSION=$version" --timestamp 0 --tag "$name" . >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
buildah "${storage[@]}" push --quiet "$name" "oci-archive:target/image.tar:$name"
python3 tests/image/name.py target/image.tar "$name"
echo "target/image.tar: $name, $(stat -c %s target/image.tar) bytes compressed"
