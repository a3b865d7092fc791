"""A FAISS index for rows that changed: without those that are gone and with those that are new, not trained again."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import StaleIndexError
from retrieval.files import replacing
from retrieval.indexes.exact import Stored
from retrieval.indexes.factory import inverted_lists
from retrieval.indexes.faiss_import import faiss
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.indexes.train import fill_index
from retrieval.types import Progress, Silent


def change_index(
    path: Path, rows: NDArray[np.int64], stored: Stored, progress: Progress | None = None
) -> FaissIndex | None:
    """Bring the index at `path` to the vectors `stored` (n, dim), and write it there, whole or not at all.

    `rows` (m,) says for each of its rows which row of `stored` it is, ascending, or -1 where it is gone; those of
    `stored` after the last of them are new. Gives None, and leaves the file, where only a new index will do: it has no
    inverted lists, is damaged, or holds other rows than `rows` is about.
    """
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:
        return None
    ivf = inverted_lists(index)
    if ivf is None or index.ntotal != len(rows) or index.d != stored.shape[1]:
        return None
    gone = np.flatnonzero(rows < 0)
    if len(gone) and not clears_tails():
        return None
    if len(gone):
        ivf.remove_ids(faiss.IDSelectorBatch(gone))
        _clear_tails(ivf)
    _renumber(ivf, rows)
    if ivf.ntotal != len(rows) - len(gone):
        raise StaleIndexError(f"{path}: holds other rows than it was built of; delete it and run retrieval build again")
    _set_counts(index, ivf.ntotal)
    fill_index(index, stored, None, progress or Silent())
    with replacing(path) as temporary:
        faiss.write_index(index, str(temporary))
    return FaissIndex(index, stored)


def _renumber(ivf: Any, rows: NDArray[np.int64]) -> None:
    """FAISS keeps the number of a row beside its code; removing leaves the others as they were."""
    for number in range(ivf.nlist):
        size = ivf.invlists.list_size(number)
        if size:
            ids = faiss.rev_swig_ptr(ivf.invlists.get_ids(number), size)
            ids[:] = rows[ids]


def _clear_tails(ivf: Any) -> None:
    """Zero the codes behind the last row of each list. Fast-scan codes lie in blocks of 32 rows; removing leaves the
    old ones there, and adding then writes over them by OR, so that new rows would get nobody's codes (FAISS 1.15.1)."""
    lists = faiss.downcast_InvertedLists(ivf.invlists)
    if not isinstance(lists, faiss.BlockInvertedLists):
        return
    nothing = np.zeros(lists.packer.code_size, np.uint8)
    for number in range(ivf.nlist):
        blocks, used = divmod(lists.list_size(number), lists.n_per_block)
        if used:
            codes = faiss.rev_swig_ptr(lists.get_codes(number), (blocks + 1) * lists.block_size)
            last = codes[blocks * lists.block_size :].reshape(1, -1)
            for offset in range(used, lists.n_per_block):
                lists.packer.pack_1(nothing, offset, last)


@cache
def clears_tails() -> bool:
    """Whether `_clear_tails` makes this FAISS's lists of fast-scan codes whole again: tried once, on a small index.

    It writes into FAISS's own blocks, as they are in FAISS 1.15. Where that is not true, a new index is built instead.
    """
    vectors = np.random.default_rng(0).standard_normal((96, 8)).astype(np.float32)
    try:
        index = faiss.index_factory(8, "IVF2,PQ4x4fs", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        fresh = faiss.clone_index(index)
        index.add(vectors[:64])
        index.remove_ids(faiss.IDSelectorBatch(np.arange(0, 64, 3)))
        _clear_tails(index)
        left = np.setdiff1d(np.arange(64), np.arange(0, 64, 3))
        index.add_with_ids(vectors[64:], np.arange(64, 96))
        rows = np.concatenate([left, np.arange(64, 96)])
        fresh.add_with_ids(vectors[rows], rows)
        index.nprobe = fresh.nprobe = 2
        both = [sorted(zip(*map(np.ravel, one.search(vectors[:1], 10)), strict=True)) for one in (index, fresh)]
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    return bool(np.allclose([score for score, _ in both[0]], [score for score, _ in both[1]]))


def _set_counts(index: Any, rows: int) -> None:
    """Tell the transformations around an IVF index how many rows it has now: FAISS asks each of them."""
    index = faiss.downcast_index(index)
    index.ntotal = rows
    if isinstance(index, faiss.IndexPreTransform):
        _set_counts(index.index, rows)
