"""Counting in tiles: how many scores of a tile reach the bars of its rows and of its columns.

A score is split as x·y = x'·y' + x·b + a·(y - b), where a and b are the means of the two sides, x' = x - a and
y' = y - b. Only x'·y' needs the matrix product, and its error is bounded by the lengths of x' and y'. The cone in which
every encoder's vectors lie makes them short, and a collapsed encoder's are zero.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.ranks.order import Rows, exact_scores
from retrieval.types import Vectors

Bars = NDArray[np.float64]
"""(layers, rows): layer l holds the l-th bar of every row, inf where a row has fewer. At least one layer."""
Centre = NDArray[np.float64]
"""(dim,)"""

HALF_ULP = 2.0**-24  # of float32 around 1: the relative error of one operation
SLACK = 32 * HALF_ULP
"""What float32 loses around the product: 25 roundings of numbers up to 1, at the worst, in scores of unit vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Rows of one side, ready to be counted: vectors (n, dim), and the centre to take off them.

    `terms` (n,) is what each adds to a product of residuals to make it a score; `lengths` (n,) are the residuals'.
    """

    vectors: Vectors
    centre: Centre
    terms: NDArray[np.float32]
    lengths: NDArray[np.float64]

    @property
    def residuals(self) -> Vectors:
        """(n, dim), without the centre. Not kept: it is a hundredth of a product's time, and half of the memory."""
        return self.vectors - self.centre.astype(np.float32)

    def some(self, rows: slice) -> Side:
        """The same of fewer rows, copied together."""
        return Side(self.vectors[rows].copy(), self.centre, self.terms[rows].copy(), self.lengths[rows].copy())


class Tiles(Protocol):
    """A way to count, made from samples of the rows and of the columns (n, dim): any are right, fair ones are fast.
    Thread-safe."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a tile."""

    @property
    def threads(self) -> int:
        """How many tiles to count at once."""

    @property
    def bytes_a_column(self) -> int:
        """What `column_side` keeps of each vector."""

    def row_side(self, vectors: Vectors) -> Any:
        """The rows (n, dim) of a tile."""

    def column_side(self, vectors: Vectors) -> Any:
        """The columns (n, dim) of a tile."""

    def count(self, rows: Any, columns: Any, row_bars: Bars, column_bars: Bars) -> tuple[Rows, Rows]:
        """How many scores of the tile are at least each bar of its rows and of its columns, exactly."""


def centre(sample: Vectors) -> Centre:
    """The mean of a sample (n, dim), in float64."""
    mean: Centre = sample.mean(axis=0, dtype=np.float64)
    return mean


def side(vectors: Vectors, centre: Centre, other: Centre, constant: float) -> tuple[Side, NDArray[np.float64]]:
    """A side, with its residuals in float64 as well. The terms are what the `other` centre scores, less a constant."""
    wide = vectors.astype(np.float64)
    residuals = wide - centre
    lengths = np.sqrt(np.einsum("nd,nd->n", residuals, residuals))
    terms = (wide @ other - constant).astype(np.float32)
    return Side(vectors, centre, terms, lengths), residuals


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Float32:
    """Tiles of float32 products, counted by NumPy: the plain way, and the oracle of the others."""

    shape = (512, 2048)

    def __init__(self, row_sample: Vectors, column_sample: Vectors) -> None:
        self._rows, self._columns = centre(row_sample), centre(column_sample)
        self.threads = cores()
        self.bytes_a_column = 4 * len(self._rows) + 12

    def row_side(self, vectors: Vectors) -> Side:
        return side(vectors, self._rows, self._columns, 0)[0]

    def column_side(self, vectors: Vectors) -> Side:
        return side(vectors, self._columns, self._rows, float(self._rows @ self._columns))[0]

    def count(self, rows: Side, columns: Side, row_bars: Bars, column_bars: Bars) -> tuple[Rows, Rows]:
        scores = rows.residuals @ columns.residuals.T
        scores += rows.terms[:, None]
        scores += columns.terms

        def reaching(bars: Bars, errors: NDArray[np.float64], across: int) -> Rows:
            counts = np.zeros(bars.shape, np.int64)
            for layer, layer_counts in zip(bars, counts, strict=True):
                low, high = (edge if across else edge[:, None] for edge in thresholds(layer, errors))
                certain = scores >= high
                layer_counts += np.count_nonzero(certain, axis=1 - across)
                doubtful = np.flatnonzero((scores >= low) ^ certain)
                pairs = np.divmod(doubtful, scores.shape[1])
                reached = exact_scores(rows.vectors, columns.vectors, *pairs) >= layer[pairs[across]]
                layer_counts += np.bincount(pairs[across][reached], minlength=len(layer))
            return counts

        row_errors, column_errors = float32_errors(rows, columns)
        return reaching(row_bars, row_errors, 0), reaching(column_bars, column_errors, 1)


def float32_errors(rows: Side, columns: Side) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far the scores of each row and of each column, from a float32 product, may be from the exact ones."""
    dim = rows.vectors.shape[1]
    # dim for a sum in any order (Higham, Accuracy and Stability, section 3.1), 4 for taking rounded centres off
    relative = (dim + 4) * HALF_ULP / (1 - (dim + 4) * HALF_ULP)
    return (
        relative * rows.lengths * columns.lengths.max(initial=0) + SLACK,
        relative * columns.lengths * rows.lengths.max(initial=0) + SLACK,
    )


def thresholds(
    bars: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Below the first a score certainly misses the bar, from the second on it certainly reaches it."""
    return (bars - errors).astype(np.float32), (bars + errors).astype(np.float32)
