"""The page of a map: its data, style and scripts in one file that reaches for nothing outside itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.files import replacing
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.pages.map.colours import colouring
from retrieval.pages.map.details import Described, describe_points, figure_count, rows_of, sample_figures
from retrieval.pages.map.project import METHOD, modality_gap, project
from retrieval.render.html import STYLE, asset, render
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Progress, Silent

SCRIPTS: Final = ("data.js", "view.js", "drawing.js", "card.js", "controls.js", "start.js")
PAGE: Final = "pages/map/page"
POINTS: Final = 20_000
THUMBNAILS: Final = 128
GRID: Final = 2**16 - 1  # coordinates on the page: finer than any screen, and the same digits on every machine


@dataclass(frozen=True, slots=True)
class Map:
    """What was drawn: figures of how many there are, their images, captions, and pictures on it."""

    figures: int
    of: int
    images: int
    captions: int
    pictures: int


def draw_map(
    folder: str | Path,
    out: str | Path,
    *,
    colour: Sequence[str] = (),
    points: int = POINTS,
    thumbnails: int = THUMBNAILS,
    raw: bool = False,
    seed: int = 0,
    placing: Progress | None = None,
    describing: Progress | None = None,
) -> Map:
    """Write a page to `out` that shows the images and captions of an index as points, near where vectors are alike.

    Of an index with more than `points` images and captions, whole figures are drawn by lot. Each modality's mean is
    taken from its vectors first, so that captions lie near their images; `raw` keeps the gap between the two. The page
    can colour by each column of `colour`. `thumbnails` is the longer side of its pictures in pixels, 0 for none. The
    same index, options and versions give the same bytes. `out` is replaced, and appears whole or not at all. `placing`
    is told of the steps of the layout, `describing` of the figures whose captions and pictures were read.

    Raises QueryError where a column is not known, nothing is in the index, `out` is a folder, or the extra
    `retrieval[map]` is missing.
    """
    out = Path(out)
    if out.is_dir():
        raise QueryError(f"{out}: is a folder; name the page in it, as {out / 'map.html'}")
    out.parent.mkdir(parents=True, exist_ok=True)
    built = OpenedIndex(folder, thumbnails=thumbnails > 0)
    _check_columns(built, colour)
    figures = sample_figures(built, points, seed)
    if not len(figures):
        raise QueryError(f"{folder}: nothing is in it; a map needs at least one figure")
    rows = {kind: rows_of(built, kind, figures) for kind in TABLE_OF}
    images, captions = (built.vectors(kind)[rows[kind]].astype(np.float32) for kind in TABLE_OF)
    places = _on_grid(project(images, captions, keep_gap=raw, seed=seed, progress=placing))
    described = list(describe_points(built, figures, colour, thumbnails, describing or Silent()))
    numbers = np.concatenate([built.figures(kind)[rows[kind]] for kind in TABLE_OF])
    data = _data(described, np.searchsorted(figures, numbers), places, len(images), colour)
    drawn = Map(
        len(figures), figure_count(built), len(images), len(captions), sum(bool(figure.picture) for figure in described)
    )
    html = map_page(
        Path(folder).resolve().name, _facts(drawn, built.plan.encoder, modality_gap(images, captions), raw, seed), data
    )
    with replacing(out) as temporary:
        temporary.write_text(html, encoding="utf-8", newline="\n")
    return drawn


def _check_columns(built: OpenedIndex, names: Sequence[str]) -> None:
    known = built.columns.keys() - {"figure_id", "source_uri", "caption"}
    for name in names:
        if name not in known:
            raise QueryError(f"{built.folder}: no column {name} to colour by; there are {', '.join(sorted(known))}")


def _on_grid(places: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places (n, 2) as whole numbers from 0 to GRID, both axes to one scale."""
    low = places.min(axis=0)
    extent = float((places.max(axis=0) - low).max()) or 1.0
    numbers: NDArray[np.int64] = np.rint((places - low) / extent * GRID).astype(np.int64)
    return numbers


def _data(
    described: Sequence[Described],
    drawn: NDArray[np.int64],
    places: NDArray[np.int64],
    images: int,
    colour: Sequence[str],
) -> dict[str, Any]:
    """What the scripts read. Points are the images, then the captions; a figure's captions are in the points' order."""
    colourings = [colouring(name, [one.values[place] for one in described]) for place, name in enumerate(colour)]
    return {
        "figures": [[one.figure_id, one.captions, one.attribution, one.picture] for one in described],
        "images": images,
        "figure": drawn.tolist(),
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "colourings": [asdict(one) for one in colourings],
    }


def _facts(drawn: Map, encoder: str, gap: float, raw: bool, seed: int) -> tuple[str, ...]:
    """What a reader must know to read the map, a sentence or two each."""
    share = "" if drawn.figures == drawn.of else f", drawn by lot from {drawn.of:,} with seed {seed}"
    means = f"The mean of images and the mean of captions, {gap:.2f} apart where every vector has length 1,"
    kept = f"Vectors are as the encoder gave them. {means} are in them still."
    taken = f"{means} were taken away before, so that captions lie near their images."
    return (
        f"{drawn.figures:,} figures{share}: {drawn.images:,} images, {drawn.captions:,} captions; encoder {encoder}.",
        f"Points that are near each other have similar vectors. {METHOD}, seed {seed}.",
        "How far apart distant groups lie, how large they are and which way is up means nothing.",
        *([kept if raw else taken] if drawn.images and drawn.captions else []),
    )


def map_page(name: str, facts: Sequence[str], data: dict[str, Any]) -> str:
    """A whole HTML document; its policy lets run what this package wrote and nothing that `data` says."""
    return render(
        f"{PAGE}/map.html",
        styles=[STYLE, f"{PAGE}/map.css"],
        title=f"Map of {name}",
        facts=facts,
        data=data,
        scripts=[asset(f"{PAGE}/{script}") for script in SCRIPTS],
    )
