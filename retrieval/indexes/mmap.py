"""The memory-mapped vectors as a FAISS index without a copy, and exact search by scanning them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.indexes.exact import ROUNDING, Stored, best, cosines, read_here_and_there, release, search_rows
from retrieval.indexes.faiss_import import faiss
from retrieval.types import Hits, Vectors

FEW_QUERIES = 4  # a scan costs 45 ns a row and query (dim 512); from five queries on one conversion for all is cheaper
MORE = 100  # candidates beyond k, so that the proof below seldom fails
COPIED = 1 << 16  # rows that are converted at once where they have to be copied
HALF_LENGTH = 2.0**-11  # rounding to float16 changes each coordinate, and so the length, by no more than this share


class MappedRows:
    """The stored rows (n, dim), as numpy and as FAISS read them (inner product, lengths as they are). Thread-safe."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.index, self._map = _as_index(stored)

    def release(self) -> None:
        """Give back the resident pages of the memory map; what is read again comes from the page cache."""
        release(self._map)
        release(self.stored)

    def scan(self, queries: Vectors, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
        """Exactly what `search_rows` finds, for few queries several times as fast.

        The scan's scores are those of rows whose length float16 has moved by up to `HALF_LENGTH`. Where the last of
        the candidates scores so much less than the k-th hit, no other row can be a hit; else `search_rows` decides.
        """
        there = len(self.stored) if keep is None else len(keep)
        asked = min(there, k + MORE)
        if len(queries) > FEW_QUERIES or asked < 1:
            return search_rows(queries, self.stored, k, keep)
        parameters = None if keep is None else faiss.SearchParameters(sel=selector(keep, len(self.stored)))
        rough, rows = self.index.search(queries, asked, params=parameters)
        hits = best(rows, cosines(queries, self.stored, rows), k)
        if asked < there:
            unproven = np.flatnonzero(hits.scores[:, -1] <= rough[:, -1] + HALF_LENGTH + 2 * ROUNDING)
            if len(unproven):
                exact = search_rows(queries[unproven], self.stored, k, keep)
                hits.rows[unproven], hits.scores[unproven] = exact.rows, exact.scores
        return hits


def _as_index(stored: Stored) -> tuple[Any, np.memmap[Any, Any] | None]:
    """A FAISS index over the rows, and the map that it reads from where they lie in a file and were not copied."""
    rows, dim = stored.shape
    if stored.dtype == np.float32:
        flat = faiss.IndexFlatIP(dim)
        flat.add(np.ascontiguousarray(stored))
        return flat, None
    if isinstance(stored, np.memmap) and stored.filename is not None and reads_in_place():
        found = _in_place(stored)
        if found is not None:
            return found
    index = _half_precision(dim)
    for start in range(0, rows, COPIED):
        index.add(np.asarray(stored[start : start + COPIED], np.float32))
    return index, None


def _half_precision(dim: int) -> Any:
    index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    return index


def _in_place(stored: np.memmap[Any, Any]) -> tuple[Any, np.memmap[Any, Any]] | None:
    """The rows of a .npy file as a FAISS index without a copy; None where its header leaves no room.

    FAISS reads an index from memory in place where its data follow its header. The file is therefore mapped privately,
    and the end of its .npy header overwritten in that private page; the file itself stays as it is. This assumes how
    FAISS writes an index down, which `reads_in_place` tries first.
    """
    rows, dim = stored.shape
    header = faiss.serialize_index(_half_precision(dim)).copy()
    if stored.filename is None or stored.offset < len(header):
        return None
    header[8:16] = np.frombuffer(np.int64(rows).tobytes(), np.uint8)  # ntotal, behind the kind and dimension
    header[-8:] = np.frombuffer(np.int64(2 * rows * dim).tobytes(), np.uint8)  # bytes of the codes that follow
    file = np.memmap(stored.filename, np.uint8, mode="c")
    begin = stored.offset - len(header)
    file[begin : stored.offset] = header
    read_here_and_there(file)
    return faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(file[begin:]), len(file) - begin)), file


@cache
def reads_in_place() -> bool:
    """Whether this FAISS reads vectors from a memory map as `_in_place` assumes: tried once, on a small file.

    True of FAISS 1.12 to 1.15 (tests/indexes/test_mmap.py says of which it was seen). Where it is not, vectors are
    copied into memory, and every answer is the same.
    """
    rows = np.arange(35, dtype=np.float16).reshape(7, 5) / 8
    try:
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "rows.npy", rows)
            found = _in_place(np.load(Path(folder) / "rows.npy", mmap_mode="r"))
            if found is None or found[0].ntotal != len(rows):
                return False
            scores, places = found[0].search(np.eye(5, dtype=np.float32), len(rows))
            del found
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    return all(np.allclose(scores[axis], rows[places[axis], axis]) for axis in range(5))


def selector(keep: NDArray[np.int64], rows: int) -> Any:
    """What FAISS wants in order to return only the rows `keep` of so many."""
    mask = np.zeros(rows, dtype=bool)
    mask[keep] = True
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
