"""The files that figures were made from, for servers that were told to give them out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from retrieval.server.served_index import OpenIndex

MAX_BYTES = 200 << 20
MEDIA_TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"II+\0": "image/tiff",
    b"MM\0+": "image/tiff",
    b"BM": "image/bmp",
}


def media_type(data: bytes) -> str | None:
    """By content; None for what is no image file."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in MEDIA_TYPES.items() if data.startswith(start)), None)


def original(index: OpenIndex, figure_id: str) -> bytes | None:
    """The image file of a figure: the one that was indexed, by its digest, below the source; None where that is gone.

    The path is the index's own, never the asker's. Images inside of tars or tables have none.
    """
    place = index.built.find([figure_id]).get(figure_id)
    if place is None or place[0] != "image":
        return None
    row = index.built.shards.take("images", [place[1]], ["source_uri", "sha256"])[0]
    sources = [index.plan.source, *(change.source for change in index.built.shards.changes if change.source)]
    found = (_below(Path(source).resolve(), row["source_uri"] or "") for source in sources)
    return next((data for data in found if data and hashlib.sha256(data).hexdigest() == row["sha256"]), None)


def _below(source: Path, name: str) -> bytes | None:
    """The image file of that name in a source, or beside it where that is a table; none that a link leads out to."""
    root = source.parent if source.is_file() else source
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
    except (OSError, ValueError):  # ValueError: a null character in what a corpus calls a path
        return None
    return data if media_type(data) else None
