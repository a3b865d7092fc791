"""Which rows of a ranking become hits: near enough, not too many of one article, none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.images.near_duplicates import picture_hash, same_picture
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.search_options import SearchOptions
from retrieval.shards.digests import normalised_caption
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

LOOKED_UP = 32  # rows whose article, picture or caption is read together, at least


def first_hits(
    built: OpenedIndex,
    kind: Modality,
    options: SearchOptions,
    rows: NDArray[np.int64],
    left_out: frozenset[int] = frozenset(),
) -> list[int]:
    """The places in a ranking `rows` (n,) of its first hits, at most k, in order; rows of `left_out` are none."""
    if options.groups:
        admits = _Groups(built, kind, options).admits
        places = (place for place, about in enumerate(_known(built, kind, options, rows, left_out)) if admits(about))
    else:
        places = (place for place, row in enumerate(rows.tolist()) if row not in left_out)
    return [place for _, place in zip(range(options.k), places, strict=False)]


class _Groups:
    """What the hits so far have shown."""

    def __init__(self, built: OpenedIndex, kind: Modality, options: SearchOptions) -> None:
        self._options = options
        self._articles: Counter[str] = Counter()
        self._seen: set[tuple[str, Any]] = set()
        self._pictures: list[NDArray[np.uint8]] = []

    def admits(self, about: dict[str, Any] | None) -> bool:
        """Whether a row may follow; if so it counts from now on. None is a row that was left out."""
        if about is None:
            return False
        article, limit = about.get("article_id"), self._options.per_article
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
    built: OpenedIndex, kind: Modality, options: SearchOptions, rows: NDArray[np.int64], left_out: frozenset[int]
) -> Iterator[dict[str, Any] | None]:
    """What the options ask of each row, in order, read a few rows at a time; None for those left out."""
    step = max(LOOKED_UP, options.k)
    for start in range(0, len(rows), step):
        some = rows[start : start + step].tolist()
        wanted = [row for row in some if row not in left_out]
        facts = dict(zip(wanted, _facts(built, kind, options, wanted), strict=True))
        yield from (facts.get(row) for row in some)


def _facts(built: OpenedIndex, kind: Modality, options: SearchOptions, rows: list[int]) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = [{} for _ in rows]
    names = ["article_id"] * (options.per_article is not None) + ["caption"] * (options.unique and kind == "text")
    if names and rows:
        facts = built.shards.take(TABLE_OF[kind], rows, names)
    if options.per_figure or options.unique:
        figures = np.asarray(built.figures(kind)[rows])
        for about, figure in zip(facts, figures.tolist(), strict=True):
            about["figure"] = figure
    if options.unique and rows:
        image_rows = rows if kind == "image" else _first_images(built, figures)
        there = sorted({row for row in image_rows if row is not None})
        images = dict(zip(there, built.shards.take("images", there, ["sha256", "thumbnail"]), strict=True))
        for about, row in zip(facts, image_rows, strict=True):
            image = {} if row is None else images[row]
            about["sha256"] = image.get("sha256") or None  # imported vectors have none
            about["picture"] = picture_hash(image["thumbnail"]) if image.get("thumbnail") else None
            about["words"] = normalised_caption(about.pop("caption", "")) or None
    return facts


def _first_images(built: OpenedIndex, figures: NDArray[np.int32]) -> list[int | None]:
    """The first image of each figure, None where it has none."""
    images = built.rows_of("image", figures)
    return [next(iter(images[figure]), None) for figure in figures.tolist()]
