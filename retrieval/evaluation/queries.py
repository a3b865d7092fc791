"""What is asked of an index to measure it: all of its figures, some of them, or those of another corpus."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.corpora import open_corpus
from retrieval.encoders import load_encoder
from retrieval.errors import EncoderError, FilterError, QueryError
from retrieval.evaluation.ranks.order import Gallery
from retrieval.evaluation.relevance import Relevance, clusters
from retrieval.files import read_lines
from retrieval.indexer.pipeline import EncodeTask
from retrieval.indexes.exact import release
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.filters import Filter, Where
from retrieval.shards.plan import make_plan
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF
from retrieval.shards.vectors import unit
from retrieval.types import MODALITIES, Corpus, Encoder, Modality, Silent, Vectors

SAMPLE = re.compile(r"sample:([\w.+-]*)")
RESIDENT = 4096  # rows of a memory map; read here and there, each brings in up to 64 KiB around it


@dataclass(frozen=True)
class EvaluationQueries:
    """The queries of one modality: vectors (n, dim), relevance codes and clusters (n,), and how to get their ids."""

    vectors: Gallery
    codes: NDArray[np.int64]
    clusters: NDArray[np.int64]
    ids: Callable[[], list[str]]


class UnitRows:
    """Stored vectors as float32 of length 1, converted when they are read. `dtype` says that it is not free.

    Of a memory map only what was read last stays resident.
    """

    def __init__(self, stored: NDArray[np.float16]) -> None:
        self._stored, self.shape, self.dtype = stored, stored.shape, stored.dtype
        self._read = 0

    def __len__(self) -> int:
        return len(self._stored)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Vectors:
        found = np.asarray(self._stored[rows])
        self._read += len(found)
        if self._read > RESIDENT:
            self._read = 0
            release(self._stored)
        return unit(found)


@contextmanager
def asking(
    built: OpenedIndex,
    relevance: Relevance,
    queries: str | Path | Collection[str] | Filter | pc.Expression | Corpus | None,
    encoder: str | Encoder | None,
    seed: int = 0,
) -> Iterator[tuple[dict[Modality, EvaluationQueries], Shards]]:
    """The queries, and the shards that they are of; `seed` draws those of `sample:N`."""
    chosen = _chosen_rows(built, queries, seed)
    if chosen is not None:
        asked = {
            modality: EvaluationQueries(
                UnitRows(built.vectors(modality))
                if queries is None
                else unit(np.asarray(built.vectors(modality)[rows])),
                relevance.codes(modality)[rows],
                clusters(built.shards, modality)[rows],
                partial(_ids_of, built.shards, modality, rows),
            )
            for modality, rows in chosen.items()
        }
        yield asked, built.shards
        return
    with tempfile.TemporaryDirectory() as temporary:
        shards = _encoded(built, queries, encoder, Path(temporary))
        asked = {
            modality: EvaluationQueries(
                unit(np.concatenate([np.zeros((0, built.plan.dim), np.float16), *shards.vectors(table)])),
                relevance.codes_of(shards, modality),
                clusters(shards, modality),
                partial(row_ids, shards, modality),
            )
            for modality, table in TABLE_OF.items()
        }
        yield asked, shards


def _chosen_rows(
    built: OpenedIndex, queries: str | Path | Collection[str] | Filter | pc.Expression | Corpus | None, seed: int
) -> dict[Modality, NDArray[np.int64]] | None:
    """The rows of the index that are asked, or None where the queries are another corpus."""
    if queries is None:
        return {modality: np.arange(built.count(modality)) for modality in TABLE_OF}
    if isinstance(queries, Filter | pc.Expression):
        return _rows_where(built, queries)
    if are_ids(queries):
        return _rows_of(built, set(queries), "queries")
    if not isinstance(queries, str | Path):
        return None
    path = Path(queries)
    if path.suffix == ".txt" and _exists(path) and path.is_file():
        return _rows_of(built, set(read_lines(path)), str(path))
    if _exists(path):
        return None
    if sample := SAMPLE.fullmatch(str(queries)):
        if not sample[1].isdecimal():
            raise QueryError(f"{queries}: not a number of figures; write it as sample:1000")
        return _sampled(built, int(sample[1]), seed)
    try:
        return _rows_where(built, str(queries))
    except FilterError as error:
        raise FilterError(f"{error}; and there is no file or folder of that name") from error


def are_ids(queries: object) -> TypeGuard[Collection[str]]:
    """Tell whether these are ids of figures rather than the rows of a corpus."""
    several = isinstance(queries, list | tuple | set | frozenset) and bool(queries)
    return several and all(isinstance(one, str) for one in queries)  # type: ignore[attr-defined]


def _rows_of(built: OpenedIndex, ids: set[str], source: str) -> dict[Modality, NDArray[np.int64]]:
    """The rows of the figures with these ids. Raises QueryError naming `source` where the index lacks some."""
    known = {modality: built.shards.columns(table, ["figure_id"])["figure_id"] for modality, table in TABLE_OF.items()}
    unknown = ids - set(known["image"].to_pylist()) - set(known["text"].to_pylist())
    if unknown:
        raise QueryError(f"{source}: {len(unknown)} of {len(ids)} figures are not in the index, such as {min(unknown)}")
    return {
        modality: np.flatnonzero([figure in ids for figure in column.to_pylist()]) for modality, column in known.items()
    }


def _sampled(built: OpenedIndex, count: int, seed: int) -> dict[Modality, NDArray[np.int64]]:
    """The rows of at least `count` figures with image and caption, in whole articles drawn by `seed`.

    Raises QueryError where there are not so many.
    """
    images, texts = (np.asarray(built.figures(modality)) for modality in MODALITIES)
    paired = np.isin(images, texts)
    if not 1 <= count <= paired.sum():
        way_out = "ask for fewer" if count else "ask for at least 1"
        raise QueryError(f"sample:{count}: the index has {paired.sum()} figures with image and caption; {way_out}")
    codes = clusters(built.shards, "image")[paired]
    drawn = np.random.default_rng(seed).permutation(np.unique(codes))
    places = np.empty(codes.max() + 1, np.int64)
    places[drawn] = np.arange(len(drawn))
    order = np.argsort(places[codes], kind="stable")  # the figures, article by article
    last = places[codes[order[count - 1]]]
    figures = images[paired][places[codes] <= last]
    return {"image": np.flatnonzero(np.isin(images, figures)), "text": np.flatnonzero(np.isin(texts, figures))}


def _rows_where(built: OpenedIndex, where: Where) -> dict[Modality, NDArray[np.int64]]:
    """The rows that fulfil a condition. Raises FilterError, and QueryError where none does."""
    rows = {modality: built.matching(modality, where) for modality in TABLE_OF}
    found = {modality: some for modality, some in rows.items() if some is not None}
    if not any(map(len, found.values())):
        near = built.nearest_values(where)
        told = f" ({near})" if near else ""
        raise QueryError(f"{built.folder}: no query of {where} has an answer in the index{told}; choose other queries")
    return found


def _exists(path: Path) -> bool:
    """Whether there is such a file or folder; a where clause may be longer than a file's name can be."""
    try:
        return path.exists()
    except OSError:
        return False


def _encoded(built: OpenedIndex, queries: Any, encoder: str | Encoder | None, folder: Path) -> Shards:
    corpus = open_corpus(queries)
    plan = built.plan
    model = load_encoder(
        encoder or plan.encoder, resize=plan.resize, precision="fp32", preprocessing=plan.preprocessing
    )
    if model.dim != plan.dim or plan.encoder_fingerprint not in ("", model.fingerprint):
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
    for _ in task.run(split.number for split in query_plan.splits):
        pass
    return Shards(folder)


def row_ids(shards: Shards, modality: Modality) -> list[str]:
    """An id for each row: the figure's for an image, the figure's and a number from 1 for its captions."""
    figures: list[str] = shards.columns(TABLE_OF[modality], ["figure_id"])["figure_id"].to_pylist()
    if modality == "image":
        return figures
    seen: dict[str, int] = {}
    ids = []
    for figure in figures:
        seen[figure] = seen.get(figure, 0) + 1
        ids.append(f"{figure}#{seen[figure]}")
    return ids


def _ids_of(shards: Shards, modality: Modality, rows: NDArray[np.int64]) -> list[str]:
    ids = row_ids(shards, modality)
    return [ids[row] for row in rows.tolist()]
