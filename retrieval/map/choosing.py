"""Which figures stand on a map: all, or as many drawn by lot as fit, each with its image and all its captions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.built import TABLE_OF, Built
from retrieval.shards import Kind


def choose(built: Built, points: int, seed: int) -> NDArray[np.int32]:
    """Figure numbers in order, whose images and captions are at most `points`; one figure stands in any case."""
    numbers = np.concatenate([np.asarray(built.figures(kind)) for kind in TABLE_OF])
    sizes = np.bincount(numbers)
    figures = np.flatnonzero(sizes).astype(np.int32)
    if len(numbers) <= points:
        return figures
    lot = np.random.default_rng(seed).permutation(figures)
    fitting = int(np.searchsorted(np.cumsum(sizes[lot]), points, side="right"))
    return np.sort(lot[: max(1, fitting)])


def rows_of(built: Built, kind: Kind, figures: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rows of one table that belong to some figures, in order."""
    return np.flatnonzero(np.isin(built.figures(kind), figures))


def figure_count(built: Built) -> int:
    """How many figures there are, with an image or without."""
    return len(np.union1d(*(np.asarray(built.figures(kind)) for kind in TABLE_OF)))
