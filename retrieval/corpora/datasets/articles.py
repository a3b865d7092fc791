"""BiomedCLIP's pipeline and MedICaT: JSON lines that say which figures an article has."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from retrieval.corpora.datasets.folder_listing import BEST_FIRST, Listing, objects
from retrieval.corpora.datasets.row_lists import DatasetRows, UnfoldedRows
from retrieval.corpora.jats.rights import figure_licence
from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.corpora.tables.open_rows import suffix_of
from retrieval.corpora.tables.plain_text import readable
from retrieval.corpora.tables.text_rows import Row, json_lines
from retrieval.corpora.tables.values import name_in
from retrieval.errors import CorpusError

SAMPLE = 100
"""Figures that are looked for to learn where the paths of a pipeline's output start."""

LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


def find_biomedclip(listing: Listing) -> DatasetRows | None:
    """JSON lines of articles: `figures`, a list of objects with `fig_caption` and `graphic_ref`, beside `pmc`."""

    def tells(row: Row) -> bool:
        first = next(iter(objects(row.get("figures"))), {})
        return "pmc" in row and "fig_caption" in first and "graphic_ref" in first

    found = [path for path, rows in _line_files(listing) if any(map(tells, rows))]
    if not found:
        return None
    tables = []
    for path in found:
        places = _where_paths_start(listing.image_root or path.parent, path)
        tables.append(UnfoldedRows(json_lines(path), partial(_figures_of, places=places)))
    return DatasetRows("biomedclip", listing.root, tables, images_anywhere=True)


def find_medicat(listing: Listing) -> DatasetRows | None:
    """JSON lines of figures with `pdf_hash`, `fig_uri` and a caption of Semantic Scholar; the images in figures/."""

    def tells(row: Row) -> bool:
        return {"pdf_hash", "fig_uri"} <= row.keys() and not {"s2_caption", "s2orc_caption"}.isdisjoint(row)

    found = [path for path, rows in _line_files(listing) if any(map(tells, rows))]
    if not found:
        return None
    tables = []
    for path in found:
        folder = "figures/" if ((listing.image_root or path.parent) / "figures").is_dir() else ""
        tables.append(UnfoldedRows(json_lines(path), partial(_medicat_figure, folder=folder)))
    return DatasetRows("medicat", listing.root, tables, images_anywhere=True)


def _line_files(listing: Listing) -> Iterator[tuple[Path, list[Row]]]:
    """Files of JSON lines, and the first objects in each."""
    for folder, names in sorted(listing.files.items()):
        for path in (listing.path(folder, name) for name in names):
            if suffix_of(path) in LINES:
                with contextlib.suppress(CorpusError):
                    yield path, list(_first_objects(path))


def _first_objects(path: Path) -> Iterator[Row]:
    with readable(path) as file:
        for line in islice(file, SAMPLE):
            with contextlib.suppress(ValueError, RecursionError):
                row = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
                if isinstance(row, dict):
                    yield row


@dataclass(frozen=True, slots=True)
class _Places:
    """The folder of the images, and how many leading folders of their paths are those of the machine that ran the
    pipeline."""

    root: Path
    dropped: int

    def find(self, path: str) -> str:
        """The image that `path` means: the pipeline adds `.jpg` to every name, also to one that has a suffix."""
        inside = "/".join(path.split("/")[self.dropped :])
        stem, suffix = posixpath.splitext(inside)
        if suffix.lower() not in IMAGE_SUFFIXES:
            stem = inside
        twice = posixpath.splitext(stem)[1].lower() in IMAGE_SUFFIXES
        others = (stem + other for other in BEST_FIRST)
        for maybe in (inside, *([stem] if twice else []), *others):
            if os.path.isfile(os.path.join(self.root, maybe)):  # Path objects would take most of the time
                return maybe
        return inside


def _where_paths_start(root: Path, path: Path) -> _Places:
    """Leading folders are left out until most of the first images are there."""
    sample: list[str] = []
    for article in json_lines(path).scan(()):
        if isinstance(article, dict):
            sample += [ref for figure in objects(article.get("figures")) if (ref := _graphic(figure))]
        if len(sample) >= SAMPLE:
            break
    deepest = max((ref.count("/") for ref in sample), default=0)
    candidates = [_Places(root, dropped) for dropped in range(deepest + 1)]
    return max(candidates, key=lambda places: sum((root / places.find(ref)).is_file() for ref in sample))


def _graphic(figure: Row) -> str | None:
    """The path of the image; a name `None` is what the pipeline writes for a figure without one."""
    path = name_in(figure.get("graphic_ref"))
    return None if path is None or posixpath.basename(path) in ("None", "None.jpg") else path


def _figures_of(article: Row, places: _Places) -> list[Row | str]:
    figures = article.get("figures")
    if not isinstance(figures, list):
        return ["article has no list of figures"]
    pmc = name_in(article.get("pmc"))
    known = (f"PMC{pmc.upper().removeprefix('PMC')}" if pmc else None) or name_in(article.get("pmid"))
    about = {name: value for name, value in article.items() if name != "figures"}
    # without any id the articles still lie in folders of their own
    prefix = known or posixpath.basename(str(article.get("location") or "").rstrip("/"))
    uses = Counter(name_in(figure.get("fig_id")) for figure in objects(figures))

    def row(figure: Any) -> Row | str:
        if not isinstance(figure, dict):
            return "figure is not a JSON object"
        own_id = name_in(figure.get("fig_id"))
        tells = prefix and own_id and uses[own_id] == 1
        made = _figure(about | figure, places)
        return {**made, "figure_id": f"{prefix}_{own_id}" if tells else None, "article_id": known}

    return list(map(row, figures))


def _figure(figure: Row, places: _Places) -> Row:
    graphic, caption = _graphic(figure), figure.get("fig_caption")
    return {
        **_without(figure, ("fig_caption", "graphic_ref", "pair_id")),
        "image": places.find(graphic) if graphic else None,
        "caption": [] if caption in (None, "None") else caption,
    }


def _medicat_figure(row: Row, folder: str) -> list[Row | str]:
    article, uri = name_in(row.get("pdf_hash")), name_in(row.get("fig_uri"))
    if article is None or uri is None:
        return ["figure names no image"]
    captions = [row.get(name) for name in ("s2_caption", "s2orc_caption")]
    said = [caption for caption in captions if isinstance(caption, str) and caption.strip()]
    access = row.get("oa_info")
    access = access if isinstance(access, dict) else {}
    status = access.get("oa")
    # both are one caption, extracted by two programs: one of them is enough, the other is kept where it differs
    taken = ("s2_caption", *(["s2orc_caption"] if len(set(said)) < 2 else []))
    return [
        {
            **_without(row, ("pdf_hash", *taken)),
            "doi": name_in(access.get("doi")),
            "licence": figure_licence(name_in(status.get("license")) if isinstance(status, dict) else None, said),
            "image": f"{folder}{article}_{uri}",
            "caption": said[:1],
            "figure_id": f"{article}_{posixpath.splitext(uri)[0]}",
            "article_id": article,
        }
    ]


def _without(row: Row, keys: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in keys}
