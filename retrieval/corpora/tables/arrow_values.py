"""Arrow's types as ours, and its columns as Python values: however a writer stores texts, images, numbers and dates."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

Row = dict[str, Any]

NOT_UTF8 = "row is not UTF-8 text"
PATHS = ("path", "filename", "file_name", "filepath", "name", "uri", "origin")
"""What the field of a struct is called that says which file the bytes beside it are of."""


class _Broken:
    """Stands for a text that is not UTF-8."""


def bare(kind: pa.DataType) -> pa.DataType:
    """A type without what only says how it is stored: dictionaries, run ends, extensions."""
    while True:
        if isinstance(kind, pa.BaseExtensionType) and not _is_uuid(kind):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def _is_uuid(kind: pa.DataType) -> bool:
    return getattr(kind, "extension_name", "") == "arrow.uuid"


def is_list(kind: pa.DataType) -> bool:
    """Any of Arrow's list types. A map is none."""
    kind = bare(kind)
    some = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    views = [getattr(pa.types, name) for name in ("is_list_view", "is_large_list_view") if hasattr(pa.types, name)]
    return any(one(kind) for one in (*some, *views))


def is_bytes(kind: pa.DataType) -> bool:
    kind = bare(kind)
    some = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(one(kind) for one in some)


def bytes_field(kind: pa.DataType) -> str | None:
    """The field of a struct that holds a file: `bytes`, as Hugging Face writes it, or the only one of bytes."""
    if not pa.types.is_struct(kind):
        return None
    names = [field.name for field in kind if is_bytes(field.type)]
    return "bytes" if "bytes" in names else (names[0] if len(names) == 1 else None)


def holds_files(kind: pa.DataType) -> bool:
    """Bytes, a struct of bytes and their path, or a list of either."""
    kind = bare(kind)
    if is_list(kind):
        inside = bare(kind.value_type)
        return is_bytes(inside) or bytes_field(inside) is not None
    return is_bytes(kind) or bytes_field(kind) is not None


def kind_of(kind: pa.DataType) -> str | None:
    """Our name of an Arrow type; `nested` for what goes to `extra`, of it `list` for texts and
    files; None for bytes, which go nowhere."""
    if getattr(kind, "extension_name", "") == "arrow.bool8":
        return "bool"
    kind = bare(kind)
    if is_bytes(kind):
        return None
    if pa.types.is_nested(kind):
        several = is_list(kind) and (holds_files(kind) or kind_of(kind.value_type) == "string")
        return "list" if several else "nested"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= 0):
        return "int64"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float64"
    return "date" if pa.types.is_date(kind) or pa.types.is_timestamp(kind) else "string"


def python_rows_of(batch: pa.RecordBatch) -> list[Row | str]:
    """The rows of a batch in Python; one with a text that is not UTF-8 is the reason in place of a dict."""
    columns = [python_values_of(column) for column in batch.columns]
    if not columns:
        return [{} for _ in range(len(batch))]
    names = unique_names(batch.schema)
    found = zip(*columns, strict=True)
    return [NOT_UTF8 if _Broken in values else dict(zip(names, values, strict=True)) for values in found]


def unique_names(schema: pa.Schema) -> list[str]:
    """The names of a schema's columns; of columns that have one name the second is called `name_2`."""
    unique: dict[str, None] = {}
    for name in schema.names:
        wanted, again = name, 2
        while wanted in unique:
            wanted, again = f"{name}_{again}", again + 1
        unique[wanted] = None
    return list(unique)


def python_values_of(column: pa.Array) -> list[Any]:
    """A column as Python values, of which `_Broken` stands for what is no text."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and not _is_uuid(kind) and kind_of(kind) != "bool":
        return python_values_of(column.storage)
    if pa.types.is_dictionary(kind):
        return _through(column.indices, python_values_of(column.dictionary))
    if pa.types.is_run_end_encoded(kind):
        return python_values_of(pc.run_end_decode(column))
    if is_list(kind) and holds_files(kind):
        return [None if files is None else python_values_of(files) for files in _lists(column)]
    try:
        values: list[Any] = _in_microseconds(column).to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):  # UnicodeDecodeError among them
        values = [_value(column[row]) for row in range(len(column))]
    if pa.types.is_struct(kind) and (inside := bytes_field(kind)) is not None:
        return [value if value in (None, _Broken) else _file(value, inside) for value in values]
    if pa.types.is_map(kind):
        return [dict(value) if isinstance(value, list) else value for value in values]
    return [value if value is None else str(value) for value in values] if _is_uuid(kind) else values


def _through(indices: pa.Array, values: Sequence[Any]) -> list[Any]:
    return [None if index is None else values[index] for index in indices.to_pylist()]


def _lists(column: pa.Array) -> Iterable[pa.Array | None]:
    return ((cell.values if cell.is_valid else None) for cell in column)


def _in_microseconds(column: pa.Array) -> pa.Array:
    """Times as Python can hold them, of a zone in UTC, so that their texts are in the order of the times."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", "UTC" if kind.tz else None), safe=False)
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False)
    return column.cast(pa.time64("us"), safe=False) if pa.types.is_time64(kind) else column


def _value(cell: pa.Scalar) -> Any:
    """One value by itself; a time that Python cannot hold is its number as text."""
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return _Broken
    except (ValueError, OverflowError, pa.ArrowException):
        return str(getattr(cell, "value", cell))


def _file(value: Mapping[str, Any], inside: str) -> dict[str, Any]:
    """A struct around a file as Hugging Face writes it; the pixels of Spark's image source become a PNG file."""
    if {"height", "width", "nChannels", "mode"} <= value.keys():
        return {"bytes": _from_spark(value, value[inside]), "path": value.get("origin")}
    path = next((value[name] for name in PATHS if isinstance(value.get(name), str)), None)
    return {"bytes": value.get(inside), "path": path}


def _from_spark(image: Mapping[str, Any], data: bytes | None) -> bytes | None:
    """Rows of blue, green, red and opacity, as OpenCV orders them, as a file. What is none stays as it is."""
    try:
        pixels = np.frombuffer(data or b"", np.uint8).reshape(image["height"], image["width"], image["nChannels"])
        order = {1: [0, 0, 0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[image["nChannels"]]
    except (ValueError, TypeError, KeyError):
        return data
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[..., order])).save(file, "PNG")
    return file.getvalue()


def without_bytes(column: pa.Array) -> pa.Array:
    """A column of files as the paths of them alone: struct<path>, or a list of those as long as it was."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return without_bytes(column.storage)
    if is_list(kind):
        cells = [None if files is None else without_bytes(files).to_pylist() for files in _lists(column)]
        return pa.array(cells, pa.list_(pa.struct([("path", pa.string())])))
    paths: pa.Array = pa.nulls(len(column), pa.string())
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        name = next((name for name in PATHS if name in names and kind_of(kind.field(name).type) == "string"), None)
        if name is not None:
            texts = [
                value if isinstance(value, str) else None for value in python_values_of(pc.struct_field(column, name))
            ]
            paths = pa.array(texts, pa.string())
    return pa.StructArray.from_arrays([paths], ["path"])
