"""How a score compares: percentiles among a fixed sample of an index's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import StaleIndexError
from retrieval.files import replacing, sha256_file
from retrieval.indexes.exact import ROUNDING, Stored
from retrieval.shards.vectors import unit
from retrieval.types import Vectors

SAMPLE = 16_384
"""Rows: one of them is 0.006 of a percentile, and a question costs 4 ms (benchmarks/hybrid.py)."""


def background_path(folder: Path, modality: str) -> Path:
    return folder / f"{modality}.background.npy"


def write_background(folder: Path, modality: str, stored: Stored, seed: int = 0) -> dict[str, Any]:
    """Write a seeded sample of the stored rows (n, dim), in row order, and give what index.json says of it.

    All of them where there are no more than `SAMPLE`.
    """
    rows = np.arange(len(stored))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(len(stored), SAMPLE, replace=False))
    with replacing(background_path(folder, modality)) as temporary, open(temporary, "wb") as file:
        np.save(file, np.asarray(stored[rows], np.float16))
    return {"rows": len(rows), "seed": seed, "sha256": sha256_file(background_path(folder, modality))}


def read_background(folder: Path, modality: str, rows: int) -> Vectors:
    """The sample (rows, dim), each of length 1. Raises StaleIndexError where it is missing or another."""
    path = background_path(folder, modality)
    try:
        sample = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise StaleIndexError(f"{path}: missing or damaged; run retrieval build again") from error
    if len(sample) != rows:
        raise StaleIndexError(f"{path}: holds {len(sample)} rows, index.json says {rows}; run retrieval build again")
    return unit(sample)


def sample_scores(queries: Vectors, sample: Vectors) -> NDArray[np.float32]:
    """(queries, sample) The cosines of each query with the rows of the sample, ascending."""
    scores: NDArray[np.float32] = np.sort(queries @ sample.T, axis=1)
    return scores


def percentiles(scores: NDArray[Any], ascending: NDArray[np.float32]) -> NDArray[np.float64]:
    """(k,) The share of a query's sample scores, 0 to 100, that is below each of its scores; of ties a half.

    Cosines that differ by rounding tie.
    """
    below = np.searchsorted(ascending, scores - ROUNDING, side="left")
    not_above = np.searchsorted(ascending, scores + ROUNDING, side="right")
    shares: NDArray[np.float64] = 50.0 * (below + not_above) / max(1, len(ascending))
    return shares
