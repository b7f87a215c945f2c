#!/usr/bin/env python3
"""sbom.py [vex]: prints the CycloneDX bill of materials of the binary, made from Cargo.lock; with
`vex` the document that says which known vulnerabilities of these crates concern the binary.

The same commit prints the same bytes. `vex.json` holds what was found out about a vulnerability, as
CycloneDX writes it: {"id": "RUSTSEC-…", "analysis": {"state": "not_affected", "justification": …,
"detail": …}, "affects": [{"ref": "pkg:cargo/NAME@VERSION"}]}.
"""

import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What binaries are published for: crates of other platforms are not in any of them.
TARGETS = [f"{arch}-{rest}" for arch in ("x86_64", "aarch64") for rest in ("unknown-linux-gnu", "apple-darwin")]


def run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def document(content):
    """The frame of a CycloneDX document, with a serial number that its content determines."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct")
    time = datetime.fromtimestamp(int(epoch), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    content["metadata"]["timestamp"] = time
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1, **content}


def sbom():
    filters = [part for target in TARGETS for part in ("--filter-platform", target)]
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", *filters))
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    sums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    # What is linked in or expanded into it; what only tests and build scripts use is not in it.
    linked = {
        node["id"]: [d["pkg"] for d in node["deps"] if any(kind["kind"] is None for kind in d["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    root = metadata["resolve"]["root"]
    reached, waiting = set(), [root]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += linked[name]
    return document({
        "metadata": {"component": {"type": "application", **component(packages[root], None)}},
        "components": sorted(
            ({"type": "library", **component(packages[name], sums[packages[name]["name"], packages[name]["version"]])}
             for name in reached - {root}),
            key=lambda part: part["bom-ref"],
        ),
        "dependencies": sorted(
            ({"ref": purl(packages[name]), "dependsOn": sorted({purl(packages[part]) for part in linked[name]})}
             for name in reached),
            key=lambda part: part["ref"],
        ),
    })


def component(package, checksum):
    part = {"bom-ref": purl(package), "name": package["name"], "version": package["version"], "purl": purl(package)}
    if package.get("license"):
        # Older crates write a slash where SPDX has OR.
        part["licenses"] = [{"expression": package["license"].replace(" / ", " OR ").replace("/", " OR ")}]
    if checksum:
        part["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        part["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return part


def vex():
    bom = sbom()
    return document({
        "metadata": {"component": bom["metadata"]["component"]},
        "vulnerabilities": json.loads((ROOT / "vex.json").read_text()),
    })


print(json.dumps(vex() if sys.argv[1:] == ["vex"] else sbom(), indent=2))
