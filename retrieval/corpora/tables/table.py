"""One table file: what its columns mean, and what a row says of image, captions and identity."""

from __future__ import annotations

import ast
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from token import STRING
from tokenize import TokenError, generate_tokens
from typing import Any, Protocol

from retrieval.corpora.naming import printable
from retrieval.corpora.tables.columns import IMAGE, Roles, first_of
from retrieval.corpora.tables.image_paths import ImagePaths, image_in, read_image
from retrieval.corpora.tables.row_views import OneImageEach
from retrieval.corpora.tables.values import captions_in, is_missing, name_in

Row = dict[str, Any]


class TableRows(Protocol):
    """The rows of one file; a row that cannot be read is the reason in place of a dict."""

    path: Path
    columns: Sequence[str]
    text: bool
    """All values are text, as in CSV."""
    file_columns: Sequence[str]
    """The columns that hold files themselves, as bytes or as objects of `bytes` and `path`."""
    types: Mapping[str, str] | None
    """The columns' types (string, int64, float64, bool, date, list, nested) where the file declares them."""

    @property
    def digest(self) -> str:
        """Of what the file holds; there after `scan`."""

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        """All rows in order, with at least those columns, but without the bytes of embedded images."""

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        """The rows of these ascending numbers, from 0."""


@dataclass
class Table:
    """One file of a corpus: how to read its rows and what its columns mean."""

    rows: TableRows
    name: str
    """The file, relative to the corpus."""
    roles: Roles
    images: ImagePaths
    first_row: int = 0
    """The number that the corpus gives to the first row."""
    list_columns: set[str] = field(default_factory=set)
    """Columns of a text table whose every cell is a written list: "['one', 'two']"."""

    @cached_property
    def folder(self) -> str:
        """The table's folder, relative to the corpus."""
        return posixpath.dirname(self.name)

    @cached_property
    def embedded(self) -> bool:
        """The rows hold the image files themselves."""
        return self.roles.image in self.rows.file_columns

    def place(self, row_number: int) -> str:
        """How to tell someone where a row is: file and number, from 1."""
        row = row_number - self.first_row
        return f"{self.name}#{self.rows.row_name(row) if isinstance(self.rows, OneImageEach) else row + 1}"

    def own_id(self, row: Row) -> str | None:
        """What the id column says; without one an embedded image is known by the file name that it came from."""
        if self.roles.figure_id is None and self.embedded:
            return _path_in(row.get(self.roles.image or ""))
        return name_in(row.get(self.roles.figure_id)) if self.roles.figure_id else None

    def image_path(self, row: Row) -> str | None:
        """The image of `row` relative to the corpus, or absolute where the table has it so; None for embedded ones."""
        path = _path_in(row.get(self.roles.image)) if self.roles.image and not self.embedded else None
        if path is None or image_in(path) is not None:
            return None
        path = path.removeprefix("file://")
        if "://" in path:
            return path
        if "/" not in path:  # written on Windows
            path = path.replace("\\", "/")
        return posixpath.normpath(posixpath.join(self.folder, path))

    def inside(self, path: str) -> str:
        """The path of an image that the corpus calls `path`, from the table's folder on."""
        return posixpath.relpath(path, self.folder) if self.folder and not posixpath.isabs(path) else path

    def looked_for(self, path: str) -> str:
        """Where an image should be, for a person: relative to the corpus where it is below it."""
        place = os.path.relpath(self.images.place(self.inside(path)), self.rows.path.parent).replace(os.sep, "/")
        place = posixpath.normpath(posixpath.join(self.folder, place))
        return self.images.place(self.inside(path)).as_posix() if place.startswith("..") else printable(place)

    def image(self, row: Row) -> bytes | str | None:
        """The image file of a row; why there is none, as text; or None where the row names none."""
        value = row.get(self.roles.image) if self.roles.image else None
        data = value.get("bytes") if isinstance(value, Mapping) else value
        data = image_in(data) or data if isinstance(data, str) else data
        if isinstance(data, bytes):
            return data
        path = _path_in(value)
        if path is None:
            return None if is_missing(value) or isinstance(value, Mapping) else "image is not a path"
        if (written := image_in(path)) is not None:
            return written
        if "://" in path.removeprefix("file://"):
            return "image is a URL; download it first"
        data = read_image(self.images.place(self.inside(self.image_path(row) or path)))
        found = self.image_of(row) if data == "image file is missing" else None
        return read_image(found) if found else data

    def image_of(self, row: Row) -> Path | None:
        """The file of the image that a row names, where there is one."""
        path = self.image_path(row)
        return None if path is None or "://" in path else self.images.find(self.inside(path))

    def captions(self, row: Row) -> tuple[str, ...]:
        values = ((name, row.get(name)) for name in self.roles.captions)
        return tuple(
            caption
            for name, value in values
            for caption in captions_in(written_list(value) if name in self.list_columns else value)
        )


def written_list(cell: Any) -> list[str] | None:
    """The texts of a list that was written into a cell as Python or JSON would, else None."""
    text = cell.strip() if isinstance(cell, str) else ""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        items = ast.literal_eval(text)
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            return None
        # numpy writes no commas between texts, and Python reads those as one
        texts = [token.string for token in generate_tokens(StringIO(text).readline) if token.type == STRING]
        return items if len(texts) == len(items) else [str(ast.literal_eval(one)) for one in texts]
    except (ValueError, SyntaxError, TokenError, MemoryError, RecursionError):
        return None


def _path_in(value: Any) -> str | None:
    """The path in an image cell: the text itself, or of an object of `bytes` and `path` the latter."""
    if isinstance(value, Mapping):
        value = value.get("path") or value.get(first_of(IMAGE, value) or "")
    return name_in(value)
