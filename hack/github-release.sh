#!/usr/bin/env bash
# Run by the release workflow only: makes the release of GITHUB_REF_NAME from target/package.
set -euo pipefail
cd "$(dirname "$0")/../target/package"
: "${GITHUB_REF_NAME:?github-release.sh: for the release workflow}"
flags=()
[[ $GITHUB_REF_NAME != *-* ]] || flags=(--prerelease)
gh release create "$GITHUB_REF_NAME" --verify-tag --title "$GITHUB_REF_NAME" --notes-file notes.md "${flags[@]}" \
  checksums.txt checksums.txt.sigstore.json ./*.tar.gz ./*.tgz ./*.yaml ./*.cdx.json
