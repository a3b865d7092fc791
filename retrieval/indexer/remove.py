"""Figures out of an index: by id, by article or by what their metadata says, in one step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from retrieval.errors import QueryError
from retrieval.files import locked
from retrieval.shards.changes import Change, seal_step, unfinished_step
from retrieval.shards.plan import WHERE_FROM
from retrieval.shards.reader import Shards, rows_of_figures
from retrieval.shards.tables import TABLE_OF
from retrieval.shards.where import matching_rows, parse

NAMED = 3  # unknown ids in an error's sentence


@dataclass(frozen=True)
class Removed:
    """How many figures were withdrawn, with how many images and captions. `change` is the step that was sealed, None
    where there was nothing to do, or it was only asked."""

    change: Change | None
    figures: int
    images: int
    captions: int


def remove(
    folder: str | Path,
    figures: Sequence[str] = (),
    *,
    articles: Sequence[str] = (),
    where: Sequence[str] = (),
    reason: str | None = None,
    missing_ok: bool = False,
    dry_run: bool = False,
) -> Removed:
    """Withdraw figures from the index in `folder`, as one step that happens whole or not at all.

    They are named by `figures` and `articles`, or are all those that fulfil every clause of `where`: a figure fulfils
    one if its image or any of its captions does. Their rows stay in the shards' files, but in no answer, count, export
    or derived file once `build` has run; until then the index says that it is out of date. With `dry_run` nothing is
    done.

    Raises QueryError where figures or articles are not there, unless `missing_ok`, FilterError for a clause that cannot
    be understood, PlanMismatchError where another change was interrupted.
    """
    folder = Path(folder)
    if bool(where) == bool(figures or articles):
        raise QueryError(f"{folder}: say which figures to remove, either by their ids and articles or by where clauses")
    with locked(folder):
        shards = Shards(folder)
        gone = _fulfilling(shards, where) if where else _named(shards, figures, articles, missing_ok)
        tables = rows_of_figures(shards, dict.fromkeys(gone, reason))
        images, captions = tables["images"].num_rows, tables["texts"].num_rows
        if dry_run or not gone:
            return Removed(None, len(gone), images, captions)
        number = len(shards.changes) + 1
        change = Change(
            number=number,
            command="remove",
            parent=shards.digest,
            figures={"removed": len(gone)},
            where=[*where, *([f"article_id in {','.join(articles)}"] if articles else [])],
            reason=reason,
        )
        sealed = seal_step(unfinished_step(folder, number, None), change, tables)
    return Removed(sealed, len(gone), images, captions)


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
    if not missing_ok:
        _refuse_missing(shards.folder, "figure", figures, found["figure_id"])
        _refuse_missing(shards.folder, "article", articles, found["article_id"])
    return gone


def _refuse_missing(folder: Path, what: str, names: Iterable[str], found: set[str]) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in found]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise QueryError(
            f"{folder}: no {what} {', '.join(map(repr, missing[:NAMED]))}{more}; nothing was removed; "
            "correct the list, or give --missing-ok to remove the others"
        )


def _fulfilling(shards: Shards, where: Sequence[str]) -> set[str]:
    """The figures that fulfil every clause. Raises FilterError."""
    own = {
        "images": {"width": "int64", "height": "int64"},
        "texts": {"caption": "string", "truncated": "bool"},
    }
    declared = dict.fromkeys(WHERE_FROM, "string") | dict(shards.plan.columns)
    everything = declared | own["images"] | own["texts"]
    remaining: set[str] | None = None
    for text in where:
        clause = parse(text, everything)
        fulfil: set[str] = set()
        for table in TABLE_OF.values():
            if clause.column in declared | own[table]:
                rows = shards.columns(table, list({"figure_id", clause.column}))
                fulfil |= set(rows["figure_id"].take(pa.array(matching_rows(rows, [clause]))).to_pylist())
        remaining = fulfil if remaining is None else remaining & fulfil
    return remaining or set()
