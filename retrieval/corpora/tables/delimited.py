"""Rows of CSV and TSV, as spreadsheets and programs of all sorts write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO

from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.corpora.tables.columns import CAPTIONS, IMAGE, plain_name
from retrieval.corpora.tables.plain_text import ENCODINGS, NOT_UTF8, PlainText
from retrieval.corpora.tables.text_rows import LONGEST, Located, Row, TextRows
from retrieval.errors import CorpusError

DELIMITERS = ",\t;|"
_SEPARATOR = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=(.)"?\r?\n')
"""Excel's own first line."""
TELLING = 4
"""A cell with a digit and at least so many characters has a shape that tells one column from another."""


def delimited(path: Path, delimiter: str | None = None, encoding: str | None = None) -> TextRows:
    """The rows of a CSV or TSV file. The delimiter is Excel's `sep=`, else `delimiter`, else what the header shows.

    The first line that is no comment (#) names the columns. Where it holds the name of an image file or a URL it is
    a row itself, and the columns are called column_1, column_2 and so on.
    """
    text = PlainText(path, encoding)
    with text.opened() as file:
        start = 3 if file.read(3) == b"\xef\xbb\xbf" else 0
        file.seek(0)
        if said := _SEPARATOR.match(file.readline(16)):
            start, delimiter = said.end(), said[1].decode("latin-1")
        first = _header(file, delimiter, start)
    if first is None:
        raise CorpusError(f"{path}: the table is empty; it needs a line of column names and rows below it")
    header, start = first[1].lstrip(b"# \t") if first[1].startswith(b"#") else first[1], first[0] + len(first[1])
    used = delimiter or delimiter_of(header)
    names = cells_of(header, used, text.not_text)
    if isinstance(names, str):
        raise CorpusError(
            f"{path}: the line of column names cannot be read ({names}); save the table as UTF-8 CSV, or name its "
            f"encoding, for example {ENCODINGS}"
        )
    if any(_names_image(name) or "://" in name for name in names):
        names, start = [""] * len(names), first[0]
    form = _Form(used, distinct_names(names), {n for n, name in enumerate(names) if not name.strip()}, text.not_text)
    return TextRows(text, form.columns, partial(_records, form=form, start=start), form.row, only_texts=True)


def delimiter_of(header: bytes) -> str:
    """The delimiter under which the header shows most names that we know, then most names at all."""

    def worth(delimiter: str) -> tuple[int, int]:
        cells = cells_of(header, delimiter)
        names = [] if isinstance(cells, str) else [plain_name(cell) for cell in cells]
        return sum(name in IMAGE or name in CAPTIONS for name in names), len(names)

    return max(DELIMITERS, key=worth)


def _header(file: IO[bytes], delimiter: str | None, start: int) -> Located | None:
    """The first record that is no comment. One that begins with # is the header if the next has as many cells."""
    form = _Form(delimiter or ",", [], set(), NOT_UTF8)
    comment = None
    for at, record in _records(file, form, start):
        if not record.startswith(b"#"):
            used = delimiter or delimiter_of(record)
            if comment is None or used not in comment[1].decode("latin-1"):
                return at, record
            same = len(_loosely(comment[1], used)) == len(_loosely(record, used))
            return comment if same else (at, record)
        comment = at, record
    return comment


def _names_image(cell: str) -> bool:
    stem, dot, suffix = cell.strip().rpartition(".")
    return bool(stem) and f"{dot}{suffix}".lower() in IMAGE_SUFFIXES


@dataclass(frozen=True)
class _Form:
    """How the records of one table are written."""

    delimiter: str
    columns: Sequence[str]
    """None of them where only the header is looked for."""
    unnamed: set[int]
    """Columns without a name, which a delimiter at the end of the header makes."""
    not_text: str

    @cached_property
    def _needed(self) -> int:
        last = len(self.columns)
        while last - 1 in self.unnamed:
            last -= 1
        return last

    def fits(self, cells: Sequence[str]) -> bool:
        """As many cells as columns; blank ones may stand behind them, and those of unnamed columns may be missing."""
        return self._needed <= len(cells) and not any(cells[len(self.columns) :])

    def row(self, record: bytes) -> Row | str:
        cells = cells_of(record, self.delimiter, self.not_text)
        if isinstance(cells, str):
            return cells
        if not self.fits(cells):
            return "row has too few cells" if len(cells) < len(self.columns) else "row has too many cells"
        return dict(zip(self.columns, [*cells, *[""] * (len(self.columns) - len(cells))], strict=False))

    def is_row(self, line: bytes) -> bool:
        return self.fits(_loosely(line, self.delimiter))


