"""What a number was measured on."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import version

PACKAGES = ("retrieval", "faiss-cpu", "numpy", "open_clip_torch", "pillow", "pyarrow", "torch")


def describe_machine() -> dict[str, object]:
    """Processor, cores, versions, commit and day."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "commit": commit.stdout.strip(),
        "date": datetime.date.today().isoformat(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
