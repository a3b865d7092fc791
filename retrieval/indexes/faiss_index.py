"""FAISS finds candidates, exact cosines from the memory map rank them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError, StaleIndexError
from retrieval.indexes.exact import ROUNDING, Stored, best, cosines, search_rows
from retrieval.indexes.factory import depth_parameter, inverted_lists, search_parameters, takes_filter
from retrieval.indexes.faiss_import import faiss
from retrieval.indexes.mmap import MappedRows, selector
from retrieval.types import Hits, Vectors

K_FACTOR = 10  # candidates a hit, where an index was not tuned
FEWEST_CANDIDATES = 100
EDGE = 16  # more than k are asked for, for ties at the edge and for what float16 does to lengths
DEEPER = 8  # times as many candidates where those of an IVF index all tie
BRUTE_FORCE_BELOW = 0.1  # share of rows kept under which IVF loses recall and brute force is as fast
QUERIES_AT_ONCE = 1024
FEWEST_AT_ONCE = 32  # fewer would not share the reading of a list
RESIDENT_ROWS = 1 << 16
"""Candidates read from the memory map before its pages are given back: each maps up to 64 KiB around it, 4 GiB in all,
and without this a long run of queries over 15 million vectors would seem to hold all 15 GB of them."""


class FaissIndex:
    """The `Index` over a FAISS index and the stored vectors (n, dim) it was built from. Thread-safe.

    `parameters` say how deep it is searched, in FAISS's words: nprobe or efSearch, and k_factor, the candidates that
    are ranked exactly for each hit asked for.
    """

    def __init__(self, index: Any, stored: Stored, parameters: Mapping[str, int] | None = None) -> None:
        if index.ntotal != len(stored) or index.d != stored.shape[1]:
            raise StaleIndexError(
                f"the FAISS index holds {index.ntotal} vectors of {index.d} and the shards {len(stored)} of "
                f"{stored.shape[1]}; run retrieval build again"
            )
        self.stored = stored
        self.parameters = dict(parameters or {})
        self._index = index
        self._exact = isinstance(faiss.downcast_index(index), faiss.IndexFlat)
        self._finds_cosines = self._exact or isinstance(faiss.downcast_index(index), faiss.IndexIVFFlat)
        self._read = 0
        self._rows = MappedRows(stored)  # now rather than when first needed, which two threads may do at once
        self._ranked = None if self._finds_cosines else faiss.IndexRefine(index, self._rows.index)

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def exact(self) -> bool:
        return self._exact

    @property
    def depth(self) -> str | None:
        """The parameter that makes a search deeper; None where every row is read anyway."""
        return depth_parameter(self._index)

    @property
    def deepest(self) -> int:
        """The depth beyond which there is nothing more to read: all lists, or all rows."""
        ivf = inverted_lists(self._index)
        return int(ivf.nlist) if ivf is not None else len(self)

    def search(self, queries: Vectors, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
        if queries.ndim != 2 or queries.shape[1] != self.stored.shape[1]:
            raise QueryError(f"queries are {queries.shape}, the index has dimension {self.stored.shape[1]}")
        if k < 1:
            raise QueryError(f"k is {k}; ask for at least 1")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if not len(queries):
            return Hits(np.zeros((0, k), dtype=np.int64), np.zeros((0, k), dtype=np.float32))
        if not len(self):
            return search_rows(queries, self.stored, k)
        if keep is not None and self._reads_all_kept(len(keep)):
            return self._rows.scan(queries, k, keep)
        step = self._queries_at_once(k)
        blocks = [
            self._search_block(queries[start : start + step], k, keep, self.parameters)
            for start in range(0, len(queries), step)
        ]
        return Hits(np.concatenate([b.rows for b in blocks]), np.concatenate([b.scores for b in blocks]))

    def _reads_all_kept(self, kept: int) -> bool:
        return self._exact or kept < BRUTE_FORCE_BELOW * len(self) or not takes_filter(self._index)

    def _search_block(
        self, queries: Vectors, k: int, keep: NDArray[np.int64] | None, parameters: Mapping[str, int]
    ) -> Hits:
        there = len(self) if keep is None else len(keep)
        if keep is not None:
            parameters = self._deepened(parameters, len(self) / max(1, there))
        chosen = None if keep is None else selector(keep, len(self))
        asked = min(len(self), k + EDGE)
        candidates = self._candidates(k, parameters)
        if self._ranked is None:
            hits = self._search_cosines(queries, k, parameters, chosen, asked if self._exact else candidates)
        else:
            refined = faiss.IndexRefineSearchParameters(
                k_factor=max(1.0, candidates / asked),
                base_index_params=search_parameters(self._index, parameters, chosen),
            )
            _, rows = self._ranked.search(queries, asked, params=refined)
            hits = best(rows, cosines(queries, self.stored, rows), k)
            self._release(len(queries) * candidates)
        # the lists that were probed hold, or the filter left, fewer than there are
        short = hits.rows[:, min(k, there) - 1] < 0
        return _mend(hits, short, lambda some: self._rows.scan(queries[some], k, keep))

    def _search_cosines(self, queries: Vectors, k: int, parameters: Mapping[str, int], chosen: Any, asked: int) -> Hits:
        """Of an index whose own scores are cosines already. Where more rows tie at the edge than were asked for, all
        of them are needed to order them by row."""
        asked = min(len(self), asked)
        rough, rows = self._index.search(queries, asked, params=search_parameters(self._index, parameters, chosen))
        hits = best(rows, cosines(queries, self.stored, rows), k)
        if asked == len(self):
            return hits
        tied = (rows[:, -1] >= 0) & (hits.scores[:, -1] <= rough[:, -1] + 2 * ROUNDING)
        if self._exact:
            return _mend(hits, tied, lambda some: search_rows(queries[some], self.stored, k))
        return _mend(
            hits, tied, lambda some: self._search_cosines(queries[some], k, parameters, chosen, DEEPER * asked)
        )

    def _deepened(self, parameters: Mapping[str, int], times: float) -> Mapping[str, int]:
        """Behind a filter: deeper, so that as many rows as without it are looked at."""
        if self.depth is None or self.depth not in parameters:
            return parameters
        return {**parameters, self.depth: min(self.deepest, ceil(times * parameters[self.depth]))}

    def _queries_at_once(self, k: int) -> int:
        if self._finds_cosines:
            return QUERIES_AT_ONCE
        return min(QUERIES_AT_ONCE, max(FEWEST_AT_ONCE, RESIDENT_ROWS // self._candidates(k, self.parameters)))

    @staticmethod
    def _candidates(k: int, parameters: Mapping[str, int]) -> int:
        return max(k * parameters.get("k_factor", K_FACTOR), FEWEST_CANDIDATES)

    def _release(self, read: int) -> None:
        self._read += read
        if self._read > RESIDENT_ROWS:
            self._read = 0
            self._rows.release()


def _mend(hits: Hits, wrong: NDArray[np.bool_], again: Callable[[NDArray[np.int64]], Hits]) -> Hits:
    """With the answers of another search in place of some."""
    some = np.flatnonzero(wrong)
    if len(some):
        mended = again(some)
        hits.rows[some], hits.scores[some] = mended.rows, mended.scores
    return hits


def open_index(path: Path, stored: Stored, parameters: Mapping[str, int] | None = None) -> FaissIndex:
    """Open an index written by `build_index`. Raises StaleIndexError where it does not belong to `stored`."""
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise StaleIndexError(f"{path}: missing or damaged; run retrieval build again") from error
    return FaissIndex(index, stored, parameters)
