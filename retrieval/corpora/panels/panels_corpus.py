"""The panels of a corpus' compound figures as a corpus of their own: crops of images, sub-captions of captions."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice

import numpy as np
from PIL import Image

from retrieval.corpora.panels.image_split import Box, split_panels
from retrieval.corpora.panels.sub_captions import SubCaption, split_caption
from retrieval.files import sha256_json
from retrieval.images.decode import MAX_PIXELS, decode
from retrieval.images.image_bytes import UnreadableImage
from retrieval.prefetch import map_ahead
from retrieval.types import Corpus, Figure, Progress, Silent, Skip, Split

METHOD = 1  # of splitting: another one makes other parts of the same figures
AT_ONCE = 256  # figures a piece of the source
PANEL_OF, PANEL = "panel_of", "panel"  # its columns
PANELS = "panels"
"""Where an index of panels lies: in the folder of the index of their figures."""


class PanelsCorpus:
    """The parts of the figures of `source`, each a figure that names its own in the column `panel_of`.

    Where an image falls into as many panels as its caption names, a part has a crop and a sub-caption; elsewhere crops
    and sub-captions are parts of their own. A figure that does not fall apart has none, and one that the source skips
    is not told of again. Which parts there are is found out at once, by looking at every image.
    """

    kind = "panels"

    def __init__(self, source: Corpus, *, max_pixels: int = MAX_PIXELS, progress: Progress | None = None) -> None:
        self.source = str(getattr(source, "source", source.kind))
        self._source, self._max_pixels = source, max_pixels
        self._pieces = source.split(AT_ONCE)
        self.columns: Mapping[str, str] = dict(source.columns) | {PANEL_OF: "string", PANEL: "string"}
        self.fingerprint = sha256_json([self.kind, METHOD, max_pixels, source.fingerprint])
        self.figures: set[str] = set()
        counts = self._count(progress or Silent())
        self._ends = np.fromiter(accumulate(counts), dtype=np.int64, count=len(counts))
        self._starts = np.cumsum([0, *(piece.stop - piece.start for piece in self._pieces)])

    def split(self, size: int) -> list[Split]:
        total = int(self._ends[-1]) if len(self._ends) else 0
        return [Split(n, start, min(start + size, total)) for n, start in enumerate(range(0, total, size))]

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        first = int(np.searchsorted(self._ends, split.start, side="right"))
        before = int(self._ends[first - 1]) if first else 0
        parts = (part for figure in self._figures_from(first) for part in self._parts(figure))
        yield from islice(parts, split.start - before, split.stop - before)

    def _count(self, progress: Progress) -> list[int]:
        progress.start(sum(piece.stop - piece.start for piece in self._pieces), 0)
        figures = (figure for piece in self._pieces for figure in self._source.read(piece))
        counts = []
        try:
            for figure, count in map_ahead(
                lambda figure: (figure.figure_id, len(self._parts(figure, crops=False))),
                figures,
                workers=os.cpu_count() or 1,
                ahead=AT_ONCE,
            ):
                self.figures.add(figure)
                counts.append(count)
                progress.advance(1)
        finally:
            progress.finish()
        return counts

    def _figures_from(self, position: int) -> Iterator[Figure | Skip]:
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        for piece in self._pieces[number:]:
            skip, position = max(0, position - int(self._starts[number])), 0
            yield from islice(self._source.read(piece), skip, None)

    def _parts(self, figure: Figure | Skip, *, crops: bool = True) -> list[Figure]:
        return [] if isinstance(figure, Skip) else list(parts_of(figure, self._max_pixels, crops=crops))


def parts_of(figure: Figure, max_pixels: int = MAX_PIXELS, *, crops: bool = True) -> Iterator[Figure]:
    """The parts of one figure: crops in reading order with their sub-captions, where they belong to each other, then
    the sub-captions of further captions. Without `crops` no image is cut out: who counts parts needs none."""
    image, boxes = _boxes(figure.image, max_pixels)
    told = [subs for subs in map(split_caption, figure.captions) if subs]
    matched = told.pop(0) if told and _name_one_each(told[0], boxes) else ()
    names = [_name(sub) for sub in matched] or [f"panel {n}" for n in range(1, len(boxes) + 1)]
    for box, name, sub in zip(boxes, names, matched or (None,) * len(boxes), strict=True):
        crop = _png(image.crop(box)) if image is not None and crops else None
        yield _part(figure, name, crop, (sub.whole,) if sub else (), box)
    seen = set(names)
    for number, subs in enumerate(told, 1):
        for sub in subs:
            name = _name(sub) if _name(sub) not in seen else f"{_name(sub)} of caption {number}"
            seen.add(name)
            yield _part(figure, name, None, (sub.whole,), None)


def _boxes(data: bytes | None, max_pixels: int) -> tuple[Image.Image | None, tuple[Box, ...]]:
    if data is None:
        return None, ()
    try:
        image = decode(data, max_pixels)
    except UnreadableImage:  # which is told of the figure itself
        return None, ()
    return image, split_panels(image)


def _name_one_each(subs: tuple[SubCaption, ...], boxes: tuple[Box, ...]) -> bool:
    return len(subs) == len(boxes) and all(len(sub.labels) == 1 for sub in subs)


def _name(sub: SubCaption) -> str:
    return ", ".join(sub.labels)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _part(figure: Figure, name: str, image: bytes | None, captions: tuple[str, ...], box: Box | None) -> Figure:
    place = "" if box is None else f"#xywh={box.left},{box.top},{box.right - box.left},{box.bottom - box.top}"
    return Figure(
        f"{figure.figure_id}#{name}",
        image,
        captions,
        figure.uri + place,  # as W3C's Media Fragments name a rectangle of an image
        figure.article_id,
        dict(figure.metadata) | {PANEL_OF: figure.figure_id, PANEL: name},
        figure.extra,
    )
