#!/usr/bin/env python3
"""name.py ARCHIVE NAME:TAG: gives the one image of an OCI archive the names that it goes by, and
prints its digest.

A pod's `argocd-auth-webhook:1` is looked up as `docker.io/library/argocd-auth-webhook:1`, which
`docker save` writes into its archives and buildah doesn't; people ask for the short one. A name
that begins with a registry is the only one.
"""

import io
import json
import os
import sys
import tarfile


def main(archive, name):
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        names = [name]
    else:
        names = [name, f"docker.io/{name}" if slash else f"docker.io/library/{name}"]
    with tarfile.open(archive) as old, tarfile.open(archive + ".new", "w") as new:
        for entry in old:
            content = old.extractfile(entry).read() if entry.isfile() else None
            if entry.name == "index.json":
                index = json.loads(content)
                (image,) = index["manifests"]
                print(image["digest"])
                index["manifests"] = [
                    {**image, "annotations": {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": known_as}}
                    for known_as in names
                ]
                content = json.dumps(index).encode()
                entry.size = len(content)
            new.addfile(entry, io.BytesIO(content) if content is not None else None)
    os.replace(archive + ".new", archive)


main(*sys.argv[1:])
