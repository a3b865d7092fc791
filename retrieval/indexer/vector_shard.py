"""One shard of imported vectors: rows with a usable vector become images and captions, the others skips."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retrieval.errors import CorpusError
from retrieval.indexer.vector_tables import VectorPiece, VectorSource
from retrieval.shards.plan import Plan, ShardRecord
from retrieval.shards.tables import TABLE_OF, Table, schema, seal, write_tables
from retrieval.shards.vectors import to_bytes, unit
from retrieval.types import Modality, Split

EMPTY_CAPTION = "caption is empty"
NO_ID = "no figure id"
PART: dict[Modality, str] = {"image": "image", "text": "caption"}


def commit(folder: Path, plan: Plan, source: VectorSource, piece: VectorPiece) -> ShardRecord:
    """Write and seal the shard of a piece of a table: what has a usable vector, and why the rest is left out."""
    begun = time.perf_counter()
    own = _own_columns(plan, source, piece.rows)
    vectors: dict[Modality, NDArray[np.float16]] = {}
    reasons: dict[Modality, NDArray[np.object_]] = {}
    for modality, values in piece.vectors.items():
        vectors[modality], reasons[modality] = unit_rows(values, plan.dim)
    if "text" in reasons:
        blank = pc.equal(own["caption"], "").to_numpy(zero_copy_only=False)
        reasons["text"][blank & (reasons["text"] != MISSING)] = EMPTY_CAPTION
    nameless = own["figure_id"].is_null().to_numpy(zero_copy_only=False)
    for why in reasons.values():
        why[nameless] = NO_ID
    kept = {modality: np.flatnonzero(why == None) for modality, why in reasons.items()}  # noqa: E711 (elementwise)
    skips = _skips(source, piece.split, own, reasons)
    tables: dict[Table, pa.Table] = {"skips": pa.Table.from_pylist(skips, schema=schema("skips", plan))}
    for modality, name in TABLE_OF.items():
        mine = kept.get(modality, np.empty(0, dtype=np.int64))
        some = vectors[modality][mine] if modality in vectors else np.zeros((0, plan.dim), np.float16)
        tables[name] = _shard_table(plan, name, own, mine, some, kept.get("image") if modality == "text" else None)
    prepared = time.perf_counter()
    sums = write_tables(folder, piece.split.number, {name: tables[name] for name in ("images", "texts", "skips")})
    record = ShardRecord(
        number=piece.split.number,
        rows={name: table.num_rows for name, table in tables.items()},
        skips=dict(Counter(row["reason"] for row in skips if row["part"] == "figure")),
        notes=dict(Counter(row["reason"] for row in skips if row["part"] != "figure")),
        without_caption=0,
        truncated=int(pc.sum(tables["texts"]["truncated"]).as_py() or 0),
        sha256=sums,
        seconds={"prepare": round(prepared - begun, 3), "write": round(time.perf_counter() - prepared, 3)},
    )
    return seal(folder, record)


def _own_columns(plan: Plan, source: VectorSource, rows: pa.Table) -> dict[str, pa.Array]:
    """The columns of the shards, all but the embedding, as far as the table has them; nulls where it has not."""
    roles = source.roles
    from_table = {
        "figure_id": roles.figure_id or roles.image,
        "article_id": roles.article_id,
        "source_uri": "source_uri" if "source_uri" in rows.column_names else roles.image,
        "caption": roles.captions[0] if roles.captions else None,
    }
    types = {field.name: field.type for name in ("images", "texts") for field in schema(name, plan)}
    own: dict[str, pa.Array] = {}
    for name, type_ in types.items():
        column = from_table.get(name, name)
        if name == "embedding":
            continue
        if column is None or column not in rows.column_names:
            own[name] = pa.nulls(rows.num_rows, type_)
            continue
        try:
            own[name] = _one_value_a_row(rows[column].combine_chunks(), name).cast(type_)
        except pa.ArrowException as error:
            raise CorpusError(f"{source.table}: column {column} is no {type_} ({error}); write it as that") from error
    own["caption"] = pc.fill_null(pc.utf8_trim_whitespace(own["caption"]), "")
    own["truncated"] = pc.fill_null(own["truncated"], False)
    return own


def _one_value_a_row(column: pa.Array, name: str) -> pa.Array:
    """Dictionaries decoded; of a list of captions the first, which is the one that a row's vector can be of."""
    if name == "caption" and (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return pa.array([next(iter(texts or ()), None) for texts in column.to_pylist()], column.type.value_type)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _skips(
    source: VectorSource, split: Split, own: Mapping[str, pa.Array], reasons: Mapping[Modality, NDArray[np.object_]]
) -> list[dict[str, Any]]:
    """Rows without any vector, and vectors that were left out of rows which have another."""
    skips = []
    whole = np.logical_and.reduce([why != None for why in reasons.values()])  # noqa: E711 (elementwise)
    left = np.logical_or.reduce([(why != None) & (why != MISSING) for why in reasons.values()])  # noqa: E711
    for row in np.flatnonzero(whole | left).tolist():
        why = {modality: some[row] for modality, some in reasons.items() if some[row] is not None}
        told = {modality: reason for modality, reason in why.items() if reason != MISSING} or why
        parts = [("figure", next(iter(told.values())))] if whole[row] else [(PART[k], r) for k, r in told.items()]
        for part, reason in parts:
            skips.append(
                {
                    "figure_id": own["figure_id"][row].as_py() or f"{source.table.name} row {split.start + row}",
                    "article_id": own["article_id"][row].as_py(),
                    "source_uri": own["source_uri"][row].as_py(),
                    "part": part,
                    "reason": reason,
                }
            )
    return skips


def _shard_table(
    plan: Plan,
    name: Table,
    own: Mapping[str, pa.Array],
    rows: NDArray[np.int64],
    vectors: NDArray[np.float16],
    images: NDArray[np.int64] | None,
) -> pa.Table:
    """A shard's table of some rows; `images` are those whose `extra` stands beside their image already."""
    columns = []
    for field in schema(name, plan):
        if field.name == "embedding":
            columns.append(to_bytes(vectors))
            continue
        column = own[field.name].take(rows)
        if field.name == "sha256":  # of the file, or where the table does not tell it, of the vector
            made = pa.array([hashlib.sha256(vector.tobytes()).hexdigest() for vector in vectors], pa.string())
            column = pc.coalesce(column, made)
        if field.name == "extra" and images is not None:
            column = pc.if_else(pa.array(np.isin(rows, images)), None, column).cast(field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema(name, plan))


MISSING = "no embedding"
ANOTHER_LENGTH = "embedding has another length"
NOT_FINITE = "embedding is not finite"
ZERO = "embedding is zero"
UNIT = 1e-3
"""A row whose length is as near to 1 is taken as it is: float16 moves lengths by up to 1e-4, and scaling would round it
again, so that vectors exported from an index would not come back as they were."""


def unit_rows(values: pa.ChunkedArray | NDArray[Any], dim: int) -> tuple[NDArray[np.float16], NDArray[np.object_]]:
    """Vectors (n, dim) brought to length 1, and for each row (n,) None or why it has none (its vector is then zero)."""
    reasons = np.full(len(values), None, dtype=object)
    if isinstance(values, np.ndarray):
        there, numbers = np.arange(len(values)), values
    else:
        column = values.combine_chunks()
        reasons[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
        column = column.drop_null()
        there = np.flatnonzero(reasons == None)  # noqa: E711 (elementwise)
        fits, numbers = _numbers(column, dim)
        reasons[there[~fits]] = ANOTHER_LENGTH
        there = there[fits]
    with np.errstate(over="ignore"):  # a float64 that is too large becomes infinite, and is told below
        rows = np.asarray(numbers).astype(np.float32)
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    reasons[there[~np.isfinite(lengths)]] = NOT_FINITE
    reasons[there[lengths == 0]] = ZERO
    scaled = np.isfinite(lengths) & (np.abs(lengths - 1) > UNIT)
    rows[scaled] = unit(rows[scaled].astype(np.float64) / np.maximum(lengths[scaled, None], 1e-300))
    rows[~np.isfinite(lengths)] = 0
    vectors = np.zeros((len(values), dim), dtype="<f2")
    vectors[there] = rows
    return vectors, reasons


def _numbers(column: pa.Array, dim: int) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Which rows (n,) hold `dim` numbers, and these numbers (rows that do, dim). Bytes are float16 or float32."""
    if pa.types.is_fixed_size_list(column.type):
        fits = np.full(len(column), column.type.list_size == dim)
        return fits, column.filter(pa.array(fits)).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    if not pa.types.is_binary(column.type) and not pa.types.is_fixed_size_binary(column.type):
        fits = pc.list_value_length(column).to_numpy() == dim
        return fits, column.filter(pa.array(fits)).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    sizes = pc.binary_length(column).to_numpy()
    size = next((size for size in sizes.tolist() if size in (2 * dim, 4 * dim)), 2 * dim)
    fits = sizes == size
    there = column.filter(pa.array(fits)).cast(pa.binary(size))
    dtype = {2: "<f2", 4: "<f4"}[size // dim]
    return fits, np.frombuffer(
        there.buffers()[1] or b"", dtype, count=len(there) * dim, offset=there.offset * size
    ).reshape(-1, dim)
