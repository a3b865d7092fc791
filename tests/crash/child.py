"""Work in a process of its own, so that a test can kill it: python -m tests.crash.child SOURCE INDEX [change]."""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.indexer.add import add
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build, rebuild
from tests.doubles import ColourEncoder


def index(source: Path, folder: Path) -> None:
    """Index a folder of colours."""
    encode(source, folder, ColourEncoder(), shard_size=5, batch_size=2, thumbnail=16, max_skips=1.0)
    build(folder)


def change(source: Path, folder: Path) -> None:
    """Bring an index to a newer version of its source."""
    add(folder, source, ColourEncoder(), sync=True, batch_size=2)
    rebuild(folder)


if __name__ == "__main__":
    print("ready", flush=True)
    (change if "change" in sys.argv else index)(Path(sys.argv[1]), Path(sys.argv[2]))
    print("done", flush=True)
