#!/usr/bin/env bash
# Makes everything that a release publishes, with stand-ins for the binaries and nothing sent
# anywhere, and looks into each file.
set -euo pipefail
cd "$(dirname "$0")/.."
source release.env
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
helm=${HELM:-${CLUSTER_BIN:-target/cluster/bin}/helm}
out=target/package-dry-run
rm -rf "$out"
mkdir -p "$out"

fail() { echo "package-dry-run.sh: $*" >&2; exit 1; }
for platform in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64; do
  printf '#!/bin/sh\necho %s\n' "$platform" >"$out/binary"
  hack/archive.sh "$out/binary" "$out/argocd-auth-webhook_$platform.tar.gz"
done
rm "$out/binary"
NOTES_OF=Unreleased hack/package.sh "$out"

(cd "$out" && sha256sum --quiet --check checksums.txt) || fail "a checksum is wrong"
[[ $(wc -l <"$out/checksums.txt") == 8 ]] || fail "checksums.txt should list 8 files: $(cat "$out/checksums.txt")"
tar -tzf "$out/argocd-auth-webhook_linux_amd64.tar.gz" | grep -qx argocd-auth-webhook || fail "no binary in an archive"
for platform in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64; do
  read -r sum _ < <(sha256sum "$out/argocd-auth-webhook_$platform.tar.gz")
  grep -A1 "/v$version/argocd-auth-webhook_$platform.tar.gz$" "$out/argocd-auth.yaml" | grep -q "sha256: $sum" ||
    fail "argocd-auth.yaml has another checksum for $platform"
done

chart=$out/argocd-auth-webhook-$version.tgz
"$helm" lint --quiet --set auth.type=password "$chart" || fail "the packaged chart has problems"
"$helm" template release --set auth.type=password "$chart" >"$out/rendered"
grep -q "image: \"\?$IMAGE_REPOSITORY:$version\"\?$" "$out/rendered" || fail "the packaged chart doesn't name $IMAGE_REPOSITORY:$version"
rm "$out/rendered"

python3 - "$out" <<'PYTHON'
import json, sys
bom, vex = (json.load(open(f"{sys.argv[1]}/argocd-auth-webhook.{kind}.cdx.json")) for kind in ("sbom", "vex"))
known = {part["bom-ref"] for part in bom["components"]} | {bom["metadata"]["component"]["bom-ref"]}
assert {"kube", "rustls", "tokio"} <= {part["name"] for part in bom["components"]}, "crates are missing"
assert not {"insta", "proptest", "wiremock"} & {part["name"] for part in bom["components"]}, "tests' crates are in"
assert all(part.get("hashes") and part.get("licenses") for part in bom["components"]), "a crate without checksum or licence"
assert {ref for entry in bom["dependencies"] for ref in [entry["ref"], *entry["dependsOn"]]} <= known, "unknown crates"
gone = [a["ref"] for v in vex["vulnerabilities"] for a in v["affects"] if a["ref"] not in known]
assert not gone, f"vex.json speaks of what isn't used any more: {gone}"
print(f"package-dry-run.sh: {len(bom['components'])} crates in the bill of materials")
PYTHON
# One toolchain, in three files of which dependabot knows two.
rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
grep -q "^FROM docker.io/library/rust:$rust@sha256:" Dockerfile || fail "the Dockerfile has another toolchain than rust-toolchain.toml, $rust"
grep -qx "rust-version = \"${rust%.*}\"" Cargo.toml || fail "Cargo.toml has another rust-version than rust-toolchain.toml, $rust"

[[ -s $out/notes.md ]] || fail "no notes"
hack/release-check.sh v0.0.0-other >/dev/null 2>&1 && fail "release-check.sh takes another version's tag"
echo "package-dry-run.sh: $(ls "$out" | wc -l) files in $out, as a release of $version would publish them"
