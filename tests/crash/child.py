"""Index a folder of colours in a process of its own, so that a test can kill it: python child.py SOURCE INDEX."""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.build import build
from retrieval.encode import encode
from tests.doubles import ColourEncoder


def index(source: Path, folder: Path) -> None:
    encode(source, folder, ColourEncoder(), shard_size=5, batch_size=2, thumbnail=16, max_skips=1.0)
    build(folder)


if __name__ == "__main__":
    print("ready", flush=True)
    index(Path(sys.argv[1]), Path(sys.argv[2]))
    print("done", flush=True)
