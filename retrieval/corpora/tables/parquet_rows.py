"""Parquet files as row groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.corpora.tables.arrow_values import PATHS, holds_files, unique_names
from retrieval.corpora.tables.columnar_rows import ColumnarRows


def parquet_rows(path: Path) -> ColumnarRows:
    """The rows of a Parquet file. CorpusError where it is none."""
    return ColumnarRows(path, _ParquetFile, _footer_digest, format_name="Parquet")


class _ParquetFile:
    """An open Parquet file."""

    texts: Sequence[str] = ()

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, pre_buffer=False)  # it would hold whole row groups
        self.schema: pa.Schema = self._file.schema_arrow
        columns = self._file.schema
        self._leaves = [columns.column(leaf).path for leaf in range(len(columns))]
        self._files = {field.name for field in self.schema if holds_files(field.type)}
        groups = range(self._file.num_row_groups)
        self.sizes: Sequence[int] = [self._file.metadata.row_group(group).num_rows for group in groups]
        if min(self.sizes, default=0) < 0:
            raise ValueError("a row group of less than no rows")

    def batches(self, group: int, columns: Sequence[str] | None, size: int) -> Iterator[pa.RecordBatch]:
        wanted = None if columns is None else [leaf for name in columns for leaf in self._leaves_of(name)]
        if wanted == []:
            yield from self._empty(group, size)
            return
        yield from self._file.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False)

    def _leaves_of(self, name: str) -> list[str]:
        """The parts of a column that are read for `scan`: of files the paths, or where they are lists what is there."""
        read_whole = name not in self._files or name in self.texts
        if len(set(self.schema.names)) < len(self.schema.names):
            name = _spelled(self.schema, name)
        leaves = [leaf for leaf in self._leaves if leaf == name or leaf.startswith(f"{name}.")]
        if read_whole:
            return leaves
        paths = [leaf for leaf in leaves if leaf != name and leaf.rpartition(".")[2] in PATHS]
        return paths or [leaf for leaf in leaves if "." in leaf.removeprefix(name)]

    def _empty(self, group: int, size: int) -> Iterator[pa.RecordBatch]:
        """As many rows without a column as the group has."""
        for start in range(0, self.sizes[group], size):
            rows = min(size, self.sizes[group] - start)
            yield pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _spelled(schema: pa.Schema, name: str) -> str:
    """How the file spells a column that was called otherwise because there are two of its name."""
    spelled: str = schema.names[unique_names(schema).index(name)]
    return spelled


def _footer_digest(path: Path) -> str:
    """Of the file's length and its footer, where the places, sizes and extremes of all columns stand."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(size - 8)
        footer = int.from_bytes(file.read(4), "little")
        file.seek(size - 8 - footer)
        return hashlib.sha256(size.to_bytes(8, "little") + file.read(footer)).hexdigest()
