"""Rows to files: a table (CSV, JSON lines, Parquet), a WebDataset shard, a folder. Each holds a few rows at a time."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retrieval.export.figure_rows import Row
from retrieval.shards.tables import ARROW_TYPES

CAPTIONS = "captions.jsonl"
ATTRIBUTION = "ATTRIBUTION.txt"
ATTRIBUTION_IN_TAR = "ATTRIBUTION"  # without a suffix: readers of WebDataset take every name with one for a sample's
HELD_ROWS, HELD_BYTES = 1024, 1 << 26  # a row group of Parquet
SIGNATURES = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"RIFF", ".webp"),
    (b"BM", ".bmp"),
    (b"II", ".tif"),
    (b"MM", ".tif"),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What all rows have in common: the declared columns with their types, whether they are hits, and where their
    embeddings are (rows, dim), None to leave them out. `schema_metadata` goes into a Parquet table."""

    columns: Mapping[str, str]
    ranked: bool
    vectors: NDArray[np.float16] | None = None
    schema_metadata: Mapping[str, str] | None = None

    def apart(self, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Values for the declared columns, and what else there is as JSON."""
        extra = {name: value for name, value in metadata.items() if name not in self.columns}
        return {name: metadata.get(name) for name in self.columns}, _json(extra) if extra else None


def write_csv(path: Path, rows: Iterable[Row], layout: Layout) -> None:
    """RFC 4180. Of several captions the first stands in `caption`, all of them as JSON in `captions`."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            declared, extra = layout.apart(row.metadata)
            captions = {"caption": next(iter(row.captions), None), "captions": _json(row.captions)}
            if len(row.captions) < 2:
                captions["captions"] = None
            values = _beside(_without_image(row) | captions | {"extra": extra}, declared)
            if writer is None:
                writer = csv.DictWriter(file, list(values))
                writer.writeheader()
            writer.writerow(values)


def write_jsonl(path: Path, rows: Iterable[Row], layout: Layout) -> None:
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(_json(_beside(_without_image(row) | {"caption": _captions(row)}, row.metadata)) + "\n")


def write_parquet(path: Path, rows: Iterable[Row], layout: Layout) -> None:
    """Images as bytes in `image`, captions as lists, declared columns with their types, embeddings as float32 lists."""
    schema = _schema(layout)
    with pq.ParquetWriter(path, schema) as writer:
        for some in _held(rows):
            table = [_parquet_row(row, layout) for row in some]
            writer.write_table(pa.Table.from_pylist(table, schema=schema))


def write_tar(path: Path, rows: Iterable[Row], layout: Layout) -> None:
    """A sample a figure: key.jpg (or whatever the image is), key.txt where there is one caption, key.json."""
    with tarfile.open(path, "w") as tar, tempfile.TemporaryFile() as lines:
        for number, row in enumerate(rows):
            key = _key(row.figure_id, number)
            if row.image is not None:
                _add(tar, key + _suffix(row.image), row.image)
            if len(row.captions) == 1:
                _add(tar, f"{key}.txt", row.captions[0].encode())
            _add(tar, f"{key}.json", _json(_record(row)).encode())
            lines.write(f"{key}\t{row.attribution}\n".encode())
        size = lines.tell()
        lines.seek(0)
        _add(tar, ATTRIBUTION_IN_TAR, lines, size)


def write_folder(folder: Path, rows: Iterable[Row], layout: Layout) -> None:
    """`images/`, captions.jsonl that names them, and an attribution line for each in ATTRIBUTION.txt."""
    (folder / "images").mkdir()
    with (
        open(folder / CAPTIONS, "w", encoding="utf-8") as captions,
        open(folder / ATTRIBUTION, "w", encoding="utf-8") as lines,
    ):
        for number, row in enumerate(rows):
            name = None
            if row.image is not None:
                name = f"images/{number:06d}-{_plain(row.figure_id)[:80]}{_suffix(row.image)}"
                (folder / name).write_bytes(row.image)
            captions.write(_json(_record(row, image=name)) + "\n")
            lines.write(f"{name or row.figure_id}\t{row.attribution}\n")


WRITERS: dict[str, Callable[[Path, Iterable[Row], Layout], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
    "tar": write_tar,
    "folder": write_folder,
}
FORMATS = tuple(WRITERS)
WITH_IMAGES = ("parquet", "tar", "folder")


def _without_image(row: Row) -> dict[str, Any]:
    own = row.own | {"width": row.width, "height": row.height}
    return {name: value for name, value in own.items() if name != "image_from"}


def _record(row: Row, **image: str | None) -> dict[str, Any]:
    """A figure as the object that `retrieval index` reads back."""
    return _beside({"figure_id": row.figure_id, **image, "caption": _captions(row)} | row.own, row.metadata)


def _beside(own: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Both together; metadata that is called as something of ours gets an underscore behind its name."""
    return {**own, **{f"{name}_" if name in own else name: value for name, value in metadata.items()}}


def _captions(row: Row) -> str | list[str] | None:
    return list(row.captions) if len(row.captions) > 1 else next(iter(row.captions), None)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _schema(layout: Layout) -> pa.Schema:
    text = ("figure_id", "article_id", "source_uri", "attribution", "image_from")
    fields = [pa.field(name, pa.string()) for name in text]
    fields += [pa.field("rank", pa.int64()), pa.field("score", pa.float64())] if layout.ranked else []
    fields += [pa.field("width", pa.int32()), pa.field("height", pa.int32())]
    fields += [pa.field("caption", pa.list_(pa.string())), pa.field("image", pa.binary())]
    fields.append(pa.field("extra", pa.string()))
    if layout.vectors is not None:
        fields.append(pa.field("image_embedding", pa.list_(pa.float32(), layout.vectors.shape[1])))
    declared = {name: pa.field(name, ARROW_TYPES[kind]) for name, kind in layout.columns.items()}
    named = _beside({field.name: field for field in fields}, declared)
    return pa.schema([field.with_name(name) for name, field in named.items()], metadata=layout.schema_metadata)


def _parquet_row(row: Row, layout: Layout) -> dict[str, Any]:
    declared, extra = layout.apart(row.metadata)
    values = row.own | {"width": row.width, "height": row.height, "caption": list(row.captions), "image": row.image}
    if layout.vectors is not None:
        values["image_embedding"] = None if row.row is None else layout.vectors[row.row].astype(np.float32)
    return _beside(values | {"extra": extra}, declared)


def _held(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in groups that fit into memory."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row.image or b"")
        if len(held) >= HELD_ROWS or size >= HELD_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _add(tar: tarfile.TarFile, name: str, content: bytes | IO[bytes], size: int = 0) -> None:
    """Add a file; always the same bytes for the same content, as no time and no owner is written."""
    about = tarfile.TarInfo(name)
    about.size = len(content) if isinstance(content, bytes) else size
    tar.addfile(about, io.BytesIO(content) if isinstance(content, bytes) else content)


def _key(figure_id: str, number: int) -> str:
    """The figure's id where it can be a key of WebDataset, which ends at the first dot; else an id like it."""
    usable = re.fullmatch(r"\w[\w-]*(?:/\w[\w-]*)*", figure_id)
    return figure_id if usable else f"{_plain(figure_id)}~{number}"


def _plain(figure_id: str) -> str:
    return re.sub(r"[^\w-]+", "_", figure_id).strip("_") or "figure"


def _suffix(image: bytes) -> str:
    return next((suffix for signature, suffix in SIGNATURES if image.startswith(signature)), ".img")
