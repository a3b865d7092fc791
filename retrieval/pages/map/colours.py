"""Values of a column to at most seven colours: the commonest words, or equally full ranges of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

COLOURS = 7
"""As many as Okabe and Ito give beside black; more cannot be told apart by everyone."""
OTHER, MISSING = -1, -2


@dataclass(frozen=True, slots=True)
class Colouring:
    """The figures of a map by one column.

    `groups` are names with the number of their figures; `codes` say for every figure which group it is in, OTHER or
    MISSING. `ordered` groups rise from the first to the last.
    """

    name: str
    groups: tuple[tuple[str, int], ...]
    codes: tuple[int, ...]
    ordered: bool


def colouring(name: str, values: Sequence[Any]) -> Colouring:
    """Groups of words by their number, then name; of numbers in their order; more than seven numbers become ranges."""
    known = [_group(value) for value in values if _is_known(value)]
    numeric = bool(known) and all(isinstance(value, int | float) for value in known)
    if numeric and len(set(known)) > COLOURS:
        return _ranges(name, values)
    counts = Counter(known)
    names = sorted(counts) if numeric else sorted(counts, key=lambda word: (-counts[word], word))[:COLOURS]
    place = {value: number for number, value in enumerate(names)}
    codes = (place.get(_group(value), OTHER) if _is_known(value) else MISSING for value in values)
    return Colouring(name, tuple((_say(value), counts[value]) for value in names), tuple(codes), numeric)


def _ranges(name: str, values: Sequence[Any]) -> Colouring:
    known = np.array([_is_known(value) for value in values])
    numbers = np.array([float(value) if is_known else 0.0 for value, is_known in zip(values, known, strict=True)])
    rising = np.sort(numbers[known])
    starts = np.unique(rising[(np.arange(COLOURS) * len(rising)) // COLOURS])
    codes = np.where(known, np.searchsorted(starts, numbers, side="right") - 1, MISSING)
    groups = []
    for code in range(len(starts)):
        inside = numbers[codes == code]
        low, high = _say(inside.min()), _say(inside.max())
        groups.append((low if low == high else f"{low} to {high}", len(inside)))
    return Colouring(name, tuple(groups), tuple(codes.tolist()), ordered=True)


def _is_known(value: Any) -> bool:
    return value is not None and value == value and str(value).strip() != ""


def _group(value: Any) -> Any:
    """Numbers as they are, everything else as text: true and false are words."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value).strip()


def _say(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.4g}"
    return str(value)
