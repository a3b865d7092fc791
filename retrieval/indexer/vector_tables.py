"""Read embeddings as other programs write them: Parquet tables, and the folders of clip-retrieval."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.corpora.tables.columns import Roles, assign_roles, first_of
from retrieval.errors import CorpusError
from retrieval.shards.plan import OWN_COLUMNS, can_be_written
from retrieval.shards.vectors import holds_lists
from retrieval.types import Modality, Split

EMBEDDINGS: dict[Modality, tuple[str, ...]] = {
    "image": ("image_embedding", "image_embeddings", "img_embedding", "image_emb", "img_emb", "image_vector"),
    "text": ("caption_embedding", "text_embedding", "caption_embeddings", "text_embeddings", "text_emb", "text_vector"),
}
"""Names of the columns that hold vectors of images and of captions, as people write them."""
SUBFOLDERS: dict[Modality, str] = {"image": "img_emb", "text": "text_emb"}
"""Where clip-retrieval writes .npy files; the metadata of their rows stand in `metadata/metadata_N.parquet`."""
ABOUT = b"retrieval"
"""Key of a table's schema metadata under which an export says which encoder it comes from, as JSON."""
ENCODED_BY = ("encoder", "encoder_fingerprint", "resize", "long_captions", "precision", "preprocessing")
"""What it says there: keys of the plan of the index that it was exported from."""
BATCH = 4096
SAMPLED = 1 << 20


@dataclass(frozen=True, slots=True)
class VectorSource:
    """A table of figures and where the vectors of its rows are: in a column (str) or in a .npy file of as many rows."""

    table: Path
    rows: int
    roles: Roles
    vectors: Mapping[Modality, str | Path]
    columns: Mapping[str, str]
    left_out: tuple[str, ...]
    about: Mapping[str, Any]

    def files(self) -> list[Path]:
        return [self.table, *(where for where in self.vectors.values() if isinstance(where, Path))]


@dataclass(frozen=True, slots=True)
class VectorPiece:
    """The rows of one split, and their vectors by modality: a column of the table or an array (rows, dim)."""

    split: Split
    rows: pa.Table
    vectors: Mapping[Modality, pa.ChunkedArray | NDArray[Any]]


def open_sources(
    paths: Sequence[str | Path],
    *,
    image_embedding: str | None = None,
    caption_embedding: str | None = None,
    caption_column: str | None = None,
) -> list[VectorSource]:
    """Every table among `paths`, which are Parquet files or clip-retrieval's output folders.

    Raises CorpusError where one cannot be read, has no embeddings, no ids of figures, or captions' vectors without the
    captions.
    """
    named: dict[Modality, str | None] = {"image": image_embedding, "text": caption_embedding}
    sources = []
    for path in map(Path, paths):
        for table, beside in _tables(path):
            sources.append(_open(table, beside, named, caption_column))
    if not any(source.rows for source in sources):
        raise CorpusError(f"{', '.join(map(str, paths))}: no rows to import; give tables with embeddings")
    return sources


def fingerprint(source: VectorSource) -> list[Any]:
    """Size, beginning and end of each file: with them the footer of a Parquet file, where all its columns stand."""
    told = []
    for path in source.files():
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read(SAMPLED))
            size = file.seek(0, 2)
            file.seek(max(0, size - SAMPLED))
            digest.update(file.read(SAMPLED))
        told.append([size, digest.hexdigest()])
    return told


