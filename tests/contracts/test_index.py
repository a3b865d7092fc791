"""The contract of an Index, over every index there is: the answer is that of a full sort in float64."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.indexes.exact import Stored, search_rows
from retrieval.indexes.faiss_index import FaissIndex
from retrieval.indexes.train import build_index
from retrieval.shards.vectors import unit
from retrieval.types import Hits, VectorIndex, Vectors

LISTS = 3
Make = Callable[[Stored], VectorIndex]


class BruteForce:
    """`search_rows` as an Index."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __len__(self) -> int:
        return len(self.stored)

    def search(self, queries: Vectors, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
        return search_rows(queries, self.stored, k, keep)


def faiss_index(stored: Stored, factory: str) -> FaissIndex:
    with tempfile.TemporaryDirectory() as folder:
        return build_index(stored, factory, Path(folder) / "index.faiss")


def all_lists_probed(stored: Stored) -> FaissIndex:
    index = faiss_index(stored, f"IVF{LISTS},Flat" if len(stored) >= LISTS else "Flat")
    index.parameters["nprobe"] = LISTS
    if index.exact:
        index.parameters.clear()
    return index


@pytest.fixture(
    params=[BruteForce, lambda stored: faiss_index(stored, "Flat"), all_lists_probed], ids=["rows", "flat", "ivf"]
)
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


def full_sort(queries: Vectors, stored: Stored, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
    """The meaning: every cosine in float64, rounded to float32, score descending, then row ascending."""
    rows = range(len(stored)) if keep is None else keep.tolist()
    vectors = unit(np.asarray(stored)).astype(np.float64)
    found = Hits(np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, np.float32))
    for q, query in enumerate(queries.astype(np.float64)):
        scores = {row: np.float32((query * vectors[row]).sum()) for row in rows}
        for place, row in enumerate(sorted(rows, key=lambda row: (-scores[row], row))[:k]):
            found.rows[q, place], found.scores[q, place] = row, scores[row]
    return found


def same(found: Hits, expected: Hits) -> None:
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.rows.dtype == np.int64
    assert found.scores.dtype == np.float32


def random_unit(rows: int, dim: int, seed: int) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((rows, dim)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_hits_are_those_of_a_full_sort(make: Make, dtype: type, k: int) -> None:
    stored = random_unit(300, 16, 0).astype(dtype)
    queries = random_unit(7, 16, 1)
    same(make(stored).search(queries, k), full_sort(queries, stored, k))


def test_hundreds_of_equal_rows_come_in_the_order_of_their_rows(make: Make) -> None:
    rng = np.random.default_rng(2)
    distinct = random_unit(4, 8, 3).astype(np.float16)
    stored = distinct[rng.integers(0, 4, 1200)]
    queries = np.concatenate([random_unit(3, 8, 4), unit(distinct[:2])])
    for k in (1, 10, 250):
        same(make(stored).search(queries, k), full_sort(queries, stored, k))


def test_a_tie_at_the_edge_is_cut_by_row(make: Make) -> None:
    stored = np.repeat(random_unit(2, 8, 5).astype(np.float16), [3, 400], axis=0)[::-1]
    query = unit(stored[-1:].astype(np.float32))
    hits = make(stored).search(query, 10)
    assert hits.rows[0].tolist() == [400, 401, 402, 0, 1, 2, 3, 4, 5, 6]


def test_vectors_that_differ_by_rounding_only_are_ordered_by_their_true_scores(make: Make) -> None:
    rng = np.random.default_rng(6)
    centre = random_unit(1, 64, 6)
    stored = unit(centre + 1e-4 * rng.standard_normal((500, 64)))
    queries = unit(centre + 1e-4 * rng.standard_normal((5, 64)))
    same(make(stored).search(queries, 20), full_sort(queries, stored, 20))


def test_more_hits_than_rows_are_padded_with_nothing(make: Make) -> None:
    stored = random_unit(5, 8, 7).astype(np.float16)
    queries = random_unit(2, 8, 8)
    hits = make(stored).search(queries, 9)
    same(hits, full_sort(queries, stored, 9))
    assert (hits.rows[:, 5:] == -1).all()
    assert (hits.scores[:, 5:] == -np.inf).all()


def test_an_index_of_nothing_finds_nothing(make: Make) -> None:
    hits = make(np.zeros((0, 8), np.float16)).search(random_unit(3, 8, 9), 4)
    assert hits.rows.tolist() == [[-1] * 4] * 3
    assert (hits.scores == -np.inf).all()


def test_no_queries_have_no_hits(make: Make) -> None:
    stored = random_unit(20, 8, 10).astype(np.float16)
    for keep in (None, np.array([1, 5])):
        hits = make(stored).search(np.zeros((0, 8), np.float32), 4, keep)
        assert hits.rows.shape == hits.scores.shape == (0, 4)


def test_a_zero_vector_scores_zero_with_everything(make: Make) -> None:
    stored = random_unit(40, 8, 11).astype(np.float16)
    stored[[3, 30]] = 0
    queries = np.concatenate([np.zeros((1, 8), np.float32), random_unit(2, 8, 12)])
    hits = make(stored).search(queries, 40)
    same(hits, full_sort(queries, stored, 40))
    assert hits.rows[0].tolist() == list(range(40))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.3, 0.9, 1.0])
