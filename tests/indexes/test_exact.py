"""The meaning of a score."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.indexes import exact as cosine
from retrieval.indexes.exact import best, cosines, search_rows
from retrieval.shards.vectors import unit


def test_rows_have_length_one_and_zero_rows_stay_zero() -> None:
    rows = np.array([[3, 4], [0, 0], [6e-8, 0], [60000, 60000]], dtype=np.float16)
    lengths = np.linalg.norm(unit(rows), axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 1, 1], atol=1e-6)
    assert unit(rows).dtype == np.float32


def test_scores_of_float16_storage_are_cosines_again_and_not_off_by_its_rounding() -> None:
    stored = unit(np.random.default_rng(0).standard_normal((100, 64))).astype(np.float16)
    itself = cosines(unit(stored), stored, np.arange(100)[:, None])
    np.testing.assert_allclose(itself, 1.0, atol=3e-7)


def test_row_minus_one_scores_minus_infinity() -> None:
    stored = np.eye(3, dtype=np.float16)
    scores = cosines(np.eye(3, dtype=np.float32)[:1], stored, np.array([[0, -1, 2]]))
    assert scores.tolist() == [[1.0, -np.inf, 0.0]]


def test_scores_do_not_depend_on_how_many_are_computed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    stored, queries = unit(rng.standard_normal((500, 33))).astype(np.float16), unit(rng.standard_normal((9, 33)))
    rows = rng.integers(-1, 500, (9, 40))
    at_once = cosines(queries, stored, rows)
    monkeypatch.setattr(cosine, "BLOCK", 100)
    np.testing.assert_array_equal(cosines(queries, stored, rows), at_once)
    one_by_one = [
        [cosines(queries[q : q + 1], stored, rows[q : q + 1, j : j + 1])[0, 0] for j in range(40)] for q in range(9)
    ]
    np.testing.assert_array_equal(np.array(one_by_one), at_once)


def test_best_orders_by_score_then_row_and_pads() -> None:
    rows = np.array([[7, 2, -1, 5]])
    scores = np.array([[0.5, 0.5, -np.inf, 0.9]], dtype=np.float32)
    hits = best(rows, scores, 6)
    assert hits.rows.tolist() == [[5, 2, 7, -1, -1, -1]]
    assert hits.scores.tolist() == [[np.float32(0.9), 0.5, 0.5, -np.inf, -np.inf, -np.inf]]


@pytest.mark.parametrize("block", [1, 50, 1000])
@pytest.mark.parametrize("ties", [0, 5])
def test_brute_force_gives_the_same_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, block: int, ties: int
) -> None:
    rng = np.random.default_rng(2)
    stored = rng.integers(-1, 2, (300, 4)).astype(np.float16)
    queries = unit(rng.standard_normal((6, 4)))
    keep = np.flatnonzero(rng.random(300) < 0.6)
    expected = [search_rows(queries, stored, 17, kept) for kept in (None, keep)]
    monkeypatch.setattr(cosine, "BLOCK", block)
    monkeypatch.setattr(cosine, "TIES", ties)
    monkeypatch.setattr(cosine, "QUERIES_AT_ONCE", 4)
    for kept, before in zip((None, keep), expected, strict=True):
        hits = search_rows(queries, stored, 17, kept)
        np.testing.assert_array_equal(hits.rows, before.rows)
        np.testing.assert_array_equal(hits.scores, before.scores)


def test_a_row_that_rough_scores_put_just_behind_may_still_be_the_nearest() -> None:
    query, stored = np.array([1, 0], np.float32), np.array([[0.6, 0.8], [0.59999, 0.80001]], np.float32)
    nearest = cosine._Candidates(query, stored, 1)
    nearest.add(np.array([0, 1]), np.array([0.6 - 1.5 * cosine.ROUNDING, 0.6], np.float32))
    assert nearest.best().rows.tolist() == [[0]]
