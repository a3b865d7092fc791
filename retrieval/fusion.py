"""Two rankings to one: reciprocal rank fusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RANK = 60
"""Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods"
(SIGIR 2009), section 2: the constant that they fixed in a pilot study, and that has been kept since."""


def fuse(
    dense: NDArray[np.int64], lexical: NDArray[np.int64], dense_weight: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows of two rankings (n,) and (m,), best first, as one, with scores that descend, ties by row.

    A row's score is w · 61 / (60 + its rank in `dense`) + (1 - w) · 61 / (60 + its rank in `lexical`), ranks from 1:
    the paper's, scaled so that the first in both scores 1. A ranking that does not hold it adds nothing.
    """
    rows, place = np.unique(np.concatenate([dense, lexical]), return_inverse=True)
    scores = np.zeros(len(rows))
    scores[place[: len(dense)]] += dense_weight * (RANK + 1) / (RANK + np.arange(1, len(dense) + 1))
    scores[place[len(dense) :]] += (1 - dense_weight) * (RANK + 1) / (RANK + np.arange(1, len(lexical) + 1))
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]
