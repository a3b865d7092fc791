"""Tiles of float32 products on an accelerator, counted there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.evaluation.ranks.order import Rows
from retrieval.evaluation.ranks.tiles import Bars, Side, centre, float32_errors, side
from retrieval.types import Vectors

PAIRS_AT_ONCE = 1 << 18  # settled in float64: 2 GiB at 512 dimensions


def available() -> bool:
    return torch.cuda.is_available()


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """A side and, on the device, its vectors (n, dim), residuals (n, dim) and terms (n,)."""

    side: Side
    vectors: torch.Tensor
    residuals: torch.Tensor
    terms: torch.Tensor


class TorchTiles:
    """Counts on a CUDA device where there is one, else on the CPU. Products are float32 throughout, never TF32."""

    shape = (8192, 32768)  # a product of 1 GiB
    threads = 1

    def __init__(self, row_sample: Vectors, column_sample: Vectors) -> None:
        self._rows, self._columns = centre(row_sample), centre(column_sample)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.bytes_a_column = 4 * len(self._rows) + 12

    def row_side(self, vectors: Vectors) -> Moved:
        return self._moved(side(vectors, self._rows, self._columns, 0)[0])

    def column_side(self, vectors: Vectors) -> Moved:
        return self._moved(side(vectors, self._columns, self._rows, float(self._rows @ self._columns))[0])

    def _moved(self, plain: Side) -> Moved:
        parts = (plain.vectors, plain.residuals, plain.terms)
        return Moved(plain, *(torch.from_numpy(part).to(self._device) for part in parts))

    def count(self, rows: Moved, columns: Moved, row_bars: Bars, column_bars: Bars) -> tuple[Rows, Rows]:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")  # TF32 would break the bounds
        try:
            scores = rows.residuals @ columns.residuals.T
        finally:
            torch.set_float32_matmul_precision(before)
        scores += rows.terms[:, None]
        scores += columns.terms

        def reaching(bars: Bars, errors: NDArray[np.float64], across: int) -> Rows:
            exact, off = (torch.from_numpy(values).to(self._device) for values in (bars, errors))
            counts = torch.zeros(bars.shape, dtype=torch.int64, device=self._device)
            for bar, layer_counts in zip(exact, counts, strict=True):
                low, high = ((bar + sign * off).to(torch.float32) for sign in (-1, 1))
                certain = scores >= (high if across else high[:, None])
                layer_counts += certain.sum(dim=1 - across)
                doubtful = torch.nonzero((scores >= (low if across else low[:, None])) ^ certain)
                for pairs in torch.split(doubtful, PAIRS_AT_ONCE):
                    ours, theirs = rows.vectors[pairs[:, 0]].double(), columns.vectors[pairs[:, 1]].double()
                    reached = (ours * theirs).sum(dim=1) >= bar[pairs[:, across]]
                    layer_counts.index_add_(0, pairs[:, across], reached.long())
            found: Rows = counts.cpu().numpy()
            return found

        row_errors, column_errors = float32_errors(rows.side, columns.side)
        return reaching(row_bars, row_errors, 0), reaching(column_bars, column_errors, 1)
