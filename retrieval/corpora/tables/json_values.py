"""The values of a JSON text one after the other, of which one at a time is held in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from retrieval.corpora.tables.plain_text import PlainText
from retrieval.errors import CorpusError

LARGEST = 1 << 28
"""Characters of one value: of an object that holds the whole table, or of one row."""

PIECE = 1 << 16
MARGIN = 16
"""Characters from the end of what was read within which a value that was cut there fails to be one."""

_NEXT_LINE = re.compile(r"\n")
_NEXT_OBJECT = re.compile(r"\}\s*,\s*(?=\{)")
"""Where the next value begins after one that cannot be read: of concatenated ones, and of those in a list."""
LONGEST_END = 1000

_NOT_TEXT = re.compile("[\udc80-\udcff]")
_DECODER = json.JSONDecoder()


class NoRow(str):
    """Why there is no row."""

    __slots__ = ()


NOT_VALID = NoRow("row is not valid JSON")


class JsonValues:
    """The values of a JSON text one after the other; of a list those in it. Held is one value at a time."""

    def __init__(self, file: IO[str], text: PlainText) -> None:
        self.alone = False
        """The value that was given last is an object, and all that the text holds."""
        self._file = file
        self._where = text
        self._text = ""
        self._at = 0
        self._more = True

    def values(self) -> Iterator[Any]:
        """Rows; the reason in place of one that cannot be read."""
        inside = False
        number = 0
        while char := self._next():
            if not inside and char == "[":
                inside = True
                self._at += 1
                number += 1
                continue
            if inside and char == "]":
                inside = False
                self._at += 1
                continue
            value = self._value()
            number += 1
            self.alone = number == 1 and isinstance(value, dict) and not self._next()
            yield value
            if value is NOT_VALID and not self._behind(_NEXT_OBJECT if inside else _NEXT_LINE):
                return

    def _next(self) -> str:
        """The next character that says something."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n,\ufeff":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read(PIECE):
                return ""

    def _read(self, size: int) -> bool:
        piece = self._file.read(size) if self._more else ""
        self._more = bool(piece)
        self._text = self._text[self._at :] + piece
        self._at = 0
        return self._more

    def _value(self) -> Any:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                unfinished = self._more and isinstance(error, json.JSONDecodeError) and self._was_cut(error)
                if len(self._text) - self._at > LARGEST:
                    raise CorpusError(
                        f"{self._where.path}: one JSON value of more than {LARGEST >> 20} MiB holds the table; write "
                        "it as JSON lines, one object a line"
                    ) from None
                if unfinished and self._read(max(PIECE, len(self._text) - self._at)):
                    continue
                return NOT_VALID
            if end == len(self._text) and self._read(PIECE):
                continue  # a number may go on
            raw, self._at = self._text[self._at : end], end
            return NoRow(self._where.not_text) if _NOT_TEXT.search(raw) else value

    def _was_cut(self, error: json.JSONDecodeError) -> bool:
        """The value may go on behind what was read so far."""
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - MARGIN

    def _behind(self, end: re.Pattern[str]) -> bool:
        """Go on behind what ends a value that cannot be read, if there is such an end."""
        while (found := end.search(self._text, self._at + 1)) is None:
            self._at = max(self._at, len(self._text) - LONGEST_END)
            if not self._read(PIECE):
                return False
        self._at = found.end()
        return True
