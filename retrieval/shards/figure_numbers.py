"""Figures across the tables of an index: a number for each, and the rows of some."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import ShardError
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF, TABLES, Table
from retrieval.types import Modality


def figure_numbers(shards: Shards) -> dict[Modality, NDArray[np.int32]]:
    """For every row of both tables which figure it is: numbered as they come, images first.

    Raises ShardError where two images have one figure id.
    """
    ids = {modality: shards.columns(table, ["figure_id"])["figure_id"] for modality, table in TABLE_OF.items()}
    together = pa.chunked_array([*ids["image"].chunks, *ids["text"].chunks], type=pa.string())
    encoded = together.dictionary_encode().chunks  # all of one dictionary; in one piece, ids beyond 2 GB would not fit
    codes = np.concatenate([np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in encoded)])
    images = len(ids["image"])
    counts = np.bincount(codes[:images], minlength=1)
    if counts.max() > 1:
        twice = together[int(np.flatnonzero(codes[:images] == counts.argmax())[0])].as_py()
        raise ShardError(
            f"{shards.folder}: figure {twice!r} stands {counts.max()} times in the shards; ids must be unique"
        )
    return {"image": codes[:images], "text": codes[images:]}


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
