"""The tables of a shard on disk, and the record that seals it (docs/formats.md has every file)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from retrieval.errors import ShardError
from retrieval.files import read_json, replacing, sha256_file, write_json
from retrieval.shards.plan import FORMAT, Plan, ShardRecord, refuse_newer
from retrieval.types import Modality

Table = Literal["images", "texts", "skips"]
TABLES: tuple[Table, ...] = ("images", "texts", "skips")
ROW_GROUP = 1024
"""Rows a group in what is written here. One row's thumbnail costs reading a group of them, and ten random ones cost 20
times as much in groups of 16,384, in which all embeddings are read about as fast (benchmarks/storage.py)."""
VECTORS = "vectors"  # the kind of a plan whose embeddings were imported: nobody looked at the images
ARROW_TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.string(),  # of ISO 8601, in one form a column, so that texts are in the order of the days
}


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


def parse_extra(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}


TABLE_OF: dict[Modality, Table] = {"image": "images", "text": "texts"}
