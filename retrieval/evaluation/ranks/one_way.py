"""Ranks and best rows of any queries, a strip of scores at a time: simple, and the oracle of `both_ranks`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.ranks.order import (
    TIE,
    Gallery,
    Positives,
    Ranks,
    Rows,
    check_finite,
    check_shapes,
    checked,
    exact_scores,
    ranks_of,
    row_bytes,
)
from retrieval.types import Hits

MEMORY = 256 * 2**20
"""Bytes that scores, and rows converted to float32, may take at once."""

STRIP_ROWS = 512  # the product is no faster with more queries at once
ROUNDING = 2e-6
"""A score from a float32 product that is further than this from a bar decides; a nearer one is summed again in float64.

Products were off by up to 7e-7 for random directions of 8 to 4,096 dimensions, and by 3e-6 for 768 equal coordinates,
where a dead encoder's scores lie `TIE` from the bar.
"""


def relevant_ranks(
    queries: Gallery,
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
    found = [
        _ranks(scores, queries, gallery, query, positives[query])
        for query, scores in _score_rows(queries, gallery, positives, memory)
    ]
    offsets = np.cumsum([0] + [len(ranks) for ranks in found], dtype=np.int64)
    return Ranks(np.concatenate([np.empty(0, np.int64), *found]), offsets)


def top(
    queries: Gallery,
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
    than k rows to choose from, the rest is row -1 and score -inf. Relevant rows stand at the very ranks that
    `relevant_ranks` gives; irrelevant ones whose scores differ by less than `ROUNDING` may change places.
    """
    if k < 1:
        raise QueryError(f"cannot return {k} hits a query; ask for 1 or more")
    positives = Positives(query_codes, gallery_codes, self_rows)
    rows = np.full((len(positives), k), -1, np.int64)
    best = np.full((len(positives), k), -np.inf, np.float32)
    for query, scores in _score_rows(queries, gallery, positives, memory):
        chosen = _order(scores, queries, gallery, query, positives[query], k)
        rows[query, : len(chosen)] = chosen
        best[query, : len(chosen)] = scores[chosen]
    return Hits(rows, best)


def _exact(queries: Gallery, gallery: Gallery, query: int, rows: Rows) -> NDArray[np.float64]:
    return exact_scores(queries, gallery, np.full(len(rows), query), rows)


def _ranks(scores: NDArray[np.float32], queries: Gallery, gallery: Gallery, query: int, relevant: Rows) -> Rows:
    if not len(relevant):
        return relevant
    positive = np.sort(_exact(queries, gallery, query, relevant))[::-1]
    bars = positive[::-1] - TIE
    reaching = np.flatnonzero(scores >= bars[0] - ROUNDING)
    reached = scores[reaching].astype(np.float64)
    doubtful = _near(reached, bars, ROUNDING)
    reached[doubtful] = _exact(queries, gallery, query, reaching[doubtful])
    reached.sort()
    counts = len(reached) - np.searchsorted(reached, bars, side="left")[::-1]
    return ranks_of(counts, positive, np.array([0, len(positive)]))


def _near(scores: NDArray[np.float64], bars: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Which scores are that near to any of the bars, which ascend."""
    near: NDArray[np.bool_] = np.searchsorted(bars, scores - distance) < np.searchsorted(
        bars, scores + distance, "right"
    )
    return near


def _order(scores: NDArray[np.float32], queries: Gallery, gallery: Gallery, query: int, relevant: Rows, k: int) -> Rows:
    ours = np.zeros(len(scores), np.bool_)
    ours[relevant] = True
    keys = scores - TIE * ours
    bar = np.partition(keys, len(keys) - k)[len(keys) - k] - 2 * ROUNDING if k < len(keys) else -np.inf
    chosen = np.flatnonzero((keys >= bar) & (keys > -np.inf))
    exact, ours = keys[chosen].astype(np.float64), ours[chosen]
    exact[ours] = _exact(queries, gallery, query, chosen[ours]) - TIE
    doubtful = _near(exact, np.sort(exact[ours]), ROUNDING) & ~ours
    exact[doubtful] = _exact(queries, gallery, query, chosen[doubtful])
    return chosen[np.lexsort((chosen, ours, -exact))[:k]]


def _score_rows(
    queries: Gallery, gallery: Gallery, positives: Positives, memory: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Every query with its cosines to the whole gallery; the row is only valid until the next."""
    check_shapes(queries, gallery, len(positives), positives.gallery_size)
    check_finite(gallery, "gallery")
    tile = _tile(gallery, memory)
    strip_rows = max(1, min(STRIP_ROWS, memory * 3 // 4 // (4 * max(len(gallery), 1)), len(queries)))
    strip = np.empty((strip_rows, len(gallery)), np.float32)
    for start in range(0, len(queries), strip_rows):
        block = checked(queries[start : start + strip_rows], "query", start)
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
    return max(1, memory // 8 // row_bytes(gallery))
