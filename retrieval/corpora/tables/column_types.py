"""The types of metadata columns, learnt from their values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from retrieval.corpora.tables.columns import plain_name

RESERVED = {
    *("figure_id", "article_id", "source_uri", "sha256", "width", "height", "thumbnail", "embedding", "extra"),
    *("caption", "truncated", "row", "reason"),
}
"""Names that mean something of our own in the tables of a shard: a source's column of that name goes to `extra`."""

MOST_COLUMNS = 200
"""Beyond this many the source has keys of its own in each row rather than columns; the later ones go to `extra`."""

MISSING = {
    *("na", "n/a", "n.a.", "n.a", "#n/a", "<na>", "nan", "-nan", "null", "(null)", "\\n", "none", "nil", "void"),
    *("nd", "n.d.", "n/d", "unk", "unknown", "not known", "unspecified", "not specified", "undefined", "missing"),
    *("not available", "not applicable", "not reported", "not recorded", "not given", "not stated", "unavailable"),
    *("no data", "nodata", "k.a.", "k. a.", "keine angabe", "unbekannt", "inconnu", "desconocido", "sconosciuto"),
    *("-", "--", "---", "\u2013", "\u2014", "_", ".", "..", "...", "?", "??", "*"),
    *("#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!"),
}
"""What people write where a number, a date or a yes is missing. Only in a column of those it means that: among
words it is a word. In small letters."""

INT64 = range(-(2**63), 2**63)
_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,999})", re.ASCII)
_DECIMAL = re.compile(r"(?=[+-]?\.?\d)[+-]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(?:0|[1-9]\d*),(\d+)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|\+00:00)?)?", re.ASCII)

BOOL, INT, FLOAT, TEXT, NESTED, DATE, COMMA, TRUE_COMMA = 1, 2, 4, 8, 16, 32, 64, 128

KINDS = {"bool": BOOL, "int64": INT, "float64": FLOAT, "date": DATE, "string": TEXT, "list": NESTED, "nested": NESTED}


@dataclass
class ColumnTypes:
    """Learns the type of each column from its values: the narrowest that all of them fit.

    Values of a CSV file are all text (`observe_text`); there a column of numbers becomes a column of numbers, except
    where a zero leads ("007" is a name). Words for what is missing (MISSING) do not make such a column one of words.
    A decimal comma is one where no cell of the column has a point and some cell cannot be one of thousands. Dates are
    those of ISO 8601, all written in the same form, so that their texts are in the order of the days.
    A column that ever holds a list or an object is not declared.
    """

    seen: dict[str, int] = field(default_factory=dict)
    _forms: dict[str, str] = field(default_factory=dict)

    def observe(self, name: str, value: Any) -> None:
        seen = self.seen.get(name)
        if seen is None and len(self.seen) >= MOST_COLUMNS:
            return
        if not isinstance(value, str):
            self.seen[name] = (seen or 0) | _kind(value)
        elif not seen or not seen & TEXT:
            self.seen[name] = (seen or 0) | self._dated(name, value)

    def observe_text(self, name: str, cell: str) -> None:
        seen = self.seen.get(name)
        if seen is None:
            if len(self.seen) >= MOST_COLUMNS:
                return
            seen = 0
        if not seen & TEXT:
            kind = _kind_of_text(cell)
            self.seen[name] = seen | (self._dated(name, cell.strip()) if kind == TEXT else kind)

    def declare(self, name: str, kind: str) -> None:
        """Learn what the source itself says of a column: string | int64 | float64 | bool | date | list | nested."""
        if name in self.seen or len(self.seen) < MOST_COLUMNS:
            self.seen[name] = self.seen.get(name, 0) | KINDS[kind]

    def declared(self, without: Iterable[str] = ()) -> dict[str, str]:
        """Column → string | int64 | float64 | bool | date, in the order in which they were first seen."""
        left_out = set(without)
        return {
            name: _type(seen)
            for name, seen in self.seen.items()
            if not seen & NESTED and name not in left_out and plain_name(name) not in RESERVED
        }

    def _dated(self, name: str, text: str) -> int:
        """What a text is: a date of the column's form, nothing where it says that something is missing, or a text."""
        if _DATE.match(text) and is_date(text):
            form = re.sub(r"\d", "0", text)
            return DATE if self._forms.setdefault(name, form) == form else TEXT
        return 0 if not text.strip() or stands_for_missing(text) else TEXT


def stands_for_missing(text: str) -> bool:
    """Whether a text is a word for what is missing."""
    return len(text) < 20 and " ".join(text.lower().split()) in MISSING


def is_date(text: str) -> bool:
    """Whether a text is a day, or a day and a time, as ISO 8601 writes them."""
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> int:
    if value is None or value != value:  # not-a-number is how pandas writes a missing value
        return 0
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT if value in INT64 else TEXT
    return FLOAT if isinstance(value, float | Decimal) else NESTED


def _kind_of_text(cell: str) -> int:
    if _INTEGER.fullmatch(cell):
        return INT if len(cell) < 18 else _kind(int(cell))
    if _DECIMAL.fullmatch(cell):
        return FLOAT if math.isfinite(float(cell)) else TEXT
    if cell != (bare := cell.strip()):
        return _kind_of_text(bare)
    if not cell or stands_for_missing(cell):
        return 0
    if comma := _COMMA.fullmatch(cell):
        return COMMA if len(comma[1]) == 3 else TRUE_COMMA
    return BOOL if cell.lower() in TRUTH else TEXT


TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def _type(seen: int) -> str:
    if seen in (BOOL, DATE):
        return "bool" if seen == BOOL else "date"
    if seen == INT:
        return "int64"
    numbers = INT | FLOAT if not seen & TRUE_COMMA else INT | COMMA | TRUE_COMMA
    return "float64" if seen and not seen & ~numbers else "string"
