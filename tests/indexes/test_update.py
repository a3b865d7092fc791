"""A FAISS index brought up to date answers as one filled anew behind the same trained quantizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.indexes.faiss_import import faiss
from retrieval.indexes.train import build_index
from retrieval.indexes.update import change_index, clears_tails
from retrieval.shards.vectors import unit

ROWS, DIM = 1500, 16


def vectors(rows: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((rows, DIM))).astype(np.float16)


@pytest.mark.parametrize(
    "factory", ["IVF16,Flat", "IVF16,PQ4x4fsr", "IVF16,PQ4x4fs", "IVF16,SQ8", "OPQ4,IVF16,PQ4x4fsr"]
)
@pytest.mark.parametrize(("gone", "new"), [(400, 0), (0, 300), (333, 200), (1499, 7)])
def test_it_answers_as_an_index_filled_anew(tmp_path: Path, factory: str, gone: int, new: int) -> None:
    stored = vectors(ROWS, 0)
    build_index(stored, factory, tmp_path / "i")
    kept = np.sort(np.random.default_rng(1).permutation(ROWS)[gone:])
    rows = np.full(ROWS, -1)
    rows[kept] = np.arange(len(kept))
    now = np.concatenate([stored[kept], vectors(new, 2)])
    anew = faiss.read_index(str(tmp_path / "i"))
    anew.reset()
    anew.add(unit(now))
    changed = change_index(tmp_path / "i", rows, now)
    assert changed is not None
    assert len(changed) == len(now)
    written = faiss.read_index(str(tmp_path / "i"))
    for index in (anew, written):
        faiss.extract_index_ivf(index).nprobe = 16
    k = min(10, len(now))
    scores, found = written.search(unit(now[:200]), k)
    wanted_scores, wanted = anew.search(unit(now[:200]), k)
    np.testing.assert_array_equal(scores, wanted_scores)
    # of rows whose codes tie, FAISS answers whichever stands first in its list, and removing moves the last one there
    above_the_edge = scores > scores[:, -1:]
    for row in range(len(scores)):
        assert set(found[row][above_the_edge[row]]) == set(wanted[row][above_the_edge[row]])


def test_every_row_is_found_by_itself_after_many_changes(tmp_path: Path) -> None:
    now = vectors(ROWS, 0)
    build_index(now, "IVF16,PQ8x4fsr", tmp_path / "i")
    rng = np.random.default_rng(3)
    for change in range(5):
        kept = np.sort(rng.permutation(len(now))[200:])
        rows = np.full(len(now), -1)
        rows[kept] = np.arange(len(kept))
        now = np.concatenate([now[kept], vectors(250, 10 + change)])
        index = change_index(tmp_path / "i", rows, now)
    assert index is not None
    index.parameters.update({"nprobe": 16, "k_factor": 50})
    hits = index.search(unit(now), 1)
    np.testing.assert_array_equal(hits.rows[:, 0], np.arange(len(now)))


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "SQ8"])
def test_an_index_without_lists_is_left_for_a_new_one(tmp_path: Path, factory: str) -> None:
    stored = vectors(300, 0)
    build_index(stored, factory, tmp_path / "i")
    before = (tmp_path / "i").read_bytes()
    assert change_index(tmp_path / "i", np.arange(300), stored) is None
    assert (tmp_path / "i").read_bytes() == before


def test_a_file_of_other_rows_or_none_is_left_for_a_new_one(tmp_path: Path) -> None:
    stored = vectors(300, 0)
    build_index(stored, "IVF4,Flat", tmp_path / "i")
    assert change_index(tmp_path / "i", np.arange(299), stored) is None
    (tmp_path / "i").write_bytes(b"x")
    assert change_index(tmp_path / "i", np.arange(300), stored) is None


def test_this_faiss_has_tails_that_are_cleared_as_is_assumed() -> None:
    """True of FAISS 1.15. With another one that is not so, a change builds a new index."""
    assert clears_tails() is True, faiss.__version__


def test_without_clearing_the_self_test_fails_and_a_new_index_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.indexes.update._clear_tails", lambda ivf: None)
    assert clears_tails.__wrapped__() is False
    monkeypatch.setattr("retrieval.indexes.update.clears_tails", lambda: False)
    vectors = unit(np.random.default_rng(0).standard_normal((200, 16)))
    build_index(vectors, "IVF4,Flat", tmp_path / "i.faiss")
    rows = np.arange(200)
    rows[:3] = -1
    rows[3:] -= 3
    assert change_index(tmp_path / "i.faiss", rows, vectors[3:]) is None
