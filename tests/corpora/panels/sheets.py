"""Compound figures of plain colours, whose panels and sub-captions belong to each other."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from retrieval.corpora.naming import cut_evenly
from retrieval.types import Corpus, Figure, Split
from tests.doubles import COLOURS

SIDE = 60


def sheet(*colours: str) -> bytes:
    """Panels of these colours in a row, with white gutters: PNG bytes. They are textured, as flat ones are drawings."""
    rng = np.random.default_rng(0)
    panels = []
    for colour in colours:
        noise = rng.integers(-20, 20, (SIDE, SIDE, 3))
        panels += [np.clip(np.array(COLOURS[colour]) * 0.8 + 20 + noise, 0, 255), np.full((SIDE, 12, 3), 255)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(panels[:-1], axis=1).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def compound(name: str, *colours: str, year: int = 2000) -> Figure:
    panels = zip("ABCDEF", colours, strict=False)
    words = " ".join(f"({letter}) a {colour} square seen from above." for letter, colour in panels)
    caption = f"Squares. {words}" if len(colours) > 1 else f"a {colours[0]} square"
    return Figure(name, sheet(*colours), (caption,), f"{name}.png", f"article-{name[0]}", {"year": year})


class ListedCorpus:
    """The `Corpus` of some figures."""

    kind, columns = "listed", {"year": "int64"}

    def __init__(self, *figures: Figure) -> None:
        self._figures = figures
        self.fingerprint = "-".join(figure.figure_id + figure.captions[0] for figure in figures)

    def split(self, size: int) -> list[Split]:
        return cut_evenly(len(self._figures), size)

    def read(self, split: Split):  # type: ignore[no-untyped-def]
        yield from self._figures[split.start : split.stop]


def corpus() -> Corpus:
    return ListedCorpus(
        compound("a1", "red", "blue"),
        compound("a2", "green"),
        compound("b1", "yellow", "cyan", "magenta", year=2010),
        compound("b2", "blue", year=2010),
    )
