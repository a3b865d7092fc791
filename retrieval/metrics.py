"""Measures of retrieval from exact ranks: per query first, the mean last, with bootstrap intervals over clusters.

Every measure of one query set is an array (queries,) of float64 that is NaN where nothing in the gallery is relevant:
such a query cannot be answered and is left out of the mean. In the formulas R is the number of relevant rows of a query
and r_1 < ... < r_R are their ranks, from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrieval.errors import QueryError
from retrieval.ranking import Ranks

Values = NDArray[np.float64]
"""(queries,) A measure; NaN for a query to which nothing is relevant."""

RESAMPLES = 1000
LEVEL = 0.95
MEDIANS = frozenset({"median_rank"})
"""Measures whose value over queries is the median; all others take the mean."""


def hit_rate(ranks: Ranks, k: int) -> Values:
    """[r_1 ≤ k]: 1 where any relevant row is among the first k. What CLIP papers call R@k; trec_eval's success_k."""
    return _known(ranks, _found(ranks, _k(k)) > 0)


def recall(ranks: Ranks, k: int) -> Values:
    """|{i : r_i ≤ k}| / R: the share of the relevant rows that are among the first k. trec_eval's recall_k."""
    return _known(ranks, _share(ranks, _found(ranks, _k(k))))


def reciprocal_rank(ranks: Ranks) -> Values:
    """1 / r_1; its mean is the MRR. trec_eval's recip_rank."""
    return 1.0 / best_rank(ranks)


def best_rank(ranks: Ranks) -> Values:
    """r_1: the rank of the best relevant row, of which mean and median over queries are reported."""
    answerable = ranks.counts > 0
    best = np.full(len(ranks), np.nan)
    best[answerable] = ranks.ranks[ranks.offsets[:-1][answerable]]
    return best


def r_precision(ranks: Ranks) -> Values:
    """|{i : r_i ≤ R}| / R: the precision of the first R rows. trec_eval's Rprec."""
    return _known(ranks, _share(ranks, _found(ranks, ranks.counts[ranks.queries])))


def average_precision(ranks: Ranks) -> Values:
    """(1/R) Σ_i i / r_i: the mean precision at the relevant rows, over the whole gallery. trec_eval's map."""
    return _known(ranks, _share(ranks, _precisions(ranks, np.inf)))


def average_precision_at_r(ranks: Ranks) -> Values:
    """(1/R) Σ_{i : r_i ≤ R} i / r_i: average precision over the first R rows only; its mean is mAP@R.

    Defined by Musgrave et al., "A Metric Learning Reality Check" (ECCV 2020), and recommended for captions with several
    positives by Chun et al., "ECCV Caption" (ECCV 2022): it orders systems more as people do than recall@k.
    """
    return _known(ranks, _share(ranks, _precisions(ranks, ranks.counts[ranks.queries])))