def _records(file: IO[bytes], form: _Form, start: int) -> Iterator[Located]:
    """The records of CSV text from the byte `start` on; a quoted cell may hold line breaks."""
    at = start
    file.seek(start)
    while line := file.readline(LONGEST):
        record = line if b'"' not in line else _whole_record(file, line, at, form)
        if not record.isspace():
            yield at, record
        at += len(record)


class _NeverClosed(Exception):
    """A quote was opened in a line, and the next lines are rows of their own."""


def _whole_record(file: IO[bytes], first: bytes, at: int, form: _Form) -> bytes:
    """The record that begins with the line `first`. Where its quote is never closed it is that line alone: the file is
    set back behind it, so that one stray quote costs one row.

    Never closed is also a quote that meets its like only in another row. That shows in lines between that are rows
    themselves: with a name or number like its own in the first or last cell, or, where the record as a whole has the
    wrong form, with the right number of cells.
    """
    taken = [first]
    ended = False
    ends = _outer_cells(first, form.delimiter)

    def text() -> Iterator[str]:
        nonlocal ended
        yield first.decode("latin-1")
        while line := file.readline(LONGEST):
            taken.append(line)
            here = zip(ends, _outer_cells(line, form.delimiter), strict=True)
            if form.columns and any(_alike(*both, len(taken) - 1) for both in here) and form.is_row(line):
                raise _NeverClosed
            yield line.decode("latin-1")
        ended = True

    try:
        cells = next(csv.reader(text(), delimiter=form.delimiter))
    except (csv.Error, _NeverClosed):  # such as a cell of more than 128 KiB, which is how a stray quote ends
        ended = True
    if len(taken) > 1 and not ended and form.columns:
        legal, whole = _is_legal(taken, form.delimiter), form.fits(cells)
        ended = not (legal and whole) and (not (legal or whole) or any(map(form.is_row, taken[1:])))
    if ended:
        file.seek(at + len(first))
        return first
    return b"".join(taken)


def _outer_cells(line: bytes, delimiter: str) -> tuple[str, str]:
    cells = line.decode("latin-1").strip("\r\n").split(delimiter)
    return cells[0], cells[-1]


def _alike(one: str, later: str, lines: int) -> bool:
    """Two cells, the other so many `lines` later, that a column of names or numbers has: fig_7.png and fig_12.png, PMC7
    and PMC8, 7 and 8."""
    if one.isdecimal() and later.isdecimal() and int(later) == int(one) + lines:
        return True
    shape = _shape(one)
    return bool(shape) and shape == _shape(later)


def _shape(cell: str) -> str:
    image = _names_image(cell)
    if not image and (len(cell) < TELLING or " " in cell or not any(map(str.isdigit, cell))):
        return ""
    stem, _, suffix = cell.rpartition(".") if image else (cell, "", "")
    return f"{re.sub('[^0-9_/-]+', 'a', re.sub('[0-9]+', '0', stem))}.{suffix}"


def _loosely(record: bytes, delimiter: str) -> list[str]:
    """The cells of a line, whatever its quotes."""
    try:
        return next(csv.reader([record.decode("latin-1")], delimiter=delimiter))
    except (csv.Error, StopIteration):
        return []


def _is_legal(lines: Sequence[bytes], delimiter: str) -> bool:
    """Every quote that is opened is closed before a delimiter or the end."""
    try:
        return bool(next(csv.reader((line.decode("latin-1") for line in lines), delimiter=delimiter, strict=True)))
    except (csv.Error, StopIteration):
        return False


def cells_of(record: bytes, delimiter: str, not_text: str = NOT_UTF8) -> list[str] | str:
    """The cells of a record, else the reason why it has none. A line of TSV whose quotes do not fit is read as it
    stands, since most of what writes TSV does not quote."""
    if b"\0" in record:
        return "row holds a NUL character"
    asked_for_more = False

    def lines(text: str) -> Iterator[str]:
        nonlocal asked_for_more
        for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
            yield line + "\n"
        asked_for_more = True

    if delimiter == "\t" and b'"' in record and record.count(b"\n") < 2 and not _is_legal([record], delimiter):
        try:
            return record.decode().rstrip("\r\n").split(delimiter)
        except UnicodeDecodeError:
            return not_text
    try:
        cells = next(csv.reader(lines(record.decode()), delimiter=delimiter))
    except UnicodeDecodeError:
        return not_text
    except (csv.Error, StopIteration):
        return "row is not valid CSV"
    return "row has an unclosed quote" if asked_for_more else cells


def distinct_names(names: list[str]) -> list[str]:
    """Column names that are there and differ: a blank one becomes column_3, a second `text` becomes text_2."""
    unique: dict[str, None] = {}
    for position, name in enumerate(names, start=1):
        wanted = text = name.strip() or f"column_{position}"
        again = 2
        while wanted in unique:
            wanted, again = f"{text}_{again}", again + 1
        unique[wanted] = None
    return list(unique)
