"""The truth on disk: shards that appear whole or not at all (docs/formats.md has every file)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.errors import ShardError
from retrieval.files import read_json, replacing, sha256_file, sha256_json, write_json
from retrieval.plan import FORMAT, Plan, ShardRecord, refuse_newer

Kind = Literal["image", "text"]
OTHER: dict[Kind, Kind] = {"image": "text", "text": "image"}
Table = Literal["images", "texts", "skips"]
TABLES: tuple[Table, ...] = ("images", "texts", "skips")
ROW_GROUP = 1024
"""Rows a group in what is written here. One row's thumbnail costs reading a group of them, and ten random ones cost 20
times as much in groups of 16,384, in which all embeddings are read about as fast (benchmarks/storage.py)."""
VECTORS = "vectors"  # the kind of a plan whose embeddings were imported: nobody looked at the images
ARROW_TYPES = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}


def schema(table: Table, plan: Plan) -> pa.Schema:
    """The Arrow schema of a shard's table; dim and dtype of the embedding stand in its metadata."""
    embedding = pa.field("embedding", pa.binary(2 * plan.dim), nullable=False)
    where_from = [
        pa.field("figure_id", pa.string(), nullable=False),
        pa.field("article_id", pa.string()),
        pa.field("source_uri", pa.string()),
    ]
    declared = [pa.field(name, ARROW_TYPES[kind]) for name, kind in plan.columns.items()]
    extra = pa.field("extra", pa.string())
    match table:
        case "images":
            own = [
                pa.field("sha256", pa.string(), nullable=False),
                pa.field("width", pa.int32(), nullable=plan.kind == VECTORS),
                pa.field("height", pa.int32(), nullable=plan.kind == VECTORS),
                pa.field("thumbnail", pa.binary()),
            ]
            fields = [*where_from, *own, embedding, *declared, extra]
        case "texts":
            own = [pa.field("caption", pa.string(), nullable=False), pa.field("truncated", pa.bool_(), nullable=False)]
            fields = [*where_from, *own, embedding, *declared, extra]
        case "skips":
            return pa.schema(
                [
                    *where_from,
                    pa.field("part", pa.string(), nullable=False),
                    pa.field("reason", pa.string(), nullable=False),
                ]
            )
    return pa.schema(
        fields, metadata={"dim": str(plan.dim), "dtype": "float16", "normalised": "true", "format": str(FORMAT)}
    )


def to_bytes(vectors: NDArray[np.floating[Any]]) -> pa.Array:
    """Vectors (n, dim) as the float16 bytes of the embedding column."""
    half = np.ascontiguousarray(vectors, dtype="<f2")
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(2 * half.shape[1]), len(half), [None, pa.py_buffer(half)])


def to_vectors(column: pa.Array, dim: int) -> NDArray[np.float16]:
    """The embedding column as (n, dim) float16: without a copy as it is written here, decoded where it holds lists.

    Raises ShardError where it holds anything else than n times dim numbers.
    """
    if column.type == pa.binary(2 * dim) and not column.null_count:
        start = column.offset * 2 * dim
        buffer = column.buffers()[1]
        return np.frombuffer(buffer, dtype="<f2", count=len(column) * dim, offset=start).reshape(-1, dim)
    if holds_lists(column.type) and not column.null_count:
        numbers = column.flatten().to_numpy(zero_copy_only=False)
        if len(numbers) == len(column) * dim and (pc.list_value_length(column).to_numpy() == dim).all():
            half: NDArray[np.float16] = numbers.astype("<f2", copy=False).reshape(-1, dim)
            return half
    raise ShardError(f"an embedding column of {column.type} does not hold {dim} numbers a row; encode again")


