"""Ranks of all captions among all figures and of all figures among all captions, from one product for both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.ranks.one_way import relevant_ranks
from retrieval.evaluation.ranks.order import (
    TIE,
    Gallery,
    Positives,
    Ranks,
    Rows,
    check_finite,
    check_shapes,
    exact_scores,
    ranks_of,
)
from retrieval.evaluation.ranks.tiles import Bars, Float32, Tiles
from retrieval.types import Progress, Silent, Vectors

MEMORY = 3 * 2**29
"""Bytes that the vectors of one side may take, converted and coded; more of them are counted block by block."""

SAMPLE = 1 << 14  # rows of a side
MANY_BARS = 8  # relevant rows a query, above which sorting a query's scores is faster than counting for each of them


def both_ranks(
    captions: Gallery,
    images: Gallery,
    caption_codes: Rows,
    image_codes: Rows,
    *,
    memory: int = MEMORY,
    progress: Progress | None = None,
    tiles: Callable[[Vectors, Vectors], Tiles] | None = None,
) -> tuple[Ranks, Ranks]:
    """The ranks of text to image and of image to text: those of `relevant_ranks` of captions (nc, dim) among images
    (ni, dim), and of images among captions.

    Takes `memory` bytes and, for every thread, some ten megabytes. `tiles` says how to count; by default whatever is
    fastest on this machine at this size (`fastest.py`).
    """
    check_shapes(captions, images, len(caption_codes), len(image_codes))
    pairs = Positives(caption_codes, image_codes).pairs()
    if len(pairs[0]) > MANY_BARS * min(len(captions), len(images)):
        return (
            relevant_ranks(captions, images, caption_codes, image_codes),
            relevant_ranks(images, captions, image_codes, caption_codes),
        )
    check_finite(captions, "caption")
    check_finite(images, "image")
    scores = exact_scores(captions, images, *pairs)
    columns, rows = _barred(pairs[0], scores, len(captions)), _barred(pairs[1], scores, len(images))
    if len(scores):
        make = tiles or fastest(len(captions), len(images), captions.shape[1])
        _Run(make(_sample(images), _sample(captions)), images, rows, captions, columns).count(
            memory, progress or Silent()
        )
    return columns.ranks(), rows.ranks()


@dataclass(frozen=True, slots=True, eq=False)
class _BarredQueries:
    """One side's queries and the bars that the other side's rows must reach, most bars first, then the lowest.

    Queries of low bars, for which many pairs are hard to decide, so stand in the same tiles. `order` (queries,);
    relevant row p of query q has `scores[offsets[q] + p]`, descending, and `counts` of the same shape.
    """

    order: Rows
    scores: NDArray[np.float64]
    offsets: Rows
    counts: Rows

    def ranks(self) -> Ranks:
        return Ranks(ranks_of(self.counts, self.scores, self.offsets), self.offsets)

    def places(self, start: int, stop: int) -> Iterator[Rows]:
        """For each layer where the bars are of those among `order[start:stop]` that have so many."""
        queries = self.order[start:stop]
        numbers = self.offsets[queries + 1] - self.offsets[queries]
        for layer in range(numbers.max(initial=0)):
            yield self.offsets[queries[numbers > layer]] + layer

    def bars(self, start: int, stop: int) -> Bars:
        places = list(self.places(start, stop))
        bars = np.full((max(1, len(places)), stop - start), np.inf)
        for layer, where in zip(bars, places, strict=False):
            layer[: len(where)] = self.scores[where] - TIE
        return bars

    def add(self, start: int, stop: int, counts: Rows) -> None:
        """Counts (layers, stop - start) of those bars."""
        for layer, where in zip(counts, self.places(start, stop), strict=False):
            self.counts[where] += layer[: len(where)]


def _barred(queries: Rows, scores: NDArray[np.float64], size: int) -> _BarredQueries:
    descending = scores[np.lexsort((-scores, queries))]
    numbers = np.bincount(queries, minlength=size)
    offsets = np.concatenate([[0], np.cumsum(numbers)])
    lowest = np.full(size, np.inf)
    lowest[numbers > 0] = descending[offsets[1:][numbers > 0] - 1]
    return _BarredQueries(np.lexsort((lowest, -numbers)), descending, offsets, np.zeros(len(scores), np.int64))


class _Run:
    """Over all tiles: strips of rows, each counted in a thread of its own, against each block of columns."""

    def __init__(
        self, tiles: Tiles, row_vectors: Gallery, rows: _BarredQueries, column_vectors: Gallery, columns: _BarredQueries
    ) -> None:
        self._tiles, self._row_vectors, self._rows = tiles, row_vectors, rows
        self._column_vectors, self._columns = column_vectors, columns
        self._adding = threading.Lock()

    def count(self, memory: int, progress: Progress) -> None:
        height, width = self._tiles.shape
        size = max(width, memory // self._tiles.bytes_a_column // width * width)
        blocks, strips = _cut(len(self._columns.order), size), _cut(len(self._rows.order), height)
        progress.start(len(self._rows.order), 0)
        finished = 0
        with ThreadPoolExecutor(self._tiles.threads) as threads:
            try:
                for first, last in blocks:
                    tiles = [(first + left, first + right) for left, right in _cut(last - first, width)]
                    columns = list(threads.map(self._columns_of, tiles))
                    for rows in threads.map(partial(self._strip, tiles, columns), strips):
                        before, finished = finished, finished + rows
                        progress.advance(finished // len(blocks) - before // len(blocks))
            finally:
                threads.shutdown(cancel_futures=True)
                progress.finish()

    def _columns_of(self, tile: tuple[int, int]) -> tuple[Any, Bars]:
        chosen = self._columns.order[slice(*tile)]
        side = self._tiles.column_side(np.asarray(self._column_vectors[chosen], np.float32))
        return side, self._columns.bars(*tile)

    def _strip(self, tiles: list[tuple[int, int]], columns: list[tuple[Any, Bars]], strip: tuple[int, int]) -> int:
        """Count one strip of rows against a block of columns; returns how many rows it has."""
        chosen = self._rows.order[slice(*strip)]
        rows = self._tiles.row_side(np.asarray(self._row_vectors[chosen], np.float32))
        bars = self._rows.bars(*strip)
        counts = np.zeros(bars.shape, np.int64)
        for tile, (side, column_bars) in zip(tiles, columns, strict=True):
            row_counts, column_counts = self._tiles.count(rows, side, bars, column_bars)
            counts += row_counts
            with self._adding:
                self._columns.add(*tile, column_counts)
        self._rows.add(*strip, counts)  # no other thread has these
        return len(chosen)


def _cut(size: int, step: int) -> list[tuple[int, int]]:
    return [(start, min(start + step, size)) for start in range(0, size, step)]


def _sample(vectors: Gallery) -> Vectors:
    """Rows spread over all of them."""
    return np.asarray(vectors[:: len(vectors) // SAMPLE + 1], np.float32)


SMALL = 10**12  # multiplications that NumPy has done before torch is imported and numba has compiled: about 10 s


def fastest(rows: int, columns: int, dim: int) -> Callable[[Vectors, Vectors], Tiles]:
    """What makes the tiles for a product of this size on this machine."""
    if rows * columns * dim < SMALL:
        return Float32
    from retrieval.evaluation.ranks import torch_tiles

    if torch_tiles.available():
        return torch_tiles.TorchTiles
    if find_spec("numba") is not None:
        from retrieval.evaluation.ranks import int8

        if int8.int8_pays(dim):
            return int8.Int8
    return Float32
