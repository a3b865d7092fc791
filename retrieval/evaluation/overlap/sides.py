"""The two sides of a comparison, and what their figures say: values that are equal or not, and pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.images.near_duplicates import HASH_BYTES, Hashes, picture_hash
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.prefetch import map_ahead
from retrieval.shards.digests import normalised_caption
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

Numbers = NDArray[np.int64]
MOST_PARTS = 20
HASHING = 2  # threads: Pillow decodes outside the interpreter's lock, the rest of a hash is inside it


@dataclass(frozen=True, slots=True)
class CodedValues:
    """Row by row a figure's number and the code of what it says; equal codes mean equal values in every index."""

    figures: Numbers
    codes: Numbers

    def of(self, chosen: NDArray[np.bool_]) -> CodedValues:
        there = chosen[self.figures]
        return CodedValues(self.figures[there], self.codes[there])


class Collection:
    """A built index with what comparisons read of it, read once."""

    def __init__(self, built: OpenedIndex) -> None:
        self.built = built
        self._figures: dict[Modality, Numbers] = {
            modality: np.asarray(built.figures(modality), np.int64) for modality in TABLE_OF
        }
        self.count = 1 + max((int(some.max()) for some in self._figures.values() if len(some)), default=-1)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """(figures,) the id of each figure number."""
        return self._by_figure("figure_id")

    @cached_property
    def article(self) -> CodedValues:
        return _coded(np.arange(self.count), self._by_figure("article_id").tolist())

    @cached_property
    def image(self) -> CodedValues:
        return _coded(self._figures["image"], self.built.shards.columns("images", ["sha256"])["sha256"].to_pylist())

    @cached_property
    def caption(self) -> CodedValues:
        return _coded(self._figures["text"], self._captions())

    def texts(self, codes: Numbers) -> list[str]:
        """The captions that have these codes (sorted, each once), as they are compared."""
        wanted = np.isin(self.caption.codes, codes)
        places = np.searchsorted(codes, self.caption.codes[wanted]).tolist()
        found = [""] * len(codes)
        for place, text in zip(places, compress(self._captions(), wanted.tolist()), strict=True):
            found[place] = text
        return found

    @cached_property
    def pictures(self) -> tuple[Hashes, Numbers]:
        """The hash (m, HASH_BYTES) of every thumbnail that is a picture, and the number of its figure (m,)."""
        blocks = self.built.shards.blocks("images", ["thumbnail"])
        thumbnails = (thumbnail for block in blocks for thumbnail in block["thumbnail"].to_pylist())
        hashes = np.empty((len(self._figures["image"]), HASH_BYTES), dtype=np.uint8)
        there = np.zeros(len(hashes), dtype=bool)
        for row, found in enumerate(map_ahead(_hashed, thumbnails, workers=HASHING, ahead=64)):
            if found is not None:
                hashes[row], there[row] = found, True
        return hashes[there], self._figures["image"][there]

    def values(self, column: str) -> NDArray[np.object_]:
        """(figures,) the values of a declared column. Raises QueryError where there is no such column."""
        declared = self.built.plan.columns
        if column not in declared:
            raise QueryError(f"{self.built.folder}: no column {column}; there are {', '.join(declared) or 'none'}")
        return self._by_figure(column)

    def _captions(self) -> Iterator[str]:
        """Every caption as it is compared: case, width and spacing do not matter."""
        for block in self.built.shards.blocks("texts", ["caption"]):
            yield from map(normalised_caption, block["caption"].to_pylist())

    def _by_figure(self, column: str) -> NDArray[np.object_]:
        """A value for each figure number, from the row of its image or else of its first caption."""
        values = np.empty(self.count, dtype=object)
        tables: tuple[Modality, ...] = ("text", "image")
        for modality in tables:
            read = self.built.shards.columns(TABLE_OF[modality], [column])[column]
            values[self._figures[modality]] = read.to_numpy(zero_copy_only=False)
        return values


@dataclass(frozen=True, slots=True)
class CollectionSide:
    """Some figures of a collection: those whose numbers are set in `chosen` (figures,)."""

    name: str
    collection: Collection
    chosen: NDArray[np.bool_]

    @property
    def count(self) -> int:
        return int(self.chosen.sum())

    def values(self, name: str) -> CodedValues:
        """The codes of the side's figures by article, image or caption, as `name` says."""
        found: CodedValues = getattr(self.collection, name)
        return found.of(self.chosen)

    def pictures(self) -> tuple[Hashes, Numbers]:
        hashes, figures = self.collection.pictures
        there = self.chosen[figures]
        return hashes[there], figures[there]


def whole(collection: Collection) -> CollectionSide:
    return CollectionSide(str(collection.built.folder), collection, np.ones(collection.count, dtype=bool))


def parts(collection: Collection, column: str) -> list[CollectionSide]:
    """A side for every value of a column, that of most figures first; figures without a value are on none.

    Raises QueryError where there is no such column, and where it has too few or too many values to compare.
    """
    numbers: dict[str, list[int]] = {}
    for number, value in enumerate(collection.values(column).tolist()):
        if value is not None:
            numbers.setdefault(str(value), []).append(number)
    if not 2 <= len(numbers) <= MOST_PARTS:
        raise QueryError(
            f"{column}: has {len(numbers)} values, of which every two are compared; name one with 2 to {MOST_PARTS}"
        )
    sides = []
    for value, members in sorted(numbers.items(), key=lambda item: (-len(item[1]), item[0])):
        chosen = np.zeros(collection.count, dtype=bool)
        chosen[members] = True
        sides.append(CollectionSide(f"{column}={value}", collection, chosen))
    return sides


def _hashed(thumbnail: bytes | None) -> NDArray[np.uint8] | None:
    return None if thumbnail is None else picture_hash(thumbnail)


def _coded(figures: Numbers, values: Iterable[str | None]) -> CodedValues:
    """8 bytes of each digest: among a million values and a million others two unequal ones agree once in 10^7 runs."""
    there = np.zeros(len(figures), dtype=bool)
    digests = bytearray()
    for row, value in enumerate(values):
        if value is not None:
            there[row] = True
            digests += hashlib.blake2b(value.encode(), digest_size=8).digest()
    return CodedValues(figures[there], np.frombuffer(bytes(digests), dtype="<i8").astype(np.int64))
