"""Rows of Parquet files, with images as paths or as bytes in the file."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.errors import CorpusError

Row = dict[str, Any]

UNREADABLE = "row cannot be read"
"""The reason for each row of a damaged row group."""


class ParquetRows:
    """The rows of one Parquet file. Only what is asked for is read: columns in `scan`, row groups in `fetch`.

    A row is reached by decoding its row group from the start, so groups of some thousand rows (of some hundred where
    images are embedded, as Hugging Face writes them) are much faster to read than one huge group.
    """

    text = False

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            schema = file.schema_arrow
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        self.columns: Sequence[str] = schema.names
        self.file_columns: Sequence[str] = [field.name for field in schema if _holds_files(field.type)]
        self.types: Mapping[str, str] | None = {field.name: kind for field in schema if (kind := _kind(field.type))}
        self.digest = _footer_digest(path)
        self._starts = [0, *accumulate(sizes)]

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        """All rows, of an embedded image only the path."""
        with _opened(self.path) as file:
            leaves = {file.schema.column(leaf).path for leaf in range(len(file.schema))}
            wanted = [f"{name}.path" if name in self.file_columns else name for name in columns]
            wanted = [name for name in wanted if any(leaf == name or leaf.startswith(name + ".") for leaf in leaves)]
            for group in range(len(self._starts) - 1):
                rows = range(self._starts[group + 1] - self._starts[group])
                if wanted:
                    yield from _picked(file, group, rows, wanted, 4096)
                else:
                    yield from ({} for _ in rows)

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        """The rows of these numbers (from 0), which must ascend."""
        batch_size = 64 if self.file_columns else 1024  # 64 figures of a megabyte are held at once
        with _opened(self.path) as file:
            for group, numbers in groupby(rows, key=lambda row: bisect_right(self._starts, row) - 1):
                start = self._starts[group]
                yield from _picked(file, group, [number - start for number in numbers], None, batch_size)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)  # it would hold whole row groups
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise CorpusError(f"{path}: not a readable Parquet file ({reason}); write or download it again") from None


def _picked(
    file: pq.ParquetFile, group: int, rows: Sequence[int], columns: list[str] | None, batch_size: int
) -> Iterator[Row | str]:
    """Rows of one row group, numbered from its start and ascending."""
    at = done = 0
    try:
        for batch in file.iter_batches(batch_size, row_groups=[group], columns=columns, use_threads=False):
            upto = bisect_left(rows, at + len(batch))
            if upto > done:
                yield from batch.take(pa.array([row - at for row in rows[done:upto]])).to_pylist()
            at, done = at + len(batch), upto
            if done == len(rows):
                return
    except (pa.ArrowException, OSError):
        yield from [UNREADABLE] * (len(rows) - done)


def _holds_files(kind: pa.DataType) -> bool:
    """Bytes, or the struct<bytes, path> that Hugging Face writes for an image."""
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_bytes(field.type) for field in kind)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _kind(kind: pa.DataType) -> str | None:
    """Our name of an Arrow type; `nested` for what goes to `extra`, None for bytes, which go nowhere."""
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if _is_bytes(kind):
        return None
    if pa.types.is_nested(kind):
        return "nested"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int64"
    return "float64" if pa.types.is_floating(kind) else "string"


def _footer_digest(path: Path) -> str:
    """Of the file's length and its footer, where the places, sizes and extremes of all columns stand."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(size - 8)
        footer = int.from_bytes(file.read(4), "little")
        file.seek(size - 8 - footer)
        return hashlib.sha256(size.to_bytes(8, "little") + file.read(footer)).hexdigest()