def per_query(ranks: Ranks, ks: Sequence[int] = (1, 5, 10)) -> dict[str, Values]:
    """All measures by the name under which they are reported: hit_rate@k and recall@k for each k, mrr, map@r, ..."""
    best = best_rank(ranks)
    return {
        **{f"hit_rate@{k}": hit_rate(ranks, k) for k in ks},
        **{f"recall@{k}": recall(ranks, k) for k in ks},
        "mrr": reciprocal_rank(ranks),
        "median_rank": best,
        "mean_rank": best,
        "map@r": average_precision_at_r(ranks),
        "r_precision": r_precision(ranks),
    }


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure over queries with its 95 % interval.

    `value` is None where no query could be answered. `interval` is None with fewer than two clusters: one cluster says
    nothing about how the next would differ.
    """

    value: float | None
    interval: tuple[float, float] | None
    queries: int
    clusters: int


def estimates(
    values: Mapping[str, Values], clusters: ArrayLike | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """The mean (for `MEDIANS` the median) of each measure, with a percentile interval from a cluster bootstrap.

    `clusters` (queries,) are integer codes of what was sampled together, such as the article: whole clusters are drawn
    with replacement, the gallery stays as it is. A negative code is a cluster of its own; None makes every query one.
    A query that is NaN in one measure is left out of all. Without resamples there is no interval.
    """
    return _bootstrap(list(values), [_stacked(values)], clusters, resamples, seed)


def paired(
    first: Mapping[str, Values],
    second: Mapping[str, Values],
    clusters: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """The difference first - second of two systems on the same queries, both resampled together; else as `estimates`.

    An interval without 0 says that the systems differ. Mostly far narrower than two separate intervals.
    """
    if list(first) != list(second):
        raise QueryError(f"cannot pair {', '.join(first)} with {', '.join(second)}; compute the same measures of both")
    ours, theirs = _stacked(first), _stacked(second)
    if ours.shape != theirs.shape:
        raise QueryError(
            f"cannot pair {ours.shape[1]} queries with {theirs.shape[1]}; ask both systems the same queries"
        )
    return _bootstrap(list(first), [ours, theirs], clusters, resamples, seed)


def _k(k: int) -> int:
    if k < 1:
        raise QueryError(f"cannot count hits among the first {k}; ask for k of 1 or more")
    return k


def _found(ranks: Ranks, within: int | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(ranks.queries[ranks.ranks <= within], minlength=len(ranks))


def _precisions(ranks: Ranks, within: float | NDArray[np.int64]) -> Values:
    place = np.arange(1, len(ranks.ranks) + 1) - ranks.offsets[:-1][ranks.queries]
    precision: Values = np.where(ranks.ranks <= within, place / ranks.ranks, 0.0)
    # bincount adds one after another, as trec_eval does; a pairwise sum would differ in the last digit.
    return np.bincount(ranks.queries, weights=precision, minlength=len(ranks)).astype(np.float64)


def _share(ranks: Ranks, amount: ArrayLike) -> Values:
    share: Values = np.asarray(amount, np.float64) / np.maximum(ranks.counts, 1)
    return share


def _known(ranks: Ranks, values: ArrayLike) -> Values:
    return np.where(ranks.counts > 0, values, np.nan)


def _stacked(values: Mapping[str, Values]) -> Values:
    """(measures, queries)"""
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        raise QueryError(
            f"measures of different queries, {lengths}, cannot be resampled together; give one value a query"
        )
    return np.array(list(values.values()), np.float64).reshape(len(values), max(lengths.values(), default=0))


def _bootstrap(
    names: list[str], systems: list[Values], clusters: ArrayLike | None, resamples: int, seed: int
) -> dict[str, Estimate]:
    """The estimates of one system, or of the first minus the second."""
    columns = np.concatenate(systems)
    labels = _labels(clusters, columns.shape[1])
    answered = ~np.isnan(columns).any(axis=0)
    columns, (known, labels) = columns[:, answered], np.unique(labels[answered], return_inverse=True)
    queries, count = columns.shape[1], len(known)
    if not queries:
        return {name: Estimate(None, None, 0, 0) for name in names}
    medians = [name in MEDIANS for name in names] * len(systems)
    value = [np.median(column) if median else column.mean() for column, median in zip(columns, medians, strict=True)]
    measures = _difference(np.array([value]), len(systems))[0]
    intervals: list[tuple[float, float] | None] = [None] * len(names)
    if count > 1 and resamples:
        drawn = _difference(_resampled(columns, medians, labels, count, resamples, seed), len(systems))
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        intervals = list(zip(low.tolist(), high.tolist(), strict=True))
    return {
        name: Estimate(float(measure), interval, queries, count)
        for name, measure, interval in zip(names, measures, intervals, strict=True)
    }


def _difference(measures: Values, systems: int) -> Values:
    """(n, systems * measures) to (n, measures)"""
    first, *others = np.split(measures, systems, axis=1)
    return first - others[0] if others else first


def _labels(clusters: ArrayLike | None, queries: int) -> NDArray[np.int64]:
    """A cluster label per query; the negative codes get one each."""
    labels = np.full(queries, -1, np.int64) if clusters is None else np.array(clusters, np.int64)
    if len(labels) != queries:
        raise QueryError(f"{queries} queries have {len(labels)} cluster codes; give one code a query")
    alone = labels < 0
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(alone.sum())
    return labels


def _resampled(
    columns: Values, medians: list[bool], labels: NDArray[np.int64], count: int, resamples: int, seed: int
) -> Values:
    """(resamples, measures) The measures of resampled clusters: weights per cluster, never resampled queries."""
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels, minlength=count).astype(np.float64)
    sums = np.array([np.bincount(labels, weights=column, minlength=count) for column in columns])
    orders = {i: np.argsort(columns[i], kind="stable") for i, median in enumerate(medians) if median}
    ascending = {i: (columns[i][order], labels[order]) for i, order in orders.items()}
    measures = np.empty((resamples, len(columns)))
    for measure in measures:
        drawn = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        measure[:] = sums @ drawn / (sizes @ drawn)
        for i, (values, owners) in ascending.items():
            measure[i] = _weighted_median(values, drawn[owners])
    return measures


def _weighted_median(ascending: Values, weights: Values) -> float:
    """np.median(np.repeat(ascending, weights)), without repeating."""
    ends = np.cumsum(weights)
    middle = [(ends[-1] - 1) // 2, ends[-1] // 2]
    lower, upper = np.searchsorted(ends, middle, side="right")
    return float((ascending[lower] + ascending[upper]) / 2)
