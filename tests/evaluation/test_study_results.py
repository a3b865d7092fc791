"""Curves, chance, histograms, p-values and strata: each against the slow simple way of counting it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.evaluation.bootstrap import differences, estimates, paired, share_within
from retrieval.evaluation.strata import LARGEST, QUANTILES, UNKNOWN, strata
from retrieval.evaluation.study.curves import chance_within, curve, histogram

QUERIES = st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 60)), st.integers(-1, 5)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(QUERIES, st.integers(0, 9))
def test_a_curve_is_the_estimate_of_each_hit_rate_to_the_bit(queries: list[tuple[int | None, int]], seed: int) -> None:
    ranks = np.array([math.nan if rank is None else rank for rank, _ in queries])
    clusters = np.array([cluster for _, cluster in queries])
    ks = [10, 1, 3, 59, 100]
    found = share_within(ranks, ks, clusters, resamples=20, seed=seed)
    for k, estimate in zip(ks, found, strict=True):
        hit = np.where(np.isnan(ranks), np.nan, ranks <= k)
        assert estimate == estimates({"hit_rate": hit}, clusters, resamples=20, seed=seed)["hit_rate"]


def test_a_curve_goes_to_a_hundred_or_the_gallery_and_ends_with_everything_found() -> None:
    ranks, positives, clusters = np.array([1.0, 7.0, 3.0]), np.array([1, 1, 1]), np.arange(3)
    found = curve(ranks, positives, 7, clusters, resamples=5, seed=0)
    assert found.ks == [1, 2, 3, 4, 5, 6, 7]
    assert [estimate.value for estimate in found.hit_rates] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 1]
    )
    assert found.chance == pytest.approx([k / 7 for k in found.ks])
    assert curve(ranks, positives, 500, clusters, resamples=0, seed=0).ks[-1] == 100


@pytest.mark.parametrize("positives", [[1], [2], [3, 1, 0], [6], [2, 2, 5]])
def test_chance_is_counted_over_all_orders(positives: list[int]) -> None:
    gallery, ks = 6, [0, 1, 2, 5, 6]
    slow = []
    for k in ks:
        shares = []
        for answers in filter(None, positives):
            places = list(itertools.combinations(range(gallery), answers))
            shares.append(sum(min(place) < k for place in places) / len(places))
        slow.append(sum(shares) / len(shares))
    assert chance_within(np.array(positives), gallery, ks).tolist() == pytest.approx(slow)


def test_bins_double_hold_every_answerable_query_once_and_all_of_chance() -> None:
    ranks = np.array([1, 2, 3, 4, 7, 8, 100, math.nan])
    found = histogram(ranks, np.array([1] * 7 + [0]), 100)
    assert found.first == [1, 2, 4, 8, 16, 32, 64, 101]
    assert found.queries == [1, 2, 2, 1, 0, 0, 1]
    assert found.median == 4
    assert sum(found.chance) == pytest.approx(7)
    assert found.chance[1] == pytest.approx(7 * 2 / 100)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=4, max_size=30), st.integers(0, 5))
def test_differences_are_those_of_paired_with_a_p_value(pairs: list[tuple[float, float]], seed: int) -> None:
    first, second = ({"m": np.array(side)} for side in zip(*pairs, strict=True))
    (found,) = differences(first, second, resamples=60, seed=seed).values()
    (plain,) = paired(first, second, resamples=60, seed=seed).values()
    assert (found.value, found.interval, found.queries, found.clusters) == (
        plain.value,
        plain.interval,
        plain.queries,
        plain.clusters,
    )
    assert found.p_value is not None
    assert 2 / 61 <= found.p_value <= 1


def test_a_steady_difference_has_a_small_p_value_and_none_has_one() -> None:
    rng = np.random.default_rng(0)
    second = {"m": rng.random(200)}
    better = {"m": second["m"] + 0.1 + 0.05 * rng.random(200)}
    assert differences(better, second, resamples=500)["m"].p_value == pytest.approx(2 / 501)
    assert differences(second, better, resamples=500)["m"].p_value == pytest.approx(2 / 501)
    assert differences(second, second, resamples=500)["m"].p_value == 1
    assert differences(better, second, resamples=0)["m"].p_value is None


def test_chance_differences_are_rarely_significant() -> None:
    rng = np.random.default_rng(1)
    found = [
        differences({"m": rng.random(60)}, {"m": rng.random(60)}, resamples=100, seed=seed)["m"].p_value
        for seed in range(100)
    ]
    assert sum(p is not None and p < 0.05 for p in found) <= 12


def named(values: pa.Array) -> list[str]:
    found = strata(pa.chunked_array([values]))
    return [found.names[code] for code in found.codes]


def test_the_largest_values_come_first_and_the_rest_share_a_stratum() -> None:
    values = [f"v{number}" for number in range(15) for _ in range(20 - number)]
    found = strata(pa.chunked_array([pa.array(values)]))
    assert found.names == [*(f"v{number}" for number in range(LARGEST)), "3 other values"]
    assert np.bincount(found.codes).tolist() == [*range(20, 8, -1), 8 + 7 + 6]


def test_what_is_missing_blank_or_not_a_number_is_not_known() -> None:
    assert named(pa.array(["a", None, " ", "b", "a"])) == ["a", UNKNOWN, UNKNOWN, "b", "a"]
    assert named(pa.array([1.5, None, math.nan, 2.0])) == ["1.5", UNKNOWN, UNKNOWN, "2"]
    assert named(pa.array([True, False, None])) == ["true", "false", UNKNOWN]
    assert named(pa.array([None, None], pa.string())) == [UNKNOWN, UNKNOWN]
    assert named(pa.array([None, None], pa.int64())) == [UNKNOWN, UNKNOWN]


def test_a_number_with_few_values_is_cut_by_value_in_order() -> None:
    found = strata(pa.chunked_array([pa.array([2010, 1999, 2010, 2004])]))
    assert found.names == ["1999", "2004", "2010"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=200))
def test_a_number_with_many_values_is_cut_into_quantiles_that_do_not_overlap(values: list[int]) -> None:
    found = strata(pa.chunked_array([pa.array(values)]))
    inside = [
        sorted(v for v, code in zip(values, found.codes, strict=True) if code == n) for n in range(len(found.names))
    ]
    assert all(inside)
    assert all(one[-1] < other[0] for one, other in itertools.pairwise(inside))
    if len(set(values)) > LARGEST:
        assert len(inside) <= QUANTILES
        for name, its in zip(found.names, inside, strict=True):
            assert name == (str(its[0]) if its[0] == its[-1] else f"{its[0]}–{its[-1]}")
    else:
        assert found.names == [str(value) for value in sorted(set(values))]


def test_quantiles_of_distinct_numbers_are_equally_large() -> None:
    found = strata(pa.chunked_array([pa.array(np.random.default_rng(0).permutation(100))]))
    assert found.names == ["0–19", "20–39", "40–59", "60–79", "80–99"]
    assert np.bincount(found.codes).tolist() == [20] * 5
