"""What the columns of an index hold: the values that a filter could ask for, with how many figures have each."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.conditions import clauses_in
from retrieval.shards.filters import read_where
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

BINS = 20
KEPT = 256  # answers: one for each set of clauses that a page has lately shown
FEW = 50  # distinct numbers that are worth listing one by one


class Facets:
    """The facets of one open index; those asked for lately are kept."""

    def __init__(self, built: OpenedIndex) -> None:
        self._built = built
        self._kept: OrderedDict[tuple[tuple[str, ...], int], dict[str, Any]] = OrderedDict()
        self._lock = Lock()

    def of(self, where: tuple[str, ...], limit: int) -> dict[str, Any]:
        """By column: type, how many figures lack it, how many values there are, the commonest `limit` of them or, of
        numbers, least, greatest and a histogram; all over the figures that fulfil `where`. Raises FilterError."""
        key = (where, limit)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self._counted(where, limit)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _counted(self, where: tuple[str, ...], limit: int) -> dict[str, Any]:
        built = self._built
        kind = self._kind(where)
        rows = built.matching(kind, where)
        rows = np.arange(built.count(kind)) if rows is None else rows
        if kind == "text":  # a figure counts once, however many captions it has
            _, first = np.unique(np.asarray(built.figures(kind))[rows], return_index=True)
            rows = rows[np.sort(first)]
        sizes = {"width": "int64", "height": "int64"} if kind == "image" else {}
        columns = dict(built.plan.columns) | {"article_id": "string"} | sizes
        return {name: facet(self._column(kind, name).take(rows), type_, limit) for name, type_ in columns.items()}

    def _kind(self, where: tuple[str, ...]) -> Modality:
        """Figures are counted by their images, where there are any and no clause is about captions."""
        conditions = read_where(where, self._built.columns)
        named = {name for condition in conditions for clause in clauses_in(condition) for name in clause.columns}
        return "text" if "caption" in named or not self._built.count("image") else "image"

    def _column(self, kind: Modality, name: str) -> pa.ChunkedArray:
        return self._built.shards.columns(TABLE_OF[kind], [name])[name]


def facet(column: pa.ChunkedArray, type_: str, limit: int) -> dict[str, Any]:
    """One column's: its values with their counts, commonest first and then in order; numbers as a histogram too."""
    known = column.drop_null()
    counts = known.value_counts()
    about: dict[str, Any] = {"type": type_, "missing": len(column) - len(known), "distinct": len(counts)}
    numbers = type_ in ("int64", "float64")
    if not numbers or len(counts) <= FEW:
        table = pa.table({"value": counts.field("values"), "count": counts.field("counts")})
        order = pc.sort_indices(table, [("count", "descending"), ("value", "ascending")])[:limit]
        about["values"] = table.take(order).to_pylist()
    if numbers:
        values = known.to_numpy()
        about |= whole_numbers(values) if type_ == "int64" else fractions(values[np.isfinite(values)])
    return about


def whole_numbers(values: NDArray[np.int64]) -> dict[str, Any]:
    """Least, greatest and counts of at most `BINS` bins, from a number up to another that is not in it."""
    if not len(values):
        return {"min": None, "max": None, "histogram": []}
    least, greatest = int(values.min()), int(values.max())
    step = -(-(greatest - least + 1) // BINS)
    # as unsigned numbers, whose difference is right even where it is beyond int64
    places = (values.astype(np.uint64) - np.int64(least).astype(np.uint64)) // np.uint64(step)
    counts = np.bincount(places.astype(np.int64), minlength=(greatest - least) // step + 1).tolist()
    starts = [least + step * number for number in range(len(counts))]
    bins = [{"from": at, "to": at + step, "count": count} for at, count in zip(starts, counts, strict=True)]
    return {"min": least, "max": greatest, "histogram": bins}


def fractions(values: NDArray[np.float64]) -> dict[str, Any]:
    """Least, greatest and counts of `BINS` bins of finite numbers, the greatest in the last; one if all are equal."""
    if not len(values):
        return {"min": None, "max": None, "histogram": []}
    least, greatest = float(values.min()), float(values.max())
    half = greatest / 2 - least / 2  # the difference of the two greatest floats overflows
    bins = BINS if half > 0 else 1
    places = np.zeros(len(values)) if bins == 1 else (values / 2 - least / 2) / half * bins
    counts = np.bincount(np.minimum(places.astype(np.int64), bins - 1), minlength=bins).tolist()
    edges = [least * (1 - number / bins) + greatest * (number / bins) for number in range(bins + 1)]
    return {
        "min": least,
        "max": greatest,
        "histogram": [
            {"from": start, "to": stop, "count": count}
            for start, stop, count in zip(edges, edges[1:], counts, strict=False)
        ],
    }
