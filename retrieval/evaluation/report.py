"""The report of an evaluation: recall@k and its companions in each direction, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from retrieval.evaluation.bootstrap import Estimate
from retrieval.render.html import render
from retrieval.search.query import data_frame
from retrieval.shards.plan import CaptionsRead

if TYPE_CHECKING:
    import pandas

TOLD = ("hit_rate@1", "hit_rate@5", "hit_rate@10", "mrr", "median_rank")
NAMES = {"t2i": "text → image", "i2t": "image → text"}


@dataclass(frozen=True)
class DirectionReport:
    """One direction: how many were asked of how many, and each measure with its 95 % interval."""

    queries: int
    answerable: int
    gallery: int
    measures: Mapping[str, Estimate]


@dataclass(frozen=True, repr=False)
class Report:
    """What `evaluate` measured; prints as a table. `queries` says which were asked, `relevant_by` what is an answer.

    `directions` has a DirectionReport for "t2i" (text to image) and "i2t". `long_captions` says how many captions the
    encoder could not read whole: of the `index`, and of the `queries` where they are another corpus.
    """

    index: str
    encoder: str
    queries: str
    relevant_by: str
    resamples: int
    directions: Mapping[str, DirectionReport] = field(default_factory=dict)
    long_captions: Mapping[str, CaptionsRead] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def to_arrow(self) -> pa.Table:
        """One row for each measure of each direction: value, and low and high of its interval."""
        return pa.Table.from_pylist(self._rows())

    def to_pandas(self) -> pandas.DataFrame:
        """The rows of `to_arrow` as a pandas frame. Raises RetrievalError where pandas is not installed."""
        return data_frame(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for name, direction in self.directions.items():
            asked = {"queries": direction.queries, "answerable": direction.answerable, "gallery": direction.gallery}
            for measure, estimate in direction.measures.items():
                low, high = estimate.interval or (None, None)
                told = {"measure": measure, "value": estimate.value, "low": low, "high": high}
                rows.append({"direction": name, **asked, **told})
        return rows

    def recall(self, k: int = 10, direction: str = "t2i") -> Estimate:
        """hit_rate@k, the R@k of CLIP papers, with its interval. Raises KeyError for what was not measured."""
        return self.directions[direction].measures[f"hit_rate@{k}"]

    def table(self) -> list[list[str]]:
        """The rows of the report as text, the names of the columns first."""
        measured = {name for direction in self.directions.values() for name in direction.measures}
        told = [name for name in TOLD if name in measured] or sorted(measured)[:5]
        rows = [["direction", "queries", "gallery", *told]]
        for name, direction in self.directions.items():
            cells = [_cell(direction.measures[measure], measure) for measure in told]
            rows.append([NAMES.get(name, name), f"{direction.queries:,}", f"{direction.gallery:,}", *cells])
        return rows

    def __repr__(self) -> str:
        rows = self.table()
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"{self.index}, encoder {self.encoder}, queries: {self.queries}", *lines])

    def _repr_html_(self) -> str:
        columns, *rows = self.table()
        caption = f"{self.index}, encoder {self.encoder}, queries: {self.queries}"
        return render("render/table.html", caption=caption, columns=columns, rows=rows)


def _cell(estimate: Estimate, measure: str) -> str:
    if estimate.value is None:
        return "-"
    if measure == "median_rank":
        return f"{estimate.value:g}"
    interval = "" if estimate.interval is None else f" [{estimate.interval[0]:.3f}, {estimate.interval[1]:.3f}]"
    return f"{estimate.value:.3f}{interval}"
