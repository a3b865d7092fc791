"""Rows of text tables: JSON lines, CSV and TSV, read once to learn where each row lies and then by position."""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import json
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from retrieval.corpora.tables.columns import CAPTIONS, IMAGE, plain_name
from retrieval.errors import CorpusError

Row = dict[str, Any]
Located = tuple[int, bytes]
"""Where a row starts in the (unpacked) file, and its bytes."""

SAMPLE = 1000
"""Rows that are looked at to learn the keys of a file of JSON lines."""


class TextRows:
    """The rows of one text table. `scan` goes through all of them; after it `fetch` reads any of them again.

    A row that cannot be read is the reason in place of a dict. Of the rows only their positions are kept, 16 bytes
    each. A compressed table is unpacked from its beginning for every fetch.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        cut: Callable[[IO[bytes]], Iterator[Located]],
        parse: Callable[[bytes], Row | str],
        *,
        text: bool,
    ) -> None:
        self.path = path
        self.columns = columns
        self.file_columns: Sequence[str] = ()
        self.types: Mapping[str, str] | None = None
        self.text = text
        self._cut = cut
        self._parse = parse
        self._starts = array("q")
        self._lengths = array("q")
        self.digest = ""

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        """All rows in order, with all columns. Afterwards `digest` is that of the content."""
        digest = hashlib.sha256(json.dumps(list(self.columns)).encode())
        self._starts, self._lengths = array("q"), array("q")
        with readable(self.path) as file:
            for start, data in self._cut(file):
                self._starts.append(start)
                self._lengths.append(len(data))
                digest.update(data)
                yield self._parse(data)
        self.digest = digest.hexdigest()

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        """The rows of these numbers (from 0), which must ascend."""
        with readable(self.path) as file:
            for row in rows:
                file.seek(self._starts[row])
                yield self._parse(file.read(self._lengths[row]))


def open_table(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else open(path, "rb")


def json_lines(path: Path) -> TextRows:
    """The rows of a file with one JSON object a line; its columns are the keys of the first thousand."""
    columns: dict[str, None] = {}
    with readable(path) as file:
        for (_, data), _ in zip(_lines(file), range(SAMPLE), strict=False):
            row = _parse_json(data)
            if isinstance(row, dict):
                columns.update(dict.fromkeys(row))
    return TextRows(path, list(columns), _lines, _parse_json, text=False)


def delimited(path: Path, delimiter: str | None = None) -> TextRows:
    """The rows of a CSV or TSV file with a header line; without `delimiter` the one that the header shows."""
    with readable(path) as file:
        mark = 3 if file.read(3) == b"\xef\xbb\xbf" else 0
        first = next(_records(file, delimiter or ",", mark), None)
    if first is None:
        raise CorpusError(f"{path}: the table is empty; it needs a line of column names and rows below it")
    header, start = first[1], first[0] + len(first[1])
    used = delimiter or delimiter_of(header)
    names = _cells(header, used)
    if isinstance(names, str):
        raise CorpusError(f"{path}: the line of column names cannot be read ({names}); save the table as UTF-8 CSV")
    columns = _unique(names)

    cut = partial(_records, delimiter=used, start=start)
    return TextRows(path, columns, cut, partial(_parse_cells, delimiter=used, columns=columns), text=True)


def delimiter_of(header: bytes) -> str:
    """The delimiter under which the header shows most names that we know, then most names at all."""

    def worth(delimiter: str) -> tuple[int, int]:
        cells = _cells(header, delimiter)
        names = [] if isinstance(cells, str) else [plain_name(cell) for cell in cells]
        return sum(name in IMAGE or name in CAPTIONS for name in names), len(names)

    return max(",\t;|", key=worth)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[IO[bytes]]:
    """The open table; CorpusError where it cannot be opened, unpacked, or is not UTF-8 at all."""
    try:
        with open_table(path) as file:
            if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise CorpusError(f"{path}: the table is UTF-16; save it as UTF-8")
            file.seek(0)
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CorpusError(f"{path}: the compressed table is damaged; unpack what can be saved with gunzip") from None
    except OSError as error:
        raise CorpusError(f"{path}: the table cannot be read ({error.strerror or error})") from None


def _lines(file: IO[bytes]) -> Iterator[Located]:
    """The lines of a file that are not blank."""
    at = 0
    for line in file:
        if not line.isspace():
            yield at, line
        at += len(line)


def _parse_json(line: bytes) -> Row | str:
    try:
        row = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode())
    except UnicodeDecodeError:
        return "row is not UTF-8 text"
    except (ValueError, RecursionError):
        return "row is not valid JSON"
    return row if isinstance(row, dict) else "row is not a JSON object"


def _records(file: IO[bytes], delimiter: str, start: int) -> Iterator[Located]:
    """The records of CSV text from the byte `start` on; a quoted cell may hold line breaks."""
    at = start
    file.seek(start)
    while line := file.readline():
        record = line if b'"' not in line else _whole_record(file, line, at, delimiter)
        if not record.isspace():
            yield at, record
        at += len(record)


def _whole_record(file: IO[bytes], first: bytes, at: int, delimiter: str) -> bytes:
    """The record that begins with the line `first`. Where its quote is never closed it is that line alone: the file is
    set back behind it, so that one stray quote costs one row."""
    taken = [first]
    ended = False

    def text() -> Iterator[str]:
        nonlocal ended
        yield first.decode("latin-1")
        while line := file.readline():
            taken.append(line)
            yield line.decode("latin-1")
        ended = True

    try:
        next(csv.reader(text(), delimiter=delimiter))
    except csv.Error:  # such as a cell of more than 128 KiB, which is how a stray quote ends
        ended = True
    if ended:
        file.seek(at + len(first))
        return first
    return b"".join(taken)


def _parse_cells(record: bytes, delimiter: str, columns: Sequence[str]) -> Row | str:
    cells = _cells(record, delimiter)
    if isinstance(cells, str):
        return cells
    if len(cells) != len(columns):
        return "row has too few cells" if len(cells) < len(columns) else "row has too many cells"
    return dict(zip(columns, cells, strict=True))


def _cells(record: bytes, delimiter: str) -> list[str] | str:
    """The cells of one record, or why it has none."""
    if b"\0" in record:
        return "row holds a NUL character"
    asked_for_more = False

    def lines(text: str) -> Iterator[str]:
        nonlocal asked_for_more
        for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
            yield line + "\n"
        asked_for_more = True

    try:
        cells = next(csv.reader(lines(record.decode()), delimiter=delimiter))
    except UnicodeDecodeError:
        return "row is not UTF-8 text"
    except (csv.Error, StopIteration):
        return "row is not valid CSV"
    return "row has an unclosed quote" if asked_for_more else cells


def _unique(names: list[str]) -> list[str]:
    """Column names that are there and differ: a blank one becomes column_3, a second `text` becomes text_2."""
    unique: dict[str, None] = {}
    for position, name in enumerate(names, start=1):
        wanted = text = name.strip() or f"column_{position}"
        again = 2
        while wanted in unique:
            wanted, again = f"{text}_{again}", again + 1
        unique[wanted] = None
    return list(unique)
