"""What is kept of one direction when its queries are gone: who was asked, and where the answers stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import Values, differences, estimates
from retrieval.evaluation.evaluate import QUERY_AND_GALLERY, DirectionRanks
from retrieval.evaluation.metrics import per_query
from retrieval.evaluation.queries import row_ids
from retrieval.evaluation.ranks.order import Ranks
from retrieval.evaluation.study.study_results import Paired

BETWEEN = "\x1f"  # of a figure id and a caption


@dataclass(frozen=True, slots=True, eq=False)
class QueryOutcomes:
    """The figure id and article code of every query, what it is known by in another index, and the ranks.

    A caption is known by its figure's id and its text, an image by its figure's id.
    """

    folder: Path
    figures: pa.Array
    keys: pa.Array
    clusters: NDArray[np.int64]
    ranks: Ranks
    gallery: int


def keep(answers: DirectionRanks) -> QueryOutcomes:
    """Must be called while the queries are there."""
    figures = keys = pa.array(answers.question.ids(), pa.string())
    if answers.direction == "t2i":  # captions are numbered behind the id of their figure
        figures = pc.replace_substring_regex(figures, "#[0-9]+$", "")
        captions = answers.asked_of.columns("texts", ["caption"])["caption"].take(query_rows(answers))
        keys = pc.binary_join_element_wise(figures, captions.combine_chunks(), BETWEEN)
    return QueryOutcomes(
        answers.built.folder,
        figures,
        keys,
        answers.question.clusters,
        answers.ranks,
        len(answers.gallery_codes),
    )


def query_rows(answers: DirectionRanks) -> pa.Array:
    """(queries,) The row of each in its table."""
    modality = QUERY_AND_GALLERY[answers.direction][0]
    known = pa.array(row_ids(answers.asked_of, modality), pa.string())
    return pc.index_in(pa.array(answers.question.ids(), pa.string()), value_set=known)


def pair(first: QueryOutcomes, second: QueryOutcomes, ks: Sequence[int], *, resamples: int, seed: int) -> Paired | None:
    """The queries that two indexes share, known by figure id and caption text, measured in both; None without any.

    Raises QueryError where a figure of both has other captions in one of them.
    """
    _check_captions(first, second)
    partners = pc.index_in(first.keys, value_set=second.keys)
    shared = partners.is_valid().to_numpy(zero_copy_only=False)
    rows, others = np.flatnonzero(shared), partners.drop_null().to_numpy().astype(np.int64)
    if not len(rows):
        return None
    values = _measures_at(first, ks, rows), _measures_at(second, ks, others)
    clusters = first.clusters[rows]
    return Paired(
        queries=len(rows),
        only_first=len(shared) - len(rows),
        only_second=len(second.keys) - len(np.unique(others)),
        galleries=(first.gallery, second.gallery),
        first=estimates(values[0], clusters, resamples=resamples, seed=seed),
        second=estimates(values[1], clusters, resamples=resamples, seed=seed),
        differences=differences(*values, clusters, resamples=resamples, seed=seed),
    )


def _check_captions(first: QueryOutcomes, second: QueryOutcomes) -> None:
    for one, other in ((first, second), (second, first)):
        new = pc.invert(pc.is_in(one.keys, value_set=other.keys))
        strange = one.figures.filter(pc.and_(new, pc.is_in(one.figures, value_set=other.figures)))
        if len(strange):
            raise QueryError(
                f"{second.folder}: figure {strange[0].as_py()} has other captions than in {first.folder}; "
                "compare indexes of one source"
            )


def _measures_at(kept: QueryOutcomes, ks: Sequence[int], queries: NDArray[np.int64]) -> dict[str, Values]:
    return {name: values[queries] for name, values in per_query(kept.ranks, ks).items()}
