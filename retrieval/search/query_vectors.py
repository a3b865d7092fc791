"""Queries as the index is asked: one vector each, its words, and the figures that it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.encoders.captions import encode_captions
from retrieval.errors import QueryError
from retrieval.images.pictures import open_picture
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.percentiles import sample_scores
from retrieval.search.expression import Term
from retrieval.search.query import Query
from retrieval.search.rank import Words
from retrieval.search.search_options import Mode
from retrieval.shards.vectors import unit
from retrieval.types import Encoder, Modality, Vectors

if TYPE_CHECKING:
    pass

QUERIES_AT_ONCE = 64
CANCELLED = 1e-4
"""A sum this short, as a share of its weights, is what float16 rounding left of terms that cancel each other."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure of the index is: its number, the row of its vector, and its first caption's if it has one."""

    number: int
    kind: Modality
    row: int
    caption_row: int | None


@dataclass(frozen=True, slots=True)
class QueryVector:
    """One query as the index is asked.

    `vector` (dim,), None where only words count; `sample` its cosines with the background, ascending, None where there
    is no background; `words`; and the rows that it names itself, which are no hits.
    """

    vector: NDArray[np.float32] | None
    sample: NDArray[np.float32] | None
    words: Words
    own: frozenset[int]
    cut: bool


def read_queries(
    built: OpenedIndex,
    kind: Modality,
    queries: Sequence[Query],
    mode: Mode,
    encoder: Callable[[], Encoder],
    background: Vectors | None,
) -> list[QueryVector]:
    """The queries as rows of `kind` are asked in a mode. `encoder` opens one where it is needed.

    Raises QueryError for figures and images that cannot be asked with, and for queries without the words that a mode
    ranks by.
    """
    where = _places(built, queries)
    own = _own_rows(built, kind, queries, where)
    words = [_words_of(built, query, where) if mode != "dense" else [] for query in queries]
    if mode == "lexical":
        if not all(words):
            raise QueryError("mode lexical ranks by words, and a query has none; ask with a text, or in mode dense")
        return [QueryVector(None, None, its_words, rows, False) for its_words, rows in zip(words, own, strict=True)]
    vectors, cut = _query_vectors(built, queries, where, encoder)
    samples = [None] * len(queries) if background is None else list(sample_scores(vectors, background))
    return [QueryVector(*parts) for parts in zip(vectors, samples, words, own, cut.tolist(), strict=True)]


def _places(built: OpenedIndex, queries: Sequence[Query]) -> dict[str, Place]:
    """Where the figures are that queries name. Raises QueryError for one that the index does not hold."""
    names = list(dict.fromkeys(term.named for query in queries for term in query.terms if term.named is not None))
    if not names:
        return {}
    rows = built.find(names)
    for name in names:
        if name not in rows:
            raise QueryError(f"{name}: no such figure in {built.folder}; ask for one of its figure ids")
    numbers = {name: int(built.figures(kind)[row]) for name, (kind, row) in rows.items()}
    captions = built.rows_of("text", np.array(sorted(set(numbers.values())), np.int32))
    return {name: Place(numbers[name], *rows[name], next(iter(captions[numbers[name]]), None)) for name in names}


def _own_rows(
    built: OpenedIndex, kind: Modality, queries: Sequence[Query], where: dict[str, Place]
) -> list[frozenset[int]]:
    """The rows of the figures that each query names."""
    if not where:
        return [frozenset()] * len(queries)
    rows = built.rows_of(kind, np.array(sorted({place.number for place in where.values()}), np.int32))
    return [
        frozenset(row for term in query.terms if term.named is not None for row in rows[where[term.named].number])
        for query in queries
    ]


def _words_of(built: OpenedIndex, query: Query, where: dict[str, Place]) -> Words:
    """The texts of a query with their weights; a caption that it names is one of them."""
    words = []
    for term in query.terms:
        if term.text is not None:
            words.append((term.text, term.weight))
        elif term.caption is not None:
            row = _caption_row(built, term.caption, where)
            words.append((built.shards.take("texts", [row], ["caption"])[0]["caption"], term.weight))
    return words


