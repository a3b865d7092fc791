"""The rows of figures that a step withdraws."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLES, Table


def rows_of_figures(
    shards: Shards, reasons: Mapping[str, str | None], skipped: Collection[str] = ()
) -> dict[Table, pa.Table]:
    """The rows of some figures, each with its reason, by table: stored `row`, `figure_id` and `reason`.

    Of the figures `skipped`, which a step tells of anew, only that they were skipped before.
    """
    gone, anew = pa.array(list(reasons), pa.string()), pa.array(list(skipped), pa.string())
    found: dict[Table, pa.Table] = {}
    for table in TABLES:
        columns = shards.columns(table, ["figure_id", "part"] if table == "skips" else ["figure_id"])
        ids = columns["figure_id"]
        wanted = pc.is_in(ids, gone)
        if table == "skips":
            wanted = pc.or_(wanted, pc.and_(pc.is_in(ids, anew), pc.equal(columns["part"], "figure")))
        rows = np.flatnonzero(wanted.to_numpy())
        names = ids.take(pa.array(rows)).combine_chunks()
        why = pa.array([reasons.get(figure) for figure in names.to_pylist()], pa.string())
        found[table] = pa.table({"row": shards.stored_rows(table, rows), "figure_id": names, "reason": why})
    return found
