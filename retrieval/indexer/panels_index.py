"""The index of a corpus' panels, in the folder `panels` of the index of its figures: it follows every change of it."""

from __future__ import annotations

from pathlib import Path

from retrieval.corpora.panels.panels_corpus import PANEL_OF, PANELS, PanelsCorpus
from retrieval.errors import StaleIndexError
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF, Table
from retrieval.types import Corpus, Progress


def panels_folder(folder: Path) -> Path | None:
    """Where the panels of an index are, None where it was made without."""
    place = folder / PANELS
    return place if (place / "plan.json").exists() else None


def panels_of(corpus: Corpus, folder: Path, progress: Progress | None) -> PanelsCorpus:
    """The panels of the figures of a corpus, cut as the index in `folder` was."""
    return PanelsCorpus(corpus, max_pixels=Plan.read(folder).max_pixels, progress=progress)


def orphans(folder: Path) -> set[str]:
    """The ids of panels whose figures the index no longer has."""
    place = panels_folder(folder)
    if place is None:
        return set()
    panels = Shards(place)
    figures = {figure for table in TABLE_OF.values() for figure in _column(Shards(folder), table, "figure_id")}
    return {
        panel
        for table in TABLE_OF.values()
        for panel, figure in zip(_column(panels, table, "figure_id"), _column(panels, table, PANEL_OF), strict=True)
        if figure not in figures
    }


def check_panels(folder: Path) -> None:
    """Raise StaleIndexError where the index still has panels of figures that were withdrawn."""
    gone = orphans(folder)
    if gone:
        raise StaleIndexError(
            f"{folder}: {len(gone)} panels, such as {min(gone)}, are of figures that were removed; "
            f"run: retrieval build {folder}"
        )


def _column(shards: Shards, table: Table, name: str) -> list[str]:
    values: list[str] = shards.columns(table, [name])[name].to_pylist()
    return values
