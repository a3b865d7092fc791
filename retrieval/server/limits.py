"""How much one request may ask for, and how much may wait."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused beyond. Sizes are of one request or of what it holds."""

    k: int = 200
    """Hits a query."""
    upload: int = 20 * MIB
    """Bytes of an image file."""
    pixels: int = 40_000_000
    """Of an image: 120 MB when it is decoded."""
    text: int = 10_000
    """Characters of a query, and of all its where clauses."""
    terms: int = 32
    """Parts of a combined query, and where clauses."""
    queries: int = 256
    """Queries of a batch, images of a table, labels of a classification."""
    figures: int = 1000
    """Figures of an export."""
    waiting: int = 512
    """Queries in the queue of an encoder."""
    together: int = 64
    """Queries that are encoded at once."""
    seconds: float = 30.0
    """From here on a request is given up."""

    @property
    def body(self) -> int:
        """Bytes of a whole request: base64 makes an image larger by a third, and something stands around it."""
        return self.upload * 4 // 3 + MIB
