#!/bin/sh
# Builds the image twice, each time from nothing and in a folder of its own, and compares the digests.
# IMAGE_PROFILE as for build.sh. Two whole builds take about a quarter of an hour on 2 cores.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
unset CARGO_TARGET_DIR IMAGE_BINARY
for folder in one another/deeper; do
    mkdir -p "$work/$folder"
    # What is committed, and nothing else.
    git -C "$root" archive HEAD | tar -x -C "$work/$folder"
    IMAGE_TAR=$work/$folder/image.tar "$work/$folder/tests/image/build.sh"
    tar -xOf "$work/$folder/image.tar" index.json >"$work/$folder/index.json"
    # Only the image is kept: the disk needn't hold two builds.
    rm -rf "$work/$folder/target"
done
cmp "$work/one/index.json" "$work/another/deeper/index.json" || {
    echo "reproducible.sh: two builds of one commit have two digests" >&2
    exit 1
}
echo "reproducible.sh: both builds are $(grep -o 'sha256:[0-9a-f]*' "$work/one/index.json" | head -n 1)"
