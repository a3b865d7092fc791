"""The counting of one tile, compiled: what is certain by a rough product, and a dot product for every other pair.

numba is an optional extra. NumPy needs a pass over the tile for every comparison and copies two rows for every dot
product, which costs more than an int8 product saves. This is one pass, without the GIL: each thread has its own tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.ranks.order import Rows
from retrieval.evaluation.ranks.tiles import HALF_ULP, Bars, Side

WORD = 8  # bytes of the mask looked at together
ANY_ORDER = {"reassoc", "contract", "nsz"}  # of summing: `rounding` holds for each


@dataclass(frozen=True, slots=True, eq=False)
class CountedSide:
    """One side of a tile: its rows, the factors (n,) of its codes, its bars, and how far its scores may be off (n,)."""

    side: Side
    factors: NDArray[np.float32]
    bars: Bars
    errors: NDArray[np.float64]


def count_tile(product: NDArray[Any], rows: CountedSide, columns: CountedSide, limit: int) -> tuple[Rows, Rows, int]:
    """How many scores reach each bar of the rows and of the columns, and how many dot products that took.

    A score is the product times both factors and plus both terms, off by no more than both errors together. Where more
    than `limit` dot products would be needed the counts are worthless, and -1 stands for that number.
    """
    counts = np.zeros(rows.bars.shape, np.int64), np.zeros(columns.bars.shape, np.int32)
    dim = rows.side.vectors.shape[1]
    settled = _count_certain(  # type: ignore[call-arg]
        product,
        *(value for each in (rows, columns) for value in _arrays(each)),
        *(dim * HALF_ULP / (1 - dim * HALF_ULP), limit, *counts),
    )
    return counts[0], counts[1].astype(np.int64), settled


def _arrays(asked: CountedSide) -> tuple[NDArray[Any], ...]:
    """Give one side for `_count_certain`: what rows add to a score at most and at least, bars also in float32."""
    most, least = ((asked.side.terms + sign * asked.errors).astype(np.float32) for sign in (1, -1))
    return asked.side.vectors, asked.factors, most, least, asked.bars, asked.bars.astype(np.float32)


@numba.njit(nogil=True, fastmath=ANY_ORDER)
def _dots(row: Any, columns: Any, chosen: Any, dots: Any) -> None:
    """Products of a row with the chosen columns, without a branch between them: reading the next waits for none."""
    for place in range(len(chosen)):
        column = columns[chosen[place]]
        total = np.float32(0)
        for k in range(len(row)):
            total += row[k] * column[k]
        dots[place] = total


@numba.njit(nogil=True, fastmath=ANY_ORDER, inline="never")
def _exact_dot(rows: Any, columns: Any, i: Any, j: Any) -> Any:
    total = 0.0
    for k in range(rows.shape[1]):
        total += np.float64(rows[i, k]) * np.float64(columns[j, k])
    return total


@numba.njit(nogil=True)
def _first_bars(
    products: Any,
    factor: Any,
    most: Any,
    least: Any,
    factors: Any,
    mosts: Any,
    leasts: Any,
    bar: Any,
    bars: Any,
    doubt: Any,
    counts: Any,
) -> Any:
    """One row of the tile: how many scores certainly reach its bar; adds to the counts of the columns; marks doubts."""
    certain = np.int32(0)
    for j in range(len(products)):
        score = np.float32(products[j]) * (factor * factors[j])
        above, below = score + (most + mosts[j]), score + (least + leasts[j])
        row_reached, column_reached = below >= bar, below >= bars[j]
        certain += np.int32(row_reached)
        counts[j] += np.int32(column_reached)
        doubt[j] = np.uint8((above >= bar) ^ row_reached) | np.uint8((above >= bars[j]) ^ column_reached)
    return certain


@numba.njit(nogil=True)
def _next_bars(
    products: Any,
    factor: Any,
    most: Any,
    least: Any,
    factors: Any,
    mosts: Any,
    leasts: Any,
    bars: Any,
    doubt: Any,
    counts: Any,
) -> None:
    """As `_first_bars` for one more bar of each column, or of the row: the same bar everywhere."""
    for j in range(len(products)):
        score = np.float32(products[j]) * (factor * factors[j])
        above, below = score + (most + mosts[j]), score + (least + leasts[j])
        reached = below >= bars[j]
        counts[j] += np.int32(reached)
        doubt[j] |= np.uint8((above >= bars[j]) ^ reached)


@numba.njit(nogil=True)
def _in_doubt(words: Any, doubt: Any, found: Any) -> Any:
    """How many pairs of the row are in doubt; their columns in `found`."""
    count = 0
    for word in range(len(words)):
        if words[word]:
            for j in range(word * WORD, word * WORD + WORD):
                found[count] = j
                count += doubt[j]
    return count


@numba.njit(nogil=True)
def _count_certain(
    product: Any,
    rows: Any,
    row_factors: Any,
    row_mosts: Any,
    row_leasts: Any,
    row_bars: Any,
    row_bars32: Any,
    columns: Any,
    factors: Any,
    mosts: Any,
    leasts: Any,
    column_bars: Any,
    column_bars32: Any,
    rounding: Any,
    limit: Any,
    row_counts: Any,
    column_counts: Any,
) -> int:
    """Add to the counts of each bar; return how many pairs were settled, -1 beyond `limit`.

    Seventeen arrays and numbers rather than a record: numba compiles a named tuple of arrays anew for every mix of
    layouts, and cannot take a dataclass.
    """
    height, width = product.shape
    doubt = np.zeros((width + WORD - 1) // WORD * WORD, np.uint8)  # what is beyond the width stays zero
    words = doubt.view(np.uint64)
    found, dots = np.empty(len(doubt) + 1, np.int64), np.empty(len(doubt), np.float32)
    same, reached = np.empty(width, np.float32), np.zeros(width, np.int32)
    settled = 0
    for i in range(height):
        factor, most, least = row_factors[i], row_mosts[i], row_leasts[i]
        row_counts[0, i] += _first_bars(
            *(product[i], factor, most, least, factors, mosts, leasts),
            *(row_bars32[0, i], column_bars32[0], doubt, column_counts[0]),
        )
        for layer in range(1, len(row_bars)):
            same[:], reached[:] = row_bars32[layer, i], 0
            _next_bars(product[i], factor, most, least, factors, mosts, leasts, same, doubt, reached)
            row_counts[layer, i] += reached.sum()
        for layer in range(1, len(column_bars)):
            _next_bars(
                *(product[i], factor, most, least, factors, mosts, leasts),
                *(column_bars32[layer], doubt, column_counts[layer]),
            )
        doubts = _in_doubt(words, doubt, found)
        settled += doubts
        if settled > limit:
            return -1
        _dots(rows[i], columns, found[:doubts], dots)
        for place in range(doubts):
            j, dot = found[place], np.float64(dots[place])
            score = np.float32(product[i, j]) * (factor * factors[j])  # the same operations as above: the same bits
            above, below = score + (most + mosts[j]), score + (least + leasts[j])
            for layer in range(len(row_bars)):
                bar, bar32 = row_bars[layer, i], row_bars32[layer, i]
                exact = dot if abs(dot - bar) > rounding else _exact_dot(rows, columns, i, j)
                row_counts[layer, i] += (below < bar32) & (bar32 <= above) & (exact >= bar)
            for layer in range(len(column_bars)):
                bar, bar32 = column_bars[layer, j], column_bars32[layer, j]
                exact = dot if abs(dot - bar) > rounding else _exact_dot(rows, columns, i, j)
                column_counts[layer, j] += (below < bar32) & (bar32 <= above) & (exact >= bar)
    return settled
