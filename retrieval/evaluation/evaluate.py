"""How good is it: exact ranks of every held-out pair, in both directions, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import estimates
from retrieval.evaluation.evaluate_options import EvaluateKeywords, EvaluateOptions
from retrieval.evaluation.metrics import per_query
from retrieval.evaluation.queries import EvaluationQueries, UnitRows, are_ids, asking, row_ids
from retrieval.evaluation.ranks.both_ways import both_ranks
from retrieval.evaluation.ranks.one_way import relevant_ranks, top
from retrieval.evaluation.ranks.order import Gallery, Positives, Ranks
from retrieval.evaluation.relevance import Relevance
from retrieval.evaluation.report import DirectionReport, Report
from retrieval.evaluation.trec import write_qrels, write_run
from retrieval.indexes.opened_index import OpenedIndex, borrowed
from retrieval.shards.filters import Filter
from retrieval.shards.plan import captions_read
from retrieval.shards.reader import Shards
from retrieval.shards.vectors import unit
from retrieval.types import Hits, Modality, Progress, Silent

Direction = Literal["t2i", "i2t"]
QUERY_AND_GALLERY: dict[Direction, tuple[Modality, Modality]] = {"t2i": ("text", "image"), "i2t": ("image", "text")}
WHOLE_GALLERY_BYTES = 2 << 30  # a gallery up to this size is converted to float32 once, as much as a million figures
LONG = 10**12  # multiplications, about ten seconds: what takes longer shows its progress


@dataclass(frozen=True, eq=False)
class DirectionRanks:
    """What one direction was measured from: the queries and the shards they are of, the gallery, and all ranks."""

    direction: Direction
    built: OpenedIndex
    question: EvaluationQueries
    asked_of: Shards
    gallery_codes: NDArray[np.int64]
    ranks: Ranks

    def best(self, queries: NDArray[np.int64], k: int) -> Hits:
        """The k best gallery rows of some of the queries."""
        question, gallery = self.question, _gallery(self.built, QUERY_AND_GALLERY[self.direction][1])
        return top(question.vectors[queries], gallery, question.codes[queries], self.gallery_codes, k)

    def nearest_relevant(self, queries: NDArray[np.int64]) -> list[tuple[int, float]]:
        """The best relevant gallery row of some answerable queries, and its cosine."""
        gallery = UnitRows(self.built.vectors(QUERY_AND_GALLERY[self.direction][1]))
        positives, found = Positives(self.question.codes[queries], self.gallery_codes), []
        for place, vector in enumerate(np.asarray(self.question.vectors[queries])):
            rows = positives[place]
            scores = gallery[rows] @ vector
            found.append((int(rows[scores.argmax()]), float(scores.max())))
        return found


def evaluate(
    index: str | Path | OpenedIndex,
    options: EvaluateOptions | None = None,
    *,
    trec: str | Path | None = None,
    depth: int = 1000,
    progress: Progress | None = None,
    each: Callable[[DirectionRanks], None] | None = None,
    **keywords: Unpack[EvaluateKeywords],
) -> Report:
    """Measure text to image and image to text on an index, exactly, against the whole index as gallery.

    Args:
        index: a built index, by its folder or open already.
        options: what is asked and how it is measured; or give its fields as keywords: `queries="split=heldout"`.
        trec: a folder for run and qrels files with `depth` hits a query.
        progress: told of what takes long; when everything is asked both directions are counted at once.
        each: called with what each direction was measured from, while the queries are there.

    Ties count against us. Intervals are 95 % percentiles of bootstrap samples of whole articles. Raises QueryError
    where nothing can be asked, FilterError for a clause that is not understood.
    """
    with borrowed(index) as built:
        return _evaluate(built, EvaluateOptions.of(options, keywords), trec, depth, progress or Silent(), each)


def _evaluate(
    built: OpenedIndex,
    options: EvaluateOptions,
    trec: str | Path | None,
    depth: int,
    progress: Progress,
    each: Callable[[DirectionRanks], None] | None,
) -> Report:
    """Count the ranks of both directions, and make of them a report."""
    relevance = Relevance(built, options.relevant_by)
    directions: dict[str, DirectionReport] = {}
    long_captions = {"index": captions_read(built.plan, built.shards.records)}
    with asking(built, relevance, options.queries, options.encoder, options.seed) as (asked, asked_of):
        if asked_of is not built.shards:
            long_captions["queries"] = captions_read(asked_of.plan, asked_of.records)
        found = _both(built, relevance, asked, progress) if options.queries is None else {}
        for direction, (query_modality, gallery_modality) in QUERY_AND_GALLERY.items():
            question, gallery_codes = asked[query_modality], relevance.codes(gallery_modality)
            if not len(question.codes) or not len(gallery_codes):
                continue
            ranks = found.pop(direction, None)
            if ranks is None:
                gallery = _gallery(built, gallery_modality)
                ranks = relevant_ranks(question.vectors, gallery, question.codes, gallery_codes)
            directions[direction] = _direction_report(ranks, question, len(gallery_codes), options)
            if each is not None:
                each(DirectionRanks(direction, built, question, asked_of, gallery_codes, ranks))
            if trec is not None:
                _write_trec(Path(trec), direction, built, question, gallery_codes, depth)
    report = Report(
        index=str(built.folder),
        encoder=built.plan.encoder,
        queries=_queries_name(options.queries),
        relevant_by=options.relevant_by,
        resamples=options.resamples,
        directions=directions,
        long_captions=long_captions,
    )
    _refuse_empty(report, built)
    return report


def _direction_report(
    ranks: Ranks, question: EvaluationQueries, gallery: int, options: EvaluateOptions
) -> DirectionReport:
    return DirectionReport(
        queries=len(ranks),
        answerable=int(np.count_nonzero(ranks.counts)),
        gallery=gallery,
        measures=estimates(
            per_query(ranks, options.ks), question.clusters, resamples=options.resamples, seed=options.seed
        ),
    )


def _write_trec(
    folder: Path,
    direction: Direction,
    built: OpenedIndex,
    question: EvaluationQueries,
    gallery_codes: NDArray[np.int64],
    depth: int,
) -> None:
    """The hits of each query and what is relevant, as trec_eval reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    gallery_modality = QUERY_AND_GALLERY[direction][1]
    query_ids, ids = question.ids(), row_ids(built.shards, gallery_modality)
    gallery, k = _gallery(built, gallery_modality), min(depth, len(ids))
    hits = top(question.vectors, gallery, question.codes, gallery_codes, k)
    write_run(folder / f"{direction}.run", query_ids, ids, hits, tag=built.plan.encoder)
    write_qrels(folder / f"{direction}.qrels", query_ids, ids, Positives(question.codes, gallery_codes))


