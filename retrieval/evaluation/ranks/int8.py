"""Tiles of int8 products with proven bounds; what they leave in doubt is settled by dot products.

The residuals x' and y' are turned by one random rotation and written as x' = x^ + e and y' = y^ + f, where x^ and
y^ are int8 vectors times a factor. Then x'·y' - x^·y^ = e·y' + x'·f - e·f. Cauchy-Schwarz bounds each term by lengths,
which are known. But for a given x', and so a given e, a random rotation turns what y' has across x' in any direction
with equal chance: |e·y'| > (|e·x'| / |x'| + t |e|) |y'| has a probability of at most 2 exp(-(d-1) t²/2), the share of
a sphere in two caps (Ball, An Elementary Introduction to Modern Convex Geometry, lemma 2.2). With t as below no pair of
a whole run breaks its bound, but for a chance of `RISK` over the rotations, whatever the vectors are. At 512 dimensions
t is 0.43, which leaves half as many pairs in doubt as Cauchy-Schwarz.

Most of a residual lies in few directions, and most bars are far above most scores. So the half of the directions that
hold most is coded as well, and a tile is counted by it alone where a few of its rows say that this leaves few pairs in
doubt. What the other half may add to a score is at most |x"| |y"|, the lengths there.

bfloat16 has two more digits and would leave fewer, but an int8 product takes half the time: on a Zen 4 core 400 GF/s
beside 190, and 90 in float32. torch has one for processors with VNNI; NumPy has none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from retrieval.encoders.torch_threads import settle
from retrieval.evaluation.ranks.numba_kernel import CountedSide, count_tile
from retrieval.evaluation.ranks.order import Rows
from retrieval.evaluation.ranks.tiles import SLACK, Bars, Side, centre, cores, float32_errors, side
from retrieval.types import Vectors

GREATEST = 127
IN_DOUBT = 0.2  # of a tile: with more, a float32 product is faster than so many dot products
RISK = 1e-6  # that one decision of a whole run is wrong, and so a rank off by one
PAIRS = 2e14  # of a run, at most, each by two codes: ten million figures and as many captions
WORTH = 0.6  # of a float32 product's time that an int8 one may take; settling doubts needs the rest
TRIALS = 10  # in turns, the best counting
SAMPLED = 32  # rows of a tile that say how many pairs half of the directions would leave in doubt
MARGIN = 2  # of their share in the whole tile
DOT = 8e-8  # seconds to find a pair in doubt and settle it, on a Zen 4 core at 512 dimensions

Directions = NDArray[np.float64]
"""(dim, coded): orthonormal columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """What one product needs of n rows: int8 codes (n, coded) and their factors (n,) in some directions.

    `lengths` (n,) are those of the residuals in these directions, `rest` (n,) those in all others. The coding error has
    `errors` (n,) as its length, and `spread` (n,) is what bounds its product with a vector of length 1 from the
    other side.
    """

    codes: NDArray[np.int8]
    factors: NDArray[np.float32]
    lengths: NDArray[np.float64]
    rest: NDArray[np.float64]
    errors: NDArray[np.float64]
    spread: NDArray[np.float64]

    def some(self, rows: slice) -> Codes:
        """The same of fewer rows, copied together."""
        return Codes(*(getattr(self, field.name)[rows].copy() for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A side with its codes in all directions, and in the half that holds most."""

    side: Side
    whole: Codes
    half: Codes


Counting = tuple[Side, Codes, Bars]
"""One side of a tile, and by which codes to count it."""


class Int8:
    """Counts by an int8 product, of half of the directions if these do, and by a float32 one where it leaves too many
    pairs in doubt."""

    shape = (4096, 512)  # larger ones leave the cache before they are counted, smaller ones cost more calls

    def __init__(self, row_sample: Vectors, column_sample: Vectors, seed: int = 0) -> None:
        self._rows, self._columns = centre(row_sample), centre(column_sample)
        dim, rng = len(self._rows), np.random.default_rng(seed)
        self._whole = random_rotation(dim, rng)
        most = most_varied(row_sample - self._rows, column_sample - self._columns)[:, : (dim + 1) // 2]
        self._half = most @ random_rotation(most.shape[1], rng)
        # the share of pairs whose doubts take as long to settle as half of the product saves
        self._affordable = (int8_seconds(dim) - int8_seconds(most.shape[1])) / (DOT * dim / 512)
        self.threads = cores()
        self.bytes_a_column = 5 * dim + most.shape[1] + 88
        self._mine = threading.local()
        self.settled: list[int] = []
        """For each tile how many pairs were in doubt; -1 where they were too many."""
        self.halved: list[bool] = []
        """For each whether half of the directions did."""

    def row_side(self, vectors: Vectors) -> Coded:
        return self._coded(*side(vectors, self._rows, self._columns, 0))

    def column_side(self, vectors: Vectors) -> Coded:
        return self._coded(*side(vectors, self._columns, self._rows, float(self._rows @ self._columns)))

    def _coded(self, plain: Side, residuals: NDArray[np.float64]) -> Coded:
        return Coded(plain, *(encoded(residuals, plain.lengths, each) for each in (self._whole, self._half)))

    def count(self, rows: Coded, columns: Coded, row_bars: Bars, column_bars: Bars) -> tuple[Rows, Rows]:
        by_half = rows.side, rows.half, row_bars
        few = slice(None, None, -(-row_bars.shape[1] // SAMPLED))
        some = rows.side.some(few), rows.half.some(few), row_bars[:, few].copy()
        counted = self._counted(some, (columns.side, columns.half, column_bars), self._affordable)
        if counted[2] >= 0:
            in_doubt = min(IN_DOUBT, MARGIN * self._affordable)
            counted = self._counted(by_half, (columns.side, columns.half, column_bars), in_doubt)
        self.halved.append(counted[2] >= 0)
        if counted[2] < 0:
            by_whole = rows.side, rows.whole, row_bars
            counted = self._counted(by_whole, (columns.side, columns.whole, column_bars), IN_DOUBT)
        self.settled.append(counted[2])
        if counted[2] < 0:
            counted = in_float32(rows.side, columns.side, row_bars, column_bars)
        return counted[0], counted[1]

    def _counted(self, rows: Counting, columns: Counting, in_doubt: float) -> tuple[Rows, Rows, int]:
        """`count` of these codes, worthless where more than that share of the pairs is in doubt."""
        product = self._product(rows[1].codes, columns[1].codes)
        row_asked, column_asked = (
            CountedSide(side, codes.factors, bars, errors)
            for (side, codes, bars), errors in zip((rows, columns), bounds(rows[1], columns[1]), strict=True)
        )
        return count_tile(product, row_asked, column_asked, int(in_doubt * product.size))

    def _product(self, rows: NDArray[np.int8], columns: NDArray[np.int8]) -> NDArray[np.int32]:
        """In one place for all tiles of a thread: new memory costs a third of the product's time."""
        shape = (len(rows), len(columns))
        places = self._mine.__dict__.setdefault("places", {})
        if shape not in places:
            places[shape] = torch.empty(shape, dtype=torch.int32)
        out: torch.Tensor = places[shape]
        settle(1)  # each thread counts a tile of its own
        int8_product(torch.from_numpy(rows), torch.from_numpy(columns).T, out)
        product: NDArray[np.int32] = out.numpy()
        return product


def in_float32(rows: Side, columns: Side, row_bars: Bars, column_bars: Bars) -> tuple[Rows, Rows, int]:
    """`count` by a float32 product."""
    product = rows.residuals @ columns.residuals.T
    ones, other_ones = (np.ones(bars.shape[1], np.float32) for bars in (row_bars, column_bars))
    asked = CountedSide(rows, ones, row_bars, float32_errors(rows, columns)[0])
    return count_tile(
        product, asked, CountedSide(columns, other_ones, column_bars, np.zeros(len(other_ones))), product.size
    )


def encoded(residuals: NDArray[np.float64], lengths: NDArray[np.float64], directions: Directions) -> Codes:
    """The codes of residuals (n, dim) of some lengths (n,) in some directions."""
    turned = residuals @ directions
    squares = np.einsum("nd,nd->n", turned, turned)
    inside, rest = np.sqrt(squares), np.sqrt(np.maximum(lengths**2 - squares, 0))
    factors = (np.abs(turned).max(axis=1) / GREATEST).astype(np.float32)
    factors[factors == 0] = 1
    codes = np.rint(turned / factors[:, None]).clip(-GREATEST, GREATEST)
    # The nearest multiple of the codes, not of the grid: its error is across them, and hardly along the vector.
    factors = (np.einsum("nd,nd->n", codes, turned) / np.maximum(np.einsum("nd,nd->n", codes, codes), 1)).astype(
        np.float32
    )
    wrong = turned - codes * factors[:, None]
    errors = np.sqrt(np.einsum("nd,nd->n", wrong, wrong))
    along = np.abs(np.einsum("nd,nd->n", wrong, turned)) / np.maximum(inside, np.finfo(float).tiny)
    share = min(1.0, np.sqrt(2 * np.log(4 * PAIRS / RISK) / max(1, directions.shape[1] - 1)))
    return Codes(codes.astype(np.int8), factors, inside, rest, errors, np.minimum(errors, along + share * errors))


def bounds(rows: Codes, columns: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far the scores of each row may be off, and of each column: at most by both together.

    Where not all directions are coded, |x"| |y"| <= (w |x"|² + |y"|² / w) / 2, which is near where w makes them alike.
    """
    weight = max(columns.rest.mean(), SLACK) / max(rows.rest.mean(), SLACK)
    row_errors = rows.spread * columns.lengths.max() + rows.errors * columns.errors.max() + SLACK
    return row_errors + rows.rest**2 * weight / 2, columns.spread * rows.lengths.max() + columns.rest**2 / weight / 2


def random_rotation(dim: int, rng: np.random.Generator) -> Directions:
    """Every rotation is equally likely: Mezzadri, How to generate random matrices from the classical compact groups."""
    turned, triangle = np.linalg.qr(rng.standard_normal((dim, dim)))
    rotation: Directions = turned * np.sign(np.diagonal(triangle))
    return rotation


def most_varied(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Directions:
    """All directions, from the one that holds most of both sides' residuals (n, dim)."""
    ascending: Directions = np.linalg.eigh(rows.T @ rows / len(rows) + columns.T @ columns / len(columns))[1]
    return ascending[:, ::-1]


def int8_seconds(dim: int) -> float:
    """What a pair takes in an int8 product on a core, by its own time, whatever else runs."""
    codes, out = torch.ones((1024, dim), dtype=torch.int8), torch.empty((1024, 1024), dtype=torch.int32)
    return least_seconds(lambda: int8_product(codes, codes.T, out))[0] / 1024**2


def int8_pays(dim: int) -> bool:
    """Whether a core multiplies int8 so much faster than float32."""
    if not has_int8_product():
        return False
    codes, vectors = torch.ones((1024, dim), dtype=torch.int8), torch.ones((1024, dim))
    out = torch.empty((1024, 1024), dtype=torch.int32)
    int8, float32 = least_seconds(lambda: int8_product(codes, codes.T, out), lambda: vectors @ vectors.T)
    return int8 < WORTH * float32


def has_int8_product() -> bool:
    """Whether this torch multiplies int8 matrices as is assumed here. Its function is private, so it is tried."""
    try:
        a = torch.arange(-24, 24, dtype=torch.int8).reshape(2, 24).repeat(16, 1)
        out = torch.empty((32, 32), dtype=torch.int32)
        int8_product(a, a.T, out)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool((out == a.int() @ a.int().T).all())


def int8_product(rows: torch.Tensor, columns: torch.Tensor, out: torch.Tensor) -> None:
    """Write rows (n, dim) times columns (dim, m), int8, to `out` (n, m) int32: the one use of torch._int_mm."""
    torch._int_mm(rows, columns, out=out)


def least_seconds(*products: Callable[[], object]) -> list[float]:
    """Of a thread's own time that each takes, in turns, with one thread."""
    with ThreadPoolExecutor(1, initializer=settle, initargs=(1,)) as alone:
        return alone.submit(_least_seconds, products).result()


def _least_seconds(products: Sequence[Callable[[], object]]) -> list[float]:
    best: list[float] = [np.inf] * len(products)
    for _ in range(TRIALS):
        for which, product in enumerate(products):
            begun = time.thread_time()
            product()
            best[which] = min(best[which], time.thread_time() - begun)
    return best