def possible_dims(source: VectorSource, modality: Modality) -> tuple[int, ...]:
    """The dimensions that its vectors may have: bytes are float16 or float32. () where no row has a vector."""
    where = source.vectors[modality]
    if isinstance(where, Path):
        return (_mapped(where).shape[1],)
    with pq.ParquetFile(source.table, pre_buffer=False) as file:
        type_ = file.schema_arrow.field(where).type
        if pa.types.is_fixed_size_binary(type_):
            return type_.byte_width // 2, type_.byte_width // 4
        if pa.types.is_fixed_size_list(type_):
            return (type_.list_size,)
        for batch in file.iter_batches(BATCH, columns=[where], use_threads=False):
            there = batch.column(0).drop_null()
            if len(there):
                size = len(there[0].as_py())
                return (size,) if holds_lists(type_) else (size // 2, size // 4)
    return ()


def read_vectors(source: VectorSource, splits: Sequence[Split]) -> Iterator[VectorPiece]:
    """The rows of each split.

    The splits ascend; the file is read once, from the row group of the first of them, a few thousand rows at a time.
    """
    arrays = {modality: _mapped(where) for modality, where in source.vectors.items() if isinstance(where, Path)}
    with pq.ParquetFile(source.table, pre_buffer=False) as file:
        names = [name for name in file.schema_arrow.names if name not in source.left_out]
        groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        starts = list(accumulate(groups, initial=0))
        first = max(0, bisect_right(starts, splits[0].start) - 1) if splits else 0
        batches = file.iter_batches(BATCH, row_groups=range(first, len(groups)), columns=names, use_threads=False)
        at = starts[first]
        held = file.schema_arrow.empty_table().select(names)
        for split in splits:
            while at + held.num_rows < split.stop:
                try:
                    held = pa.concat_tables([held, pa.Table.from_batches([next(batches)])])
                except (pa.ArrowException, OSError, StopIteration) as error:
                    raise CorpusError(
                        f"{source.table}: damaged near row {at + held.num_rows}; write or download it again"
                    ) from error
                passed = min(held.num_rows, max(0, split.start - at))
                held, at = held.slice(passed), at + passed
            rows = held.slice(split.start - at, split.stop - split.start)
            held, at = held.slice(split.stop - at), split.stop
            vectors = {
                modality: rows[where] if isinstance(where, str) else arrays[modality][split.start : split.stop]
                for modality, where in source.vectors.items()
            }
            yield VectorPiece(split, rows, vectors)


def _tables(path: Path) -> Iterator[tuple[Path, dict[Modality, Path]]]:
    """The tables that a path names, each with the .npy files of its rows."""
    if not path.is_dir():
        if not path.is_file():
            raise CorpusError(f"{path}: no such file; give Parquet tables or clip-retrieval's output folder")
        yield path, {}
        return
    tables = sorted((path / "metadata").glob("metadata_*.parquet"), key=lambda table: (len(table.name), table.name))
    if not tables:
        raise CorpusError(f"{path}: no metadata/metadata_*.parquet in it, as clip-retrieval writes; give Parquet files")
    for table in tables:
        number = table.stem.removeprefix("metadata_")
        files: dict[Modality, Path] = {
            modality: path / sub / f"{sub}_{number}.npy" for modality, sub in SUBFOLDERS.items()
        }
        yield table, {modality: file for modality, file in files.items() if file.is_file()}


def _open(
    table: Path, beside: Mapping[Modality, Path], named: Mapping[Modality, str | None], caption: str | None
) -> VectorSource:
    schema, rows = _schema(table)
    vectors: dict[Modality, str | Path] = dict(beside)
    for modality, names in EMBEDDINGS.items():
        asked = named[modality]
        if asked is not None and asked not in schema.names:
            raise CorpusError(f"{table}: there is no column {asked!r}; its columns are {', '.join(schema.names)}")
        column = asked or first_of(names, schema.names)
        if column is None or modality in beside:
            continue
        type_ = schema.field(column).type
        if not (holds_lists(type_) or pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_)):
            raise CorpusError(
                f"{table}: column {column!r} is {type_}; give lists of float16 or float32, or their bytes"
            )
        vectors[modality] = column
    if not vectors:
        raise CorpusError(
            f"{table}: no embeddings in columns {', '.join(schema.names)}; name one with --image-embedding or "
            "--caption-embedding"
        )
    for where in vectors.values():
        if isinstance(where, Path) and len(_mapped(where)) != rows:
            raise CorpusError(
                f"{where}: holds {len(_mapped(where))} vectors, {table.name} {rows} rows; write both again"
            )
    free = [name for name in schema.names if name not in vectors.values()]
    roles = assign_roles(free, str(table), caption_columns=[caption] if caption else ())
    if roles.image is not None and _column_type(schema.field(roles.image).type) != "string":
        roles = replace(roles, image=None)  # pictures themselves: nothing here looks at them
    if roles.figure_id is None and roles.image is None:
        raise CorpusError(f"{table}: no column of figure ids among {', '.join(free)}; call it figure_id")
    if "text" in vectors and not roles.captions:
        raise CorpusError(f"{table}: has vectors of captions but no captions among {', '.join(free)}; add them")
    used = {roles.image, roles.figure_id, roles.article_id, *roles.captions[:1], *OWN_COLUMNS} - {"embedding"}
    kinds = {name: _column_type(schema.field(name).type) for name in free if name not in used}
    declared = {n: kind for n, kind in kinds.items() if kind and n not in OWN_COLUMNS and can_be_written(n)}
    left_out = tuple(name for name in kinds if name not in declared)
    return VectorSource(table, rows, roles, vectors, declared, left_out, _encoded_by(schema))


def _encoded_by(schema: pa.Schema) -> dict[str, Any]:
    try:
        told = json.loads((schema.metadata or {}).get(ABOUT, "{}"))
        return {key: told[key] for key in ENCODED_BY if key in told}
    except (ValueError, TypeError):  # somebody else's key of that name
        return {}


def _schema(table: Path) -> tuple[pa.Schema, int]:
    try:
        with pq.ParquetFile(table, pre_buffer=False) as file:
            return file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise CorpusError(f"{table}: not a readable Parquet file ({reason}); write or download it again") from None


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(f"{path}: cannot be read as an array ({error}); write it again") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise CorpusError(f"{path}: holds {array.dtype} of shape {array.shape}; give (n, dim) floating-point numbers")
    return array


def _column_type(type_: pa.DataType) -> str | None:
    """Our name of an Arrow type; None for bytes and nested values, which are left out."""
    if pa.types.is_dictionary(type_):
        return _column_type(type_.value_type)
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_):
        return "int64"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "float64"
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return "date"
    as_text = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_temporal,
        pa.types.is_null,
    )
    return "string" if any(is_one(type_) for is_one in as_text) else None
