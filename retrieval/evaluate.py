"""How good is it: exact ranks of every held-out pair, in both directions, with intervals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.built import TABLE_OF, Built
from retrieval.corpora import open_corpus
from retrieval.encoders import open_encoder
from retrieval.errors import EncoderError, FilterError, QueryError
from retrieval.indexes.cosine import unit
from retrieval.metrics import Estimate, estimates, per_query
from retrieval.plan import CaptionsRead, captions_read, make_plan
from retrieval.ranking import Positives, relevant_ranks, top
from retrieval.relevance import Relevance, RelevantBy, clusters
from retrieval.shards import OTHER, Kind, Shards
from retrieval.task import EncodeTask
from retrieval.trec import write_qrels, write_run
from retrieval.types import Corpus, Encoder, Silent, Vectors

Direction = Literal["t2i", "i2t"]
QUERY_AND_GALLERY: dict[Direction, tuple[Kind, Kind]] = {"t2i": ("text", "image"), "i2t": ("image", "text")}
KS = (1, 5, 10)
WHOLE_GALLERY_BYTES = 4 << 30  # a gallery up to this size is converted to float32 once


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


@dataclass(frozen=True)
class Asked:
    """The queries of one modality: vectors (n, dim), their relevance codes, clusters and ids (n,)."""

    vectors: Vectors
    codes: NDArray[np.int64]
    clusters: NDArray[np.int64]
    ids: list[str]


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
) -> Report:
    """Measure text to image and image to text on an index, exactly, against the whole index as gallery.

    `queries` restricts what is asked: a where clause (`split=heldout`), a `.txt` file of figure ids, or another corpus,
    which is encoded with the index's encoder. Ties count against us. Intervals are 95 % percentiles of `resamples`
    bootstrap samples of whole articles. `trec` is a folder for run and qrels files with `depth` hits a query.

    Raises QueryError where nothing can be asked, FilterError for a clause that is not understood.
    """
    built = Built(folder)
    relevance = Relevance(built, relevant_by)
    report = Report(str(folder), built.plan.encoder, _name(queries), relevant_by, resamples)
    report.long_captions["index"] = captions_read(built.plan, built.shards.records)
    with _asked(built, relevance, queries, encoder) as (asked, asked_of):
        if asked_of is not built.shards:
            report.long_captions["queries"] = captions_read(asked_of.plan, asked_of.records)
        for direction, (query_kind, gallery_kind) in QUERY_AND_GALLERY.items():
            question, gallery_codes = asked[query_kind], relevance.codes(gallery_kind)
            if not len(question.ids) or not len(gallery_codes):
                continue
            gallery = _gallery(built, gallery_kind)
            ranks = relevant_ranks(question.vectors, gallery, question.codes, gallery_codes)
            values = per_query(ranks, ks)
            report.directions[direction] = DirectionReport(
                queries=len(ranks),
                answerable=int(np.count_nonzero(ranks.counts)),
                gallery=len(gallery_codes),
                measures=estimates(values, question.clusters, resamples=resamples, seed=seed),
            )
            if trec is not None:
                Path(trec).mkdir(parents=True, exist_ok=True)
                ids = row_ids(built.shards, gallery_kind)
                hits = top(question.vectors, gallery, question.codes, gallery_codes, min(depth, len(ids)))
                write_run(Path(trec) / f"{direction}.run", question.ids, ids, hits, tag=built.plan.encoder)
                positives = Positives(question.codes, gallery_codes)
                write_qrels(Path(trec) / f"{direction}.qrels", question.ids, ids, positives)
    if not report.directions and bool(built.count("image")) != bool(built.count("text")):
        there = "captions" if built.count("text") else "images"
        raise QueryError(
            f"{folder}: holds {there} only, and what is measured is finding one with the other; "
            "evaluate an index of images and captions"
        )
    if not any(direction.answerable for direction in report.directions.values()):
        raise QueryError(f"{folder}: no query of {report.queries} has an answer in the index; choose other queries")
    return report


@contextmanager
def _asked(
    built: Built, relevance: Relevance, queries: str | Path | Corpus | None, encoder: str | Encoder | None
) -> Iterator[tuple[dict[Kind, Asked], Shards]]:
    """The queries, and the shards that they are of."""
    chosen = _chosen_rows(built, queries)
    if chosen is not None:
        asked = {
            kind: Asked(
                unit(np.asarray(built.vectors(kind)[rows])),
                relevance.codes(kind)[rows],
                clusters(built.shards, kind)[rows],
                [ids[row] for row in rows.tolist()],
            )
            for kind, rows in chosen.items()
            for ids in [row_ids(built.shards, kind)]
        }
        yield asked, built.shards
        return
    with tempfile.TemporaryDirectory() as temporary:
        shards = _encoded(built, queries, encoder, Path(temporary))
        asked = {
            kind: Asked(
                unit(np.concatenate([np.zeros((0, built.plan.dim), np.float16), *shards.vectors(table)])),
                relevance.codes_of(shards, kind),
                clusters(shards, kind),
                row_ids(shards, kind),
            )
            for kind, table in TABLE_OF.items()
        }
        yield asked, shards


def _chosen_rows(built: Built, queries: str | Path | Corpus | None) -> dict[Kind, NDArray[np.int64]] | None:
    """The rows of the index that are asked, or None where the queries are another corpus."""
    if queries is None:
        return {kind: np.arange(built.count(kind)) for kind in TABLE_OF}
    if not isinstance(queries, str | Path):
        return None
    path = Path(queries)
    if path.suffix == ".txt" and _exists(path) and path.is_file():
        ids = set(path.read_text(encoding="utf-8-sig").split("\n")) - {""}
        known = {kind: built.shards.columns(table, ["figure_id"])["figure_id"] for kind, table in TABLE_OF.items()}
        unknown = ids - set(known["image"].to_pylist()) - set(known["text"].to_pylist())
        if unknown:
            raise QueryError(
                f"{path}: {len(unknown)} of {len(ids)} figures are not in the index, such as {min(unknown)}"
            )
        return {
            kind: np.flatnonzero([figure in ids for figure in column.to_pylist()]) for kind, column in known.items()
        }
    if _exists(path):
        return None
    return _rows_where(built, str(queries))


def _rows_where(built: Built, clause: str) -> dict[Kind, NDArray[np.int64]]:
    """The rows that fulfil a clause; of a table without that column, the rows of the figures that fulfil it."""
    rows: dict[Kind, NDArray[np.int64]] = {}
    for kind in TABLE_OF:
        try:
            matching = built.matching(kind, (clause,))
        except FilterError as error:
            refused = error
        else:
            rows[kind] = np.arange(built.count(kind)) if matching is None else matching
    if not rows:
        raise FilterError(f"{refused}; and there is no file or folder of that name") from refused
    for kind in TABLE_OF.keys() - rows.keys():
        figures = built.figures(OTHER[kind])[rows[OTHER[kind]]]
        rows[kind] = np.flatnonzero(np.isin(built.figures(kind), figures))
    return {kind: rows[kind] for kind in TABLE_OF}


def _exists(path: Path) -> bool:
    """Whether there is such a file or folder; a where clause may be longer than a file's name can be."""
    try:
        return path.exists()
    except OSError:
        return False


