"""How good is it: exact ranks of every held-out pair, in both directions, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.bootstrap import Estimate, estimates
from retrieval.evaluation.metrics import per_query
from retrieval.evaluation.queries import Asked, UnitRows, asking, row_ids
from retrieval.evaluation.ranks.both_ways import both_ranks
from retrieval.evaluation.ranks.one_way import relevant_ranks, top
from retrieval.evaluation.ranks.order import Gallery, Positives, Ranks
from retrieval.evaluation.relevance import Relevance, RelevantBy
from retrieval.evaluation.trec import write_qrels, write_run
from retrieval.indexes.opened_index import Built
from retrieval.shards.plan import CaptionsRead, captions_read
from retrieval.shards.reader import Shards
from retrieval.shards.vectors import unit
from retrieval.types import Corpus, Encoder, Hits, Modality, Progress, Silent

Direction = Literal["t2i", "i2t"]
QUERY_AND_GALLERY: dict[Direction, tuple[Modality, Modality]] = {"t2i": ("text", "image"), "i2t": ("image", "text")}
KS = (1, 5, 10)
WHOLE_GALLERY_BYTES = 2 << 30  # a gallery up to this size is converted to float32 once, as much as a million figures
LONG = 10**12  # multiplications, about ten seconds: what takes longer shows its progress


@dataclass(frozen=True)
class DirectionReport:
    """One direction: how many were asked of how many, and each measure with its 95 % interval."""

    queries: int
    answerable: int
    gallery: int
    measures: dict[str, Estimate]


@dataclass(frozen=True)
class Report:
    """What `evaluate` measured. `queries` says which were asked, `relevant_by` what counts as an answer.

    `long_captions` says how many captions the encoder could not read whole: of the `index`, and of the `queries` where
    they are another corpus.
    """

    index: str
    encoder: str
    queries: str
    relevant_by: str
    resamples: int
    directions: dict[str, DirectionReport] = field(default_factory=dict)
    long_captions: dict[str, CaptionsRead] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one direction was measured from: the queries and the shards they are of, the gallery, and all ranks."""

    direction: Direction
    built: Built
    question: Asked
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
    folder: str | Path,
    *,
    queries: str | Path | Corpus | None = None,
    relevant_by: RelevantBy = "figure_id",
    ks: Sequence[int] = KS,
    resamples: int = 1000,
    seed: int = 0,
    trec: str | Path | None = None,
    depth: int = 1000,
    encoder: str | Encoder | None = None,
    progress: Progress | None = None,
    each: Callable[[Answers], None] | None = None,
) -> Report:
    """Measure text to image and image to text on an index, exactly, against the whole index as gallery.

    `queries` restricts what is asked: a where clause (`split=heldout`), a `.txt` file of figure ids, or another corpus,
    which is encoded with the index's encoder. Ties count against us. Intervals are 95 % percentiles of `resamples`
    bootstrap samples of whole articles. `trec` is a folder for run and qrels files with `depth` hits a query. When
    everything is asked both directions are counted at once, which `progress` is told of where it takes long. `each` is
    called with what each direction was measured from, while the queries are there.

    Raises QueryError where nothing can be asked, FilterError for a clause that is not understood.
    """
    built = Built(folder)
    relevance = Relevance(built, relevant_by)
    report = Report(str(folder), built.plan.encoder, _name(queries), relevant_by, resamples)
    report.long_captions["index"] = captions_read(built.plan, built.shards.records)
    with asking(built, relevance, queries, encoder) as (asked, asked_of):
        if asked_of is not built.shards:
            report.long_captions["queries"] = captions_read(asked_of.plan, asked_of.records)
        found = _both(built, relevance, asked, progress or Silent()) if queries is None else {}
        for direction, (query_kind, gallery_kind) in QUERY_AND_GALLERY.items():
            question, gallery_codes = asked[query_kind], relevance.codes(gallery_kind)
            if not len(question.codes) or not len(gallery_codes):
                continue
            ranks = found.pop(direction, None)
            if ranks is None:
                gallery = _gallery(built, gallery_kind)
                ranks = relevant_ranks(question.vectors, gallery, question.codes, gallery_codes)
            values = per_query(ranks, ks)
            report.directions[direction] = DirectionReport(
                queries=len(ranks),
                answerable=int(np.count_nonzero(ranks.counts)),
                gallery=len(gallery_codes),
                measures=estimates(values, question.clusters, resamples=resamples, seed=seed),
            )
            if each is not None:
                each(Answers(direction, built, question, asked_of, gallery_codes, ranks))
            if trec is not None:
                Path(trec).mkdir(parents=True, exist_ok=True)
                query_ids, ids = question.ids(), row_ids(built.shards, gallery_kind)
                gallery, k = _gallery(built, gallery_kind), min(depth, len(ids))
                hits = top(question.vectors, gallery, question.codes, gallery_codes, k)
                write_run(Path(trec) / f"{direction}.run", query_ids, ids, hits, tag=built.plan.encoder)
                positives = Positives(question.codes, gallery_codes)
                write_qrels(Path(trec) / f"{direction}.qrels", query_ids, ids, positives)
    if not report.directions and bool(built.count("image")) != bool(built.count("text")):
        there = "captions" if built.count("text") else "images"
        raise QueryError(
            f"{folder}: holds {there} only, and what is measured is finding one with the other; "
            "evaluate an index of images and captions"
        )
    if not any(direction.answerable for direction in report.directions.values()):
        raise QueryError(f"{folder}: no query of {report.queries} has an answer in the index; choose other queries")
    return report


def _both(
    built: Built, relevance: Relevance, asked: dict[Modality, Asked], progress: Progress
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


def _gallery(built: Built, kind: Modality) -> Gallery:
    stored = built.vectors(kind)
    return unit(np.asarray(stored)) if 2 * stored.nbytes <= WHOLE_GALLERY_BYTES else UnitRows(stored)


def _name(queries: Any) -> str:
    if queries is None:
        return "all"
    return str(queries) if isinstance(queries, str | Path) else f"a {queries.kind} corpus"
