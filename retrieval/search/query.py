"""What is asked and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.render.contact_sheet import hits_html
from retrieval.render.terminal import hits_text
from retrieval.search.expression import PARTS, Term, parse_terms
from retrieval.types import Hit, Modality

Target = Literal["images", "captions"]
KIND_OF: dict[str, Modality] = {"images": "image", "captions": "text"}


@dataclass(frozen=True, slots=True)
class Query:
    """One question: exactly one of a text, an image (path or file bytes), a figure's id, a vector (dim,), the id of a
    figure whose first caption asks, or an expression that combines such (see `expression.parse_terms`).

    `terms` are what it asks for in any case. A text stays literal; only `combine` is read as an expression.
    """

    text: str | None = None
    image: str | Path | bytes | None = None
    figure: str | None = None
    vector: NDArray[np.float32] | None = None
    caption: str | None = None
    combine: str | Sequence[Term] | None = None
    terms: tuple[Term, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
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

    @property
    def default_target(self) -> Target:
        """An image asks for captions; words, figures and sums ask for figures."""
        return "captions" if self.image is not None else "images"


class Answer(Sequence[Hit]):
    """The hits of one query, best first; prints as a table, and as pictures in a notebook.

    `query_cut` says that the query was longer than the encoder reads, and that its end was not asked.
    """

    def __init__(self, hits: Sequence[Hit], query_cut: bool = False) -> None:
        self._hits = tuple(hits)
        self.query_cut = query_cut

    @overload
    def __getitem__(self, item: int) -> Hit: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, item: int | slice) -> Hit | tuple[Hit, ...]:
        return self._hits[item]

    def __len__(self) -> int:
        return len(self._hits)

    def __repr__(self) -> str:
        return hits_text(self._hits, 120)

    def _repr_html_(self) -> str:
        return hits_html(self._hits)