def _query_vectors(
    built: OpenedIndex, queries: Sequence[Query], where: dict[str, Place], encoder: Callable[[], Encoder]
) -> tuple[Vectors, NDArray[np.bool_]]:
    """The queries (n, dim), and which of them (n,) hold a text that was cut short.

    A query of several terms is the sum of weight times unit vector, normalised. `encoder` opens one where it is needed.
    """
    terms = [term for query in queries for term in query.terms]
    vectors, cut = _term_vectors(built, terms, where, encoder)
    summed = np.zeros((len(queries), built.plan.dim), np.float32)
    any_cut = np.zeros(len(queries), dtype=bool)
    start = 0
    for number, query in enumerate(queries):
        mine = slice(start, start := start + len(query.terms))
        any_cut[number] = cut[mine].any()
        summed[number] = _sum(vectors[mine], [term.weight for term in query.terms])
    return summed, any_cut


def _sum(vectors: Vectors, weights: list[float]) -> NDArray[np.float32]:
    if weights == [1.0]:
        alone: NDArray[np.float32] = vectors[0]
        return alone
    total = np.asarray(weights) @ vectors.astype(np.float64)
    if np.linalg.norm(total) <= CANCELLED * np.abs(weights).sum():
        raise QueryError("the terms of the query cancel each other out; change a weight or leave a term out")
    direction: NDArray[np.float32] = unit(total[None] / np.linalg.norm(total))[0]
    return direction


def _term_vectors(
    built: OpenedIndex, terms: Sequence[Term], where: dict[str, Place], encoder: Callable[[], Encoder]
) -> tuple[Vectors, NDArray[np.bool_]]:
    """Each term's unit vector (n, dim), and which (n,) are texts that were cut short. Equal texts are encoded once."""
    cut = np.zeros(len(terms), dtype=bool)
    vectors = np.zeros((len(terms), built.plan.dim), np.float32)
    texts = [number for number, term in enumerate(terms) if term.text is not None]
    if texts:
        in_windows = built.plan.long_captions == "chunk"
        words = [terms[number].text or "" for number in texts]
        read = encode_captions(encoder(), words, in_windows=in_windows, batch_size=QUERIES_AT_ONCE)
        vectors[texts], cut[texts] = read.vectors, read.truncated
    pictures = {number: term.image for number, term in enumerate(terms) if term.image is not None}
    images = list(pictures)
    if images and not encoder().reads_images:
        raise QueryError(f"{encoder().name}: reads captions only; ask with words, or with a figure of the index")
    if images:
        pixels = [encoder().prepare(open_picture(picture)) for picture in pictures.values()]
        vectors[images] = encoder().encode_images(np.stack(pixels))
    for number, term in enumerate(terms):
        if term.figure is not None:
            place = where[term.figure]
            vectors[number] = unit(np.asarray(built.vectors(place.kind)[place.row : place.row + 1]))[0]
        elif term.caption is not None:
            row = _caption_row(built, term.caption, where)
            vectors[number] = unit(np.asarray(built.vectors("text")[row : row + 1]))[0]
        elif term.vector is not None:
            vectors[number] = _checked(term.vector, built.plan.dim)
    return vectors, cut


def _caption_row(built: OpenedIndex, figure: str, where: dict[str, Place]) -> int:
    row = where[figure].caption_row
    if row is None:
        raise QueryError(f"{figure}: has no caption in {built.folder}; ask with the figure itself")
    return row


def _checked(given: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    try:
        vector = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        raise QueryError(f"the query vector is a {type(given).__name__}, not {dim} numbers") from None
    if vector.shape != (dim,):
        raise QueryError(f"the query vector is {vector.shape}, the index wants ({dim},)")
    if not np.isfinite(vector).all():
        raise QueryError("the query vector holds a value that is not finite; compute it again")
    direction: NDArray[np.float32] = unit(vector[None])[0]
    return direction
