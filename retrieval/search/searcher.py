"""An index that can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, Unpack

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.panels.panels_corpus import PANELS
from retrieval.encoders import load_encoder
from retrieval.errors import EncoderError, QueryError, StaleIndexError
from retrieval.images.pictures import Picture
from retrieval.indexes.exact import cosines
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.percentiles import percentiles, read_background
from retrieval.once import Once
from retrieval.search.by_panels import by_panels
from retrieval.search.expression import Term
from retrieval.search.group import first_hits
from retrieval.search.query import Answer, Query
from retrieval.search.query_vectors import QUERIES_AT_ONCE, QueryVector, read_queries
from retrieval.search.rank import FUSED, Ranker, Ranking
from retrieval.search.search_options import Mode, SearchKeywords, SearchOptions
from retrieval.types import OTHER, Encoder, Hit, Modality, Vectors


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows (n,) that become hits, with their scores and percentiles."""

    rows: list[int]
    scores: list[float]
    percentiles: list[float | None]


class Searcher:
    """An index that can be asked. Encoder and words are opened at the first query that needs them. Thread-safe."""

    def __init__(
        self,
        folder: str | Path | OpenedIndex,
        encoder: str | Encoder | None = None,
        *,
        device: str | None = None,
        dense_weight: float | None = None,
    ) -> None:
        """Raises ShardError or StaleIndexError where `folder` is no index that is up to date.

        `encoder` says where the index's own encoder is found, where its name no longer tells. `dense_weight`, between 0
        and 1, is the part of the vectors in mode hybrid (default: as tuned for this index, else 0.3).
        """
        self.built = folder if isinstance(folder, OpenedIndex) else OpenedIndex(folder)
        self._asked_encoder = encoder
        self._device = device
        self._ranker = Ranker(self.built, dense_weight)
        self._encoders: Once[None, Encoder] = Once()
        self._backgrounds: Once[Modality, Vectors | None] = Once()
        self._panels: Once[None, Searcher] = Once()

    def close(self) -> None:
        """Free the files and memory maps of the index and its panels; the next question opens them again."""
        for panels in self._panels.clear():
            panels.close()
        self._ranker.close()
        self.built.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def encoder(self) -> Encoder:
        """The encoder that the index names, loaded once; another one is refused with EncoderError.

        Where vectors were imported from an encoder that could not be opened there, its dimension alone is compared.
        """
        return self._encoders.get(None, self._load_encoder)

    def use_encoder(self, encoder: Encoder) -> None:
        """Ask with an encoder that is open already, and is known to be the index's own."""
        self._encoders.put(None, encoder)

    def _load_encoder(self, _: None) -> Encoder:
        plan = self.built.plan
        asked = self._asked_encoder or plan.encoder
        # one query gains nothing from half precision, and choosing it would cost more than the query
        encoder = load_encoder(
            asked, resize=plan.resize, device=self._device, precision="fp32", preprocessing=plan.preprocessing
        )
        if encoder.dim != plan.dim or plan.encoder_fingerprint not in ("", encoder.fingerprint):
            raise EncoderError(
                f"{self.built.folder}: built with encoder {plan.encoder} ({plan.encoder_fingerprint[:8] or plan.dim}), "
                f"which {encoder.name} ({encoder.fingerprint[:8]}) is not; ask with the same encoder, or index again"
            )
        return encoder

    def search(
        self,
        text: str | Query | None = None,
        *,
        image: Picture | None = None,
        figure: str | None = None,
        vector: NDArray[np.float32] | None = None,
        caption: str | None = None,
        combine: str | Sequence[Term] | None = None,
        options: SearchOptions | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> Answer:
        """The best hits for one query, best first.

        Args:
            text, image, figure, vector, caption, combine: the query; exactly one of them, see `Query`, which `text` may
                be itself.
            options: how the answer should be; or give its fields as keywords: `k=5, where="year>=2018"`.

        Figures that the query names are not among its hits. Raises QueryError for an impossible query, FilterError for
        a clause that is not understood.
        """
        others = (image, figure, vector, caption, combine)
        alone = isinstance(text, Query) and all(other is None for other in others)
        query = text if isinstance(text, Query) and alone else Query(text, *others)  # type: ignore[arg-type]
        return next(self.search_many([query], options, **keywords))

    def search_many(
        self,
        queries: Query | Picture | Iterable[Query | Picture],
        options: SearchOptions | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> Iterator[Answer]:
        """The answers to many queries, in order, encoded and searched in batches. Options as in `search`.

        A query is a Query, a str (words), or an image: a path, bytes, a PIL image or an array.
        """
        options = SearchOptions.of(options, keywords)
        asked = Query.each(queries)
        if options.panels:
            yield from by_panels(self, asked, options)
            return
        wanted = options.target
        kinds = sorted({self.modality(query, wanted) for query in asked})
        keep = {kind: self.built.matching(kind, options.where) for kind in kinds}
        for start in range(0, len(asked), QUERIES_AT_ONCE):
            some = asked[start : start + QUERIES_AT_ONCE]
            answers: dict[int, Answer] = {}
            for kind, kept in keep.items():
                mine = [i for i, query in enumerate(some) if self.modality(query, wanted) == kind]
                if mine:
                    found = self._search(kind, [some[i] for i in mine], options, kept)
                    answers |= zip(mine, found, strict=True)
            yield from (answers[i] for i in range(len(some)))

    @property
    def panels(self) -> Searcher:
        """The panels of this index's figures, an index of their own. Raises QueryError where it was made without."""
        return self._panels.get(None, self._open_panels)

    def _open_panels(self, _: None) -> Searcher:
        folder = self.built.folder / PANELS
        if not (folder / "plan.json").exists():
            raise QueryError(f"{self.built.folder}: made without panels; run retrieval index --panels to have them")
        return Searcher(folder, self._asked_encoder, device=self._device)

    def modality(self, query: Query, target: Modality | None) -> Modality:
        """What a query finds. Raises QueryError where there is nothing of it."""
        kind = target or query.default_target
        if target is None and not self.built.count(kind):
            kind = OTHER[kind]  # a collection of captions only answers with captions
        if not self.built.count(kind):
            raise QueryError(f"{self.built.folder}: holds no {kind}s; search for {OTHER[kind]}s")
        return kind

    def _search(
        self, kind: Modality, queries: Sequence[Query], options: SearchOptions, keep: NDArray[np.int64] | None
    ) -> list[Answer]:
        background = None if options.mode == "lexical" else self._backgrounds.get(kind, self._read_background)
        asked = read_queries(self.built, kind, queries, options.mode, lambda: self.encoder, background)
        if options.min_percentile is not None and any(query.sample is None for query in asked):
            folder = self.built.folder
            raise StaleIndexError(f"{folder}: built without a background; run: retrieval build {folder}")
        found: dict[int, _Found] = {}
        pending, depth = list(range(len(asked))), options.k + max(len(query.own) for query in asked)
        while pending:
            rankings = self._rank(kind, [asked[i] for i in pending], options.mode, depth, keep)
            again = []
            for i, ranking in zip(pending, rankings, strict=True):
                found[i], all_seen = self._choose(kind, asked[i], ranking, options)
                if not all_seen and len(found[i].rows) < options.k:
                    again.append(i)
            pending, depth = again, 2 * depth  # what was left out makes room for rows further down
        return self._look_up(kind, [found[i] for i in range(len(asked))], [query.cut for query in asked])

    def _rank(
        self, kind: Modality, asked: Sequence[QueryVector], mode: Mode, depth: int, keep: NDArray[np.int64] | None
    ) -> list[Ranking]:
        if mode == "lexical":
            return [self._ranker.by_words(kind, query.words, depth, keep) for query in asked]
        vectors = np.stack([query.vector for query in asked if query.vector is not None])
        if mode == "dense":
            return self._ranker.dense(kind, vectors, depth, keep)
        depth = max(depth, FUSED)
        return [
            self._ranker.fused(kind, dense, query.words, depth, keep)
            for query, dense in zip(asked, self._ranker.dense(kind, vectors, depth, keep), strict=True)
        ]

    def _choose(
        self, kind: Modality, query: QueryVector, ranking: Ranking, options: SearchOptions
    ) -> tuple[_Found, bool]:
        """The hits of a ranking, and whether asking deeper could add none."""
        near = np.arange(len(ranking.rows))
        all_seen = ranking.complete
        if options.min_percentile is not None and query.sample is not None:
            near = np.flatnonzero(self._percentiles(kind, query, ranking, near, options.mode) >= options.min_percentile)
            farthest = percentiles(np.array([ranking.reach]), query.sample)[0]
            all_seen = all_seen or bool(farthest < options.min_percentile)
        chosen = near[first_hits(self.built, kind, options, ranking.rows[near], query.own)]
        shares: list[float | None] = [None] * len(chosen)
        if query.sample is not None:
            shares = self._percentiles(kind, query, ranking, chosen, options.mode).tolist()
        return _Found(ranking.rows[chosen].tolist(), ranking.scores[chosen].tolist(), shares), all_seen

    def _percentiles(
        self, kind: Modality, query: QueryVector, ranking: Ranking, some: NDArray[np.int64], mode: Mode
    ) -> NDArray[np.float64]:
        """Of the cosines of `some` places of a ranking."""
        assert query.vector is not None
        assert query.sample is not None
        scores = ranking.scores[some]
        if mode == "hybrid":
            scores = cosines(query.vector[None], self.built.vectors(kind), ranking.rows[some][None])[0]
        return percentiles(scores, query.sample)

    def _read_background(self, kind: Modality) -> Vectors | None:
        facts = self.built.facts.get("background")  # none in an index of before there was one
        return None if facts is None else read_background(self.built.folder, kind, facts[kind]["rows"])

    def _look_up(self, kind: Modality, found: Sequence[_Found], cut: Sequence[bool]) -> list[Answer]:
        """Hits with everything that is known of their figures, read once for all queries."""
        unique = sorted({row for some in found for row in some.rows})
        about = dict(zip(unique, self.built.describe(kind, unique), strict=True))
        return [
            Answer(
                [
                    Hit(
                        score=score,
                        rank=rank,
                        modality=kind,
                        percentile=percentile,
                        **about[row],
                    )
                    for rank, (row, score, percentile) in enumerate(
                        zip(some.rows, some.scores, some.percentiles, strict=True), start=1
                    )
                ],
                query_cut=query_cut,
            )
            for some, query_cut in zip(found, cut, strict=True)
        ]
