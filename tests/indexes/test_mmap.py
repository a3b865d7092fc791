"""The memory map as FAISS reads it: no copy, the same answers, and the file untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.indexes.exact import search_rows
from retrieval.indexes.faiss_import import faiss
from retrieval.indexes.mmap import FEW_QUERIES, MappedRows, reads_in_place
from retrieval.shards.vectors import unit


def some(rows: int, dim: int = 48, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((rows, dim))).astype(np.float16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "rows.npy", some(700))
    return tmp_path / "rows.npy"


def test_a_memory_map_is_read_in_place_and_its_file_stays_as_it_is(file: Path) -> None:
    before = file.read_bytes()
    rows = MappedRows(np.load(file, mmap_mode="r"))
    assert rows.index.ntotal == 700
    assert not rows.index.codes.is_owned
    queries = unit(some(5, seed=1))
    scores, found = rows.index.search(queries, 3)
    expected = queries @ some(700).astype(np.float32).T
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :3], atol=1e-6)
    np.testing.assert_array_equal(found[:, 0], expected.argmax(axis=1))
    assert file.read_bytes() == before
    np.testing.assert_array_equal(rows.stored, some(700))


def test_pages_that_were_given_back_are_read_again(file: Path) -> None:
    rows = MappedRows(np.load(file, mmap_mode="r"))
    queries = unit(some(2, seed=1))
    before = rows.scan(queries, 4)
    rows.release()
    after = rows.scan(queries, 4)
    np.testing.assert_array_equal(after.rows, before.rows)
    np.testing.assert_array_equal(after.scores, before.scores)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("count", [1, FEW_QUERIES, FEW_QUERIES + 1])
@pytest.mark.parametrize("kept", [None, 0, 1, 90, 500])
def test_a_scan_finds_exactly_what_brute_force_finds(dtype: type, count: int, kept: int | None) -> None:
    stored = some(600).astype(dtype)
    queries = unit(some(count, seed=2))
    keep = None if kept is None else np.sort(np.random.default_rng(3).permutation(600)[:kept])
    for k in (1, 10, 200):
        found, expected = MappedRows(stored).scan(queries, k, keep), search_rows(queries, stored, k, keep)
        np.testing.assert_array_equal(found.rows, expected.rows)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_rows_that_the_rounding_of_lengths_could_reorder_are_settled_exactly() -> None:
    rng = np.random.default_rng(4)
    centre = unit(rng.standard_normal((1, 48)))
    stored = unit(centre + 1e-3 * rng.standard_normal((900, 48))).astype(np.float16)
    stored[300:] = stored[299]  # six hundred ties, far more than the candidates beyond k
    queries = unit(centre + 1e-3 * rng.standard_normal((3, 48)))
    found, expected = MappedRows(stored).scan(queries, 12), search_rows(queries, stored, 12)
    np.testing.assert_array_equal(found.rows, expected.rows)


def test_this_faiss_reads_a_memory_map_in_place() -> None:
    """True of FAISS 1.15. With another one that is not so, vectors are copied, which takes memory and no answer."""
    assert reads_in_place() is True, faiss.__version__


def test_vectors_are_copied_where_faiss_does_not_read_them_in_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, queries = np.load(file, mmap_mode="r"), unit(some(3, seed=1))
    in_place = MappedRows(stored).scan(queries, 5)
    monkeypatch.setattr("retrieval.indexes.mmap.reads_in_place", lambda: False)
    copied = MappedRows(stored)
    assert copied.index.ntotal == 700
    np.testing.assert_array_equal(copied.scan(queries, 5).rows, in_place.rows)
    np.testing.assert_array_equal(copied.scan(queries, 5).scores, in_place.scores)


def test_a_faiss_that_writes_indexes_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header is longer by eight bytes: the numbers that are written into it come to stand elsewhere."""
    serialize = faiss.serialize_index
    monkeypatch.setattr(faiss, "serialize_index", lambda index: np.append(serialize(index), np.zeros(8, np.uint8)))
    assert reads_in_place.__wrapped__() is False
