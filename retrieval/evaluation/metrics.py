"""Measures of retrieval from exact ranks: per query first, the mean last (`retrieval.evaluation.bootstrap`).

Every measure of one query set is an array (queries,) of float64 that is NaN where nothing in the gallery is relevant:
such a query cannot be answered and is left out of the mean. In the formulas R is the number of relevant rows of a query
and r_1 < ... < r_R are their ranks, from 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import Estimate, Values, estimates, paired
from retrieval.evaluation.ranks.order import Ranks

__all__ = [
    "Estimate",
    "Values",
    "average_precision",
    "average_precision_at_r",
    "best_rank",
    "estimates",
    "hit_rate",
    "paired",
    "per_query",
    "r_precision",
    "recall",
    "reciprocal_rank",
]


def hit_rate(ranks: Ranks, k: int) -> Values:
    """[r_1 ≤ k]: 1 where any relevant row is among the first k. What CLIP papers call R@k; trec_eval's success_k."""
    return _where_answerable(ranks, _found(ranks, _k(k)) > 0)


def recall(ranks: Ranks, k: int) -> Values:
    """|{i : r_i ≤ k}| / R: the share of the relevant rows that are among the first k. trec_eval's recall_k."""
    return _where_answerable(ranks, _share(ranks, _found(ranks, _k(k))))


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
    return _where_answerable(ranks, _share(ranks, _found(ranks, ranks.counts[ranks.queries])))


def average_precision(ranks: Ranks) -> Values:
    """(1/R) Σ_i i / r_i: the mean precision at the relevant rows, over the whole gallery. trec_eval's map."""
    return _where_answerable(ranks, _share(ranks, _precisions(ranks, np.inf)))


def average_precision_at_r(ranks: Ranks) -> Values:
    """(1/R) Σ_{i : r_i ≤ R} i / r_i: average precision over the first R rows only; its mean is mAP@R.

    Defined by Musgrave et al., "A Metric Learning Reality Check" (ECCV 2020), and recommended for captions with several
    positives by Chun et al., "ECCV Caption" (ECCV 2022): it orders systems more as people do than recall@k.
    """
    return _where_answerable(ranks, _share(ranks, _precisions(ranks, ranks.counts[ranks.queries])))


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


def _where_answerable(ranks: Ranks, values: ArrayLike) -> Values:
    return np.where(ranks.counts > 0, values, np.nan)
