"""Find what an index has encoded already by content: images by their sha256, captions by their words."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from retrieval.shards.reader import Shards
from retrieval.shards.tables import Table
from retrieval.types import Vectors


def caption_key(caption: str) -> bytes:
    return hashlib.blake2b(caption.encode(errors="surrogatepass"), digest_size=16).digest()


class Reusable:
    """Of some images (sha256 as hex) and captions (`caption_key`) those that the shards hold, and their rows."""

    def __init__(self, shards: Shards, images: AbstractSet[str], captions: AbstractSet[bytes]) -> None:
        self._shards = shards
        self.images: dict[str, int] = {}
        self._captions: dict[bytes, int] = {}
        row = 0
        for block in shards.blocks("images", ["sha256", "width"]) if images else ():
            for digest, width in zip(*(column.to_pylist() for column in block.columns), strict=True):
                if digest in images and width is not None:  # imported vectors may come without their image's size
                    self.images[digest] = row
                row += 1
        row = 0
        for block in shards.blocks("texts", ["caption"]) if captions else ():
            for caption in block.column(0).to_pylist():
                key = caption_key(caption)
                if key in captions:
                    self._captions[key] = row
                row += 1

    def pictures(self, digests: Collection[str]) -> tuple[list[dict[str, Any]], Vectors]:
        """Width, height and thumbnail of some of `images`, and their vectors (n, dim)."""
        return self._take("images", [self.images[digest] for digest in digests], ["width", "height", "thumbnail"])

    def captions(self, captions: Iterable[str]) -> list[str]:
        """Those of some captions that the shards hold."""
        return [caption for caption in captions if caption_key(caption) in self._captions]

    def read(self, captions: Collection[str]) -> tuple[list[dict[str, Any]], Vectors]:
        """Whether some captions that the shards hold were truncated, and their vectors (n, dim)."""
        return self._take("texts", [self._captions[caption_key(caption)] for caption in captions], ["truncated"])

    def _take(self, table: Table, rows: list[int], names: list[str]) -> tuple[list[dict[str, Any]], Vectors]:
        found = self._shards.take(table, rows, ["embedding", *names])
        vectors = np.zeros((len(found), self._shards.plan.dim), dtype=np.float32)
        for number, row in enumerate(found):
            embedding = row.pop("embedding")
            vectors[number] = np.frombuffer(embedding, "<f2") if isinstance(embedding, bytes) else embedding
        return found, vectors
