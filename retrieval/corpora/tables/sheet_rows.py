"""Rows of spreadsheets: .xlsx, .xls, .xlsb and .ods, through python-calamine."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.corpora.tables.columns import assign_roles
from retrieval.corpora.tables.delimited import distinct_names
from retrieval.corpora.tables.spooled_rows import SpooledRows
from retrieval.corpora.tables.text_rows import Row
from retrieval.errors import CorpusError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

LARGEST = 1 << 30
"""Bytes of a workbook, unpacked: the sheets are held in memory while they are read."""

TITLES = 10
"""Rows in which the names of the columns may stand, below titles."""


def sheet_rows(path: Path) -> SpooledRows:
    """The rows of the first sheet with columns of images and captions, else of the first that holds anything.

    `notes` of the rows say which sheets and pictures are not read. Raises CorpusError where python-calamine is missing,
    or the workbook cannot be read.
    """
    book = _opened(path)
    sheets = [sheet for name in book.sheet_names if (sheet := book.get_sheet_by_name(name)).height]
    if not sheets:
        raise CorpusError(f"{path}: the workbook is empty; it needs a line of column names and rows below it")
    heads = [_head(sheet) for sheet in sheets]
    worth = [_worth(names) for _, names in heads]
    best = worth.index(max(worth))
    rows = SpooledRows(path, partial(_rows, path, sheets[best].name, *heads[best]))
    others = [repr(sheet.name) for sheet in sheets if sheet is not sheets[best]]
    if others:
        rows.notes.append(f"sheet {sheets[best].name!r} is read, and not {', '.join(others)}")
    if pictures := _pictures(path):
        rows.notes.append(f"{pictures} pictures that lie in the sheets themselves are not read; save them as files")
    return rows


def _opened(path: Path) -> CalamineWorkbook:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise CorpusError(
            f"{path}: spreadsheets are read with python-calamine; pip install 'retrieval[sheets]', or save the sheet "
            "as UTF-8 CSV"
        ) from None
    try:
        if max(path.stat().st_size, sum(item.file_size for item in _members(path))) > LARGEST:
            raise CorpusError(f"{path}: the workbook is larger than {LARGEST >> 30} GiB; save the sheet as UTF-8 CSV")
        return CalamineWorkbook.from_path(str(path))
    except (CalamineError, OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise CorpusError(
            f"{path}: the workbook cannot be read ({said}); save it again, without a password, or as UTF-8 CSV"
        ) from None


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """What a workbook that is a zip holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except zipfile.BadZipFile:
        return []


def _pictures(path: Path) -> int:
    folders = ("xl/media/", "Pictures/")
    return sum(item.filename.startswith(folders) and not item.is_dir() for item in _members(path))


def _worth(names: Sequence[str]) -> int:
    """How much of images and captions these columns say that they hold."""
    roles = assign_roles(names, "")
    return (roles.image is not None) + bool(roles.captions)


def _head(sheet: CalamineSheet) -> tuple[int, list[str]]:
    """The number of the row that names the columns, and their names: of the first rows the one that says most."""
    best = (-1, 0, [""])
    for number, cells in enumerate(islice(sheet.iter_rows(), TITLES)):
        names = [str(_value(cell) or "") for cell in cells]
        if any(names) and (worth := _worth(names)) > best[0]:
            best = (worth, number, names)
    return best[1], distinct_names(best[2])


def _rows(path: Path, name: str, head: int, columns: Sequence[str]) -> Iterator[Row | str]:
    for cells in islice(_opened(path).get_sheet_by_name(name).iter_rows(), head + 1, None):
        row = dict(zip(columns, map(_value, cells), strict=False))
        if any(value is not None for value in row.values()):
            yield row


def _value(cell: Any) -> Any:
    """A cell as JSON has it: whole numbers as such, dates as text, None where it is blank."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return str(cell)
    return None if cell == "" else cell
