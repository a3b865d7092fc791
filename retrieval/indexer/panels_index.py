"""The index of a corpus' panels, in the folder `panels` of the index of its figures: it follows every change of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrieval.corpora.panels.panels_corpus import PANEL_OF, PANELS, PanelsCorpus
from retrieval.errors import StaleIndexError
from retrieval.files import locked, read_json, write_json
from retrieval.shards.changes import Change, step_folder
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF, Table
from retrieval.types import Corpus, Progress

FOLLOWED = "followed.json"
"""In the panels' folder: the steps of the figures' index whose panels were looked for, by number. A step that is not
there was interrupted between the figures and their panels. Without the file no step is missing."""


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


def begin_to_follow(folder: Path) -> None:
    """Note, before figures are added, for which steps panels were looked for: a step that is killed then shows."""
    with locked(folder):
        _write_followed(folder, _followed(folder))


def follow(folder: Path, source: str, id_prefix: str | None, *, everything: bool) -> None:
    """Note that panels were looked for in `source`, and so for all steps that added it; or for all steps there are."""
    with locked(folder):
        steps = {
            step.number
            for step in Shards(folder).changes
            if everything or (step.source == source and _prefix(folder, step) == id_prefix)
        }
        _write_followed(folder, _followed(folder) | steps)


def _prefix(folder: Path, step: Change) -> str | None:
    """What an addition put before the ids of its figures."""
    place = step_folder(folder, step.number)
    prefix: str | None = Plan.read(place).options.get("id_prefix") if step.added else None
    return prefix


def without_panels(folder: Path) -> list[Change]:
    """The steps that added figures of which the panels were not looked for, as an `add` that was killed leaves them."""
    if panels_folder(folder) is None:
        return []
    followed = _followed(folder)
    return [step for step in Shards(folder).changes if step.source and step.number not in followed]


def _followed(folder: Path) -> set[int]:
    path = folder / PANELS / FOLLOWED
    return set(read_json(path)) if path.exists() else {step.number for step in Shards(folder).changes}


def _write_followed(folder: Path, steps: set[int]) -> None:
    write_json(folder / PANELS / FOLLOWED, sorted(steps))


def add_again(folder: Path, steps: Sequence[Change]) -> str:
    """A sentence about steps without panels, with the command that looks for them."""
    step = steps[0]
    prefix = _prefix(folder, step)
    given = " --sync" if step.command == "sync" else f" --id-prefix {prefix}" if prefix else ""
    return (
        f"{folder}: the panels of step {step.number} were not looked for, because it was interrupted; "
        f"run: retrieval add {folder} {step.source}{given}"
    )


def check_panels(folder: Path) -> None:
    """Raise StaleIndexError where the index lacks panels of figures that were added, or still has some of figures that
    were withdrawn."""
    behind = without_panels(folder)
    if behind:
        raise StaleIndexError(add_again(folder, behind))
    gone = orphans(folder)
    if gone:
        raise StaleIndexError(
            f"{folder}: {len(gone)} panels, such as {min(gone)}, are of figures that were removed; "
            f"run: retrieval build {folder}"
        )


def _column(shards: Shards, table: Table, name: str) -> list[str]:
    values: list[str] = shards.columns(table, [name])[name].to_pylist()
    return values
