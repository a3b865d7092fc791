"""The rows of an index in the order in which they answer: by cosine, by words, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError, StaleIndexError
from retrieval.files import read_json
from retrieval.indexes.bm25.bm25_index import Lexical
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.once import Once
from retrieval.types import Modality, Vectors

Words = Sequence[tuple[str, float]]
"""The texts that one question consists of, with their weights."""
FUSED = 200
"""Rows of each ranking that are fused at least: as far as that, more hits do not change the order of the first."""
DENSE_WEIGHT = 0.3
"""Of the dense ranking in a fusion, where the index has no tuned one: with the starter encoder 0.15 has the best MRR,
0.3 to 0.4 the best hit_rate@10 (benchmarks/hybrid.py); a stronger encoder deserves no less."""
FUSION = "fusion.json"
"""The dense weight that was tuned for an index, and on what: written by `evaluate --tune`, read by `search`."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows (n,) and scores (n,), best first; `complete` says that no other row could follow.

    Every row nearer than the cosine `reach` is among them; nan where cosines were not asked.
    """

    rows: NDArray[np.int64]
    scores: NDArray[Any]
    complete: bool
    reach: float = nan


class Ranker:
    """Ranks the rows of an index. What a mode needs is opened when it is first asked for. Thread-safe."""

    def __init__(self, built: OpenedIndex, dense_weight: float | None = None) -> None:
        """`dense_weight` is for mode hybrid, between 0 and 1; None takes the index's own."""
        if dense_weight is not None and not 0 < dense_weight < 1:
            raise QueryError(f"a dense weight of {dense_weight} leaves one ranking out; give one between 0 and 1")
        self._built = built
        self._asked_weight = dense_weight
        self._lexical: Once[None, Lexical] = Once()
        self._image_of_caption: Once[None, NDArray[np.int32]] = Once()

    def close(self) -> None:
        """Free what was opened; the next question opens it again."""
        self._lexical.clear()
        self._image_of_caption.clear()

    @property
    def lexical(self) -> Lexical:
        """The words of the captions. Raises StaleIndexError where the index was built without them."""
        return self._lexical.get(None, self._open_lexical)

    def _open_lexical(self, _: None) -> Lexical:
        folder = self._built.folder
        if "lexical" not in self._built.facts:
            raise StaleIndexError(
                f"{folder}: built without the words of its captions; run: retrieval build {folder}, with more --memory "
                "where that leaves them out"
            )
        return Lexical(folder / "lexical", self._built.shards.digest)

    @cached_property
    def dense_weight(self) -> float:
        return self._asked_weight or tuned_weight(self._built) or DENSE_WEIGHT

    def dense(self, kind: Modality, queries: Vectors, depth: int, keep: NDArray[np.int64] | None) -> list[Ranking]:
        """Of each query (queries, dim), the nearest `depth` rows or all there are."""
        there = self._built.count(kind) if keep is None else len(keep)
        hits = self._built.index(kind).search(queries, max(1, min(depth, there)), keep)
        rankings = []
        for rows, scores in zip(hits.rows, hits.scores, strict=True):
            found = rows >= 0
            rows, scores = rows[found], scores[found]
            complete = len(rows) >= there or not found.all()
            rankings.append(Ranking(rows, scores, complete, float(scores.min(initial=np.inf))))
        return rankings

    def by_words(self, kind: Modality, words: Words, depth: int, keep: NDArray[np.int64] | None) -> Ranking:
        """The `depth` rows with the greatest BM25 score; only rows that hold a word. An image has the score of its
        best caption."""
        scores = self.lexical.scores(words)
        if kind == "image":
            scores = self._of_images(scores)
        rows = np.flatnonzero(scores > 0) if keep is None else keep[scores[keep] > 0]
        values = scores[rows]
        complete = len(rows) <= depth
        if not complete:
            rows = rows[values >= np.partition(values, -depth)[-depth]]
            values = scores[rows]
        order = np.lexsort((rows, -values))[:depth]
        return Ranking(rows[order], values[order], complete)

    def fused(
        self, kind: Modality, dense: Ranking, words: Words, depth: int, keep: NDArray[np.int64] | None
    ) -> Ranking:
        """A dense ranking and that of some words as one; the dense one where no caption holds any of them."""
        if not words:
            return fused_ranking(dense, Ranking(np.empty(0, np.int64), np.empty(0), True), self.dense_weight)
        return fused_ranking(dense, self.by_words(kind, words, depth, keep), self.dense_weight)

    def _of_images(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(images,) The best score of each image's captions (captions,)."""
        best = np.zeros(self._built.count("image"), np.float32)
        hit = np.flatnonzero(scores > 0)
        images = self._image_of_caption.get(None, self._find_images)[hit]
        there = images >= 0
        np.maximum.at(best, images[there], scores[hit[there]])
        return best

    def _find_images(self, _: None) -> NDArray[np.int32]:
        """(captions,) The row of each caption's image, -1 where its figure has none."""
        images, captions = (np.asarray(self._built.figures(kind)) for kind in ("image", "text"))
        row_of = np.full(1 + max(images.max(initial=-1), captions.max(initial=-1)), -1, np.int32)
        row_of[images] = np.arange(len(images), dtype=np.int32)
        of_captions: NDArray[np.int32] = row_of[captions]
        return of_captions


def fused_ranking(dense: Ranking, lexical: Ranking, dense_weight: float) -> Ranking:
    rows, scores = fuse(dense.rows, lexical.rows, dense_weight)
    return Ranking(rows, scores, dense.complete, dense.reach)  # the dense one holds every row sooner or later


def tuned_weight(built: OpenedIndex) -> float | None:
    """The dense weight that was tuned for these very shards; None where none was."""
    try:
        found = read_json(built.folder / FUSION)
        weight = float(found["dense_weight"]) if found["digest"] == built.shards.digest else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StaleIndexError(f"{built.folder / FUSION}: damaged; delete it, or run evaluate --tune again") from error
    return weight


RANK = 60
"""Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods"
(SIGIR 2009), section 2: the constant that they fixed in a pilot study, and that has been kept since."""


def fuse(
    dense: NDArray[np.int64], lexical: NDArray[np.int64], dense_weight: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows of two rankings (n,) and (m,), best first, as one, with scores that descend, ties by row.

    A row's score is w · 61 / (60 + its rank in `dense`) + (1 - w) · 61 / (60 + its rank in `lexical`), ranks from 1:
    the paper's, scaled so that the first in both scores 1. A ranking that does not hold it adds nothing.
    """
    rows, place = np.unique(np.concatenate([dense, lexical]), return_inverse=True)
    scores = np.zeros(len(rows))
    scores[place[: len(dense)]] += dense_weight * (RANK + 1) / (RANK + np.arange(1, len(dense) + 1))
    scores[place[len(dense) :]] += (1 - dense_weight) * (RANK + 1) / (RANK + np.arange(1, len(lexical) + 1))
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]
