"""Means and medians over queries, with bootstrap intervals over clusters: of one system, a pair, a curve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrieval.errors import QueryError

Values = NDArray[np.float64]
"""(queries,) A measure; NaN for a query to which nothing is relevant."""

RESAMPLES = 1000
LEVEL = 0.95
MEDIANS = frozenset({"median_rank"})
"""Measures whose value over queries is the median; all others take the mean."""


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


@dataclass(frozen=True, slots=True)
class PairedDifference(Estimate):
    """The first system's measure minus the second's. `p_value` is two-sided; None where there is no interval."""

    p_value: float | None


def estimates(
    values: Mapping[str, Values], clusters: ArrayLike | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """The mean (for `MEDIANS` the median) of each measure, with a percentile interval from a cluster bootstrap.

    `clusters` (queries,) are integer codes of what was sampled together, such as the article: whole clusters are drawn
    with replacement, the gallery stays as it is. A negative code is a cluster of its own; None makes every query one.
    A query that is NaN in one measure is left out of all. Without resamples there is no interval.
    """
    found = _bootstrap(list(values), [_stack_measures(values)], clusters, resamples, seed)
    return {name: estimate for name, (estimate, _) in found.items()}


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
    found = _paired(first, second, clusters, resamples, seed)
    return {name: estimate for name, (estimate, _) in found.items()}


def differences(
    first: Mapping[str, Values],
    second: Mapping[str, Values],
    clusters: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, PairedDifference]:
    """As `paired`, each with its p-value: twice the share of the samples on the other side of 0, 0 among them.

    The observed difference counts as one more sample, so that p is never below 2 / (resamples + 1).
    """
    found = _paired(first, second, clusters, resamples, seed)
    return {
        name: PairedDifference(its.value, its.interval, its.queries, its.clusters, _p_value(drawn))
        for name, (its, drawn) in found.items()
    }


def share_within(
    ranks: Values,
    ks: Sequence[int],
    clusters: ArrayLike | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Estimate]:
    """hit_rate@k for each k of `ks`, from the best rank of every query: what `estimates` gives for each, to the bit.

    It takes memory for the queries once, not once for each k.
    """
    answered = ~np.isnan(ranks)
    _, labels = np.unique(_labels(clusters, len(ranks))[answered], return_inverse=True)
    known, count = ranks[answered].astype(np.int64), int(labels.max(initial=-1)) + 1
    if not len(known):
        return [Estimate(None, None, 0, 0) for _ in ks]
    ascending = np.sort(np.asarray(ks))
    first = np.searchsorted(ascending, known)  # the least of the ks that reaches each rank
    size = len(ascending) + 1

    def shares(weights: Values | None) -> Values:
        numbers = np.bincount(first, weights=weights, minlength=size)
        curve: Values = np.cumsum(numbers)[np.searchsorted(ascending, ks)] / numbers.sum()
        return curve

    values = shares(None).tolist()
    if count < 2 or not resamples:
        return [Estimate(value, None, len(known), count) for value in values]
    drawn = np.array([shares(weights[labels]) for weights in _draws(count, resamples, seed)])
    return [
        Estimate(value, interval, len(known), count) for value, interval in zip(values, _intervals(drawn), strict=True)
    ]


def _paired(
    first: Mapping[str, Values], second: Mapping[str, Values], clusters: ArrayLike | None, resamples: int, seed: int
) -> dict[str, tuple[Estimate, Values | None]]:
    if list(first) != list(second):
        raise QueryError(f"cannot pair {', '.join(first)} with {', '.join(second)}; compute the same measures of both")
    ours, theirs = _stack_measures(first), _stack_measures(second)
    if ours.shape != theirs.shape:
        raise QueryError(
            f"cannot pair {ours.shape[1]} queries with {theirs.shape[1]}; ask both systems the same queries"
        )
    return _bootstrap(list(first), [ours, theirs], clusters, resamples, seed)


def _stack_measures(values: Mapping[str, Values]) -> Values:
    """(measures, queries)"""
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        raise QueryError(
            f"measures of different queries, {lengths}, cannot be resampled together; give one value a query"
        )
    return np.array(list(values.values()), np.float64).reshape(len(values), max(lengths.values(), default=0))


def _bootstrap(
    names: list[str], systems: list[Values], clusters: ArrayLike | None, resamples: int, seed: int
) -> dict[str, tuple[Estimate, Values | None]]:
    """The estimates of one system, or of the first minus the second, each with its samples where there are any."""
    columns = np.concatenate(systems)
    labels = _labels(clusters, columns.shape[1])
    answered = ~np.isnan(columns).any(axis=0)
    columns, (known, labels) = columns[:, answered], np.unique(labels[answered], return_inverse=True)
    queries, count = columns.shape[1], len(known)
    if not queries:
        return {name: (Estimate(None, None, 0, 0), None) for name in names}
    medians = [name in MEDIANS for name in names] * len(systems)
    value = [np.median(column) if median else column.mean() for column, median in zip(columns, medians, strict=True)]
    measures = _difference(np.array([value]), len(systems))[0].tolist()
    if count < 2 or not resamples:
        alone = (Estimate(measure, None, queries, count) for measure in measures)
        return {name: (estimate, None) for name, estimate in zip(names, alone, strict=True)}
    drawn = _difference(_resampled(columns, medians, labels, count, resamples, seed), len(systems))
    each = zip(measures, _intervals(drawn), drawn.T, strict=True)
    return {
        name: (Estimate(measure, interval, queries, count), samples)
        for name, (measure, interval, samples) in zip(names, each, strict=True)
    }


def _intervals(drawn: Values) -> list[tuple[float, float]]:
    """(resamples, measures) to the interval of each measure."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _p_value(drawn: Values | None) -> float | None:
    if drawn is None:
        return None
    rarer = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return min(1.0, 2 * (1 + rarer) / (1 + len(drawn)))


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


def _draws(count: int, resamples: int, seed: int) -> Iterator[Values]:
    """How often each of `count` clusters is drawn (count,), sample after sample: the same for every measure."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)


def _resampled(
    columns: Values, medians: list[bool], labels: NDArray[np.int64], count: int, resamples: int, seed: int
) -> Values:
    """(resamples, measures) The measures of resampled clusters: weights per cluster, never resampled queries."""
    sizes = np.bincount(labels, minlength=count).astype(np.float64)
    sums = np.array([np.bincount(labels, weights=column, minlength=count) for column in columns])
    orders = {i: np.argsort(columns[i], kind="stable") for i, median in enumerate(medians) if median}
    ascending = {i: (columns[i][order], labels[order]) for i, order in orders.items()}
    measures = np.empty((resamples, len(columns)))
    for measure, drawn in zip(measures, _draws(count, resamples, seed), strict=True):
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