def holds_lists(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists of floating-point numbers, as other programs write embeddings."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and bool(pa.types.is_floating(kind.value_type))


def shard_path(folder: Path, number: int, table: Table) -> Path:
    return folder / "shards" / f"{number:05d}.{table}.parquet"


def record_path(folder: Path, number: int) -> Path:
    return folder / "shards" / f"{number:05d}.json"


def write_tables(folder: Path, number: int, tables: Mapping[Table, pa.Table]) -> dict[str, str]:
    """Write a shard's tables and give the sha256 of each file. Without `seal` the shard does not exist yet."""
    sums: dict[str, str] = {}
    for name, table in tables.items():
        with replacing(shard_path(folder, number, name)) as temporary:
            pq.write_table(
                table,
                temporary,
                compression="none",
                use_dictionary=False,
                write_statistics=False,
                row_group_size=ROW_GROUP,
            )
            sums[name] = sha256_file(temporary)
    return sums


def seal(folder: Path, record: ShardRecord) -> ShardRecord:
    """Commit a shard whose tables are written: interrupted before this, it is encoded again."""
    write_json(record_path(folder, record.number), asdict(record))
    return record


def read_record(folder: Path, number: int) -> ShardRecord | None:
    """The record of a shard, or None where it was not completed. Raises ShardError where it is not a record."""
    path = record_path(folder, number)
    try:
        values = read_json(path)
        refuse_newer(path, values)
        record = ShardRecord(**values)
        if record.number != number or not set(record.rows) == set(record.sha256) == set(TABLES):
            raise ValueError(f"sealed {record.rows} of shard {record.number}")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ShardError(f"{path}: not this shard's record; delete it and encode again") from error
    return record


class Shards:
    """The committed shards of a folder, read-only: whole columns, vectors in order, single rows by number."""

    def __init__(self, folder: Path) -> None:
        """Raises ShardError where there is no plan or shards are missing."""
        self.folder = folder
        self.plan = Plan.read(folder)
        records = [read_record(folder, split.number) for split in self.plan.splits]
        missing = sum(record is None for record in records)
        if missing:
            command = "vectors import" if self.plan.kind == VECTORS else "index"
            raise ShardError(
                f"{folder}: {missing} of {len(records)} shards are missing; run retrieval {command} again to continue"
            )
        self.records = [record for record in records if record is not None]
        self._starts = lru_cache(maxsize=None)(self._add_up)
        self._file = lru_cache(maxsize=64)(self._open)
        self._reading = Lock()  # an open Parquet file gives wrong answers to two threads at once

    @cached_property
    def digest(self) -> str:
        """Of the plan and every record: two folders with the same digest hold the same rows."""
        return sha256_json([self.plan.digest, [record.seal for record in self.records]])

    def count(self, table: Table) -> int:
        return sum(record.rows[table] for record in self.records)

    def check(self) -> None:
        """Read every byte of every shard. Raises ShardError where a table differs from its record."""
        for record in self.records:
            for name, expected in record.sha256.items():
                path = shard_path(self.folder, record.number, name)  # type: ignore[arg-type]
                if not path.is_file():
                    raise ShardError(
                        f"{path}: missing; delete {record_path(self.folder, record.number)} and encode again"
                    )
                if sha256_file(path) != expected:
                    raise ShardError(
                        f"{path}: differs from its record; delete {record_path(self.folder, record.number)} "
                        "and encode again"
                    )

    def vectors(self, table: Table) -> Iterator[NDArray[np.float16]]:
        """The embeddings of one table, a block (n, dim) per row group, in row order."""
        for block in self.blocks(table, ["embedding"]):
            for chunk in block.column(0).chunks:
                yield to_vectors(chunk, self.plan.dim)

    def blocks(self, table: Table, names: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of one table, a row group at a time, in row order."""
        for record in self.records:
            file = self._file(record.number, table)
            for group in range(file.num_row_groups):
                with self._reading:
                    block = file.read_row_group(group, columns=list(names), use_threads=False)
                yield block

    def columns(self, table: Table, names: Sequence[str]) -> pa.Table:
        """Whole columns of one table, in row order."""
        with self._reading:
            parts = [self._file(record.number, table).read(columns=list(names)) for record in self.records]
        return pa.concat_tables(parts) if parts else schema(table, self.plan).empty_table().select(list(names))

    def take(self, table: Table, rows: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
        """Single rows by their number in the whole table, in the order asked for."""
        starts = self._starts(table)
        found: dict[int, dict[str, Any]] = {}
        for shard, members in _grouped(rows, starts).items():
            file = self._file(self.records[shard].number, table)
            groups = starts[shard] + _group_starts(file)
            for group, some in _grouped(members, groups).items():
                with self._reading:  # a group is too small for threads to gain anything; on a busy machine they lose
                    part = file.read_row_group(group, columns=list(names), use_threads=False)
                taken = part.take([row - int(groups[group]) for row in some]).to_pylist()
                found.update(zip(some, taken, strict=True))
        return [found[row] for row in rows]

    def _add_up(self, table: Table) -> NDArray[np.int64]:
        """The first row of each shard in the whole table."""
        return np.cumsum([0, *(record.rows[table] for record in self.records[:-1])], dtype=np.int64)

    def _open(self, number: int, table: Table) -> pq.ParquetFile:
        path = shard_path(self.folder, number, table)
        try:
            return pq.ParquetFile(path, memory_map=True, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise ShardError(
                f"{path}: cannot be read ({error}); delete {record_path(self.folder, number)} and encode again"
            ) from error


def _grouped(rows: Iterable[int], starts: NDArray[np.int64]) -> dict[int, list[int]]:
    """Row numbers by the piece that holds them, where pieces begin at `starts`."""
    grouped: dict[int, list[int]] = {}
    for row in rows:
        grouped.setdefault(int(np.searchsorted(starts, row, side="right")) - 1, []).append(row)
    return grouped


def _group_starts(file: pq.ParquetFile) -> NDArray[np.int64]:
    """The first row of each row group in its file: groups are as large as whoever wrote them made them."""
    metadata = file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups - 1)]
    return np.cumsum([0, *sizes], dtype=np.int64)


def parse_extra(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}
