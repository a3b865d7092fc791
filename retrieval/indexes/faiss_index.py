"""FAISS finds candidates, exact cosines from the memory map rank them."""

from __future__ import annotations

from collections.abc import Mapping
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
BRUTE_FORCE_BELOW = 0.1  # share of rows kept under which IVF loses recall and brute force is as fast
QUERIES_AT_ONCE = 1024


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

    def _search_block(self, queries: Vectors, k: int, keep: NDArray[np.int64] | None) -> Hits:
        asked = min(len(self), k + EDGE if self._exact else max(k * RERANK, 100))
        if not asked:
            return search_rows(queries, self.stored, k)
        rough, rows = self._index.search(queries, asked, params=self._search_parameters(keep))
        hits = best(rows, cosines(queries, self.stored, rows), k)
        if self._exact and asked < len(self):
            # more rows tie at the edge than were asked for: all of them are needed to order them by row
            open_edge = np.flatnonzero(hits.scores[:, -1] <= rough[:, -1] + 2 * ROUNDING)
            mended = search_rows(queries[open_edge], self.stored, k)
            hits.rows[open_edge], hits.scores[open_edge] = mended.rows, mended.scores
        return hits

    def _search_parameters(self, keep: NDArray[np.int64] | None) -> Any:
        """Passed with each call rather than set on the index, so that two threads cannot mix theirs."""
        if self._exact:
            return None
        values: dict[str, Any] = dict(self.parameters)
        if keep is not None:
            mask = np.zeros(len(self), dtype=bool)
            mask[keep] = True
            values["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]
        return faiss.SearchParametersIVF(**values)


def build_index(stored: Stored, factory: str, path: Path, *, seed: int = 0) -> FaissIndex:
    """Train and fill a FAISS index of the kind `factory` names and write it to `path`, whole or not at all.

    Training rows are a seeded random sample; the same seed, vectors and threads give the same index.
    Raises QueryError where FAISS does not know the factory or cannot train it on so few rows.
    """
    dim = stored.shape[1]
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise QueryError(f"{factory}: not a factory string that FAISS understands; try Flat or IVF256,Flat") from error
    if not isinstance(index, (faiss.IndexFlat, faiss.IndexIVF)):
        raise QueryError(f"{factory}: only Flat and IVF... indexes can be searched and tuned here")
    if isinstance(index, faiss.IndexIVF):
        lists = int(index.nlist)
        if len(stored) < lists:
            raise QueryError(f"{factory}: {len(stored)} rows cannot train {lists} lists; use Flat or fewer lists")
        sample = np.random.default_rng(seed).permutation(len(stored))[: TRAIN_ROWS_PER_LIST * lists]
        index.train(unit(np.asarray(stored[np.sort(sample)])))
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
