"""Rows that a layout makes up from its files, in the form in which a table gives its own."""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from retrieval.corpora.tables.table import TableRows
from retrieval.corpora.tables.table_corpus import TableCorpus
from retrieval.corpora.tables.text_rows import Row, TextRows

OWN = ("image", "caption", "figure_id", "article_id")
"""The keys of a made row: a path relative to the folder of its file, a list of captions, two names. Others are
metadata."""


@dataclass(frozen=True, slots=True)
class DatasetRows:
    """A layout that was recognised: its name, its folder, and the rows of each of its files."""

    kind: str
    root: Path
    tables: Sequence[TableRows]
    captions: bool = True
    images_anywhere: bool = False
    """Its images may lie elsewhere, in a folder that the caller names."""
    beside: Mapping[Path, str] = field(default_factory=dict)
    """Its other files, and for what they were read, as an account says it."""

    def corpus(self, image_root: Path | None, *, whole_folder: bool = True) -> TableCorpus:
        """Its figures. `image_root` is where the images' paths start from, if they do not from the tables' folders.
        Of a `whole_folder` the account is of all files below it."""
        captions = ("caption",) if self.captions else ()
        return TableCorpus(
            self.root,
            self.tables,
            kind=self.kind,
            image_column="image",
            caption_columns=captions,
            image_root=image_root,
            whole_folder=whole_folder,
            beside={path.relative_to(self.root).as_posix(): role for path, role in self.beside.items()},
        )


class ListedRows:
    """Rows that are held in memory, as JSON, which is smaller than objects. A row that cannot be read is the reason in
    place of a dict. `path` is the file that they stand in."""

    text = False
    file_columns: Sequence[str] = ()
    types: Mapping[str, str] | None = None

    def __init__(self, path: Path, rows: Iterable[Row | str]) -> None:
        self.path = path
        self.columns: Sequence[str] = OWN
        self._rows = [json.dumps(row if isinstance(row, str) else _present(row)).encode() for row in rows]
        self.digest = hashlib.sha256(b"\n".join(self._rows)).hexdigest()

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        return map(json.loads, self._rows)

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        return (json.loads(self._rows[row]) for row in rows)


def _present(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


class UnfoldedRows:
    """The rows that the lines of a file of JSON lines hold, some in each: articles with their figures. `unfold` gives
    them for the object of a line. Kept in memory are 24 bytes a line."""

    text = False
    file_columns: Sequence[str] = ()
    types: Mapping[str, str] | None = None

    def __init__(self, lines: TextRows, unfold: Callable[[Row], list[Row | str]]) -> None:
        self.path = lines.path
        self.columns: Sequence[str] = OWN
        self.digest = ""
        self._lines = lines
        self._unfold = unfold
        self._ends = array("q")

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        self._ends = array("q")
        end = 0
        for line in self._lines.scan(()):
            rows = self._rows_in(line)
            end += len(rows)
            self._ends.append(end)
            yield from rows
        self.digest = self._lines.digest

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        wanted = [(line, list(inside)) for line, inside in groupby(rows, lambda row: bisect_right(self._ends, row))]
        lines = self._lines.fetch([line for line, _ in wanted])
        for (line, numbers), found in zip(wanted, lines, strict=True):
            made = self._rows_in(found)
            start = self._ends[line - 1] if line else 0
            yield from (made[number - start] for number in numbers)

    def _rows_in(self, line: Row | str) -> list[Row | str]:
        return [line] if isinstance(line, str) else self._unfold(line)
