"""What a map says of each of its figures: captions, attribution, a small picture, the values that colour it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.export.attribution import attribution
from retrieval.images.decode import decode
from retrieval.images.image_bytes import UnreadableImage
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.tables import ROW_GROUP, TABLE_OF
from retrieval.types import Modality, Progress

QUALITY = 70  # a WebP of 128 pixels takes 2.0 kB (a JPEG 3.0), 1,091 figures of a textbook


@dataclass(frozen=True, slots=True)
class Described:
    """One figure. `picture` is a WebP in base64, or empty; `values` are those of the columns asked for."""

    figure_id: str
    captions: tuple[str, ...]
    attribution: str
    picture: str
    values: tuple[Any, ...]


def describe_points(
    built: OpenedIndex, figures: NDArray[np.int32], columns: Sequence[str], thumbnails: int, progress: Progress
) -> Iterator[Described]:
    """Some figures, in their order; `thumbnails` is the longer side of the pictures in pixels, 0 for none."""
    progress.start(len(figures), 0)
    for start in range(0, len(figures), ROW_GROUP):
        some = figures[start : start + ROW_GROUP]
        for about in _known(built, some):
            yield _described(about, columns, thumbnails)
        progress.advance(len(some))
    progress.finish()


def _known(built: OpenedIndex, figures: NDArray[np.int32]) -> Iterator[dict[str, Any]]:
    """What the index knows of each figure: from its image's row, or from its first caption's where it has no image."""
    numbers = figures.tolist()
    row_of = {number: rows[0] for number, rows in built.rows_of("image", figures).items() if rows}
    bare = np.array([number for number in numbers if number not in row_of], dtype=np.int32)
    first = {number: rows[0] for number, rows in built.rows_of("text", bare).items()}
    known = dict(zip(row_of, built.describe("image", list(row_of.values())), strict=True))
    known |= zip(first, built.describe("text", list(first.values())), strict=True)
    return (known[number] for number in numbers)


def _described(about: dict[str, Any], columns: Sequence[str], thumbnails: int) -> Described:
    everything = {**about["metadata"], **{name: about[name] for name in ("figure_id", "article_id", "width", "height")}}
    return Described(
        about["figure_id"],
        about["captions"],
        attribution(everything),
        _picture(about["thumbnail"], thumbnails),
        tuple(everything.get(name) for name in columns),
    )


def _picture(data: bytes | None, size: int) -> str:
    """A thumbnail again, smaller; encoded anew, so that nothing but pixels gets onto the page."""
    if not data or not size:
        return ""
    try:
        image = decode(data)
    except UnreadableImage:
        return ""
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def sample_figures(built: OpenedIndex, points: int, seed: int) -> NDArray[np.int32]:
    """Figure numbers in order, whose images and captions are at most `points`; one figure stands in any case."""
    numbers = np.concatenate([np.asarray(built.figures(kind)) for kind in TABLE_OF])
    sizes = np.bincount(numbers)
    figures = np.flatnonzero(sizes).astype(np.int32)
    if len(numbers) <= points:
        return figures
    lot = np.random.default_rng(seed).permutation(figures)
    fitting = int(np.searchsorted(np.cumsum(sizes[lot]), points, side="right"))
    return np.sort(lot[: max(1, fitting)])


def rows_of(built: OpenedIndex, kind: Modality, figures: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rows of one table that belong to some figures, in order."""
    return np.flatnonzero(np.isin(built.figures(kind), figures))


def figure_count(built: OpenedIndex) -> int:
    """How many figures there are, with an image or without."""
    return len(np.union1d(*(np.asarray(built.figures(kind)) for kind in TABLE_OF)))
