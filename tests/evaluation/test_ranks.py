"""Exact ranks against a full float64 score matrix, and what ties, duplicates and NaN do to them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.ranks.one_way import STRIP_ROWS, relevant_ranks, top
from retrieval.evaluation.ranks.order import TIE, Positives, ranks_of

AXES = np.eye(4, dtype=np.float32)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def codes(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def oracle(
    queries: NDArray[np.float32],
    gallery: NDArray[np.float32],
    query_codes: NDArray[np.int64],
    gallery_codes: NDArray[np.int64],
    self_rows: NDArray[np.int64],
) -> list[list[int]]:
    """The order of all rows of every query, from a full float64 matrix, as (row ...) without the query itself."""
    scores = queries.astype(np.float64) @ gallery.astype(np.float64).T
    orders = []
    for query, row in enumerate(scores):
        relevant = (gallery_codes == query_codes[query]) & (query_codes[query] >= 0)
        keys = [(-(row[g] - TIE * relevant[g]).round(9), bool(relevant[g]), g) for g in range(len(gallery))]
        orders.append([g for _, _, g in sorted(keys) if g != self_rows[query]])
    return orders


def expected_ranks(order: list[int], code: int, gallery_codes: NDArray[np.int64]) -> list[int]:
    return [rank for rank, row in enumerate(order, 1) if gallery_codes[row] == code and code >= 0]


@st.composite
def problems(draw: st.DrawFn) -> dict[str, NDArray[np.generic]]:
    """Vectors from a small palette, so that many rows are the same; random codes; some queries are in the gallery."""
    dim = draw(st.integers(2, 6))
    palette = draw(arrays(np.float64, (draw(st.integers(1, 6)), dim), elements=st.integers(-3, 3)))
    assume((np.abs(palette).sum(axis=1) > 0).all())
    vectors = unit(palette)
    gaps = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    gaps = np.abs(gaps[:, :, None] - gaps[:, None, :])
    assume(((gaps < 5e-7) | (gaps > 5e-5)).all())  # between these, float32 and float64 may disagree about a tie
    nq, ng = draw(st.integers(0, 7)), draw(st.integers(1, 25))
    pick = st.integers(0, len(vectors) - 1)
    return {
        "queries": vectors[draw(arrays(np.int64, nq, elements=pick))].reshape(nq, dim),
        "gallery": vectors[draw(arrays(np.int64, ng, elements=pick))],
        "query_codes": draw(arrays(np.int64, nq, elements=st.integers(-1, 4))),
        "gallery_codes": draw(arrays(np.int64, ng, elements=st.integers(-1, 4))),
        "self_rows": draw(arrays(np.int64, nq, elements=st.integers(-1, ng - 1))),
    }


@settings(deadline=None)
@given(problems(), st.sampled_from([1, 300, 2**20]))
def test_ranks_equal_those_of_a_full_float64_matrix(problem, memory):
    orders = oracle(**problem)
    ranks = relevant_ranks(**problem, memory=memory)
    assert len(ranks) == len(orders)
    for query, order in enumerate(orders):
        assert ranks[query].tolist() == expected_ranks(order, problem["query_codes"][query], problem["gallery_codes"])


@settings(deadline=None)
@given(problems(), st.integers(1, 30), st.sampled_from([1, 300, 2**20]))
def test_the_top_rows_are_those_of_a_full_float64_matrix(problem, k, memory):
    hits = top(**problem, k=k, memory=memory)
    assert hits.rows.shape == hits.scores.shape == (len(problem["queries"]), k)
    for query, order in enumerate(oracle(**problem)):
        found = hits.rows[query][hits.rows[query] >= 0].tolist()
        relevant = set(Positives(problem["query_codes"], problem["gallery_codes"])[query].tolist())
        scores = hits.scores[query][: len(found)]
        assert len(found) == min(k, len(order))
        # Rows of one direction may differ by rounding, so that among them only scores and relevance are determined.
        assert [row in relevant for row in found] == [row in relevant for row in order[:k]]
        exact = problem["gallery"][order[:k]].astype(np.float64) @ problem["queries"][query].astype(np.float64)
        np.testing.assert_allclose(scores, exact, atol=1e-6)
        assert np.isneginf(hits.scores[query][len(found) :]).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_ranks_and_top_rows_are_the_same_order(seed):
    rng = np.random.default_rng(seed)
    gallery = unit(rng.standard_normal((60, 16)))[rng.integers(0, 60, 90)]
    queries = unit(gallery[:40] + 0.3 * rng.standard_normal((40, 16)))
    query_codes, gallery_codes = rng.integers(-1, 12, 40), rng.integers(-1, 12, 90)
    ranks = relevant_ranks(queries, gallery, query_codes, gallery_codes)
    rows = top(queries, gallery, query_codes, gallery_codes, k=90).rows
    for query in range(40):
        assert sorted(rows[query]) == list(range(90))
        assert ranks[query].tolist() == expected_ranks(list(rows[query]), query_codes[query], gallery_codes)


def test_a_hand_worked_query_with_three_relevant_rows():
    query = np.array([[1, 0]], np.float32)
    gallery = unit(np.array([[1, 0], [4, 3], [3, 4], [0, 1], [-1, 0]], float))  # cosines 1, 0.8, 0.6, 0, -1
    ranks = relevant_ranks(query, gallery, codes(7), codes(3, 7, 7, 3, 7))
    assert ranks[0].tolist() == [2, 3, 5]
    assert ranks.counts.tolist() == [3]
    assert ranks.queries.tolist() == [0, 0, 0]


def test_a_tie_with_an_irrelevant_row_counts_against_us():
    gallery = AXES[[0, 0, 0, 1]]
    assert relevant_ranks(AXES[:1], gallery, codes(5), codes(5, 1, 1, 1))[0].tolist() == [3]
    assert top(AXES[:1], gallery, codes(5), codes(5, 1, 1, 1), k=4).rows.tolist() == [[1, 2, 0, 3]]


def test_ties_among_relevant_rows_stand_in_the_order_of_rows():
    gallery = AXES[[1, 0, 0, 0]]
    assert relevant_ranks(AXES[:1], gallery, codes(5), codes(1, 5, 5, 5))[0].tolist() == [1, 2, 3]
    assert top(AXES[:1], gallery, codes(5), codes(1, 5, 5, 5), k=4).rows.tolist() == [[1, 2, 3, 0]]


@pytest.mark.parametrize("direction", ["equal coordinates", "random"])
@pytest.mark.parametrize("dim", [64, 512, 640, 768, 1000])
@pytest.mark.parametrize("queries", [1, 3, 37])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_constant_encoder_puts_every_relevant_row_behind_all_others(dim, queries, dtype, direction):
    rng = np.random.default_rng(dim)
    one = np.ones(dim) if direction == "equal coordinates" else rng.standard_normal(dim)
    gallery = np.tile(unit(one[None]), (1003, 1)).astype(dtype)
    gallery_codes = np.arange(1003)
    ranks = relevant_ranks(gallery[:queries].astype(np.float32), gallery, gallery_codes[:queries], gallery_codes)
    assert ranks.ranks.tolist() == [1003] * queries


def test_an_encoder_that_matches_every_pair_ranks_all_first_wherever_they_lie_in_a_tile():
    vectors = unit(np.random.default_rng(3).standard_normal((STRIP_ROWS + 700, 96)))
    code = np.arange(len(vectors))
    assert (relevant_ranks(vectors, vectors, code, code).ranks == 1).all()


def test_a_query_without_relevant_rows_has_no_rank():
    ranks = relevant_ranks(AXES[:3], AXES, codes(-1, 2, 9), codes(-1, -1, 2, 2))
    assert [ranks[query].tolist() for query in range(3)] == [[], [3, 4], []]
    assert ranks.counts.tolist() == [0, 2, 0]


def test_the_query_itself_is_left_out_of_the_gallery():
    code = codes(1, 1, 2, 2)
    near = unit(np.array([[10, 0], [10, 2], [10, 3], [10, 9]], float))
    ranks = relevant_ranks(near, near, code, code, self_rows=codes(0, 1, 2, -1))
    assert [ranks[query].tolist() for query in range(4)] == [[1], [2], [3], [1, 2]]
    hits = top(near, near, code, code, k=4, self_rows=codes(0, 1, 2, -1))
    assert hits.rows.tolist() == [[1, 2, 3, -1], [2, 0, 3, -1], [1, 0, 3, -1], [3, 2, 1, 0]]


def test_a_query_alone_in_the_gallery_has_no_rank():
    ranks = relevant_ranks(AXES[:1], AXES[:1], codes(1), codes(1), self_rows=codes(0))
    assert len(ranks) == 1
    assert ranks.ranks.tolist() == []


def test_a_gallery_of_one_row_and_k_beyond_it():
    assert relevant_ranks(AXES[:1], AXES[1:2], codes(4), codes(4))[0].tolist() == [1]
    hits = top(AXES[:1], AXES[1:2], codes(4), codes(4), k=3)
    assert hits.rows.tolist() == [[0, -1, -1]]
    assert hits.scores.tolist() == [[0, -np.inf, -np.inf]]


def test_an_empty_gallery_answers_nothing():
    nothing = np.empty((0, 4), np.float32)
    assert relevant_ranks(AXES, nothing, codes(1, 2, 3, 4), codes()).counts.tolist() == [0, 0, 0, 0]
    assert (top(AXES, nothing, codes(1, 2, 3, 4), codes(), k=2).rows == -1).all()
    assert len(relevant_ranks(nothing, AXES, codes(), codes(1, 2, 3, 4))) == 0


def test_a_memory_mapped_float16_gallery_gives_the_ranks_of_its_float32_values(tmp_path: Path):
    rng = np.random.default_rng(5)
    gallery = unit(rng.standard_normal((700, 24))).astype(np.float16)
    np.save(tmp_path / "gallery.npy", gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    queries, code = unit(gallery + rng.standard_normal((700, 24))), np.arange(700) // 2
    exact = relevant_ranks(queries, gallery.astype(np.float32), code, code)
    assert relevant_ranks(queries, mapped, code, code, memory=50_000).ranks.tolist() == exact.ranks.tolist()


def test_memory_stays_within_its_bound():
    rng = np.random.default_rng(8)
    gallery = unit(rng.standard_normal((20_000, 16))).astype(np.float16)
    queries, code = gallery[:600].astype(np.float32), np.arange(20_000)
    bound = 8 * 2**20  # the full matrix would take 48 MB
    tracemalloc.start()
    relevant_ranks(queries, gallery, code[:600], code, memory=bound)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < bound


def test_positives_are_the_rows_of_the_same_code():
    positives = Positives(codes(2, -1, 3), codes(3, 2, -1, 2), self_rows=codes(-1, -1, 0))
    assert [positives[query].tolist() for query in range(len(positives))] == [[1, 3], [], []]


@pytest.mark.parametrize("side", ["query", "gallery"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused_by_row(side, value):
    vectors = AXES.copy()
    vectors[2, 1] = value
    sides = (vectors, AXES) if side == "query" else (AXES, vectors)
    with pytest.raises(QueryError, match=f"{side} row 2 holds a value that is not finite"):
        relevant_ranks(*sides, np.arange(4), np.arange(4))


def test_vectors_and_codes_that_do_not_fit_are_refused():
    with pytest.raises(QueryError, match="not vectors of one length"):
        relevant_ranks(AXES, AXES[:, :3], np.arange(4), np.arange(4))
    with pytest.raises(QueryError, match="4 queries and 4 gallery rows have 4 and 3 codes"):
        relevant_ranks(AXES, AXES, np.arange(4), np.arange(3))
    with pytest.raises(QueryError, match="4 queries have 2 self rows"):
        relevant_ranks(AXES, AXES, np.arange(4), np.arange(4), self_rows=codes(0, 1))
    with pytest.raises(QueryError, match="cannot return 0 hits"):
        top(AXES, AXES, np.arange(4), np.arange(4), k=0)


def test_a_positive_exactly_at_anothers_bar_is_not_counted_against_it():
    scores = np.ones(2)
    scores[1:] -= TIE
    assert ranks_of(np.array([2, 2]), scores, np.array([0, 2])).tolist() == [1, 2]
