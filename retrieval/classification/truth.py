"""Which label an image is known to have: by the folder it lies in, or by a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from retrieval.corpora.tables.columns import IMAGE, first_of
from retrieval.corpora.tables.open_rows import open_rows
from retrieval.errors import QueryError

LABEL = ("label", "class", "labels", "target")
"""Names of the column that says it, the most telling first."""


class Truth:
    """The number of an image's known label, from 0; None where nothing is known of it.

    `table` has a column of images and one of labels. An image is looked up by its path as given, then by ever shorter
    ends of it down to the file name. Without a table an image has the label that its folder is named like. Labels may
    also be called by the names of `known_as`; case, hyphens and underscores do not count.

    Raises QueryError where the table has no such columns, names an unknown label, or contradicts itself.
    """

    def __init__(
        self, labels: Sequence[str], *, known_as: Mapping[str, str] | None = None, table: str | Path | None = None
    ) -> None:
        numbers = {plain_label(label): number for number, label in enumerate(labels)}
        aliases = {plain_label(name): numbers[plain_label(label)] for name, label in (known_as or {}).items()}
        self._numbers = aliases | numbers
        self._table = None if table is None else _read_table(Path(table), labels, self._numbers)

    def of(self, uri: str) -> int | None:
        if self._table is None:
            return self._numbers.get(plain_label(Path(uri).absolute().parent.name))
        parts = Path(uri).parts
        ends = (Path(*parts[start:]).as_posix() for start in range(len(parts)))
        return next((self._table[end] for end in ends if end in self._table), None)


def plain_label(name: str) -> str:
    """A name without what people change when they make a folder's name of it; HER2- and HER2 stay two names."""
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", name.strip()).casefold()


def _read_table(path: Path, labels: Sequence[str], numbers: Mapping[str, int]) -> dict[str, int]:
    rows = open_rows(path)
    image, label = first_of(IMAGE, rows.columns), first_of(LABEL, rows.columns)
    if image is None or label is None:
        has = ", ".join(rows.columns)
        raise QueryError(f"{path}: needs the columns image and label, and has {has}; rename the two that hold them")
    found: dict[str, int] = {}
    for place, row in enumerate(rows.scan([image, label]), start=1):
        if isinstance(row, str):
            raise QueryError(f"{path}: row {place} cannot be used ({row}); correct it")
        name, said = str(row.get(image)), str(row.get(label))
        number = numbers.get(plain_label(said))
        if number is None:
            raise QueryError(f"{path}: row {place} has the label {said}, which is none of {', '.join(labels)}")
        if found.setdefault(Path(name).as_posix(), number) != number:
            raise QueryError(f"{path}: row {place} gives {name} a second label, {said}; keep one of them")
    return found
