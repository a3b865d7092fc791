"""Synthetic pairs (synthetic.py) as files: plain arrays with exact answers, or the shards of an index.

python benchmarks/synthetic_files.py arrays FOLDER --rows 1000000   # what frontier.py reads
python benchmarks/synthetic_files.py shards FOLDER --rows 1000000   # what `retrieval build FOLDER` reads
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from synthetic import BLOCK, VARIANTS, Modality, Pairs

from retrieval.files import replacing, write_json
from retrieval.indexes.exact import search_rows
from retrieval.shards.plan import Plan, ShardRecord
from retrieval.shards.tables import Table, schema, seal, write_tables
from retrieval.shards.vectors import to_bytes
from retrieval.types import Split

RUNS = 16  # places of a corpus that sampled captions come from: drawing a row costs drawing its block
K = 10


def sampled_rows(rows: int, count: int, part: int = 0) -> NDArray[np.int64]:
    """`count` row numbers in order, from runs that lie evenly in a corpus; those of parts 0 and 1 are disjoint."""
    if 2 * count > rows:
        raise SystemExit(f"{count} captions to ask with and as many to tune with need at least {2 * count} rows")
    runs = min(RUNS, count)
    starts = np.arange(runs) * rows // runs
    lengths = count // runs + (np.arange(runs) < count % runs)
    return np.concatenate([start + part * n + np.arange(n) for start, n in zip(starts, lengths, strict=True)])


def sampled_captions(pairs: Pairs, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """The captions of some rows, which come in runs."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return np.concatenate([pairs.captions(int(run[0]), int(run[-1]) + 1) for run in runs])


def unseen_images(pairs: Pairs, rows: int, count: int) -> NDArray[np.float32]:
    """Images that are none of the first `rows`."""
    start = -(-rows // BLOCK) * BLOCK
    return pairs.images(start, start + count)


def write_vectors(path: Path, pairs: Pairs, modality: Modality, rows: int) -> None:
    """The first `rows` images or captions as float16 in a .npy file, a block at a time."""
    draw = pairs.images if modality == "image" else pairs.captions
    header = {"descr": "<f2", "fortran_order": False, "shape": (rows, pairs.dim)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, rows, BLOCK):
            file.write(draw(start, min(start + BLOCK, rows)).astype("<f2").data)


def write_arrays(folder: Path, pairs: Pairs, rows: int, queries: int, variant: str, captions: bool = False) -> None:
    """image.npy (and text.npy), and to ask: ood.npy (captions, of rows ood.pairs.npy), id.npy (unseen images).

    `*.exact.npy` (queries, 10) holds the rows of each query's exact nearest images. about.json comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_vectors(folder / "image.npy", pairs, "image", rows)
    if captions:
        write_vectors(folder / "text.npy", pairs, "text", rows)
    numbers = sampled_rows(rows, queries)
    np.save(folder / "ood.pairs.npy", numbers)
    images = np.load(folder / "image.npy", mmap_mode="r")
    for name, vectors in (("ood", sampled_captions(pairs, numbers)), ("id", unseen_images(pairs, rows, queries))):
        np.save(folder / f"{name}.npy", vectors)
        np.save(folder / f"{name}.exact.npy", search_rows(vectors, images, K).rows)
    about = {"rows": rows, "dim": pairs.dim, "seed": pairs.seed, "variant": variant, "queries": queries, "k": K}
    write_json(folder / "about.json", about)


def write_shards(folder: Path, pairs: Pairs, rows: int, captions: int | None = None, shard_size: int = 16_384) -> None:
    """An index folder that is encoded and not built: `rows` images without thumbnails, and captions of figures.

    Every figure has its caption, or only the `captions` figures `sampled_rows(rows, captions, part=1)`.
    """
    splits = tuple(
        Split(number, start, min(start + shard_size, rows)) for number, start in enumerate(range(0, rows, shard_size))
    )
    plan = Plan(
        source="synthetic", kind="made", options={}, corpus_fingerprint="synthetic", columns={}, encoder="synthetic",
        encoder_fingerprint=f"synthetic-{pairs.seed}", dim=pairs.dim, resize=None, thumbnail=0, max_pixels=1,
        shard_size=shard_size, splits=splits,
    )  # fmt: skip
    (folder / "shards").mkdir(parents=True)
    plan.write(folder)
    captioned = np.arange(rows) if captions is None else sampled_rows(rows, captions, part=1)
    for split in splits:
        first, last = np.searchsorted(captioned, (split.start, split.stop))
        numbers = captioned[first:last]
        texts = sampled_captions(pairs, numbers) if len(numbers) else np.empty((0, pairs.dim), np.float32)
        images = pairs.images(split.start, split.stop)
        tables = {
            "images": _table("images", plan, np.arange(split.start, split.stop), images),
            "texts": _table("texts", plan, numbers, texts),
            "skips": schema("skips", plan).empty_table(),
        }
        sums = write_tables(folder, split.number, tables)
        lengths = {name: table.num_rows for name, table in tables.items()}
        seal(folder, ShardRecord(split.number, lengths, {}, {}, lengths["images"] - lengths["texts"], 0, sums))


def _table(name: Table, plan: Plan, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> pa.Table:
    """Columns as short as their types allow: what is measured is vectors."""
    values = {"figure_id": [f"{number:08d}" for number in numbers.tolist()], "embedding": to_bytes(vectors)}
    blank = {"sha256": "", "width": 0, "height": 0, "caption": "", "truncated": False}
    layout = schema(name, plan)
    columns = [values.get(field.name, [blank.get(field.name)] * len(numbers)) for field in layout]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, layout, strict=True)], schema=layout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("arrays", "shards"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--variant", choices=tuple(VARIANTS), default="M")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=1000, help="arrays: captions, and images, to ask with")
    parser.add_argument("--texts", action="store_true", help="arrays: write text.npy too")
    parser.add_argument("--captions", type=int, help="shards: only so many figures have a caption (default: all)")
    parser.add_argument("--shard-size", type=int, default=16_384)
    args = parser.parse_args()
    pairs = Pairs(args.variant, args.dim, args.seed)
    if args.what == "arrays":
        write_arrays(args.folder, pairs, args.rows, args.queries, args.variant, args.texts)
    else:
        write_shards(args.folder, pairs, args.rows, args.captions, args.shard_size)


if __name__ == "__main__":
    main()
