#!/bin/sh
# notes.sh VERSION: prints CHANGELOG's section of that version, or says that there is none.
set -eu
cd "$(dirname "$0")/.."
notes=$(awk -v version="$1" '/^## / { on = ($2 == version); next } on' CHANGELOG.md)
[ -n "$notes" ] || { echo "notes.sh: CHANGELOG.md has no section \"## $1\"" >&2; exit 1; }
echo "$notes"
