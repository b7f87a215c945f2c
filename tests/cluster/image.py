#!/usr/bin/env python3
"""image.py NAME:TAG OUT.tar CONFIG_JSON PATH=FILE...: an OCI image of one layer, without an engine."""

import hashlib
import io
import json
import platform
import sys
import tarfile

MEDIA = "application/vnd.oci.image"


def layer_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, source in files:
            with open(source, "rb") as file:
                content = file.read()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def main(name, out, config, *files):
    blobs = {}

    def descriptor(content, media):
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"{MEDIA}.{media}", "digest": f"sha256:{digest}", "size": len(content)}

    layer = descriptor(layer_of(file.split("=", 1) for file in files), "layer.v1.tar")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    image = {"architecture": architecture, "os": "linux", "config": json.loads(config),
             "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    manifest = {"schemaVersion": 2, "mediaType": f"{MEDIA}.manifest.v1+json",
                "config": descriptor(json.dumps(image).encode(), "config.v1+json"), "layers": [layer]}
    named = descriptor(json.dumps(manifest).encode(), "manifest.v1+json")
    named["annotations"] = {"io.containerd.image.name": name}
    blobs["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    with tarfile.open(out, "w") as tar:
        for path, content in blobs.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


main(*sys.argv[1:])
