"""Rows of a table that cannot be read by position: written once into a temporary file that can."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from retrieval.corpora.tables.text_rows import SAMPLE, Row


class SpooledRows:
    """The rows that `read` gives, the same each time: dicts of JSON values, or the reason in place of one.

    `scan` keeps them as lines of JSON in a temporary file, which goes with this object, and 16 bytes of each in memory.
    The columns are the keys of the first thousand.
    """

    text = False
    file_columns: Sequence[str] = ()
    types: Mapping[str, str] | None = None

    def __init__(self, path: Path, read: Callable[[], Iterator[Row | str]]) -> None:
        self.path = path
        self._read = read
        first = [row for row in islice(read(), SAMPLE) if not isinstance(row, str)]
        self.columns: Sequence[str] = list(dict.fromkeys(name for row in first for name in row))
        self.digest = ""
        self.notes: list[str] = []
        """What of the file is not read, in sentences."""
        self._starts, self._lengths = array("q"), array("q")
        self._spool: Path | None = None

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        digest = hashlib.sha256()
        self._starts, self._lengths = array("q"), array("q")
        at = 0
        with open(self._file(), "wb") as file:
            for row in self._read():
                line = json.dumps(row, default=str).encode() + b"\n"
                self._starts.append(at)
                self._lengths.append(len(line))
                at += file.write(line)
                digest.update(line)
                yield row
        self.digest = digest.hexdigest()

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        with open(self._file(), "rb") as file:
            for row in rows:
                file.seek(self._starts[row])
                found: Any = json.loads(file.read(self._lengths[row]))
                yield found

    def _file(self) -> Path:
        if self._spool is None:
            folder = tempfile.mkdtemp(prefix="retrieval-table-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._spool = Path(folder) / "rows.jsonl"
        return self._spool
