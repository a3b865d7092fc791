"""Rows of text tables, read once to learn where each row lies and then by position; and those of JSON lines."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from retrieval.corpora.tables.columns import CAPTIONS, first_of
from retrieval.corpora.tables.plain_text import ENCODINGS, NOT_UTF8, PlainText
from retrieval.errors import CorpusError

Row = dict[str, Any]
Located = tuple[int, bytes]
"""Where a row starts in the (unpacked) file, and its bytes."""

SAMPLE = 1000
"""Rows that are looked at to learn the keys of a file of JSON lines."""

LONGEST = 1 << 26
"""Bytes of a line. A longer one is cut, and its pieces are rows that cannot be read."""

TURNS = ("conversations", "conversation", "messages")
ANSWERERS = ("gpt", "assistant", "model", "bot", "answer")

FEW = 3
"""Rows that may fail to be UTF-8 before the table is taken for one in another encoding."""


class TextRows:
    """The rows of one text table. `scan` goes through all of them; after it `fetch` reads any of them again.

    A row that cannot be read is the reason in place of a dict. Of the rows only their positions are kept, 16 bytes
    each. A compressed table is unpacked from its beginning for every fetch.
    """

    def __init__(
        self,
        text: PlainText,
        columns: Sequence[str],
        cut: Callable[[IO[bytes]], Iterator[Located]],
        parse: Callable[[bytes], Row | str],
        *,
        only_texts: bool,
    ) -> None:
        self.path = text.path
        self.columns = columns
        self.file_columns: Sequence[str] = ()
        self.types: Mapping[str, str] | None = None
        self.text = only_texts
        self._text = text
        self._cut = cut
        self._parse = parse
        self._starts = array("q")
        self._lengths = array("q")
        self.digest = ""

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        """All rows in order, with all columns. Afterwards `digest` is that of the content.

        Raises CorpusError in the end where most rows with letters outside of ASCII are not UTF-8.
        """
        digest = hashlib.sha256(json.dumps(list(self.columns)).encode())
        self._starts, self._lengths = array("q"), array("q")
        beyond_ascii = other = 0
        with self._text.opened() as file:
            for start, data in self._cut(file):
                self._starts.append(start)
                self._lengths.append(len(data))
                digest.update(data)
                row = self._parse(data)
                if not data.isascii():
                    beyond_ascii += 1
                    other += row == NOT_UTF8
                yield row
        if other >= FEW and other * 2 > beyond_ascii:
            raise CorpusError(
                f"{self.path}: {other} of {beyond_ascii} rows with letters outside of ASCII are not UTF-8; save the "
                f"table as UTF-8 (in Excel: CSV UTF-8), or name its encoding, for example {ENCODINGS}"
            )
        self.digest = digest.hexdigest()

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        """The rows of these numbers (from 0), which must ascend."""
        with self._text.opened() as file:
            for row in rows:
                file.seek(self._starts[row])
                yield self._parse(file.read(self._lengths[row]))


def json_lines(path: Path, encoding: str | None = None) -> TextRows:
    """The rows of a file with one JSON object a line; its columns are the keys of the first thousand."""
    text = PlainText(path, encoding)
    parse = partial(parse_json, not_text=text.not_text)
    columns: dict[str, None] = {}
    with text.opened() as file:
        for (_, data), _ in zip(_lines(file), range(SAMPLE), strict=False):
            row = parse(data)
            if isinstance(row, dict):
                columns.update(dict.fromkeys(row))
    return TextRows(text, list(columns), _lines, parse, only_texts=False)


def _lines(file: IO[bytes]) -> Iterator[Located]:
    """The lines of a file that are not blank."""
    at = 0
    while line := file.readline(LONGEST):
        if not line.isspace():
            yield at, line
        at += len(line)


def parse_json(line: bytes, not_text: str = NOT_UTF8) -> Row | str:
    """The object of a line, which a comma may follow; else the reason why there is none."""
    try:
        row = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode().rstrip().removesuffix(","))
    except UnicodeDecodeError:
        return not_text
    except (ValueError, RecursionError):
        return "row is not valid JSON"
    return answered(row) if isinstance(row, dict) else "row is not a JSON object"


def answered(row: Row) -> Row:
    """A row of conversations with what the model is to answer as its captions, as LLaVA and its like have them."""
    turns = next((row[name] for name in TURNS if isinstance(row.get(name), list)), None)
    if turns is None or first_of(CAPTIONS, row):
        return row
    said = [turn for turn in turns if isinstance(turn, dict)]
    answers = [turn for turn in said if str(turn.get("from", turn.get("role"))).lower() in ANSWERERS]
    texts = [turn.get("value", turn.get("content")) for turn in answers]
    return {**row, "caption": texts} if texts else row
