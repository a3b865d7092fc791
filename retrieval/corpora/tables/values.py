"""Values of rows and sidecars: captions, identifiers, and metadata of their columns' types."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from retrieval.corpora.tables.column_types import INT64, TRUTH, is_date, stands_for_missing
from retrieval.types import Scalar

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
