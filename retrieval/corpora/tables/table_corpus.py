"""Tables that name an image and its captions in each row: CSV, TSV, JSON lines, Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.naming import cut_evenly, printable
from retrieval.corpora.tables.content_roles import roles_of
from retrieval.corpora.tables.image_paths import ImagePaths
from retrieval.corpora.tables.row_views import OneImageEach, WithConstants, partitions_in
from retrieval.corpora.tables.scan import Scan
from retrieval.corpora.tables.table import Row, Table, TableRows
from retrieval.corpora.tables.values import name_in, sorted_out
from retrieval.errors import CorpusError
from retrieval.files import sha256_json
from retrieval.types import Account, Figure, Skip, Split

Located = tuple[int, Table, Row | str]
"""A row's number in the corpus, its table, and the row or why it cannot be read."""


FIRST = 100
"""Rows of JSON that are looked at to learn whether they hold lists of images."""

UNREAD = "unread_rows"
"""The key in `extra` of the rows of a figure that cannot be read, with the reasons, where others can."""

GENERAL = ("table", "imagefolder", "rows")
"""Kinds of which the columns are not known before."""


class TableCorpus:
    """The figures that the rows of one or several tables describe.

    Rows of the same image, adjacent or not, are one figure with the captions of each, in the order of the rows; its
    metadata are those of the first. A figure's id is the value of the id column if that tells the figures apart, else
    the path of the image, else the table's name and the number of the row, from 1.

    Opening goes over all rows once and keeps about 100 bytes of each; reading goes to the rows of the split. `beside`
    are the other files of a published layout and their roles, for its account.
    """

    def __init__(
        self,
        root: Path,
        tables: Sequence[TableRows],
        *,
        kind: str = "table",
        image_column: str | None = None,
        caption_columns: Sequence[str] = (),
        image_root: Path | None = None,
        images_only: bool = False,
        whole_folder: bool = False,
        beside: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.notes: list[str] = []
        """What was decided by what the tables hold, in sentences."""
        self._tables: list[Table] = []
        scan = Scan()
        for rows in tables:
            name = printable(rows.path.relative_to(root).as_posix())
            told = partitions_in(name)
            rows = WithConstants(rows, told) if told else rows
            roles, notes = roles_of(
                rows, image_column, caption_columns, image_root, images_only=images_only or kind not in GENERAL
            )
            others = [column for column in rows.file_columns if column != roles.image and _holds_images(rows, column)]
            left = [f"column {column!r} holds images, too, which are not read" for column in others]
            self.notes += [f"{name}: {note}" for note in (*notes, *left, *getattr(rows, "notes", ()))]
            if roles.image is not None and _holds_lists(rows, roles.image):
                rows = OneImageEach(rows, roles.image, roles.captions)
            table = Table(rows, name, roles, ImagePaths(image_root or rows.path.parent))
            scan.add(table, image_root, anywhere=image_root is None and kind in ("table", "imagefolder"))
            self._tables.append(table)
        if not len(scan):
            raise CorpusError(f"{root}: the table has no rows; check that it was written to the end")
        self._ids_tell, self._order, self._bounds, named = scan.figures()
        self._root, self._named = root, named if whole_folder else None
        self._beside = beside
        id_columns = {table.roles.figure_id for table in self._tables} if self._ids_tell else ()
        self.columns: Mapping[str, str] = scan.types.declared(without=[name for name in id_columns if name])
        options = [image_column, list(caption_columns), image_root and _relative(image_root, root)]
        self.fingerprint = sha256_json([kind, [[table.name, table.rows.digest] for table in self._tables], options])

    @cached_property
    def account(self) -> Account:
        """What became of the files: of those below the folder, where the tables describe one, else of the tables."""
        if self._named is None:
            return Account(len(self._tables), {"table": len(self._tables)}, notes=tuple(self.notes))
        from retrieval.corpora.tables.table_account import (
            account_of_tables,  # which opens tables, as this module does not
        )

        firsts = self._order[self._bounds[:-1]]
        return replace(
            account_of_tables(self._root, self._tables, self._named, firsts, self._fetch, self._beside),
            notes=tuple(self.notes),
        )

    def split(self, size: int) -> list[Split]:
        return cut_evenly(len(self._bounds) - 1, size)

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        bounds = self._bounds[split.start : split.stop + 1]
        wanted = self._order[bounds[0] : bounds[-1]]
        arriving = self._fetch(np.sort(wanted))
        # Figures come in the order of their first rows, so only what lies between a figure's rows has to wait.
        waiting: dict[int, Located] = {}
        for rows in np.split(wanted, bounds[1:-1] - bounds[0]):
            numbers = rows.tolist()
            while numbers[-1] not in waiting:
                located = next(arriving)
                waiting[located[0]] = located
            yield self._figure([waiting.pop(number) for number in numbers])

    def _fetch(self, rows: NDArray[np.int64]) -> Iterator[Located]:
        """The rows of these ascending numbers, whatever tables they are in."""
        firsts = [table.first_row for table in self._tables[1:]]
        for table, numbers in zip(self._tables, np.split(rows, np.searchsorted(rows, firsts)), strict=True):
            if len(numbers):
                inside = (numbers - table.first_row).tolist()
                for number, row in zip(numbers.tolist(), table.rows.fetch(inside), strict=True):
                    yield number, table, row

    def _figure(self, rows: Sequence[Located]) -> Figure | Skip:
        number, table, row = next((located for located in rows if not isinstance(located[2], str)), rows[0])
        place = table.place(number)
        if isinstance(row, str):
            return Skip(place, place, row)
        uri = table.image_path(row) or place
        figure_id = (table.own_id(row) if self._ids_tell else None) or uri
        image = table.image(row)
        if isinstance(image, str):
            missing = image == "image file is missing"
            return Skip(figure_id, table.looked_for(uri) if missing else uri, image)
        captions = tuple(text for _, table, row in rows if not isinstance(row, str) for text in table.captions(row))
        if image is None and not captions:
            return Skip(figure_id, uri, "neither image nor caption")
        roles = table.roles
        taken = {roles.image, *roles.captions, roles.article_id, roles.figure_id if self._ids_tell else None}
        metadata, extra = sorted_out(row, self.columns, taken, text=table.rows.text)
        if unread := [f"{table.place(number)}: {why}" for number, table, why in rows if isinstance(why, str)]:
            extra[UNREAD] = unread
        article_id = name_in(row.get(roles.article_id)) if roles.article_id else None
        return Figure(figure_id, image, captions, uri, article_id, metadata, extra)


def _holds_lists(rows: TableRows, column: str) -> bool:
    """Each row has a list of images, as its type says or, of JSON, as most of the first rows show."""
    if rows.types is not None or rows.text:
        return (rows.types or {}).get(column) == "list"
    first = [row.get(column) for row in islice(rows.scan([column]), FIRST) if not isinstance(row, str)]
    return sum(isinstance(value, list) for value in first) * 2 > len(first)


def _holds_images(rows: TableRows, column: str) -> bool:
    return hasattr(rows, "holds_images") and bool(rows.holds_images(column))


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return path.name
