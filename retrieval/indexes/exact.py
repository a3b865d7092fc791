"""The meaning of every score: the cosine of a query and a stored row, rounded once to float32."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.shards.vectors import unit
from retrieval.types import Hits, Vectors

Stored = NDArray[np.float16] | NDArray[np.float32]
BLOCK = 1 << 23  # values converted, multiplied or scored at a time: 32 MiB of float32, 64 MiB of float64
QUERIES_AT_ONCE = 512
TIES = 1 << 12  # rows that one query holds because they tie, before they are settled by row


def cosines(queries: Vectors, stored: Stored, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores (queries, k) of the given rows (queries, k) of `stored`; row -1 scores -inf.

    Accumulated in float64 and rounded once, so that the score of a pair is the same in any batch, on any machine.
    """
    flat = rows.ravel()
    scores = np.full(flat.shape, -np.inf, dtype=np.float32)
    of_query = np.repeat(np.arange(len(rows)), rows.shape[1])
    step = max(1, BLOCK // stored.shape[1])
    for start in range(0, len(flat), step):
        there = np.flatnonzero(flat[start : start + step] >= 0) + start
        vectors = unit(np.asarray(stored[flat[there]])).astype(np.float64)
        scores[there] = np.einsum("nd,nd->n", queries[of_query[there]].astype(np.float64), vectors)
    return scores.reshape(rows.shape)


def best(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Hits:
    """The k best of candidate rows (queries, candidates): by score, ties by row; padded with row -1, score -inf."""
    last = np.iinfo(np.int64).max
    order = np.lexsort((np.where(rows < 0, last, rows), -scores), axis=1)[:, :k]
    hits = Hits(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))
    short = k - hits.rows.shape[1]
    if short <= 0:
        return hits
    return Hits(
        np.pad(hits.rows, ((0, 0), (0, short)), constant_values=-1),
        np.pad(hits.scores, ((0, 0), (0, short)), constant_values=-np.inf),
    )


def search_rows(queries: Vectors, stored: Stored, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
    """Exact search by brute force over all rows, or the rows `keep`: the oracle of every index, and of filters.

    The stored rows are converted once for `QUERIES_AT_ONCE` queries, a block at a time, however many there are.
    """
    hits = Hits(np.full((len(queries), k), -1, dtype=np.int64), np.full((len(queries), k), -np.inf, np.float32))
    count = len(stored) if keep is None else len(keep)
    for first in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[first : first + QUERIES_AT_ONCE]
        candidates = [_Candidates(query, stored, k) for query in some]
        step = max(1, BLOCK // max(len(some), stored.shape[1]))
        for start in range(0, count, step):
            rows = np.arange(start, min(start + step, count)) if keep is None else keep[start : start + step]
            vectors = unit(np.asarray(stored[start : start + step] if keep is None else stored[rows]))
            for mine, scores in zip(candidates, some @ vectors.T, strict=True):
                mine.add(rows, scores)
            release(stored)
        for i, mine in enumerate(candidates, start=first):
            exact = mine.best()
            hits.rows[i], hits.scores[i] = exact.rows[0], exact.scores[0]
    return hits


ROUNDING = 1e-5
"""Two float32 dot products of one pair of unit vectors, summed in different orders, differ by far less than this."""


class _Candidates:
    """The rows that could be among the k best of one query, while the stored rows go by in blocks.

    Rough scores come from a matrix product. Every row whose rough score could be among the k best is scored exactly in
    the end; so ties at the edge go by row.
    """

    def __init__(self, query: NDArray[np.float32], stored: Stored, k: int) -> None:
        self._query, self._stored, self._k = query[None], stored, k
        self._rows = np.empty(0, dtype=np.int64)
        self._scores = np.empty(0, dtype=np.float32)
        self._bar = -np.inf

    def add(self, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        reaching = np.flatnonzero(scores >= self._bar)
        if not len(reaching):
            return
        self._rows = np.concatenate([self._rows, rows[reaching]])
        self._scores = np.concatenate([self._scores, scores[reaching]])
        if len(self._rows) > self._k:
            self._bar = np.partition(self._scores, -self._k)[-self._k] - 2 * ROUNDING
            kept = self._scores >= self._bar
            self._rows, self._scores = self._rows[kept], self._scores[kept]
        if len(self._rows) > self._k + TIES:
            settled = self.best()
            self._rows, self._scores = settled.rows[0], settled.scores[0]

    def best(self) -> Hits:
        rows = self._rows[None]
        return best(rows, cosines(self._query, self._stored, rows), self._k)


def release(array: Any) -> None:
    """Give back the resident pages of a memory map; what is read again comes from the page cache."""
    _advise(array, "MADV_DONTNEED")


def read_here_and_there(array: Any) -> None:
    """Rows are read at random: reading ahead of each would fetch a hundred times as much."""
    _advise(array, "MADV_RANDOM")


def _advise(array: Any, advice: str) -> None:
    memory: Any = getattr(array, "_mmap", None)
    if isinstance(array, np.memmap) and memory is not None and hasattr(mmap, advice):  # not on Windows
        memory.madvise(getattr(mmap, advice))
