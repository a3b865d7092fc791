"""Rows from Python as a corpus: kept in a temporary file, since they are read more than once."""

from __future__ import annotations

import errno
import json
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.corpora.tables.arrow_values import python_values_of, unique_names
from retrieval.corpora.tables.column_types import ColumnTypes
from retrieval.corpora.tables.columnar_rows import ColumnarRows
from retrieval.corpora.tables.parquet_rows import parquet_rows
from retrieval.corpora.tables.python_sources import WAY_OUT, Rows, batches_of
from retrieval.corpora.tables.python_values import FILE, FILES, JSON, as_files, as_json, column
from retrieval.corpora.tables.table_corpus import TableCorpus
from retrieval.corpora.tables.values import text_of
from retrieval.errors import CorpusError
from retrieval.files import sha256_file

Row = dict[str, Any]

ROW_GROUP = 256


class PythonRows(TableCorpus):
    """The figures that rows of Python describe, with the columns that a table may have (docs/corpora.md).

    An image is a path (from `image_root`, else the working directory), the bytes of a file, a PIL image, an array or
    tensor of pixels, or a list of those. The temporary file is removed with the corpus; TMPDIR says where it lies.
    Raises CorpusError where there is no row, or no image and no caption.
    """

    def __init__(
        self,
        rows: Any,
        *,
        image_column: str | None = None,
        caption_columns: Sequence[str] = (),
        image_root: Path | None = None,
        images_only: bool = False,
    ) -> None:
        folder = tempfile.mkdtemp(prefix="retrieval-rows-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = Path(folder) / "row"
        try:
            mixed = _write(batches_of(rows), file)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise CorpusError(
                f"{folder}: the rows cannot be kept there ({error.strerror or error}); set TMPDIR to a folder with room"
            ) from None
        super().__init__(
            file.parent,
            [_SpooledTable(file, mixed)],
            kind="rows",
            image_column=image_column,
            caption_columns=caption_columns,
            image_root=image_root or Path.cwd(),
            images_only=images_only,
        )


class _SpooledTable:
    """The rows of the temporary file, with the values of its `mixed` columns as they were."""

    text = False

    def __init__(self, file: Path, mixed: Mapping[str, str]) -> None:
        self._rows: ColumnarRows = parquet_rows(file)
        self._mixed = frozenset(mixed)
        self.path, self.columns, self.file_columns = file, self._rows.columns, self._rows.file_columns
        self.holds_images = self._rows.holds_images
        self.types: Mapping[str, str] | None = {**(self._rows.types or {}), **mixed}
        self.digest = sha256_file(file)

    def scan(self, columns: Sequence[str]) -> Iterator[Row | str]:
        return map(self._as_it_was, self._rows.scan(columns))

    def fetch(self, rows: Iterable[int]) -> Iterator[Row | str]:
        return map(self._as_it_was, self._rows.fetch(rows))

    def _as_it_was(self, row: Row | str) -> Row | str:
        if isinstance(row, str):
            return row
        for name in self._mixed & row.keys():
            row[name] = None if row[name] is None else json.loads(row[name])
        return row


def _write(batches: Iterable[Rows], file: Path) -> dict[str, str]:
    """Write all batches as one Parquet file. Gives the types of those columns that it holds as JSON."""
    spool = file.with_name("batches")
    schemas: list[pa.Schema] = []
    with pa.OSFile(str(spool), "wb") as sink:
        for rows in batches:
            batch = _writable(rows) if isinstance(rows, pa.Table) else _table(rows)
            schemas.append(batch.schema.remove_metadata())
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_table(batch)
    if not schemas:
        raise CorpusError(f"there are no rows; {WAY_OUT}")
    schema = _common(schemas)
    learned = ColumnTypes()
    with pa.memory_map(str(spool)) as source, pq.ParquetWriter(file, schema) as parquet:
        for _ in schemas:
            batch = _fitted(pa.ipc.open_stream(source).read_all(), schema, learned)
            parquet.write_table(batch, row_group_size=ROW_GROUP)
    spool.unlink()
    return {field.name: learned.declared().get(field.name, "nested") for field in schema if field.metadata == JSON}


UNWRITABLE = re.compile(r"run_end|list_view|union|month_day|(struct|list|map).*_view|struct<>")
"""Types that cannot be written as Parquet."""


def _writable(batch: pa.Table) -> pa.Table:
    """The columns of an Arrow table as Parquet holds them, each with a name of its own."""
    made: list[tuple[pa.Field, Any]] = []
    for name, there in zip(unique_names(batch.schema), batch.columns, strict=True):
        if UNWRITABLE.search(str(there.type)):
            made.append(column(name, [value for chunk in there.chunks for value in python_values_of(chunk)]))
        else:
            made.append((pa.field(name, there.type), there))
    return pa.Table.from_arrays([array for _, array in made], schema=pa.schema([field for field, _ in made]))


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    made = [column(text_of(str(name)), [row.get(name) for row in rows]) for name in names]
    return pa.Table.from_arrays([array for _, array in made], schema=pa.schema([field for field, _ in made]))


def _common(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The schema that all batches fit: of a column that holds files anywhere they are files, of one whose types have
    nothing in common JSON."""
    fields: dict[str, list[pa.Field]] = {}
    for field in (field for schema in schemas for field in schema):
        if field not in fields.setdefault(field.name, []):
            fields[field.name].append(field)
    return pa.schema([_common_field(name, some) for name, some in fields.items()])


def _common_field(name: str, fields: Sequence[pa.Field]) -> pa.Field:
    kinds = [field.type for field in fields]
    for files in (FILES, FILE):
        if files in kinds:
            return pa.field(name, files)
    if not any(field.metadata == JSON for field in fields):
        try:
            return pa.unify_schemas([pa.schema([field]) for field in fields], promote_options="permissive").field(0)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass
    return pa.field(name, pa.string(), metadata=JSON)


def _fitted(batch: pa.Table, schema: pa.Schema, learned: ColumnTypes) -> pa.Table:
    """A batch in the schema of all. Lets `learned` see the values of columns that are JSON."""
    columns = []
    for field in schema:
        if field.name not in batch.column_names:
            columns.append(pa.nulls(len(batch), field.type))
            continue
        there, made = batch.schema.field(field.name), batch[field.name]
        if there.type != field.type or field.metadata == JSON:
            values = made.to_pylist()
            if there.metadata == JSON:
                values = [None if value is None else json.loads(value) for value in values]
            if field.metadata == JSON:
                for value in values:
                    learned.observe(field.name, value)
                made = as_json(values)
            elif field.type in (FILE, FILES):
                made = as_files(values, field.type)
            else:
                made = made.cast(field.type)
        columns.append(made)
    return pa.table(columns, schema=schema)
