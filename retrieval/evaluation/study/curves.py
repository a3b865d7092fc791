"""From the rank of each query's best answer: recall against k, the histogram of ranks, and what chance would give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.bootstrap import Values, share_within
from retrieval.evaluation.study.study_results import Curve, Histogram

DEEPEST = 100
"""The last k of a curve."""


def curve(
    ranks: Values, positives: NDArray[np.int64], gallery: int, clusters: NDArray[np.int64], *, resamples: int, seed: int
) -> Curve:
    """For every k up to `DEEPEST` or the gallery. `positives` (queries,) says how many rows answer each query."""
    ks = list(range(1, min(DEEPEST, gallery) + 1))
    hit_rates = share_within(ranks, ks, clusters, resamples=resamples, seed=seed)
    return Curve(ks, hit_rates, chance_within(positives, gallery, ks).tolist())


def histogram(ranks: Values, positives: NDArray[np.int64], gallery: int) -> Histogram:
    """Bins that double: rank 1, 2 to 3, 4 to 7, up to the size of the gallery."""
    known = ranks[~np.isnan(ranks)]
    first = [2**power for power in range(gallery.bit_length())] + [gallery + 1]
    queries = np.histogram(known, bins=first)[0]
    within = chance_within(positives, gallery, [0, *(edge - 1 for edge in first[1:])])
    return Histogram(first, queries.tolist(), (len(known) * np.diff(within)).tolist(), float(np.median(known)))


def chance_within(positives: NDArray[np.int64], gallery: int, ks: Sequence[int]) -> Values:
    """(ks,) How many of the answerable queries have an answer among the first k of an order by chance, as a share.

    With R answers in a gallery of N that is 1 - C(N - k, R) / C(N, R), which is k / N for one answer.
    """
    numbers, queries = np.unique(positives[positives > 0], return_counts=True)
    outside, missed = np.ones(len(ks)), np.zeros(len(ks))
    for answer in range(int(numbers.max(initial=0))):
        outside *= np.maximum(gallery - np.asarray(ks) - answer, 0) / (gallery - answer)
        missed += outside * queries[numbers == answer + 1].sum()
    shares: Values = 1 - missed / max(1, queries.sum())
    return shares
