"""Two indexes that were asked the same: which of their queries are the same, and how their measures differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.bootstrap import Values, differences, estimates
from retrieval.errors import QueryError
from retrieval.metrics import per_query
from retrieval.report.kept import Kept
from retrieval.report.values import Paired


def pair(first: Kept, second: Kept, ks: Sequence[int], *, resamples: int, seed: int) -> Paired | None:
    """The queries that two indexes share, known by figure id and caption text, measured in both; None without any.

    Raises QueryError where a figure of both has other captions in one of them.
    """
    _check_captions(first, second)
    partners = pc.index_in(first.keys, value_set=second.keys)
    shared = partners.is_valid().to_numpy(zero_copy_only=False)
    rows, others = np.flatnonzero(shared), partners.drop_null().to_numpy().astype(np.int64)
    if not len(rows):
        return None
    values = _measured(first, ks, rows), _measured(second, ks, others)
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


def _check_captions(first: Kept, second: Kept) -> None:
    for one, other in ((first, second), (second, first)):
        new = pc.invert(pc.is_in(one.keys, value_set=other.keys))
        strange = one.figures.filter(pc.and_(new, pc.is_in(one.figures, value_set=other.figures)))
        if len(strange):
            raise QueryError(
                f"{second.folder}: figure {strange[0].as_py()} has other captions than in {first.folder}; "
                "compare indexes of one source"
            )


def _measured(kept: Kept, ks: Sequence[int], queries: NDArray[np.int64]) -> dict[str, Values]:
    return {name: values[queries] for name, values in per_query(kept.ranks, ks).items()}
