#!/bin/sh
# archive.sh BINARY ARCHIVE: the binary and the licence as a tar.gz, the same bytes from the same files.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp LICENSE "$work/LICENSE"
cp "$1" "$work/argocd-auth-webhook"
chmod 0755 "$work/argocd-auth-webhook"
chmod 0644 "$work/LICENSE"
python3 - "$work" "$2" <<'PYTHON'
import gzip, sys, tarfile
work, archive = sys.argv[1:]

def plain(entry):
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry

with open(archive, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("LICENSE", "argocd-auth-webhook"):
            tar.add(f"{work}/{name}", name, filter=plain)
PYTHON
