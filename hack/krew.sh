#!/usr/bin/env bash
# krew.sh DIR VERSION: prints the manifest of the kubectl plugin (`kubectl argocd-auth`) for the
# archives in DIR.
set -euo pipefail
source "$(dirname "$0")/../release.env"
cat <<YAML
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: argocd-auth
spec:
  version: v$2
  homepage: https://github.com/$REPOSITORY
  shortDescription: Argo CD credentials of a GitOps Runtime
  description: |
    Looks at and mends the Argo CD credentials of a Codefresh GitOps Runtime: the webhook that gives
    them to pods, the API key, the account, and the pods that hold an old one.
  platforms:
YAML
for os in linux darwin; do
  for arch in amd64 arm64; do
    archive=argocd-auth-webhook_${os}_$arch.tar.gz
    read -r sum _ < <(sha256sum "$1/$archive")
    cat <<YAML
  - selector:
      matchLabels: {os: $os, arch: $arch}
    uri: https://github.com/$REPOSITORY/releases/download/v$2/$archive
    sha256: $sum
    bin: argocd-auth-webhook
YAML
  done
done
