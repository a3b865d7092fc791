"""Rows of a table as something else: with columns that its path tells, or one for each of several images."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from retrieval.corpora.tables.table import TableRows

Row = dict[str, Any]

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def partitions_in(name: str) -> dict[str, Any]:
    """The columns that the folders of a table's relative path tell, as Hive, Spark and Polars write them: `year=2020`.

    Digits are a number there, whatever zeros lead, as all of those read them.
    """
    found: dict[str, Any] = {}
    for folder in PurePosixPath(name).parts[:-1]:
        key, equals, value = folder.partition("=")
        if key and equals:
            text = unquote(value)
            found[unquote(key)] = None if text == NO_VALUE else (int(text) if text.isdecimal() else text)
    return found


class WithConstants:
    """The rows of a table, each with the same values of further columns. A column of the table's own goes before."""

    def __init__(self, rows: TableRows, constants: Mapping[str, Any]) -> None:
        self._rows = rows
        self._constants = {name: value for name, value in constants.items() if name not in rows.columns}
        if rows.text:
            self._constants = {n: "" if value is None else str(value) for n, value in self._constants.items()}
        self.path, self.text = rows.path, rows.text
        self.columns: Sequence[str] = [*rows.columns, *self._constants]
        self.file_columns = rows.file_columns
        self.types: Mapping[str, str] | None = None
        if rows.types is not None:
            kinds = {
                n: "int64" if isinstance(v, int) else "string" for n, v in self._constants.items() if v is not None
            }
            self.types = {**rows.types, **kinds}

    @property
    def digest(self) -> str:
        return self._rows.digest

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        return map(self._with, self._rows.scan(columns))

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        return map(self._with, self._rows.fetch(rows))

    def holds_images(self, name: str) -> bool:
        return bool(getattr(self._rows, "holds_images", lambda _: False)(name))

    def _with(self, row: Row | str) -> Row | str:
        return row if isinstance(row, str) else {**row, **self._constants}


class OneImageEach:
    """Rows of which each holds a list of images, as one row for each image: all of them have the row's captions.

    Where every row with several images has a list of as many captions, each image has its own. A row without an image
    stays one row.
    """

    def __init__(self, rows: TableRows, images: str, captions: Sequence[str]) -> None:
        self._rows, self._images = rows, images
        self._captions = captions[0] if len(captions) == 1 else None
        self._firsts = array("q")
        self._one_to_one = False
        self.path, self.text, self.columns = rows.path, rows.text, rows.columns
        self.file_columns, self.types = rows.file_columns, rows.types

    @property
    def digest(self) -> str:
        return self._rows.digest

    def row_name(self, row: int) -> str:
        """How to tell someone which row and image the numbered one (from 0) is, both from 1: 3, or 3.2."""
        number = bisect_right(self._firsts, row) - 1
        first, end = self._firsts[number], self._firsts[number + 1] if number + 1 < len(self._firsts) else row + 2
        return f"{number + 1}" if end - first == 1 else f"{number + 1}.{row - first + 1}"

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        self._firsts = array("q")
        made = 0
        agree: set[bool] = set()
        for row in self._rows.scan([*columns, *([self._captions] if self._captions else [])]):
            self._firsts.append(made)
            images = self._images_of(row)
            if isinstance(row, dict) and len(images) > 1 and self._captions is not None:
                captions = row.get(self._captions)
                agree.add(isinstance(captions, list) and len(captions) == len(images))
            for one in images:
                made += 1
                yield row if isinstance(row, str) else {**row, self._images: one}
        self._one_to_one = agree == {True}
        self._firsts.append(made)

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        wanted = [(bisect_right(self._firsts, row) - 1, row) for row in rows]
        runs = [(number, [row for _, row in run]) for number, run in groupby(wanted, key=lambda pair: pair[0])]
        for (number, some), row in zip(runs, self._rows.fetch([number for number, _ in runs]), strict=True):
            for place in (made - self._firsts[number] for made in some):
                yield row if isinstance(row, str) else self._of_image(row, place)

    def _images_of(self, row: Row | str) -> Sequence[Any]:
        images = row.get(self._images) if isinstance(row, dict) else None
        return (images or [None]) if isinstance(images, list) else [images]

    def _of_image(self, row: Row, place: int) -> Row:
        images = self._images_of(row)
        made = {**row, self._images: images[place]}
        if self._one_to_one and self._captions is not None and len(images) > 1:
            made[self._captions] = row[self._captions][place]
        return made
