"""Shards as other programs read them: a Parquet table with lists or bytes, or clip-retrieval's .npy and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.errors import QueryError
from retrieval.files import replacing, replacing_folder
from retrieval.indexer.vector_tables import ABOUT, EMBEDDINGS, ENCODED_BY, SUBFOLDERS
from retrieval.shards.plan import Plan
from retrieval.shards.reader import Shards
from retrieval.shards.tables import TABLE_OF, schema
from retrieval.shards.vectors import to_bytes, to_vectors
from retrieval.types import MODALITY_OF, Modality

Layout = Literal["list", "binary", "npy"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
ROWS = 1 << 14  # a row group of a table: DuckDB and Polars read whole ones, and one is held in memory


def export_vectors(
    folder: str | Path,
    out: str | Path,
    of: str,
    *,
    layout: Layout = "list",
    columns: str | Sequence[str] | None = None,
) -> int:
    """Write the embeddings of an index with what is known of their rows; gives how many rows there are.

    `list` writes a Parquet table with an `image_embedding` or `caption_embedding` column of float32 lists, as DuckDB,
    Polars and pandas read it; `binary` the same with float16 bytes, half as large and many times as fast to read;
    `npy` a folder as clip-retrieval writes: a float16 array and, in the same order, a table of the rows. `columns` are
    those to write beside the embedding (default: all). Whatever is written appears whole or not at all.

    Raises ShardError where `folder` holds no complete shards, QueryError for an unknown column or layout, or where the
    folder of a `npy` export exists.
    """
    shards, out = Shards(Path(folder)), Path(out)
    if of not in MODALITY_OF or layout not in LAYOUTS:
        raise QueryError(f"{of} as {layout}: no such export; export images or captions as {', '.join(LAYOUTS)}")
    kind = MODALITY_OF[of]
    known = [field for field in schema(TABLE_OF[kind], shards.plan) if field.name != "embedding"]
    columns = (columns,) if isinstance(columns, str) else columns
    wanted = list(columns) if columns is not None else [field.name for field in known]
    unknown = sorted(set(wanted) - {field.name for field in known})
    if unknown:
        raise QueryError(f"{folder}: no column {unknown[0]}; there are {', '.join(field.name for field in known)}")
    fields = [field for field in known if field.name in wanted]
    about = encoder_metadata(shards.plan, "float32" if layout == "list" else "float16")
    if layout == "npy":
        if out.exists():
            raise QueryError(f"{out}: exists; export into a new folder")
        with replacing_folder(out) as temporary:
            _write_arrays(temporary, shards, kind, pa.schema(fields, metadata=about))
    else:
        embedding = pa.field(EMBEDDINGS[kind][0], _embedding_type(layout, shards.plan.dim), nullable=False)
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as temporary:
            _write_table(temporary, shards, kind, pa.schema([*fields, embedding], metadata=about))
    return shards.count(TABLE_OF[kind])


def encoder_metadata(plan: Plan, dtype: str) -> dict[str, str]:
    """Schema metadata of a table with vectors: the keys that `vectors import` needs to make the same index again."""
    told = {key: getattr(plan, key) for key in ENCODED_BY}
    return {"dim": str(plan.dim), "dtype": dtype, "normalised": "true", ABOUT.decode(): json.dumps(told)}


def _embedding_type(layout: Layout, dim: int) -> pa.DataType:
    return (
        pa.binary(2 * dim) if layout == "binary" else pa.list_(pa.field("element", pa.float32(), nullable=False), dim)
    )


def _blocks(shards: Shards, kind: Modality, names: list[str]) -> Iterator[pa.Table]:
    """Blocks of `ROWS` rows or a few more."""
    held: list[pa.Table] = []
    for block in shards.blocks(TABLE_OF[kind], names):
        held.append(block)
        if sum(some.num_rows for some in held) >= ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _write_table(path: Path, shards: Shards, kind: Modality, layout: pa.Schema) -> None:
    """The last column of `layout` is the embedding, if its name says so."""
    names = [name for name in layout.names if name != EMBEDDINGS[kind][0]]
    with pq.ParquetWriter(path, layout, compression="none", use_dictionary=False) as writer:
        for block in _blocks(shards, kind, [*names, "embedding"]):
            vectors = _stacked(block, shards.plan.dim)
            embedding = layout.field(EMBEDDINGS[kind][0])
            if pa.types.is_fixed_size_binary(embedding.type):
                column = to_bytes(vectors)
            else:
                numbers = pa.array(vectors.astype(np.float32).ravel())
                column = pa.FixedSizeListArray.from_arrays(numbers, type=embedding.type)
            writer.write_table(pa.Table.from_arrays([*block.select(names).columns, column], schema=layout))


def _write_arrays(folder: Path, shards: Shards, kind: Modality, layout: pa.Schema) -> None:
    (folder / "metadata").mkdir()
    (folder / SUBFOLDERS[kind]).mkdir()
    shape = (shards.count(TABLE_OF[kind]), shards.plan.dim)
    with (
        open(folder / SUBFOLDERS[kind] / f"{SUBFOLDERS[kind]}_0.npy", "wb") as file,
        pq.ParquetWriter(folder / "metadata" / "metadata_0.parquet", layout) as writer,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
        for block in _blocks(shards, kind, [*layout.names, "embedding"]):
            file.write(np.ascontiguousarray(_stacked(block, shards.plan.dim)).data)
            writer.write_table(block.select(layout.names).cast(layout))


def _stacked(block: pa.Table, dim: int) -> NDArray[np.float16]:
    return np.concatenate(
        [to_vectors(chunk, dim) for chunk in block["embedding"].chunks] or [np.empty((0, dim), "<f2")]
    )
