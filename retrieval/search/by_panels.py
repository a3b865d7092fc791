"""Figures by the best of themselves and their panels: the answers of two indexes, put together by figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.panels.panels_corpus import PANEL, PANEL_OF
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.query import Answer, Query
from retrieval.search.query_vectors import QUERIES_AT_ONCE, read_queries
from retrieval.search.search_options import SearchOptions
from retrieval.shards.filters import Filter
from retrieval.types import Encoder, Hit, Modality

Ask = Callable[[int], Sequence[Hit]]
"""The k best hits of an index, or all there are."""


class Searching(Protocol):
    """What is needed of a searcher, which itself needs this module."""

    @property
    def built(self) -> OpenedIndex: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def panels(self) -> Searching: ...

    def modality(self, query: Query, target: Modality | None) -> Modality: ...

    def search_many(self, queries: Iterable[Query], options: SearchOptions) -> Iterator[Answer]: ...


def by_panels(searcher: Searching, queries: Sequence[Query], options: SearchOptions) -> Iterator[Answer]:
    """The answers of an index whose figures are found by their panels too. Arguments as in `Searcher.search_many`."""
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[start : start + QUERIES_AT_ONCE]
        asked = read_queries(searcher.built, "image", some, "dense", lambda: searcher.encoder, None)
        for query, read in zip(some, asked, strict=True):
            wanted = searcher.modality(query, options.target)
            whole = _asking(searcher, read.vector, wanted, options.where, per_figure=True)
            parts = _asking(searcher.panels, read.vector, wanted, options.where, per_figure=False)
            own = frozenset(term.named for term in query.terms if term.named is not None)
            yield Answer(best_of_both(searcher.built, whole, parts, options, own), query_cut=read.cut)


def _asking(
    searcher: Searching,
    vector: NDArray[np.float32] | None,
    target: Modality,
    where: tuple[str | Filter, ...],
    *,
    per_figure: bool,
) -> Ask:
    if not searcher.built.count(target):
        return lambda k: ()

    def ask(k: int) -> Sequence[Hit]:
        options = SearchOptions(target=target, k=k, where=where, per_figure=per_figure)
        return next(searcher.search_many([Query(vector=vector)], options))

    return ask


def best_of_both(built: OpenedIndex, whole: Ask, parts: Ask, options: SearchOptions, own: frozenset[str]) -> list[Hit]:
    """The first figures by the greater of their own score and their best panel's, as `options` have them.

    `whole` answers with each figure of `built` once, `parts` with panels; figures of `own` are no hits. A hit by a
    panel says which in `panel`, and has the sub-caption that was found in place of the caption.
    """
    depth = options.k
    while True:
        hits = whole(depth + len(own))
        panels, exhausted = _each_figure_once(parts, depth + len(own))
        best = {hit.figure_id: hit for hit in hits}
        better = {
            figure: panel for figure, panel in panels.items() if figure not in best or panel.score > best[figure].score
        }
        best |= _as_figures(built, better)
        ordered = sorted(best.values(), key=lambda hit: (-hit.score, hit.figure_id))
        chosen = list(_chosen((hit for hit in ordered if hit.figure_id not in own), options))
        if len(chosen) == options.k or (exhausted and len(hits) < depth + len(own)):
            return [replace(hit, rank=rank) for rank, hit in enumerate(chosen, 1)]
        depth *= 2


def _each_figure_once(parts: Ask, wanted: int) -> tuple[dict[str, Hit], bool]:
    """The best panel of each of the nearest figures, at least `wanted` of them, or all, and whether it is all."""
    k = 2 * wanted
    while True:
        hits = parts(k)
        first: dict[str, Hit] = {}
        for hit in hits:
            first.setdefault(str(hit.metadata[PANEL_OF]), hit)
        if len(hits) < k or len(first) >= wanted:
            return first, len(hits) < k
        k *= 2


def _as_figures(built: OpenedIndex, panels: dict[str, Hit]) -> dict[str, Hit]:
    """The figures that some panels belong to; those that were withdrawn since are left out."""
    places = built.find(list(panels))
    found = {}
    for kind in {kind for kind, _ in places.values()}:
        of_kind = {figure: row for figure, (its_kind, row) in places.items() if its_kind == kind}
        about = built.describe(kind, list(of_kind.values()))
        for figure, known in zip(of_kind, about, strict=True):
            panel = panels[figure]
            told = known | ({"caption": panel.caption} if panel.modality == "text" else {})
            found[figure] = Hit(
                score=panel.score,
                rank=panel.rank,
                modality=panel.modality,
                percentile=panel.percentile,
                panel=str(panel.metadata[PANEL]),
                **told,
            )
    return found


def _chosen(hits: Iterable[Hit], options: SearchOptions) -> Iterator[Hit]:
    of_article: Counter[str] = Counter()
    taken = 0
    for hit in hits:
        if taken == options.k:
            return
        if options.min_percentile is not None and (hit.percentile or 0.0) < options.min_percentile:
            continue
        article = hit.article_id
        if options.per_article is not None and article is not None:
            if of_article[article] == options.per_article:
                continue
            of_article[article] += 1
        taken += 1
        yield hit
