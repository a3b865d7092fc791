"""Ranks of the right answer in a pool of pairs, and what is reported of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ranks(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.int64]:
    """Row i of the gallery answers row i of the queries: its rank from 1, ties counted against it."""
    scores = queries @ gallery.T
    own = np.diagonal(scores)[:, None]
    found: NDArray[np.int64] = (scores >= own).sum(1)
    return found


def summary(found: NDArray[np.int64], pool: int, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """hit_rate@1/5/10 with 95% bootstrap intervals over queries (gallery fixed), median rank, counts."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(found), size=(resamples, len(found)))
    result: dict[str, Any] = {"queries": len(found), "pool": pool, "median_rank": float(np.median(found))}
    for k in (1, 5, 10):
        hit = found <= k
        low, high = np.quantile(hit[draws].mean(1), [0.025, 0.975])
        result[f"hit_rate@{k}"] = {
            "value": round(float(hit.mean()), 4),
            "interval": [round(float(low), 4), round(float(high), 4)],
        }
    return result


def hit_rate(queries: NDArray[np.float32], gallery: NDArray[np.float32], k: int = 10) -> float:
    return float((ranks(queries, gallery) <= k).mean())
