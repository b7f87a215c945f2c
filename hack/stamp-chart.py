#!/usr/bin/env python3
"""stamp-chart.py CHART TAG: writes into a copy of the chart where its image, its source and its
runbook are, from REPOSITORY and IMAGE_REPOSITORY. The chart in the tree names no registry."""

import os
import re
import sys
from pathlib import Path


def stamp(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    if count != 1:
        sys.exit(f"stamp-chart.py: {path.name} has nothing like {pattern}")
    path.write_text(text)


chart, tag = Path(sys.argv[1]), sys.argv[2]
home = f"https://github.com/{os.environ['REPOSITORY']}"
values = chart / "values.yaml"
# Inside a block: indented lines and empty ones only.
stamp(values, r"^(image:\n(?:(?: +.*)?\n)*?  repository: ).*$", rf"\g<1>{os.environ['IMAGE_REPOSITORY']}")
stamp(values, r"^( +runbook: )(?!https?:)\"?([^\"\n]+)\"?$", rf"\g<1>{home}/blob/{tag}/\2")
stamp(chart / "Chart.yaml", r"\Z", f"home: {home}\nsources: [{home}]\n")