def test_only_kept_rows_are_found(make: Make, share: float) -> None:
    stored = random_unit(200, 8, 13).astype(np.float16)
    queries = random_unit(5, 8, 14)
    keep = np.sort(np.random.default_rng(15).permutation(200)[: round(200 * share)])
    for k in (1, 12, 150):
        same(make(stored).search(queries, k, keep), full_sort(queries, stored, k, keep))


def test_one_kept_row_is_the_only_hit(make: Make) -> None:
    stored = random_unit(50, 8, 16).astype(np.float16)
    assert make(stored).search(random_unit(1, 8, 17), 3, np.array([49])).rows.tolist() == [[49, -1, -1]]


@pytest.mark.slow
def test_a_query_has_the_same_hits_and_scores_to_the_last_bit_in_any_batch(make: Make) -> None:
    stored = random_unit(400, 32, 18).astype(np.float16)
    queries = random_unit(2000, 32, 19)
    index = make(stored)
    together = index.search(queries, 5)
    for start, size in ((0, 1), (700, 1), (1999, 1), (10, 3), (1020, 8)):
        part = index.search(queries[start : start + size], 5)
        same(part, Hits(together.rows[start : start + size], together.scores[start : start + size]))


def test_queries_of_another_dimension_and_k_below_one_are_refused() -> None:
    index = faiss_index(random_unit(10, 8, 20), "Flat")
    for queries, k, said in (
        (np.zeros((1, 7), np.float32), 3, "dimension 8"),
        (np.zeros(8, np.float32), 3, "dimension 8"),
        (np.zeros((1, 8), np.float32), 0, "at least 1"),
    ):
        with pytest.raises(QueryError, match=said):
            index.search(queries, k)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 70), st.integers(0, 2**31), st.booleans())
def test_small_indexes_of_few_directions_agree_with_a_full_sort(
    rows: int, dim: int, k: int, seed: int, filtered: bool
) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(-1, 2, (rows, dim)).astype(np.float16)  # many equal, opposite and zero rows
    queries = unit(rng.integers(-2, 3, (3, dim)))
    keep = np.flatnonzero(rng.random(rows) < rng.random()) if filtered else None
    expected = full_sort(queries, stored, k, keep)
    for make in (BruteForce, lambda s: faiss_index(s, "Flat"), all_lists_probed):
        same(make(stored).search(queries, k, keep), expected)


def test_threads_with_different_depth_and_filter_do_not_disturb_each_other() -> None:
    stored = random_unit(3000, 16, 21).astype(np.float16)
    queries = random_unit(20, 16, 22)
    deep = faiss_index(stored, "IVF32,Flat")
    shallow = FaissIndex(deep._index, stored, {"nprobe": 1})
    deep.parameters["nprobe"] = 32
    keep = np.arange(0, 3000, 2)
    jobs = [(deep, None), (shallow, None), (deep, keep), (shallow, keep)]
    expected = [index.search(queries, 10, kept) for index, kept in jobs]
    wrong: list[int] = []

    def work(number: int) -> None:
        index, kept = jobs[number]
        for _ in range(15):
            hits = index.search(queries, 10, kept)
            if not np.array_equal(hits.rows, expected[number].rows):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not np.array_equal(expected[0].rows, expected[1].rows)
