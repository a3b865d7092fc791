"""What is asked and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.errors import QueryError, RetrievalError
from retrieval.images.pictures import Picture, each_picture
from retrieval.render.contact_sheet import ShownQuery, hits_html
from retrieval.render.terminal import hits_text
from retrieval.search.expression import PARTS, Term, parse_terms
from retrieval.search.hit_dict import hit_dict
from retrieval.types import Hit, Modality

if TYPE_CHECKING:
    import pandas


COLUMNS = {
    "rank": pa.int64(),
    "score": pa.float64(),
    "percentile": pa.float64(),
    "panel": pa.string(),
    "figure_id": pa.string(),
    "modality": pa.string(),
    "caption": pa.string(),
    "captions": pa.list_(pa.string()),
    "article_id": pa.string(),
    "source_uri": pa.string(),
    "width": pa.int64(),
    "height": pa.int64(),
}
"""The columns of every table of hits, whatever was found."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query: exactly one of a text, an image (path, file bytes, PIL image or array), a figure id, a vector (dim,),
    the id of a figure whose first caption asks, or an expression that combines such (see `expression.parse_terms`).

    `terms` are what it asks for in any case. A text stays literal; only `combine` is read as an expression.
    """

    text: str | None = None
    image: Picture | None = None
    figure: str | None = None
    vector: NDArray[np.float32] | None = None
    caption: str | None = None
    combine: str | Sequence[Term] | None = None
    terms: tuple[Term, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("text", "figure", "caption"):
            if (value := getattr(self, name)) is not None and not isinstance(value, str):
                way_out = "give a picture as image=, several queries to search_many"
                raise QueryError(f"a query's {name} is a str, not {type(value).__name__}; {way_out}")
        if isinstance(self.image, list | tuple):
            raise QueryError("a query has one image; search_many takes several")
        ways = {name: value for name in (*PARTS, "combine") if (value := getattr(self, name)) is not None}
        if len(ways) != 1:
            raise QueryError(f"a query is one of {', '.join(PARTS)} or combine, not {' and '.join(ways) or 'nothing'}")
        if self.combine is None:
            terms: tuple[Term, ...] = (Term(**ways),)
        else:
            terms = parse_terms(self.combine) if isinstance(self.combine, str) else tuple(self.combine)
        if not terms:
            raise QueryError("a query that combines nothing cannot be asked; give at least one term")
        object.__setattr__(self, "terms", terms)

    @classmethod
    def parse(cls, expression: str, *, images: Mapping[str, bytes] | None = None, open_files: bool = True) -> Query:
        """The query of an expression such as `2 * "axial CT" + image.png - "MRI"`.

        Its images are those of `images`, by name, and files of this machine unless `open_files` is False.
        Raises QueryError with the column that is not understood.
        """
        return cls(combine=parse_terms(expression, images=images, open_files=open_files))

    @classmethod
    def of(cls, query: Query | Picture) -> Query:
        """A query as it is; a str as words; a path, bytes, PIL image or array of pixels as an image; numbers in one row
        as a vector."""
        if isinstance(query, Query):
            return query
        if isinstance(query, np.ndarray) and query.ndim == 1:
            return cls(vector=query)
        return cls(text=query) if isinstance(query, str) else cls(image=query)

    @classmethod
    def each(cls, queries: Any) -> list[Query]:
        """Several queries, or one, as `of` reads them. Raises QueryError for what is none."""
        alone = isinstance(queries, Query)
        return [cls.of(query) for query in ([queries] if alone else each_picture(queries))]

    @property
    def default_target(self) -> Modality:
        """An image asks for captions; words, figures and sums ask for figures."""
        return "text" if self.image is not None else "image"


class Answer(Sequence[Hit]):
    """The hits of one query, best first; prints as a table, and as pictures in a notebook. Its slices are Answers.

    `query_cut` says that the query was longer than the encoder reads, and that its end was not asked.
    """

    def __init__(self, hits: Sequence[Hit], query_cut: bool = False) -> None:
        self._hits = tuple(hits)
        self.query_cut = query_cut

    @overload
    def __getitem__(self, item: int) -> Hit: ...
    @overload
    def __getitem__(self, item: slice) -> Answer: ...
    def __getitem__(self, item: int | slice) -> Hit | Answer:
        if isinstance(item, slice):
            return Answer(self._hits[item], self.query_cut)
        return self._hits[item]

    def __len__(self) -> int:
        return len(self._hits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and (self._hits, self.query_cut) == (other._hits, other.query_cut)

    def __hash__(self) -> int:
        return hash((tuple(hit.figure_id for hit in self._hits), self.query_cut))

    def __repr__(self) -> str:
        return hits_text(self._hits, 120)

    def _repr_html_(self) -> str:
        return hits_html(self._hits)

    def to_list(self, *, thumbnails: bool = False) -> list[dict[str, Any]]:
        """The hits as dicts of JSON values; `thumbnails` adds the small pictures in base64."""
        return [hit_dict(hit, thumbnails=thumbnails) for hit in self._hits]

    def to_arrow(self) -> pa.Table:
        """The hits as an Arrow table, one row each; every metadata column stands beside the hit's own."""
        return pa.table({name: _arrow_column(name, values) for name, values in self._columns().items()})

    def to_pandas(self) -> pandas.DataFrame:
        """The hits as a pandas frame. Raises RetrievalError where pandas is not installed."""
        return data_frame(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        """The values of each column: the hit's own first, then every metadata column that any of the hits has."""
        rows = [_flat(hit) for hit in self.to_list()]
        names = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
        return {name: [row.get(name) for row in rows] for name in names}


def _arrow_column(name: str, values: list[Any]) -> pa.Array:
    """Values as an Arrow column; as text in JSON where they are of several kinds, as Arrow has one type a column."""
    try:
        return pa.array(values, COLUMNS.get(name))
    except pa.ArrowException:
        return pa.array([None if value is None else json.dumps(value, ensure_ascii=False) for value in values])


def data_frame(rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]) -> pandas.DataFrame:
    """Rows as a pandas frame. Raises RetrievalError where pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise RetrievalError("to_pandas needs pandas: pip install pandas; to_arrow works without") from None
    return pandas.DataFrame(rows)


def _flat(hit: dict[str, Any]) -> dict[str, Any]:
    """Metadata beside the hit's own columns; a name that is taken gets the prefix metadata."""
    own = {name: value for name, value in hit.items() if name != "metadata"}
    return own | {name if name not in own else f"metadata.{name}": value for name, value in hit["metadata"].items()}


def shown_query(query: Query, answer: Answer, label: str = "") -> ShownQuery:
    """A query and its answer as the contact sheet shows them; an image query with its picture and its file's name.

    The folders around that file are left out: a page is passed on, and they are nobody else's.
    """
    picture = None
    if query.image is not None:
        from retrieval.images.pictures import open_picture
        from retrieval.images.thumbnails import thumbnail

        picture = thumbnail(open_picture(query.image), 256)
        label = Path(query.image).name if isinstance(query.image, str | Path) else "an image"
    return ShownQuery(text=query.text, image=picture, label="" if query.text else label, hits=answer)
