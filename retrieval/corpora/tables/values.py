"""Values of rows and sidecars: captions, identifiers, and the types of metadata columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from retrieval.corpora.tables.columns import plain_name
from retrieval.types import Scalar

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
_SURROGATE = re.compile("[\ud800-\udfff]")


AROUND_CAPTION = ("raw", "caption", "text", "value", "content", "sentence")
"""The fields of an object around a caption that may hold it."""


def captions_in(value: Any) -> tuple[str, ...]:
    """The captions that a value of a caption column holds: a text, a list of texts, or objects around a text."""
    if isinstance(value, str):
        return (text_of(value),)
    if isinstance(value, list | tuple):
        return tuple(caption for item in value for caption in captions_in(item))
    if isinstance(value, Mapping):
        named = next((value[name] for name in AROUND_CAPTION if value.get(name) is not None), None)
        if named is None and all(isinstance(item, str | list | None) for item in value.values()):
            named = [item for item in value.values() if item is not None]  # by language, say
        return captions_in(named)
    if value is None or isinstance(value, bool | bytes) or (isinstance(value, float) and math.isnan(value)):
        return ()
    return (str(value),)


def name_in(value: Any) -> str | None:
    """A value as an identifier: numbers become their text; blank, missing and nested ones are None."""
    if isinstance(value, str):
        return text_of(value.strip()) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else str(value)
    return None


def is_missing(value: Any) -> bool:
    """Nothing is there: null, not-a-number (which pandas writes for null), or blank text."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def text_of(text: str) -> str:
    """`text` without lone surrogates, which JSON and file names may hold and UTF-8 cannot write."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def clean(value: Any) -> Any:
    """A value from JSON or Parquet as JSON can write it: valid texts; dates as text; bytes and not-a-number as null."""
    if isinstance(value, str):
        return text_of(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, Mapping):
        return {text_of(str(key)): clean(item) for key, item in value.items()}
    return None if isinstance(value, bytes) else str(value)


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


class Misfit(ValueError):
    """A value is not of its column's declared type."""


def fitted(value: Any, kind: str, *, text: bool = False) -> Scalar:
    """`value` as the declared type `kind`; `text` says that it is a cell of a CSV file. Raises Misfit."""
    if value is None or value != value or (isinstance(value, str) and not value.strip() and (text or kind != "string")):
        return None
    if kind == "string":
        if isinstance(value, str):
            return text_of(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, bytes | list | tuple | Mapping):
            return str(value)  # a number among texts, a date
        raise Misfit(kind)
    if text:
        value = _of_cell(value.strip(), kind)
    if kind == "date":
        if is_date(str(value)):
            return str(value)
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if kind == "float64":
            return float(value)
        if math.isfinite(value) and int(value) == value and int(value) in INT64:
            return int(value)
    raise Misfit(kind)


def _of_cell(cell: str, kind: str) -> Scalar:
    """The cell of a CSV file as its column's type, or as it stands where it is no value of that."""
    if stands_for_missing(cell) or kind == "date":
        return cell
    try:
        if kind == "bool":
            return TRUTH[cell.lower()]
        return int(cell) if kind == "int64" else float(cell.replace(",", "."))
    except (ValueError, KeyError):
        return cell


def sorted_out(
    row: Mapping[str, Any], columns: Mapping[str, str], taken: Iterable[str | None], *, text: bool = False
) -> tuple[dict[str, Scalar], dict[str, Any]]:
    """`row` without the `taken` keys as (metadata of the declared columns, extra: all else that is not missing)."""
    metadata: dict[str, Scalar] = dict.fromkeys(columns)
    extra: dict[str, Any] = {}
    used = set(taken)
    for name, value in row.items():
        if name in used:
            continue
        try:
            metadata[name] = fitted(value, columns[name], text=text)
        except (KeyError, Misfit):
            if value is not None and not isinstance(value, bytes) and not (text and not value.strip()):
                extra[text_of(name)] = clean(value)
    return metadata, extra
