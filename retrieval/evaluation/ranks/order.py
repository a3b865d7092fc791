"""What is ranked and in which order: relevant rows, their bars, and the ranks that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.types import Vectors

TIE = np.float32(5e-6)
"""Cosines of unit vectors that differ by no more than this are equal.

Two mathematically equal dot products differ by rounding, because a matrix product sums in another order at the edge of
a tile. Equal gallery rows differed inside one product by up to 6e-7 for random directions of 8 to 4,096 dimensions, and
by up to 2.3e-6 for vectors of equal coordinates, as a dead encoder gives them (OpenBLAS 0.3.31; 4.6e-6 between two
products of different shapes). Storing the vectors as float16 moves a cosine by more: 1.2e-5 in the median at 512
dimensions.
"""

CHECK_BYTES = 16 * 2**20  # of rows looked at together
PAIRS_AT_ONCE = 8192

Rows = NDArray[np.int64]


class Gallery(Protocol):
    """(rows, dim) of unit length, float32 or float16: an array, a memory map, or what converts rows when asked."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


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

    def pairs(self) -> tuple[Rows, Rows]:
        """Every query, ascending, with a row that is relevant to it."""
        counts = self._stops - self._starts
        queries = np.repeat(np.arange(len(self)), counts)
        places = np.arange(len(queries)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = self._by_code[self._starts[queries] + places]
        others = rows != self._self_rows[queries]
        return queries[others], rows[others]


def ranks_of(counts: Rows, scores: NDArray[np.float64], offsets: Rows) -> Rows:
    """The ranks of relevant rows whose `scores` descend within each query (`offsets` as in `Ranks`).

    `counts` says how many rows of the whole gallery, relevant or not, score at least each one's score minus `TIE`.
    """
    queries = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    place = np.arange(1, len(scores) + 1) - offsets[:-1][queries]
    ours = place.copy()  # how many of the counted rows are relevant: those before this one, and those that tie with it
    bars, behind, alive = scores - TIE, 1, np.arange(len(scores))
    while len(alive):
        alive = alive[alive + behind < len(scores)]
        alive = alive[(queries[alive + behind] == queries[alive]) & (scores[alive + behind] >= bars[alive])]
        ours[alive] += 1
        behind += 1
    ranks: Rows = counts - ours + place
    return ranks


def exact_scores(queries: Gallery, gallery: Gallery, asked: Rows, rows: Rows) -> NDArray[np.float64]:
    """(pairs,) The cosine of each query `asked` with a gallery row, summed in float64."""
    scores = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        ours, theirs = (
            np.asarray(side[chosen], np.float32).astype(np.float64)
            for side, chosen in ((queries, asked[some]), (gallery, rows[some]))
        )
        scores[some] = np.einsum("nd,nd->n", ours, theirs)
    return scores


def check_shapes(queries: Gallery, gallery: Gallery, query_codes: int, gallery_codes: int) -> None:
    if len(queries.shape) != 2 or len(gallery.shape) != 2 or queries.shape[1] != gallery.shape[1]:
        raise QueryError(
            f"queries {queries.shape} and gallery {gallery.shape} are not vectors of one length; "
            "encode both with one encoder"
        )
    if len(queries) != query_codes or len(gallery) != gallery_codes:
        raise QueryError(
            f"{len(queries)} queries and {len(gallery)} gallery rows have {query_codes} and "
            f"{gallery_codes} codes; give one code a row"
        )


def check_finite(gallery: Gallery, side: str) -> None:
    step = max(1, CHECK_BYTES // row_bytes(gallery))
    for start in range(0, len(gallery), step):
        checked(gallery[start : start + step], side, start)


def checked(rows: Any, side: str, start: int) -> Vectors:
    """The rows as float32. A NaN is refused: it would lose every comparison and so rank first."""
    vectors = np.asarray(rows, np.float32)
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise QueryError(f"{side} row {start + broken[0]} holds a value that is not finite; encode it again")
    return vectors


def row_bytes(vectors: Gallery) -> int:
    """Of one row as float32."""
    return 4 * max(1, int(vectors.shape[1]))
