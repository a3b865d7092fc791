"""Values of rows and sidecars: captions, identifiers, and the types of metadata columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

INT64 = range(-(2**63), 2**63)
_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,999})")
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")


def captions_in(value: Any) -> tuple[str, ...]:
    """The captions that a value of a caption column holds: a text, a list of texts, or objects around a text."""
    if isinstance(value, str):
        return (text_of(value),)
    if isinstance(value, list | tuple):
        return tuple(caption for item in value for caption in captions_in(item))
    if isinstance(value, Mapping):
        return captions_in(value.get("raw", value.get("caption", value.get("text"))))
    if value is None or isinstance(value, bool) or (isinstance(value, float) and math.isnan(value)):
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


BOOL, INT, FLOAT, TEXT, NESTED = 1, 2, 4, 8, 16


KINDS = {"bool": BOOL, "int64": INT, "float64": FLOAT, "string": TEXT, "nested": NESTED}


@dataclass
class ColumnTypes:
    """Learns the type of each column from its values: the narrowest that all of them fit.

    Values of a CSV file are all text (`observe_text`); there a column of numbers becomes a column of numbers, except
    where a zero leads ("007" is a name). A column that ever holds a list or an object is not declared.
    """

    seen: dict[str, int] = field(default_factory=dict)

    def observe(self, name: str, value: Any) -> None:
        if name in self.seen or len(self.seen) < MOST_COLUMNS:
            self.seen[name] = self.seen.get(name, 0) | _kind(value)

    def observe_text(self, name: str, cell: str) -> None:
        if name in self.seen or len(self.seen) < MOST_COLUMNS:
            seen = self.seen.get(name, 0)
            if seen & TEXT == 0:
                self.seen[name] = seen | _kind_of_text(cell)

    def declare(self, name: str, kind: str) -> None:
        """Learn what the source itself says of a column: string | int64 | float64 | bool | nested."""
        if name in self.seen or len(self.seen) < MOST_COLUMNS:
            self.seen[name] = self.seen.get(name, 0) | KINDS[kind]

    def declared(self, without: Iterable[str] = ()) -> dict[str, str]:
        """Column → string | int64 | float64 | bool, in the order in which they were first seen."""
        left_out = set(without)
        return {
            name: _type(seen)
            for name, seen in self.seen.items()
            if not seen & NESTED and name not in left_out and plain_name(name) not in RESERVED
        }


def _kind(value: Any) -> int:
    if value is None or value != value:  # not-a-number is how pandas writes a missing value
        return 0
    if isinstance(value, str):
        return TEXT
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT if value in INT64 else TEXT
    return FLOAT if isinstance(value, float) else NESTED


def _kind_of_text(cell: str) -> int:
    if not cell:
        return 0
    if _INTEGER.fullmatch(cell):
        return _kind(int(cell))
    if _DECIMAL.fullmatch(cell) and any(map(str.isdigit, cell)):
        return FLOAT if math.isfinite(float(cell)) else TEXT
    return BOOL if cell.lower() in ("true", "false") else TEXT


def _type(seen: int) -> str:
    if seen == BOOL:
        return "bool"
    if seen == INT:
        return "int64"
    return "float64" if seen and not seen & ~(INT | FLOAT) else "string"


class Misfit(ValueError):
    """A value is not of its column's declared type."""


def fitted(value: Any, kind: str, *, text: bool = False) -> Scalar:
    """`value` as the declared type `kind`; `text` says that it is a cell of a CSV file. Raises Misfit."""
    if value is None or value != value or (text and value == ""):
        return None
    if text and kind != "string":
        value = value.lower() == "true" if kind == "bool" else (int(value) if kind == "int64" else float(value))
    if kind == "string":
        if isinstance(value, str):
            return text_of(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, bytes | list | tuple | Mapping):
            return str(value)  # a number among texts, a date
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if kind == "float64":
            return float(value)
        if isinstance(value, int) and value in INT64:
            return value
    raise Misfit(kind)


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
            if value is not None and not isinstance(value, bytes) and not (text and value == ""):
                extra[text_of(name)] = clean(value)
    return metadata, extra
