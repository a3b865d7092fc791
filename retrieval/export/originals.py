"""The image files that an index was made from, where its source still holds them."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from retrieval.corpora import open_corpus
from retrieval.corpora.remote import cached
from retrieval.errors import CorpusError
from retrieval.indexer.subset import source_again
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.types import Corpus, Figure, Split

GAP = 32  # figures that are read and passed over, rather than opening the source anew behind them
BLOCK = 1024


class Originals:
    """Reads originals from the sources that an index was made from, whether those are still there or not."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._starts = np.cumsum([0, *(record.rows["images"] for record in shards.records)])
        self._source = lru_cache(maxsize=None)(_opened)

    def read(self, rows: Sequence[int]) -> Iterator[bytes | None]:
        """The original of each row of the images, in the order asked for; None where the source is gone or holds other
        bytes than were indexed (sha256). Of rows in order each split is read once, and only where they are."""
        reading, read_of = _Reading(None, Split(-1, 0, 0)), None
        for start in range(0, len(rows), BLOCK):
            some = list(rows[start : start + BLOCK])
            wanted = self._shards.take("images", some, ["sha256"])
            stored = self._shards.stored_rows("images", np.asarray(some, dtype=np.int64))
            for row, about in zip(stored.tolist(), wanted, strict=True):
                shard = int(np.searchsorted(self._starts, row, side="right")) - 1
                part, record = self._shards.pieces[shard]
                corpus = self._source(part.folder)
                if corpus is None:
                    yield None
                    continue
                split = part.plan.splits[record.number]
                first = split.start + row - int(self._starts[shard])
                absent = split.stop - split.start - record.rows["images"]
                if read_of != part.folder or not reading.reaches(split, first):
                    reading = _Reading(corpus, Split(split.number, first, split.stop, split.source))
                    read_of = part.folder
                yield reading.find(about["sha256"], first, first + absent)


class _Reading:
    """A split read forward. A figure may lie so many places behind its row as others were left out before it."""

    def __init__(self, corpus: Corpus | None, split: Split) -> None:
        self._split = split
        self._figures = iter(()) if corpus is None else corpus.read(split)
        self._at = split.start
        self._passed: deque[tuple[int, str, bytes]] = deque()

    def reaches(self, split: Split, first: int) -> bool:
        """Whether the place `first` of a split is yet to come soon, or among those that are held."""
        oldest = self._passed[0][0] if self._passed else self._at
        return split.number == self._split.number and oldest <= first <= self._at + GAP

    def find(self, sha256: str, first: int, last: int) -> bytes | None:
        """The image with this digest at a place from `first` to `last`, which only go up."""
        while self._passed and self._passed[0][0] < first:
            self._passed.popleft()
        held = next((image for _, digest, image in self._passed if digest == sha256), None)
        return held if held is not None else self._read_on(sha256, first, last)

    def _read_on(self, sha256: str, first: int, last: int) -> bytes | None:
        while self._at <= last:
            try:
                figure = next(self._figures, None)
            except (CorpusError, OSError, LookupError, RuntimeError):  # a source that holds less than it did
                return None
            if figure is None:
                return None
            place, self._at = self._at, self._at + 1
            if place >= first and isinstance(figure, Figure) and figure.image is not None:
                digest = hashlib.sha256(figure.image).hexdigest()
                self._passed.append((place, digest, figure.image))
                if digest == sha256:
                    return figure.image
        return None


def _opened(folder: Path) -> Corpus | None:
    """The source of the shards in a folder; None where it is gone, or was never at a path."""
    plan = Plan.read(folder)
    try:
        source = cached(plan.source) if "://" in plan.source else plan.source
        if source is None:  # nobody asked for the network here
            return None
        corpus = open_corpus(source, **plan.options)
        return source_again(plan, folder, corpus) if corpus.kind == plan.kind else None
    except (CorpusError, TypeError, ValueError):
        return None
