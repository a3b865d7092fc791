"""Exact ranks of the relevant rows of a gallery, without a score matrix of queries times gallery.

One order is used everywhere, and it is total: a relevant row stands at its score minus `TIE`, an irrelevant row at its
score; higher first, irrelevant before relevant where they are equal, then by row. So every tie counts against us, and
an encoder that gives every figure the same vector finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.types import Hits, Vectors

TIE = np.float32(5e-6)
"""Cosines of unit vectors that differ by no more than this are equal.

Two mathematically equal dot products differ by rounding, because a matrix product sums in another order at the edge of
a tile. Equal gallery rows differed inside one product by up to 6e-7 for random directions of 8 to 4,096 dimensions, and
by up to 2.3e-6 for vectors of equal coordinates, as a dead encoder gives them (OpenBLAS 0.3.31; 4.6e-6 between two
products of different shapes). Storing the vectors as float16 moves a cosine by more: 1.2e-5 in the median at 512
dimensions.
"""

MEMORY = 256 * 2**20
"""Bytes that scores, and rows converted to float32, may take at once."""

CHECK_BYTES = 16 * 2**20  # of gallery rows looked at together
STRIP_ROWS = 512  # the product is no faster with more queries at once

Rows = NDArray[np.int64]
Gallery = NDArray[np.float32] | NDArray[np.float16]
"""(rows, dim), unit length; may be memory-mapped."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """The ranks, from 1, of all relevant rows of every query.

    Query q has `ranks[offsets[q]:offsets[q + 1]]`, ascending; none where nothing in the gallery is relevant to it.
    """

    ranks: Rows
    offsets: Rows

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, query: int) -> Rows:
        return self.ranks[self.offsets[query] : self.offsets[query + 1]]

    @property
    def counts(self) -> Rows:
        """(queries,) How many rows are relevant to each query."""
        return np.diff(self.offsets)

    @property
    def queries(self) -> Rows:
        """(ranks,) The query that each rank belongs to."""
        return np.repeat(np.arange(len(self)), self.counts)


class Positives:
    """The relevant gallery rows of every query: those with the query's code, without the query itself.

    A negative code is relevant to nothing. `self_rows` gives the gallery row that is the query itself, -1 for none.
    """

    def __init__(self, query_codes: Rows, gallery_codes: Rows, self_rows: Rows | None = None) -> None:
        if self_rows is not None and len(self_rows) != len(query_codes):
            raise QueryError(f"{len(query_codes)} queries have {len(self_rows)} self rows; give one each, -1 for none")
        self.gallery_size = len(gallery_codes)
        self._by_code = np.argsort(gallery_codes, kind="stable")
        codes = np.asarray(gallery_codes)[self._by_code]
        self._starts = np.searchsorted(codes, query_codes, side="left")
        self._stops = np.searchsorted(codes, query_codes, side="right")
        self._stops[np.asarray(query_codes) < 0] = 0
        self._self_rows = np.full(len(query_codes), -1, np.int64) if self_rows is None else np.asarray(self_rows)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, query: int) -> Rows:
        rows = self._by_code[self._starts[query] : self._stops[query]]
        others: Rows = rows[rows != self._self_rows[query]]
        return others

    def hide_selves(self, scores: Vectors, start: int) -> None:
        """Put the queries from `start` on out of their own reach: their own rows score -inf in `scores`."""
        own = self._self_rows[start : start + len(scores)]
        known = np.flatnonzero(own >= 0)
        scores[known, own[known]] = -np.inf


def relevant_ranks(
    queries: Vectors,
    gallery: Gallery,
    query_codes: Rows,
    gallery_codes: Rows,
    self_rows: Rows | None = None,
    *,
    memory: int = MEMORY,
) -> Ranks:
    """The exact rank of every relevant row, for queries (nq, dim) and a gallery (ng, dim) of unit rows.

    rank = 1 + irrelevant rows that score at least the relevant row's score minus `TIE` + relevant rows before it.

    A row is relevant where its code equals the query's and that is not negative. `self_rows` (nq,) excludes one gallery
    row per query, -1 none. Takes `memory` bytes beside the ranks, or a few rows of scores (4·ng) where those are more.
    A gallery that is not float32 is converted anew for every strip of queries: give more memory to a large one.
    """
    positives = Positives(query_codes, gallery_codes, self_rows)
    found = [_ranks(scores, positives[query]) for query, scores in _score_rows(queries, gallery, positives, memory)]
    offsets = np.cumsum([0] + [len(ranks) for ranks in found], dtype=np.int64)
    return Ranks(np.concatenate([np.empty(0, np.int64), *found]), offsets)


def top(
    queries: Vectors,
    gallery: Gallery,
    query_codes: Rows,
    gallery_codes: Rows,
    k: int,
    self_rows: Rows | None = None,
    *,
    memory: int = MEMORY,
) -> Hits:
    """The k best rows of each query in the order of `relevant_ranks`, with the same arguments.

    The scores are the cosines, so a relevant row may follow irrelevant ones that score up to `TIE` less. With fewer
    than k rows to choose from, the rest is row -1 and score -inf. The same `memory` makes the same tiles, and so the
    very same ranks.
    """
    if k < 1:
        raise QueryError(f"cannot return {k} hits a query; ask for 1 or more")
    positives = Positives(query_codes, gallery_codes, self_rows)
    rows = np.full((len(positives), k), -1, np.int64)
    best = np.full((len(positives), k), -np.inf, np.float32)
    for query, scores in _score_rows(queries, gallery, positives, memory):
        chosen = _order(scores, positives[query], k)
        rows[query, : len(chosen)] = chosen
        best[query, : len(chosen)] = scores[chosen]
    return Hits(rows, best)


def _ranks(scores: NDArray[np.float32], relevant: Rows) -> Rows:
    if not len(relevant):
        return relevant
    positive = np.sort(scores[relevant])[::-1]
    bars = positive - TIE
    reaching = np.sort(scores[scores >= bars[-1]])
    everything = len(reaching) - np.searchsorted(reaching, bars, side="left")
    # The relevant rows are counted in `everything` with these very scores: what is left are the irrelevant ones.
    ours = len(positive) - np.searchsorted(positive[::-1], bars, side="left")
    ranks: Rows = everything - ours + np.arange(1, len(positive) + 1)
    return ranks


def _order(scores: NDArray[np.float32], relevant: Rows, k: int) -> Rows:
    keys = scores.copy()
    keys[relevant] -= TIE
    bar = np.partition(keys, len(keys) - k)[len(keys) - k] if k < len(keys) else -np.inf
    chosen = np.flatnonzero((keys >= bar) & (keys > -np.inf))
    order = np.lexsort((chosen, np.isin(chosen, relevant), -keys[chosen]))[:k]
    return chosen[order]


def _score_rows(
    queries: Vectors, gallery: Gallery, positives: Positives, memory: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Every query with its cosines to the whole gallery; the row is only valid until the next."""
    _check(queries, gallery, positives)
    tile = _tile(gallery, memory)
    strip_rows = max(1, min(STRIP_ROWS, memory * 3 // 4 // (4 * max(len(gallery), 1)), len(queries)))
    strip = np.empty((strip_rows, len(gallery)), np.float32)
    for start in range(0, len(queries), strip_rows):
        block = _checked(queries[start : start + strip_rows], "query", start)
        scores = strip[: len(block)]
        for column in range(0, len(gallery), tile):
            part = np.asarray(gallery[column : column + tile], np.float32)
            np.matmul(block, part.T, out=scores[:, column : column + len(part)])
        positives.hide_selves(scores, start)
        yield from enumerate(scores, start)


def _tile(gallery: Gallery, memory: int) -> int:
    """How many gallery rows go into one product: all where they need no conversion."""
    if gallery.dtype == np.float32:
        return max(1, len(gallery))
    return max(1, memory // 8 // _bytes(gallery))


def _bytes(vectors: Gallery) -> int:
    """Of one row as float32."""
    return 4 * max(1, int(vectors.shape[1]))


def _check(queries: Vectors, gallery: Gallery, positives: Positives) -> None:
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise QueryError(
            f"queries {queries.shape} and gallery {gallery.shape} are not vectors of one length; "
            "encode both with one encoder"
        )
    if len(queries) != len(positives) or len(gallery) != positives.gallery_size:
        raise QueryError(
            f"{len(queries)} queries and {len(gallery)} gallery rows have {len(positives)} and "
            f"{positives.gallery_size} codes; give one code a row"
        )
    step = max(1, CHECK_BYTES // _bytes(gallery))
    for start in range(0, len(gallery), step):
        _checked(gallery[start : start + step], "gallery", start)


def _checked(rows: Gallery, side: str, start: int) -> Vectors:
    """The rows as float32. A NaN is refused: it would lose every comparison and so rank first."""
    vectors = np.asarray(rows, np.float32)
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise QueryError(f"{side} row {start + broken[0]} holds a value that is not finite; encode it again")
    return vectors
