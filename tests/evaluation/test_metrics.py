"""Measures worked by hand, and the bootstrap against resampling done the long way."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import QueryError
from retrieval.evaluation import metrics
from retrieval.evaluation.bootstrap import Estimate, estimates, paired
from retrieval.evaluation.metrics import per_query
from retrieval.evaluation.ranks.one_way import relevant_ranks
from retrieval.evaluation.ranks.order import Ranks

WORKED = [[1], [3], [2, 3, 7], [], [1, 2], [4, 5, 6, 60]]


def ranks_of(queries: list[list[int]]) -> Ranks:
    return Ranks(
        np.array([rank for ranks in queries for rank in ranks], np.int64),
        np.cumsum([0] + [len(ranks) for ranks in queries]),
    )


def listed(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def test_hit_rate_asks_for_any_relevant_row():
    assert listed(metrics.hit_rate(ranks_of(WORKED), 1)) == [1, 0, 0, None, 1, 0]
    assert listed(metrics.hit_rate(ranks_of(WORKED), 3)) == [1, 1, 1, None, 1, 0]


def test_recall_is_the_share_of_relevant_rows():
    assert listed(metrics.recall(ranks_of(WORKED), 1)) == [1, 0, 0, None, 1 / 2, 0]
    assert listed(metrics.recall(ranks_of(WORKED), 3)) == [1, 1, 2 / 3, None, 1, 0]
    assert listed(metrics.recall(ranks_of(WORKED), 10)) == [1, 1, 1, None, 1, 3 / 4]


def test_k_beyond_the_gallery_finds_everything():
    assert listed(metrics.recall(ranks_of(WORKED), 10**6)) == [1, 1, 1, None, 1, 1]


def test_reciprocal_rank_is_that_of_the_best_relevant_row():
    values = metrics.reciprocal_rank(ranks_of(WORKED))
    assert listed(values) == [1, 1 / 3, 1 / 2, None, 1, 1 / 4]
    assert estimates({"mrr": values})["mrr"].value == (1 + 1 / 3 + 1 / 2 + 1 + 1 / 4) / 5


def test_best_rank_gives_mean_and_median():
    values = per_query(ranks_of(WORKED))
    assert listed(values["median_rank"]) == [1, 3, 2, None, 1, 4]
    found = estimates(values)
    assert found["median_rank"].value == 2
    assert found["mean_rank"].value == (1 + 3 + 2 + 1 + 4) / 5


def test_r_precision_looks_at_the_first_r_rows():
    assert listed(metrics.r_precision(ranks_of(WORKED))) == [1, 0, 2 / 3, None, 1, 1 / 4]


def test_average_precision_goes_through_the_whole_gallery():
    assert listed(metrics.average_precision(ranks_of(WORKED))) == [
        1,
        1 / 3,
        (1 / 2 + 2 / 3 + 3 / 7) / 3,
        None,
        1,
        (1 / 4 + 2 / 5 + 3 / 6 + 4 / 60) / 4,
    ]


def test_average_precision_at_r_stops_at_r():
    values = metrics.average_precision_at_r(ranks_of(WORKED))
    assert listed(values) == [1, 0, (1 / 2 + 2 / 3) / 3, None, 1, (1 / 4) / 4]


def test_all_measures_have_their_reported_names():
    assert list(per_query(ranks_of(WORKED), ks=(1, 20))) == [
        *("hit_rate@1", "hit_rate@20", "recall@1", "recall@20"),
        *("mrr", "median_rank", "mean_rank", "map@r", "r_precision"),
    ]


def test_a_k_below_one_is_refused():
    for measure in (metrics.hit_rate, metrics.recall):
        with pytest.raises(QueryError, match="among the first 0"):
            measure(ranks_of(WORKED), 0)


def test_a_constant_encoder_scores_zero():
    same = np.full((500, 64), 1 / 8, np.float32)
    values = per_query(relevant_ranks(same, same, np.arange(500) // 2, np.arange(500) // 2))
    assert values["hit_rate@10"].max() == values["recall@10"].max() == values["map@r"].max() == 0
    assert values["median_rank"].min() == 499


def test_no_queries_and_no_answerable_query_have_no_value():
    for ranks in (ranks_of([]), ranks_of([[], []])):
        assert set(estimates(per_query(ranks)).values()) == {Estimate(None, None, 0, 0)}


def test_no_measures_have_no_estimates():
    assert estimates({}) == paired({}, {}) == {}


def test_one_query_or_one_cluster_has_a_value_but_no_interval():
    assert estimates(per_query(ranks_of([[2]])))["mrr"] == Estimate(1 / 2, None, 1, 1)
    two = estimates(per_query(ranks_of([[2], [1]])), clusters=[7, 7])
    assert two["mrr"] == Estimate((1 / 2 + 1) / 2, None, 2, 1)


def test_queries_that_all_agree_have_an_interval_of_one_point():
    found = estimates(per_query(ranks_of([[2]] * 9)))
    assert found["mrr"] == Estimate(1 / 2, (1 / 2, 1 / 2), 9, 9)
    assert found["median_rank"] == Estimate(2, (2, 2), 9, 9)


def test_an_unanswerable_query_changes_nothing():
    with_it, without = [[1], [], [3], [2]], [[1], [3], [2]]
    assert estimates(per_query(ranks_of(with_it)), [4, 9, 4, 6]) == estimates(per_query(ranks_of(without)), [4, 4, 6])


def test_a_negative_cluster_code_is_a_cluster_of_its_own():
    values = per_query(ranks_of([[1], [2], [3], [4]]))
    assert estimates(values, [5, 5, -1, -1]) == estimates(values, [0, 0, 1, 2])
    assert estimates(values, [-1] * 4) == estimates(values)
    assert estimates(values, [-1] * 4)["mrr"].clusters == 4


def long_bootstrap(values: np.ndarray, clusters: np.ndarray, statistic, resamples: int, seed: int) -> list[float]:
    """Draws clusters and concatenates their queries, in the same order of random numbers."""
    names, rng = np.unique(clusters), np.random.default_rng(seed)
    drawn = [rng.integers(len(names), size=len(names)) for _ in range(resamples)]
    groups = [values[clusters == name] for name in names]
    return np.quantile(
        [statistic(np.concatenate([groups[i] for i in draw])) for draw in drawn], [0.025, 0.975]
    ).tolist()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4)), min_size=1, max_size=40),
    st.integers(0, 2**32),
)
def test_intervals_equal_those_of_concatenated_clusters(queries, seed):
    best, clusters = np.array(queries).T
    values = {"mean_rank": best.astype(float), "median_rank": best.astype(float)}
    found = estimates(values, clusters, resamples=20, seed=seed)
    assert found["median_rank"].value == np.median(best)
    if len(set(clusters.tolist())) == 1:
        assert found["mean_rank"].interval is None
        return
    assert found["mean_rank"].interval == pytest.approx(long_bootstrap(best, clusters, np.mean, 20, seed))
    assert found["median_rank"].interval == pytest.approx(long_bootstrap(best, clusters, np.median, 20, seed))


@pytest.mark.slow
def test_the_bootstrap_takes_memory_for_queries_and_not_for_resamples():
    values = {"mrr": np.random.default_rng(1).random(20_000)}
    tracemalloc.start()
    estimates(values, resamples=300)  # drawn at once these would take 48 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.slow
def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    covered = 0
    for seed in range(200):
        clusters = np.repeat(np.arange(60), 4)
        chance = np.repeat(rng.beta(2, 2, 60), 4)  # queries of one article are alike: the truth is 1/2
        low, high = estimates({"hit": (rng.random(240) < chance).astype(float)}, clusters, seed=seed)["hit"].interval
        covered += low <= 1 / 2 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_seed_decides_the_interval():
    values = per_query(ranks_of([[rank] for rank in range(1, 40)]))
    assert estimates(values, seed=3) == estimates(values, seed=3)
    assert estimates(values, seed=3)["mrr"].interval != estimates(values, seed=4)["mrr"].interval


def test_a_system_paired_with_itself_differs_by_nothing():
    values = per_query(ranks_of([[rank] for rank in range(1, 40)]))
    assert set(paired(values, values).values()) == {Estimate(0, (0, 0), 39, 39)}


def test_pairing_sees_a_small_steady_difference_that_separate_intervals_hide():
    rng = np.random.default_rng(2)
    hard = rng.random(300)
    first, second = {"mrr": hard + 0.01 + 0.005 * rng.standard_normal(300)}, {"mrr": hard}
    difference = paired(first, second)["mrr"]
    low, high = difference.interval
    assert difference.value == pytest.approx(first["mrr"].mean() - hard.mean())
    assert 0 < low < difference.value < high < 0.02
    assert estimates(second)["mrr"].interval[1] > estimates(first)["mrr"].interval[0]


def test_pairing_leaves_out_what_one_system_could_not_answer():
    first = per_query(ranks_of([[1], [2], []]))
    second = per_query(ranks_of([[1], [4], [1]]))
    assert paired(first, second)["median_rank"].value == 3 / 2 - 5 / 2
    assert paired(first, second)["median_rank"].queries == 2


def test_what_does_not_fit_together_is_refused():
    three, two = per_query(ranks_of([[1], [2], [3]])), per_query(ranks_of([[1], [2]]))
    with pytest.raises(QueryError, match="cannot pair 3 queries with 2"):
        paired(three, two)
    with pytest.raises(QueryError, match="compute the same measures"):
        paired(three, {"mrr": three["mrr"]})
    with pytest.raises(QueryError, match="3 queries have 2 cluster codes"):
        estimates(three, [1, 2])
    with pytest.raises(QueryError, match="measures of different queries"):
        estimates({"mrr": three["mrr"], "map@r": two["map@r"]})


def test_without_resamples_there_is_a_value_and_no_interval() -> None:
    assert estimates({"mrr": np.array([1.0, 0.5])}, resamples=0)["mrr"] == Estimate(0.75, None, 2, 2)
