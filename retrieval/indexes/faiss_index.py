"""FAISS finds candidates, exact cosines from the memory map rank them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError, StaleIndexError
from retrieval.files import replacing
from retrieval.indexes.cosine import ROUNDING, Stored, best, cosines, search_rows, unit
from retrieval.types import Hits, Vectors

ADD_ROWS = 1 << 16
TRAIN_ROWS_PER_LIST = 64  # FAISS asks for 39 at least; more than 256 it would throw away itself
RERANK = 10  # candidates per hit asked of an approximate index
EDGE = 16  # candidates more than k asked of an exact index, for ties at the edge
DEEPER = 8  # times as many candidates where those of an IVF index all tie
BRUTE_FORCE_BELOW = 0.1  # share of rows kept under which IVF loses recall and brute force is as fast
QUERIES_AT_ONCE = 1024

# FAISS multiplies matrices only where queries times dimension exceed this (128,000 by default): in 512 dimensions 64
# queries over 50,000 rows take 127 ms by default and 27 ms so; a single query stays a scan (two cores, one run).
faiss.cvar.distance_compute_blas_threshold = 1025


class FaissIndex:
    """The `Index` over a FAISS index and the stored vectors (n, dim) it was built from. Thread-safe."""

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

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def exact(self) -> bool:
        return self._exact

    @property
    def lists(self) -> int:
        """The inverted lists that a search could probe; 1 where there are none."""
        return int(getattr(self._index, "nlist", 1))

    def search(self, queries: Vectors, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
        if queries.ndim != 2 or queries.shape[1] != self.stored.shape[1]:
            raise QueryError(f"queries are {queries.shape}, the index has dimension {self.stored.shape[1]}")
        if k < 1:
            raise QueryError(f"k is {k}; ask for at least 1")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if keep is not None and (self._exact or len(keep) < BRUTE_FORCE_BELOW * len(self)):
            return search_rows(queries, self.stored, k, keep)
        blocks = [
            self._search_block(queries[start : start + QUERIES_AT_ONCE], k, keep)
            for start in range(0, len(queries), QUERIES_AT_ONCE)
        ]
        if not blocks:
            return Hits(np.zeros((0, k), dtype=np.int64), np.zeros((0, k), dtype=np.float32))
        return Hits(np.concatenate([b.rows for b in blocks]), np.concatenate([b.scores for b in blocks]))

    def _search_block(
        self,
        queries: Vectors,
        k: int,
        keep: NDArray[np.int64] | None,
        candidates: int | None = None,
        parameters: Mapping[str, int] | None = None,
    ) -> Hits:
        asked = min(len(self), candidates or (k + EDGE if self._exact else max(k * RERANK, 100)))
        if not asked:
            return search_rows(queries, self.stored, k)
        parameters = parameters or self.parameters
        rough, rows = self._index.search(queries, asked, params=self._search_parameters(parameters, keep))
        hits = best(rows, cosines(queries, self.stored, rows), k)
        if self._finds_cosines and asked < len(self):
            # more rows tie at the edge than were asked for: all of them are needed to order them by row
            tied = (rows[:, -1] >= 0) & (hits.scores[:, -1] <= rough[:, -1] + 2 * ROUNDING)
            if self._exact:
                _mend(hits, tied, lambda some: search_rows(queries[some], self.stored, k))
            else:
                _mend(hits, tied, lambda some: self._search_block(queries[some], k, keep, DEEPER * asked, parameters))
        if not self._exact and parameters.get("nprobe", 1) < self.lists:
            # the lists that were probed hold, or the filter left, fewer than there are
            there = len(self) if keep is None else len(keep)
            every_list = {**parameters, "nprobe": self.lists}
            short = hits.rows[:, min(k, there) - 1] < 0
            _mend(hits, short, lambda some: self._search_block(queries[some], k, keep, candidates, every_list))
        return hits

    def _search_parameters(self, parameters: Mapping[str, int], keep: NDArray[np.int64] | None) -> Any:
        """Passed with each call rather than set on the index, so that two threads cannot mix theirs."""
        if self._exact:
            return None
        values: dict[str, Any] = dict(parameters)
        if keep is not None:
            mask = np.zeros(len(self), dtype=bool)
            mask[keep] = True
            values["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]
        return faiss.SearchParametersIVF(**values)


def _mend(hits: Hits, wrong: NDArray[np.bool_], again: Callable[[NDArray[np.int64]], Hits]) -> None:
    """Put the answers of another search in place of some."""
    some = np.flatnonzero(wrong)
    if len(some):
        mended = again(some)
        hits.rows[some], hits.scores[some] = mended.rows, mended.scores


def empty_index(factory: str, rows: int, dim: int) -> Any:
    """The FAISS index that `factory` names, not yet trained for `rows` vectors of `dim` numbers.

    Raises QueryError where FAISS does not know the factory, where it is of no kind that is tuned here, or where the
    rows are too few.
    """
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except Exception as error:  # whatever its parser and allocator throw
        raise QueryError(f"{factory}: not a factory string that FAISS understands; try Flat or IVF256,Flat") from error
    if not isinstance(index, (faiss.IndexFlat, faiss.IndexIVF)):
        raise QueryError(f"{factory}: only Flat and IVF... indexes can be searched and tuned here")
    if isinstance(index, faiss.IndexIVF) and rows < index.nlist:
        raise QueryError(f"{factory}: {rows} rows cannot train {index.nlist} lists; use Flat or fewer lists")
    return index


def build_index(stored: Stored, factory: str, path: Path, *, seed: int = 0) -> FaissIndex:
    """Train and fill a FAISS index of the kind `factory` names and write it to `path`, whole or not at all.

    Training rows are a seeded random sample; the same seed, vectors and threads give the same index.
    Raises QueryError where FAISS does not know the factory or cannot train it on so few rows.
    """
    index = empty_index(factory, len(stored), stored.shape[1])
    if isinstance(index, faiss.IndexIVF):
        sample = np.random.default_rng(seed).permutation(len(stored))[: TRAIN_ROWS_PER_LIST * int(index.nlist)]
        index.cp.min_points_per_centroid = 1  # it would print a warning for every small collection
        try:
            index.train(unit(np.asarray(stored[np.sort(sample)])))
        except RuntimeError as error:  # such as a codec that wants more rows than the lists do
            raise QueryError(
                f"{factory}: FAISS cannot train it on {len(sample)} of {len(stored)} rows; use Flat or IVF...,Flat"
            ) from error
    for start in range(0, len(stored), ADD_ROWS):
        index.add(unit(np.asarray(stored[start : start + ADD_ROWS])))
    with replacing(path) as temporary:
        faiss.write_index(index, str(temporary))
    return FaissIndex(index, stored)


def open_index(path: Path, stored: Stored, parameters: Mapping[str, int] | None = None) -> FaissIndex:
    """Open an index written by `build_index`. Raises StaleIndexError where it does not belong to `stored`."""
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise StaleIndexError(f"{path}: missing or damaged; run retrieval build again") from error
    return FaissIndex(index, stored, parameters)
