"""Withdraw figures from an index, by id, by article or by their metadata, in one step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.errors import QueryError
from retrieval.files import locked
from retrieval.indexer.panels_index import orphans, panels_folder
from retrieval.shards.changes import Change, seal_step, step_folder, unfinished_step, withdrawn_figures
from retrieval.shards.conditions import ReadColumns, fulfilling_figures
from retrieval.shards.figure_numbers import figure_numbers, rows_of_figures
from retrieval.shards.filters import Where, as_clauses, nearest_values, read_where, where_columns
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF
from retrieval.types import Modality

NAMED = 3  # unknown ids in an error's sentence


@dataclass(frozen=True, repr=False)
class Removed:
    """How many figures were withdrawn, with how many images and captions. `change` is the step that was sealed, None
    where there was nothing to do, or it was only asked. `nearest` says which values there are near those that no figure
    has."""

    change: Change | None
    figures: int
    images: int
    captions: int
    nearest: str = ""

    def __repr__(self) -> str:
        return f"removed {self.figures} figures, {self.images} images, {self.captions} captions"


def remove(
    folder: str | Path,
    figures: str | Sequence[str] = (),
    *,
    articles: str | Sequence[str] = (),
    where: Where = (),
    reason: str | None = None,
    missing_ok: bool = False,
    dry_run: bool = False,
) -> Removed:
    """Withdraw figures from the index in `folder`, as one step that happens whole or not at all.

    They are named by `figures` and `articles`, or are all those that fulfil every condition of `where`: a figure
    fulfils a clause if its image or any of its captions does. Their rows stay in the shards' files, but in no answer,
    count, export or derived file once `build` has run; until then the index says that it is out of date. With `dry_run`
    nothing is done. Panels of the figures are withdrawn with them. Called again after it was killed, it finishes what
    is left: ids that the last step withdrew are no mistake.

    Raises QueryError where figures or articles are not there, unless `missing_ok`, FilterError for a clause that cannot
    be understood, PlanMismatchError where another change was interrupted.
    """
    folder = Path(folder)
    figures, articles, where = one_or_many(figures), one_or_many(articles), as_clauses(where)
    if bool(where) == bool(figures or articles):
        raise QueryError(f"{folder}: say which figures to remove, either by their ids and articles or by where clauses")
    with locked(folder):
        shards = Shards(folder)
        gone = _fulfilling(shards, where) if where else _named(shards, figures, articles, missing_ok)
        tables = rows_of_figures(shards, dict.fromkeys(gone, reason))
        images, captions = tables["images"].num_rows, tables["texts"].num_rows
        if dry_run:
            return Removed(None, len(gone), images, captions, "" if gone else _nearest(shards, where))
        if not gone:
            withdraw_orphans(folder, reason)
            return Removed(None, 0, 0, 0, _nearest(shards, where))
        number = len(shards.changes) + 1
        change = Change(
            number=number,
            command="remove",
            parent=shards.digest,
            figures={"removed": len(gone)},
            where=[*map(str, where), *([named_articles(articles)] if articles else [])],
            reason=reason,
        )
        sealed = seal_step(unfinished_step(folder, number, None), change, tables)
        withdraw_orphans(folder, reason)
    return Removed(sealed, len(gone), images, captions)


def one_or_many(values: str | Sequence[str]) -> Sequence[str]:
    """A single str as one value: it is also a sequence of its letters, which nobody means."""
    return (values,) if isinstance(values, str) else values


def withdraw_orphans(folder: Path, reason: str | None = None) -> int:
    """Withdraw the panels whose figures the index no longer has; gives how many."""
    place = panels_folder(folder)
    gone = orphans(folder)
    if place is not None and gone:
        remove(place, sorted(gone), reason=reason)
    return len(gone)


def _named(shards: Shards, figures: Sequence[str], articles: Sequence[str], missing_ok: bool) -> set[str]:
    """The figures of some ids and articles. Raises QueryError where there is none of one of them."""
    found: dict[str, set[str]] = {"figure_id": set(), "article_id": set()}
    gone: set[str] = set()
    for column, names in (("figure_id", figures), ("article_id", articles)):
        wanted = pa.array({name.encode(errors="replace").decode() for name in names}, pa.string())
        for table in TABLE_OF.values() if names else ():
            rows = shards.columns(table, list({"figure_id", column}))
            rows = rows.filter(pc.is_in(rows[column], wanted))
            found[column] |= set(rows[column].to_pylist())
            gone |= set(rows["figure_id"].to_pylist())
    if not missing_ok and (gone or not _was_last(shards, figures, articles)):
        _refuse_missing(shards.folder, "figure", figures, found["figure_id"])
        _refuse_missing(shards.folder, "article", articles, found["article_id"])
    return gone


def _was_last(shards: Shards, figures: Sequence[str], articles: Sequence[str]) -> bool:
    """Whether the last step withdrew just these: a run that was killed behind it is called again with the same ids."""
    if not shards.changes or shards.changes[-1].command != "remove":
        return False
    last = shards.changes[-1]
    if articles and named_articles(articles) not in last.where:
        return False
    return set(figures) <= withdrawn_figures(step_folder(shards.folder, last.number))


def named_articles(articles: Sequence[str]) -> str:
    """Articles as a clause, as a step records them."""
    return f"article_id in {','.join(articles)}"


def _refuse_missing(folder: Path, what: str, names: Iterable[str], found: set[str]) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in found]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise QueryError(
            f"{folder}: no {what} {', '.join(map(repr, missing[:NAMED]))}{more}; nothing was removed; "
            "correct the list, or give --missing-ok to remove the others"
        )


def _fulfilling(shards: Shards, where: Where) -> set[str]:
    """The figures that fulfil every condition. Raises FilterError."""
    conditions = read_where(where, where_columns(shards.plan))
    figures = figure_numbers(shards)
    chosen = fulfilling_figures(conditions, figures, _reading(shards))
    gone: set[str] = set()
    for modality, table in TABLE_OF.items():
        rows = np.flatnonzero(np.isin(figures[modality], chosen))
        gone |= set(shards.columns(table, ["figure_id"])["figure_id"].take(pa.array(rows)).to_pylist())
    return gone


def _nearest(shards: Shards, where: Where) -> str:
    usual: Modality = "image" if shards.count("images") else "text"
    return nearest_values(read_where(where, where_columns(shards.plan)), usual, _reading(shards))


def _reading(shards: Shards) -> ReadColumns:
    return lambda modality, names: shards.columns(TABLE_OF[modality], list(names))
