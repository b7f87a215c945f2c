#!/usr/bin/env bash
# Run by the release workflow only: pushes the image (target/images) and the chart (target/package),
# signs both and the checksums without a key, attaches bill of materials and VEX to the image, and
# tells the workflow the image's digest.
set -euo pipefail
cd "$(dirname "$0")/.."
source release.env
: "${GITHUB_OUTPUT:?publish.sh: for the release workflow; make package-dry-run is the dry run}"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
helm=${HELM:-target/cluster/bin/helm}
registry=${IMAGE_REPOSITORY%%/*}

# Three programs, three places for a login.
for login in "buildah login" "$helm registry login" "cosign login"; do
  read -ra command <<<"$login"
  "${command[@]}" --username "$REGISTRY_USER" --password-stdin "$registry" <<<"$REGISTRY_TOKEN"
done

digest=$(IMAGE=$IMAGE_REPOSITORY:$version hack/push.sh target/images/image_*.tar)
image=$IMAGE_REPOSITORY@$digest
cosign sign --yes --recursive "$image"
cosign attest --yes --type cyclonedx --predicate target/package/argocd-auth-webhook.sbom.cdx.json "$image"
cosign attest --yes --type cyclonedx --predicate target/package/argocd-auth-webhook.vex.cdx.json "$image"

"$helm" push "target/package/argocd-auth-webhook-$version.tgz" "oci://$CHART_REPOSITORY" 2>&1 | tee target/chart-push
chart=$(sed -n 's/^Digest: //p' target/chart-push)
cosign sign --yes "$CHART_REPOSITORY/argocd-auth-webhook@$chart"

cosign sign-blob --yes --bundle target/package/checksums.txt.sigstore.json target/package/checksums.txt
printf 'image=%s\ndigest=%s\n' "$IMAGE_REPOSITORY" "$digest" >>"$GITHUB_OUTPUT"
