"""Values of a metadata column cut into strata: the largest values, or quantiles of a number that takes many values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LARGEST = 12
"""Values that get a stratum of their own; the rest share one."""
QUANTILES = 5
"""Strata of a number with more values than that."""
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """The names of the strata, in the order to show them, and the stratum (n,) of each value."""

    names: list[str]
    codes: NDArray[np.int64]


def strata(values: pa.ChunkedArray) -> Strata:
    """Numbers ascend, other values come by how many they are, largest first; then the rest, then what is not known."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return _of_numbers(values)
    texts = pc.cast(values, pa.string())
    known = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(texts), ""), False).to_numpy()
    names, codes, counts = np.unique(
        np.asarray(texts.filter(known).to_pylist(), dtype=np.str_), return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.minimum(np.arange(len(order)), LARGEST)
    shown = names[order[:LARGEST]].tolist()
    rest = [f"{len(names) - LARGEST} other values"] if len(names) > LARGEST else []
    return _spread([*shown, *rest], places[codes], known)


def _of_numbers(values: pa.ChunkedArray) -> Strata:
    whole = pa.types.is_integer(values.type)
    numbers = pc.cast(values, pa.float64()).to_numpy()
    known = np.isfinite(numbers)
    distinct, codes = np.unique(numbers[known], return_inverse=True)
    say: Callable[[Any], str] = (lambda number: f"{number:.0f}") if whole else (lambda number: f"{number:.4g}")
    if len(distinct) <= LARGEST:
        return _spread([say(number) for number in distinct], codes, known)
    shares = np.arange(1, QUANTILES) / QUANTILES
    edges = np.unique(np.quantile(numbers[known], shares, method="inverted_cdf"))
    bins = np.searchsorted(edges, distinct)  # a value belongs to the first edge that it does not pass
    used, bins = np.unique(bins, return_inverse=True)
    names = []
    for number in range(len(used)):
        inside = distinct[bins == number]
        ends = [say(inside[0]), say(inside[-1])]
        names.append(ends[0] if len(inside) == 1 else "–".join(ends))
    return _spread(names, bins[codes], known)


def _spread(names: list[str], codes: NDArray[np.int64], known: NDArray[np.bool_]) -> Strata:
    """The codes of the known values, and a last stratum for the others where there are any."""
    everywhere = np.full(len(known), len(names), np.int64)
    everywhere[known] = codes
    return Strata(names if known.all() else [*names, UNKNOWN], everywhere)
