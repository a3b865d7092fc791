"""Tiles of int8 products with proven bounds; what they leave in doubt is settled by dot products.

The residuals x' and y' are turned by one random rotation and written as x' = x^ + e and y' = y^ + f, where x^ and
y^ are int8 vectors times a factor. Then x'·y' - x^·y^ = e·y' + x'·f - e·f. Cauchy-Schwarz bounds each term by lengths,
which are known. But for a given x', and so a given e, a random rotation turns what y' has across x' in any direction
with equal chance: |e·y'| > (|e·x'| / |x'| + t |e|) |y'| has a probability of at most 2 exp(-(d-1) t²/2), the share of
a sphere in two caps (Ball, An Elementary Introduction to Modern Convex Geometry, lemma 2.2). With t as below no pair of
a whole run breaks its bound, but for a chance of `RISK` over the rotations, whatever the vectors are. At 512 dimensions
t is 0.43, which leaves half as many pairs in doubt as Cauchy-Schwarz.

bfloat16 has two more digits and would leave fewer, but an int8 product takes half the time: on a Zen 4 core 400 GF/s
beside 190, and 90 in float32. torch has one for processors with VNNI; NumPy has none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.ranking.kernel import Asked, count
from retrieval.ranking.order import Rows
from retrieval.ranking.tiles import SLACK, Bars, Centre, Side, cores, float32_errors, side
from retrieval.types import Vectors

GREATEST = 127
IN_DOUBT = 0.2  # of a tile: with more, a float32 product is faster than so many dot products
RISK = 1e-6  # that one decision of a whole run is wrong, and so a rank off by one
PAIRS = 1e14  # of a run, at most: ten million figures and as many captions
WORTH = 0.6  # of a float32 product's time that an int8 one may take; settling doubts needs the rest
TRIALS = 10  # in turns, the best counting


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A side with int8 codes (n, dim) and their factors, and two lengths (n,) of the coding error: whole, and `spread`.

    `spread` is what bounds its product with a vector of length 1 from the other side.
    """

    side: Side
    codes: NDArray[np.int8]
    factors: NDArray[np.float32]
    errors: NDArray[np.float64]
    spread: NDArray[np.float64]


class Int8:
    """Counts by an int8 product, and by a float32 one where that leaves too many pairs in doubt."""

    shape = (4096, 512)  # larger ones leave the cache before they are counted, smaller ones cost more calls

    def __init__(self, row_centre: Centre, column_centre: Centre, seed: int = 0) -> None:
        self._rows, self._columns = row_centre, column_centre
        dim = len(row_centre)
        turned, triangle = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
        self._rotation = turned * np.sign(np.diagonal(triangle))  # every rotation is equally likely: Mezzadri 2007
        self._share = min(1.0, np.sqrt(2 * np.log(4 * PAIRS / RISK) / max(1, dim - 1)))
        self.threads = cores()
        self.bytes_a_column = 5 * dim + 32
        self._mine, self._torch_threads = threading.local(), torch.get_num_threads()
        self.settled: list[int] = []
        """For each tile how many pairs were in doubt; -1 where they were too many."""

    def row_side(self, vectors: Vectors) -> Coded:
        return self._coded(*side(vectors, self._rows, self._columns, 0))

    def column_side(self, vectors: Vectors) -> Coded:
        return self._coded(*side(vectors, self._columns, self._rows, float(self._rows @ self._columns)))

    def _coded(self, plain: Side, residuals: NDArray[np.float64]) -> Coded:
        turned = residuals @ self._rotation
        factors = (np.abs(turned).max(axis=1) / GREATEST).astype(np.float32)
        factors[factors == 0] = 1
        codes = np.rint(turned / factors[:, None]).clip(-GREATEST, GREATEST)
        # The nearest multiple of the codes, not of the grid: its error is across them, and hardly along the vector.
        squares = np.maximum(np.einsum("nd,nd->n", codes, codes), 1)
        factors = (np.einsum("nd,nd->n", codes, turned) / squares).astype(np.float32)
        wrong = turned - codes * factors[:, None]
        errors = np.sqrt(np.einsum("nd,nd->n", wrong, wrong))
        along = np.abs(np.einsum("nd,nd->n", wrong, turned)) / np.maximum(plain.lengths, np.finfo(float).tiny)
        spread = np.minimum(errors, along + self._share * errors)
        return Coded(plain, codes.astype(np.int8), factors, errors, spread)

    def _out(self, height: int, width: int) -> torch.Tensor:
        """A product's place, the same for all tiles of a thread: new memory costs a third of the product's time."""
        if getattr(self._mine, "shape", None) != (height, width):
            self._mine.shape, self._mine.out = (height, width), torch.empty((height, width), dtype=torch.int32)
        out: torch.Tensor = self._mine.out
        return out

    def count(self, rows: Coded, columns: Coded, row_bars: Bars, column_bars: Bars) -> tuple[Rows, Rows]:
        torch.set_num_threads(1)  # this thread's product: each thread counts a tile of its own
        out = self._out(len(rows.codes), len(columns.codes))
        torch._int_mm(torch.from_numpy(rows.codes), torch.from_numpy(columns.codes).T, out=out)
        torch.set_num_threads(self._torch_threads)  # and what threads started later will use
        product = out.numpy()
        both = rows.errors * columns.errors.max() + SLACK
        row_errors = rows.spread * columns.side.lengths.max() + both
        column_errors = columns.spread * rows.side.lengths.max()
        counted = count(
            product,
            Asked(rows.side, rows.factors, row_bars, row_errors),
            Asked(columns.side, columns.factors, column_bars, column_errors),
            int(IN_DOUBT * product.size),
        )
        self.settled.append(counted[2])
        if counted[2] < 0:
            product = rows.side.residuals @ columns.side.residuals.T
            ones, other_ones = (np.ones(len(each.factors), np.float32) for each in (rows, columns))
            errors = float32_errors(rows.side, columns.side)[0]
            counted = count(
                product,
                Asked(rows.side, ones, row_bars, errors),
                Asked(columns.side, other_ones, column_bars, np.zeros(len(other_ones))),
                product.size,
            )
        return counted[0], counted[1]


def int8_pays(dim: int) -> bool:
    """Whether a core multiplies int8 so much faster than float32, by its own time, whatever else runs."""
    codes, vectors = torch.ones((1024, dim), dtype=torch.int8), torch.ones((1024, dim))
    products: list[Callable[[], object]] = [lambda: torch._int_mm(codes, codes.T), lambda: vectors @ vectors.T]
    best, threads = [np.inf, np.inf], torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(TRIALS):
        for which, product in enumerate(products):
            begun = time.thread_time()
            product()
            best[which] = min(best[which], time.thread_time() - begun)
    torch.set_num_threads(threads)
    return best[0] < WORTH * best[1]
