"""Rows from Python as a corpus: dicts, Arrow tables, pandas and polars frames, datasets of Hugging Face."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from retrieval.corpora.tables.parquet_rows import parquet_rows
from retrieval.corpora.tables.table_corpus import TableCorpus
from retrieval.errors import CorpusError
from retrieval.files import sha256_file

BATCH = 512
ROW_GROUP = 256
WAY_OUT = (
    "give a path, a list of dicts such as {'image': 'a.png', 'caption': '...'}, an Arrow table, a pandas or polars "
    "frame, or an object with split and read"
)


class PythonRows(TableCorpus):
    """The figures that rows of Python describe, with the columns that a table may have (docs/corpora.md).

    An image is a path (from `image_root`, else the working directory), the bytes of a file, a PIL image or an array of
    pixels. The rows are written to a temporary Parquet file first: a corpus is read more than once, an iterator only
    once. The file is removed with the corpus. Raises CorpusError where there is no row, or no image and no caption.
    """

    def __init__(
        self,
        rows: Any,
        *,
        image_column: str | None = None,
        caption_columns: Sequence[str] = (),
        image_root: Path | None = None,
    ) -> None:
        folder = tempfile.mkdtemp(prefix="retrieval-rows-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = Path(folder) / "row"
        _write(_batches(rows), file)
        table = parquet_rows(file)
        table.digest = sha256_file(file)
        super().__init__(
            file.parent,
            [table],
            kind="rows",
            image_column=image_column,
            caption_columns=caption_columns,
            image_root=image_root or Path.cwd(),
        )


def _batches(rows: Any) -> Iterator[pa.Table]:
    """The rows in Arrow tables of bounded size."""
    if hasattr(rows, "__arrow_c_stream__"):
        for batch in pa.RecordBatchReader.from_stream(rows):
            for start in range(0, len(batch), BATCH):
                yield pa.Table.from_batches([batch.slice(start, BATCH)])
        return
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # a frame of a pandas that does not speak Arrow
        rows = rows.to_dict("records")
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise CorpusError(f"a {type(rows).__name__} is no collection of figures; {WAY_OUT}")
    items = iter(rows)
    while some := list(islice(items, BATCH)):
        yield _table(some)


def _table(rows: Sequence[Any]) -> pa.Table:
    for row in rows:
        if not isinstance(row, Mapping):
            raise CorpusError(f"a row is a dict of columns, not a {type(row).__name__}; {WAY_OUT}")
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    """One column; pictures become the files that hold them, values of several types their text."""
    values = [os.fspath(value) if isinstance(value, os.PathLike) else value for value in values]
    if any(isinstance(value, Image.Image | bytes | bytearray) or _is_pixels(value) for value in values):
        return pa.array([_file(value) for value in values], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    values = [value.tolist() if isinstance(value, np.ndarray | np.generic) else value for value in values]
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _is_pixels(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim in (2, 3)


def _file(value: Any) -> dict[str, Any] | None:
    """An image as Hugging Face writes it: the bytes of a file, or its path."""
    match value:
        case None | Mapping():
            return None if value is None else {"bytes": value.get("bytes"), "path": value.get("path")}
        case str():
            return {"bytes": None, "path": value}
        case bytes() | bytearray():
            return {"bytes": bytes(value), "path": None}
    picture = value if isinstance(value, Image.Image) else Image.fromarray(np.asarray(value))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def _write(batches: Iterable[pa.Table], file: Path) -> None:
    """All batches as one Parquet file; a column whose type changes on the way is written as text."""
    spool = file.with_name("batches")
    schemas: list[pa.Schema] = []
    with pa.OSFile(str(spool), "wb") as sink:
        for batch in batches:
            schemas.append(batch.schema.remove_metadata())
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_table(batch)
    if not schemas:
        raise CorpusError(f"there are no rows; {WAY_OUT}")
    schema = _common(schemas)
    with pa.memory_map(str(spool)) as source, pq.ParquetWriter(file, schema) as parquet:
        for _ in schemas:
            parquet.write_table(_fitted(pa.ipc.open_stream(source).read_all(), schema), row_group_size=ROW_GROUP)
    spool.unlink()


def _common(schemas: Sequence[pa.Schema]) -> pa.Schema:
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        types: dict[str, set[pa.DataType]] = {}
        for field in (field for schema in schemas for field in schema):
            types.setdefault(field.name, set()).add(field.type)
        return pa.schema([(name, some.pop() if len(some) == 1 else pa.string()) for name, some in types.items()])


def _fitted(batch: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        _cast(batch[field.name], field.type) if field.name in batch.column_names else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if column.type == wanted:
        return column
    try:
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
