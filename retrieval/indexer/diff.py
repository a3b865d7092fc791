"""Compare two indexes: figures that only one of them has, and figures that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from retrieval.shards.digests import Content, contents, known_values
from retrieval.shards.plan import WHERE_FROM
from retrieval.shards.reader import Shards


@dataclass(frozen=True)
class FigureDifference:
    """A figure that is `only in` one index, or `changed`, and then in which respects: image, captions or columns."""

    figure_id: str
    what: Literal["only in the first", "only in the second", "changed"]
    changed: tuple[str, ...] = ()


def diff(first: str | Path, second: str | Path) -> Iterator[FigureDifference]:
    """The differences between two indexes, built or only encoded, by figure id.

    Figures are compared by what they say, not by their vectors: image (sha256), captions in their order, article, uri
    and metadata, declared or not. So indexes of different encoders can be compared. Order, shards and steps do not
    count.

    Raises ShardError where a folder holds no complete shards.
    """
    one, other = Shards(Path(first)), Shards(Path(second))
    before, after = contents(one), contents(other)
    changed = {figure for figure in before.keys() & after.keys() if before[figure] != after[figure]}
    about = {figure for figure in changed if before[figure].about != after[figure].about}
    values = [_values(shards, about) for shards in (one, other)]
    for figure in sorted(before.keys() ^ after.keys() | changed):
        if figure not in after:
            yield FigureDifference(figure, "only in the first")
        elif figure not in before:
            yield FigureDifference(figure, "only in the second")
        else:
            columns = _changed_columns(*(of[figure] for of in values)) if figure in about else ()
            yield FigureDifference(figure, "changed", (*_changed_parts(before[figure], after[figure]), *columns))


def _changed_parts(before: Content, after: Content) -> tuple[str, ...]:
    return tuple(part for part in ("image", "captions") if getattr(before, part) != getattr(after, part))


def _changed_columns(before: dict[str, Any], after: dict[str, Any]) -> Sequence[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _values(shards: Shards, figures: set[str]) -> dict[str, dict[str, Any]]:
    """What is known of some figures beside image and captions."""
    declared = list(shards.plan.columns)
    found: dict[str, dict[str, Any]] = {}
    for table in ("images", "texts") if figures else ():
        for block in shards.blocks(table, [*WHERE_FROM, *declared, "extra"]):
            for row in block.to_pylist():
                figure = row["figure_id"]
                if figure in figures and figure not in found:
                    found[figure] = {name: row[name] for name in WHERE_FROM} | known_values(row, declared)
    return found
