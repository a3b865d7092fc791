"""What is kept of one direction when its queries are gone: who was asked, and where the answers stood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.asked import row_ids
from retrieval.evaluate import QUERY_AND_GALLERY, Answers
from retrieval.ranking import Ranks

BETWEEN = "\x1f"  # of a figure id and a caption


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """The figure id and article code of every query, what it is known by in another index, and the ranks.

    A caption is known by its figure's id and its text, an image by its figure's id.
    """

    folder: Path
    figures: pa.Array
    keys: pa.Array
    clusters: NDArray[np.int64]
    ranks: Ranks
    gallery: int


def keep(answers: Answers) -> Kept:
    """Must be called while the queries are there."""
    figures = keys = pa.array(answers.question.ids(), pa.string())
    if answers.direction == "t2i":  # captions are numbered behind the id of their figure
        figures = pc.replace_substring_regex(figures, "#[0-9]+$", "")
        captions = answers.asked_of.columns("texts", ["caption"])["caption"].take(query_rows(answers))
        keys = pc.binary_join_element_wise(figures, captions.combine_chunks(), BETWEEN)
    return Kept(
        answers.built.folder,
        figures,
        keys,
        answers.question.clusters,
        answers.ranks,
        len(answers.gallery_codes),
    )


def query_rows(answers: Answers) -> pa.Array:
    """(queries,) The row of each in its table."""
    kind = QUERY_AND_GALLERY[answers.direction][0]
    known = pa.array(row_ids(answers.asked_of, kind), pa.string())
    return pc.index_in(pa.array(answers.question.ids(), pa.string()), value_set=known)
