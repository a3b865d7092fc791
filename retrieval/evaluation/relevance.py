"""Which rows answer which: relevance is equality of one code per figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.evaluation.evaluate_options import RelevantBy
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.digests import normalised_caption
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF
from retrieval.types import OTHER, Modality

COLUMN: dict[str, tuple[Modality, ...]] = {
    "figure_id": ("image", "text"),
    "article_id": ("image", "text"),
    "caption": ("text",),
    "image": ("image",),
}
NAME = {"image": "sha256"}  # the column that says it, where it is not called the same


class Relevance:
    """The code of every row of an index; rows with equal codes are relevant to each other.

    `figure_id`: what belongs to the same figure. `article_id`: to figures of the same article. `caption`: to figures
    that share a caption (case, width and spacing aside). `image`: to figures whose image files are equal byte for byte.
    A figure always answers itself.
    """

    def __init__(self, built: OpenedIndex, relevant_by: RelevantBy) -> None:
        if relevant_by not in COLUMN:
            raise QueryError(f"{relevant_by}: not a relevance; use one of {', '.join(COLUMN)}")
        self.relevant_by = relevant_by
        rows = {modality: np.asarray(built.figures(modality)) for modality in TABLE_OF}
        figures = 1 + max((int(numbers.max()) for numbers in rows.values() if len(numbers)), default=-1)
        keys = {modality: _keys(built.shards, modality, relevant_by) for modality in COLUMN[relevant_by]}
        groups = _Groups(figures)
        self._figure_of: dict[str, int] = {}
        for modality, values in keys.items():
            for figure, key in zip(rows[modality].tolist(), values, strict=True):
                if key is not None:
                    groups.join(figure, self._figure_of.setdefault(key, figure))
        self._groups = groups.roots()
        self._codes = {modality: self._groups[numbers].astype(np.int64) for modality, numbers in rows.items()}

    def codes(self, modality: Modality) -> NDArray[np.int64]:
        """(rows,) of a table of the index."""
        return self._codes[modality]

    def codes_of(self, queries: Shards, modality: Modality) -> NDArray[np.int64]:
        """(rows,) of a table of other shards: the code of what they are equal to in the index, else -1."""
        if modality in COLUMN[self.relevant_by]:
            codes = self._known(queries, modality)
        else:  # a figure's captions stand for its image, the first that the index knows; and the other way round
            other = OTHER[modality]
            of_figure: dict[str | None, int] = {}
            for figure, code in zip(
                _column_values(queries, other, "figure_id"), self._known(queries, other), strict=True
            ):
                if code >= 0:
                    of_figure.setdefault(figure, code)
            codes = [of_figure.get(figure, -1) for figure in _column_values(queries, modality, "figure_id")]
        return np.array(codes, dtype=np.int64)

    def _known(self, queries: Shards, modality: Modality) -> list[int]:
        """The code in the index of what each row of other shards says itself, else -1."""
        found = (
            None if key is None else self._figure_of.get(key) for key in _keys(queries, modality, self.relevant_by)
        )
        return [-1 if figure is None else int(self._groups[figure]) for figure in found]


def clusters(shards: Shards, modality: Modality) -> NDArray[np.int64]:
    """(rows,) codes of what was sampled together: the article, or the figure where no article is known."""
    columns = shards.columns(TABLE_OF[modality], ["figure_id", "article_id"])
    keys = [
        ("figure", figure) if article is None else ("article", article)
        for figure, article in zip(columns["figure_id"].to_pylist(), columns["article_id"].to_pylist(), strict=True)
    ]
    codes: dict[tuple[str, str], int] = {}
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)


def _keys(shards: Shards, modality: Modality, relevant_by: str) -> list[str | None]:
    values = _column_values(shards, modality, NAME.get(relevant_by, relevant_by))
    return [normalised_caption(text) for text in values if text is not None] if relevant_by == "caption" else values


def _column_values(shards: Shards, modality: Modality, name: str) -> list[str | None]:
    values: list[str | None] = shards.columns(TABLE_OF[modality], [name])[name].to_pylist()
    return values


class _Groups:
    """Union-find over numbers 0..n."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def join(self, one: int, other: int) -> None:
        self._parent[self._root(one)] = self._root(other)

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def roots(self) -> NDArray[np.int64]:
        return np.array([self._root(number) for number in range(len(self._parent))], dtype=np.int64)
