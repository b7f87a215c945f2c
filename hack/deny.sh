#!/usr/bin/env bash
# Looks at the dependencies with cargo-deny, which is built the first time (minutes). Advisories need
# their database, which is on GitHub: where it can't be reached they are left out, which it says.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
tools=$PWD/target/tools/cargo-deny-$version
if [[ ! -x $tools/bin/cargo-deny ]]; then
  echo "deny.sh: building cargo-deny $version" >&2
  # A debug build: it runs for a second, and takes a third of the time to build.
  env -u RUSTFLAGS cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build" "cargo-deny@$version"
  rm -rf "$tools/build"
fi
deny=("$tools/bin/cargo-deny" --locked --all-features check --hide-inclusion-graph)
"${deny[@]}" licenses bans sources

if ! timeout 60 git ls-remote --quiet https://github.com/rustsec/advisory-db HEAD >/dev/null 2>&1; then
  echo "NOT RUN: advisories: their database can't be reached from here"
  exit 0
fi
"${deny[@]}" advisories
for database in "${CARGO_HOME:-$HOME/.cargo}"/advisory-dbs/*/; do
  echo "deny.sh: the advisories are of $(git -C "$database" log -1 --format=%cd --date=iso)"
done
