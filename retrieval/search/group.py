"""Which rows of a ranking become hits: near enough, not too many of one article, none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.images.near_duplicates import picture_hash, same_picture
from retrieval.indexes.opened_index import Built
from retrieval.shards.digests import normalised_caption
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

LOOKED_UP = 32  # rows whose article, picture or caption is read together, at least


@dataclass(frozen=True, slots=True)
class Choice:
    """How many hits, and which rows count as one.

    At most `per_article` hits of one article (a row without one is its own); with `unique` none that shows the figure,
    image file, caption or near-equal picture of a better hit; with `per_figure` the best row of each figure; none whose
    cosine is below `min_percentile` of the background. Raises QueryError for what cannot be.
    """

    k: int = 10
    per_article: int | None = None
    unique: bool = False
    per_figure: bool = False
    min_percentile: float | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise QueryError(f"k is {self.k}; ask for at least 1")
        if self.per_article is not None and self.per_article < 1:
            raise QueryError(f"per_article is {self.per_article}; ask for at least 1")
        if self.min_percentile is not None and not 0 <= self.min_percentile <= 100:
            raise QueryError(f"min_percentile is {self.min_percentile}; give one from 0 to 100")

    @property
    def groups(self) -> bool:
        return self.per_article is not None or self.unique or self.per_figure


def choose(
    built: Built, kind: Modality, choice: Choice, rows: NDArray[np.int64], left_out: frozenset[int] = frozenset()
) -> list[int]:
    """The places in a ranking `rows` (n,) of its first hits, at most k, in order; rows of `left_out` are none."""
    if choice.groups:
        admits = _Groups(built, kind, choice).admits
        places = (place for place, about in enumerate(_known(built, kind, choice, rows, left_out)) if admits(about))
    else:
        places = (place for place, row in enumerate(rows.tolist()) if row not in left_out)
    return [place for _, place in zip(range(choice.k), places, strict=False)]


class _Groups:
    """What the hits so far have shown."""

    def __init__(self, built: Built, kind: Modality, choice: Choice) -> None:
        self._choice = choice
        self._articles: Counter[str] = Counter()
        self._seen: set[tuple[str, Any]] = set()
        self._pictures: list[NDArray[np.uint8]] = []

    def admits(self, about: dict[str, Any] | None) -> bool:
        """Whether a row may follow; if so it counts from now on. None is a row that was left out."""
        if about is None:
            return False
        article, limit = about.get("article_id"), self._choice.per_article
        if limit is not None and article is not None and self._articles[article] >= limit:
            return False
        keys = {(name, about[name]) for name in ("figure", "sha256", "words") if about.get(name) is not None}
        picture = about.get("picture")
        if keys & self._seen or (picture is not None and any(same_picture(picture, seen) for seen in self._pictures)):
            return False
        self._seen |= keys
        if article is not None:
            self._articles[article] += 1
        if picture is not None:
            self._pictures.append(picture)
        return True


def _known(
    built: Built, kind: Modality, choice: Choice, rows: NDArray[np.int64], left_out: frozenset[int]
) -> Iterator[dict[str, Any] | None]:
    """What `choice` asks of each row, in order, read a few rows at a time; None for those left out."""
    step = max(LOOKED_UP, choice.k)
    for start in range(0, len(rows), step):
        some = rows[start : start + step].tolist()
        wanted = [row for row in some if row not in left_out]
        facts = dict(zip(wanted, _facts(built, kind, choice, wanted), strict=True))
        yield from (facts.get(row) for row in some)


def _facts(built: Built, kind: Modality, choice: Choice, rows: list[int]) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = [{} for _ in rows]
    names = ["article_id"] * (choice.per_article is not None) + ["caption"] * (choice.unique and kind == "text")
    if names and rows:
        facts = built.shards.take(TABLE_OF[kind], rows, names)
    if choice.per_figure or choice.unique:
        figures = np.asarray(built.figures(kind)[rows])
        for about, figure in zip(facts, figures.tolist(), strict=True):
            about["figure"] = figure
    if choice.unique and rows:
        image_rows = rows if kind == "image" else _first_images(built, figures)
        there = sorted({row for row in image_rows if row is not None})
        images = dict(zip(there, built.shards.take("images", there, ["sha256", "thumbnail"]), strict=True))
        for about, row in zip(facts, image_rows, strict=True):
            image = {} if row is None else images[row]
            about["sha256"] = image.get("sha256") or None  # imported vectors have none
            about["picture"] = picture_hash(image["thumbnail"]) if image.get("thumbnail") else None
            about["words"] = normalised_caption(about.pop("caption", "")) or None
    return facts


def _first_images(built: Built, figures: NDArray[np.int32]) -> list[int | None]:
    """The first image of each figure, None where it has none."""
    images = built.rows_of("image", figures)
    return [next(iter(images[figure]), None) for figure in figures.tolist()]