def _refuse_empty(report: Report, built: OpenedIndex) -> None:
    """Raise QueryError where nothing was measured."""
    if not report.directions and bool(built.count("image")) != bool(built.count("text")):
        there = "captions" if built.count("text") else "images"
        raise QueryError(
            f"{report.index}: holds {there} only, and what is measured is finding one with the other; "
            "evaluate an index of images and captions"
        )
    if not any(direction.answerable for direction in report.directions.values()):
        raise QueryError(
            f"{report.index}: no query of {report.queries} has an answer in the index; choose other queries"
        )


def _both(
    built: OpenedIndex, relevance: Relevance, asked: dict[Modality, EvaluationQueries], progress: Progress
) -> dict[Direction, Ranks]:
    """The ranks of both directions, all of the index asked."""
    captions, images = asked["text"].vectors, asked["image"].vectors
    short = len(captions) * len(images) * built.plan.dim < LONG
    t2i, i2t = both_ranks(
        captions,
        images,
        relevance.codes("text"),
        relevance.codes("image"),
        progress=Silent() if short else progress,
    )
    return {"t2i": t2i, "i2t": i2t}


def _gallery(built: OpenedIndex, modality: Modality) -> Gallery:
    stored = built.vectors(modality)
    return unit(np.asarray(stored)) if 2 * stored.nbytes <= WHOLE_GALLERY_BYTES else UnitRows(stored)


def _queries_name(queries: Any) -> str:
    if queries is None:
        return "all"
    if are_ids(queries):
        return f"{len(set(queries))} figures"
    if isinstance(queries, str | Path | Filter | pc.Expression):
        return str(queries)
    return f"a {queries.kind} corpus" if hasattr(queries, "kind") else "a corpus of rows"