def _encoded(built: Built, queries: Any, encoder: str | Encoder | None, folder: Path) -> Shards:
    corpus = open_corpus(queries)
    plan = built.plan
    model = open_encoder(encoder or plan.encoder, resize=plan.resize, precision="fp32")
    if model.fingerprint != plan.encoder_fingerprint:
        raise EncoderError(f"{built.folder}: built with another encoder than {model.name}; ask with {plan.encoder}")
    query_plan = make_plan(
        corpus,
        model,
        source=str(queries),
        options={},
        resize=plan.resize,
        thumbnail=0,
        max_pixels=plan.max_pixels,
        shard_size=plan.shard_size,
        long_captions=plan.long_captions,
    )
    query_plan.write(folder)
    task = EncodeTask(folder, query_plan, corpus, model, 64, 2, Silent())
    for split in query_plan.splits:
        task(split.number)
    return Shards(folder)


def _gallery(built: Built, kind: Kind) -> NDArray[Any]:
    stored = built.vectors(kind)
    return unit(np.asarray(stored)) if 2 * stored.nbytes <= WHOLE_GALLERY_BYTES else stored


def row_ids(shards: Shards, kind: Kind) -> list[str]:
    """An id for each row: the figure's for an image, the figure's and a number from 1 for its captions."""
    figures: list[str] = shards.columns(TABLE_OF[kind], ["figure_id"])["figure_id"].to_pylist()
    if kind == "image":
        return figures
    seen: dict[str, int] = {}
    ids = []
    for figure in figures:
        seen[figure] = seen.get(figure, 0) + 1
        ids.append(f"{figure}#{seen[figure]}")
    return ids


def _name(queries: Any) -> str:
    if queries is None:
        return "all"
    return str(queries) if isinstance(queries, str | Path) else f"a {queries.kind} corpus"
