"""The figures of an index one by one, as an export writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.export.attribution import attribution
from retrieval.export.originals import Originals
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.tables import ROW_GROUP
from retrieval.types import Hit

ImageFrom = Literal["original", "thumbnail"]
OURS = ("attribution", "image_from")  # written by every export, so that what an earlier one wrote is replaced


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `image` is its file as it was indexed, or its thumbnail: `image_from` says which.

    `metadata` has every column and extra key. `row` is that of its image in the index, None where it has none; `rank`
    and `score` are those of a hit.
    """

    figure_id: str
    article_id: str | None
    captions: tuple[str, ...]
    source_uri: str
    width: int | None
    height: int | None
    metadata: Mapping[str, Any]
    attribution: str
    image: bytes | None
    image_from: ImageFrom | None
    row: int | None
    rank: int | None = None
    score: float | None = None

    @property
    def own(self) -> dict[str, Any]:
        """Everything but captions, image and metadata, by the names of columns."""
        ranked = {} if self.rank is None else {"rank": self.rank, "score": self.score}
        return {
            "figure_id": self.figure_id,
            "article_id": self.article_id,
            "source_uri": self.source_uri,
            "attribution": self.attribution,
            "image_from": self.image_from,
            **ranked,
        }


def figure_rows(
    built: OpenedIndex, figures: NDArray[np.int32], originals: Originals | None, hits: Sequence[Hit] = ()
) -> Iterator[Row]:
    """The rows of some figure numbers, in this order; with `originals` None without their images. `hits`, if there are
    any, stand in the same order."""
    image_row = {number: rows[0] for number, rows in built.rows_of("image", figures).items() if rows}
    numbers = figures.tolist()
    pictured = [image_row[number] for number in numbers if number in image_row]
    pictures = None if originals is None else originals.read(pictured)
    for start in range(0, len(numbers), ROW_GROUP):
        some = figures[start : start + ROW_GROUP]
        for place, (number, about) in enumerate(_described(built, some, image_row, originals is not None), start):
            row = image_row.get(number)
            image: bytes | None = None
            image_from: ImageFrom | None = None
            if pictures is not None and row is not None:
                image, image_from = next(pictures), "original"
                if image is None:
                    image = about["thumbnail"]
                    image_from = None if image is None else "thumbnail"
            yield _row(about, image, image_from, row, hits[place] if hits else None)


def _described(
    built: OpenedIndex, figures: NDArray[np.int32], image_row: Mapping[int, int], thumbnails: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What is known of each figure: from its image's row, or from its first caption's where it has no image."""
    pictured = [number for number in figures.tolist() if number in image_row]
    rows = [image_row[number] for number in pictured]
    about = dict(zip(pictured, built.describe("image", rows, thumbnails=thumbnails), strict=True))
    bare = [number for number in figures.tolist() if number not in about]
    first = [rows[0] for rows in built.rows_of("text", np.array(bare, dtype=np.int32)).values()]
    about |= zip(bare, built.describe("text", first, thumbnails=thumbnails), strict=True)
    return ((number, about[number]) for number in figures.tolist())


def _row(
    about: Mapping[str, Any], image: bytes | None, image_from: ImageFrom | None, row: int | None, hit: Hit | None
) -> Row:
    metadata: dict[str, Any] = dict(about["metadata"])
    if metadata.get("image_from") == "thumbnail" and image is not None:
        image_from = "thumbnail"  # the original of this index is an earlier export's thumbnail
    found = metadata.pop("source_uri", None) or about["source_uri"]
    line = attribution({**metadata, "figure_id": about["figure_id"], "article_id": about["article_id"]})
    return Row(
        figure_id=about["figure_id"],
        article_id=about["article_id"],
        captions=about["captions"],
        source_uri=str(found or ""),
        width=about["width"],
        height=about["height"],
        metadata={name: value for name, value in metadata.items() if name not in OURS},
        attribution=line,
        image=image,
        image_from=image_from,
        row=row,
        rank=None if hit is None else hit.rank,
        score=None if hit is None else hit.score,
    )
