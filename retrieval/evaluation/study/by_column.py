"""hit_rate@10 of both directions in each stratum of a metadata column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import Estimate, Values, estimates
from retrieval.evaluation.evaluate import Direction
from retrieval.evaluation.metrics import hit_rate
from retrieval.evaluation.strata import strata
from retrieval.evaluation.study.pairs import QueryOutcomes
from retrieval.evaluation.study.study_results import ByColumn, Stratum
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

K = 10
OF_IMAGES = ("width", "height")


def check_columns(built: OpenedIndex, columns: tuple[str, ...]) -> None:
    """Raises QueryError for a column that the index has not got."""
    known = ["article_id", *OF_IMAGES, *built.plan.columns]
    for column in columns:
        if column not in known:
            raise QueryError(f"{built.folder}: no column {column} to make strata of; there are {', '.join(known)}")


def by_column(built: OpenedIndex, column: str, kept: Mapping[Direction, QueryOutcomes], **sampled: int) -> ByColumn:
    """The strata of all queries together, so that both directions have the same. Raises QueryError as above."""
    check_columns(built, (column,))
    values = _values(built, column, pa.chunked_array([its.figures for its in kept.values()]))
    found = strata(values)
    ends = np.cumsum([len(its.figures) for its in kept.values()])
    parts = zip(kept.items(), np.split(found.codes, ends[:-1]), strict=True)
    overall: dict[Direction, Estimate] = {}
    hit_rates: list[dict[Direction, Estimate]] = [{} for _ in found.names]
    for (direction, its), codes in parts:
        hit = hit_rate(its.ranks, K)
        overall[direction] = _estimate(hit, its.clusters, sampled)
        for number, rates in enumerate(hit_rates):
            inside = codes == number
            rates[direction] = _estimate(hit[inside], its.clusters[inside], sampled)
    return ByColumn(column, K, overall, [Stratum(*named) for named in zip(found.names, hit_rates, strict=True)])


def _estimate(values: Values, clusters: NDArray[np.int64], sampled: dict[str, int]) -> Estimate:
    return estimates({"hit_rate": values}, clusters, **sampled)["hit_rate"]


def _values(built: OpenedIndex, column: str, figures: pa.ChunkedArray) -> pa.ChunkedArray:
    """The value of each figure, by its id: from its image, or from its captions where it has none."""
    kinds: tuple[Modality, ...] = ("image",) if column in OF_IMAGES else ("image", "text")
    found = []
    for modality in kinds:
        table = built.shards.columns(TABLE_OF[modality], ["figure_id", column])
        rows = pc.index_in(figures, value_set=table["figure_id"].combine_chunks())
        found.append(table[column].combine_chunks().take(rows))
    return pc.coalesce(*found)
