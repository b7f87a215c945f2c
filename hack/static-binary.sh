#!/bin/sh
# static-binary.sh PROFILE: builds the static binary for this machine's Linux, and prints where it is.
# No path of this machine gets into it: built in another folder it is the same.
set -eu

cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
flags="-C target-feature=+crt-static"
flags="$flags --remap-path-prefix=$(pwd)=/source"
flags="$flags --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
flags="$flags --remap-path-prefix=$(rustc --print sysroot)=/rust"
# With an explicit target the flags don't reach build scripts and macros, which can't be static.
RUSTFLAGS=$flags cargo build --locked --profile "$1" --target "$host" --bin argocd-auth-webhook >&2
folder=$1
[ "$1" != dev ] || folder=debug
echo "${CARGO_TARGET_DIR:-target}/$host/$folder/argocd-auth-webhook"
