"""The meaning of every score: the cosine of a query and a stored row, rounded once to float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Hits, Vectors

Stored = NDArray[np.float16] | NDArray[np.float32]
BLOCK = 1 << 25  # float64 values at a time: 256 MiB


def unit(rows: NDArray[Any]) -> Vectors:
    """Rows (n, dim) as float32 of length 1: storing float16 has moved lengths by up to 1e-4. Zero rows stay zero."""
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return result


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
    """Exact search by brute force over all rows, or the rows `keep`: the oracle of every index, and of filters."""
    rows = np.arange(len(stored)) if keep is None else keep
    if not len(rows):
        return best(np.full((len(queries), 1), -1, dtype=np.int64), np.full((len(queries), 1), -np.inf, np.float32), k)
    hits: list[Hits] = []
    step = max(1, BLOCK // 8 // len(rows))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        rough = _rough_scores(some, stored, rows)
        hits.append(_exact_best(some, stored, rows, rough, k))
    if not hits:
        return Hits(np.zeros((0, k), dtype=np.int64), np.zeros((0, k), dtype=np.float32))
    return Hits(np.concatenate([h.rows for h in hits]), np.concatenate([h.scores for h in hits]))


def _rough_scores(queries: Vectors, stored: Stored, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    scores = np.empty((len(queries), len(rows)), dtype=np.float32)
    step = max(1, BLOCK // 4 // stored.shape[1])
    for start in range(0, len(rows), step):
        scores[:, start : start + step] = queries @ unit(np.asarray(stored[rows[start : start + step]])).T
    return scores


ROUNDING = 1e-5
"""Two float32 dot products of one pair of unit vectors, summed in different orders, differ by far less than this."""


def _exact_best(queries: Vectors, stored: Stored, rows: NDArray[np.int64], rough: NDArray[np.float32], k: int) -> Hits:
    """Every row whose rough score could be among the k best is scored exactly; so ties at the edge go by row."""
    result = Hits(np.full((len(queries), k), -1, dtype=np.int64), np.full((len(queries), k), -np.inf, np.float32))
    for i, scores in enumerate(rough):
        edge = np.partition(scores, -k)[-k] if k < len(scores) else -np.inf
        candidates = rows[scores >= edge - 2 * ROUNDING][None]
        one = best(candidates, cosines(queries[i : i + 1], stored, candidates), k)
        result.rows[i], result.scores[i] = one.rows[0], one.scores[0]
    return result
