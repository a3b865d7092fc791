"""The queries that show what an index does well and badly, with what it answered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.evaluation.evaluate import QUERY_AND_GALLERY, DirectionRanks
from retrieval.evaluation.metrics import best_rank
from retrieval.evaluation.study.pairs import query_rows
from retrieval.evaluation.study.study_results import Example
from retrieval.shards.plan import WHERE_FROM
from retrieval.shards.tables import TABLE_OF, parse_extra
from retrieval.types import Hit, Modality

Rows = NDArray[np.int64]
SHOWN = 3
"""Hits of each example."""
LOOKED_AT = 2000
"""Queries among which the clearest are sought: every query's runner-up would cost a second pass over a large index."""
AMONG = 100
"""Hits among which the runner-up is sought where a query has many answers."""


def best_and_worst(answers: DirectionRanks, count: int, seed: int) -> tuple[int, list[Example], list[Example]]:
    """How many were looked at for the best, and `count` examples of either kind, of as many articles as there are."""
    ranks = best_rank(answers.ranks)
    looked_at = np.flatnonzero(ranks == 1)
    if len(looked_at) > LOOKED_AT:
        looked_at = np.sort(np.random.default_rng(seed).choice(looked_at, LOOKED_AT, replace=False))
    clusters = answers.question.clusters
    best = looked_at[np.argsort(-_leads(answers, looked_at), kind="stable")]
    missed = np.flatnonzero(ranks > 1)
    worst = missed[np.argsort(-ranks[missed], kind="stable")]
    chosen = [spread(queries, clusters, count) for queries in (best, worst)]
    found = _examples_of(answers, np.concatenate(chosen), ranks)
    return len(looked_at), found[: len(chosen[0])], found[len(chosen[0]) :]


def spread(queries: Rows, clusters: Rows, count: int) -> Rows:
    """`count` of some queries in their order: the first of each cluster, then others where there are too few."""
    places = np.sort(np.unique(clusters[queries], return_index=True)[1])
    others = np.setdiff1d(np.arange(len(queries)), places)
    chosen: Rows = queries[np.sort(np.concatenate([places, others])[:count])]
    return chosen


def _leads(answers: DirectionRanks, queries: Rows, own: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """(queries,) How far the cosine of the best answer, `own` or else the first hit, is before that of the best row
    that is none."""
    answering = int(answers.ranks.counts[queries].max(initial=0))
    hits = answers.best(queries, min(answering + 1, AMONG, len(answers.gallery_codes)))
    others = answers.gallery_codes[hits.rows] != answers.question.codes[queries][:, None]
    others[:, -1] = True  # where all are answers, the last of them stands for what comes after
    runners_up = hits.scores[np.arange(len(queries)), others.argmax(axis=1)]
    leads: NDArray[np.float32] = (hits.scores[:, 0] if own is None else own) - runners_up
    return leads


def _examples_of(answers: DirectionRanks, queries: Rows, ranks: NDArray[np.float64]) -> list[Example]:
    if not len(queries):
        return []
    query_modality, gallery_modality = QUERY_AND_GALLERY[answers.direction]
    hits = answers.best(queries, min(SHOWN, len(answers.gallery_codes)))
    nearest = answers.nearest_relevant(queries)
    leads = _leads(answers, queries, np.array([score for _, score in nearest], np.float32)).tolist()
    wanted = sorted({*hits.rows.flatten().tolist(), *(row for row, _ in nearest)})
    known = dict(zip(wanted, answers.built.describe(gallery_modality, wanted), strict=True))
    asked = _query_hits(answers, query_modality, query_rows(answers).take(queries).to_pylist())
    found = []
    for place, query in enumerate(queries.tolist()):
        its = zip(hits.rows[place].tolist(), hits.scores[place].tolist(), range(1, SHOWN + 1), strict=False)
        own, *shown = (
            Hit(**known[row], score=score, rank=rank, modality=gallery_modality)
            for row, score, rank in ((*nearest[place], int(ranks[query])), *its)
        )
        relevant = answers.gallery_codes[hits.rows[place]] == answers.question.codes[query]
        about = (answers.direction, own.rank, leads[place], asked[place], own)
        found.append(Example(*about, tuple(shown), tuple(relevant.tolist())))
    return found


def _query_hits(answers: DirectionRanks, modality: Modality, rows: list[int]) -> list[Hit]:
    """The figures of some queries: of the index, or of the corpus that asks."""
    shards = answers.asked_of
    declared = list(shards.plan.columns)
    own = {"image": ["width", "height", "thumbnail"], "text": ["caption"]}[modality]
    found = shards.take(TABLE_OF[modality], rows, [*WHERE_FROM, *own, *declared, "extra"])
    return [_query_hit(values, modality, own, declared) for values in found]


def _query_hit(values: dict[str, Any], modality: Modality, own: list[str], declared: list[str]) -> Hit:
    metadata = {name: values[name] for name in declared} | parse_extra(values["extra"])
    fields = {"caption": ""} | {name: values[name] for name in (*WHERE_FROM, *own)}
    return Hit(**fields, score=1.0, rank=1, modality=modality, metadata=metadata)
