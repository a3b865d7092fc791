"""What the layout of the shards costs, and what storing float16 changes.

Layouts: one table of ids, thumbnails and embeddings as fixed-size bytes, fixed-size lists and lists, in row groups of
several sizes: writing it, reading all embeddings, and looking up ten random rows with thumbnails and without.
Precision: the ten nearest by float16 rows beside those by float32 rows, for random clustered vectors and, with
--source, for images and captions of real corpora, with the effect on hit_rate@10.

python benchmarks/storage.py --source figures/a/captions.jsonl --source figures/b/captions.jsonl
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from environment import describe_machine
from numpy.typing import NDArray
from search import THUMBNAIL, clustered, milliseconds

from retrieval.corpora import open_corpus
from retrieval.encoders import load_encoder
from retrieval.encoders.captions import encode_captions
from retrieval.files import write_json
from retrieval.images.decode import decode
from retrieval.images.image_bytes import UnreadableImage
from retrieval.indexes.exact import search_rows
from retrieval.shards.vectors import to_bytes, to_vectors
from retrieval.types import Figure, Pixels, Vectors

GROUPS = (1024, 4096, 16384)
LAYOUTS = ("fixed_size_binary", "fixed_size_list", "list")
LOOKED_UP = 10
K = 10
BATCH = 32


def column_of(vectors: NDArray[np.float16], layout: str) -> pa.Array:
    if layout == "fixed_size_binary":
        return to_bytes(vectors)
    numbers, dim = pa.array(vectors.ravel()), vectors.shape[1]
    if layout == "fixed_size_list":
        return pa.FixedSizeListArray.from_arrays(numbers, dim)
    return pa.ListArray.from_arrays(pa.array(np.arange(0, len(numbers) + 1, dim, dtype=np.int32)), numbers)


def layouts(rows: int, dim: int, repeats: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((rows, dim), dtype=np.float32).astype(np.float16)
    about = {
        "figure_id": pa.array([f"figure-{row:07d}" for row in range(rows)]),
        "thumbnail": pa.array([rng.bytes(THUMBNAIL)] * rows, pa.binary()),
    }
    wanted = rng.integers(rows, size=LOOKED_UP).tolist()
    found = []
    for layout in LAYOUTS:
        embedding = column_of(vectors, layout)
        fields = [pa.field(name, column.type, nullable=False) for name, column in about.items()]
        whole = pa.schema([*fields, pa.field("embedding", embedding.type, nullable=False)])
        table = pa.Table.from_arrays([*about.values(), embedding], schema=whole)
        for group in GROUPS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "table.parquet"
                begun = time.perf_counter()
                pq.write_table(
                    table, path, compression="none", use_dictionary=False, write_statistics=False, row_group_size=group
                )
                written = time.perf_counter() - begun
                found.append(
                    {"layout": layout, "row_group": group, "bytes": path.stat().st_size, "write_s": round(written, 3)}
                    | reading(path, dim, group, wanted, repeats)
                )
            print(found[-1], flush=True)
    return found


def reading(path: Path, dim: int, group: int, wanted: list[int], repeats: int) -> dict[str, float]:
    mapped = pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    streamed = pq.ParquetFile(path, pre_buffer=False)

    def embeddings(file: pq.ParquetFile) -> None:
        for number in range(file.num_row_groups):
            for chunk in file.read_row_group(number, columns=["embedding"]).column(0).chunks:
                to_vectors(chunk, dim)

    def look_up(*names: str) -> None:
        for row in wanted:
            mapped.read_row_group(row // group, columns=list(names)).slice(row % group, 1).to_pylist()

    return {
        "read_mapped_ms": milliseconds(lambda: embeddings(mapped), repeats),
        "read_ms": milliseconds(lambda: embeddings(streamed), repeats),
        "look_up_with_thumbnails_ms": milliseconds(lambda: look_up("figure_id", "thumbnail"), repeats),
        "look_up_ids_ms": milliseconds(lambda: look_up("figure_id"), repeats),
    }


def precision(images: Vectors, captions: Vectors) -> dict[str, Any]:
    """What storing float16 changes: rows are rounded, queries are not, as in a search. Row i answers query i."""
    result: dict[str, Any] = {"pairs": len(images), "dim": images.shape[1]}
    own = np.arange(len(images))[:, None]
    for way, queries, gallery in (("t2i", captions, images), ("i2t", images, captions)):
        before, after = (search_rows(queries, rows, K).rows for rows in (gallery, gallery.astype(np.float16)))
        shared = [len(np.intersect1d(some, others)) / K for some, others in zip(before, after, strict=True)]
        result[way] = {
            "top_10_shared": round(float(np.mean(shared)), 6),
            "same_top_10_in_order": round(float(np.mean((before == after).all(axis=1))), 6),
            "hit_rate@10_float32": round(float(np.mean((before == own).any(axis=1))), 6),
            "hit_rate@10_float16": round(float(np.mean((after == own).any(axis=1))), 6),
        }
    return result


def encoded(sources: list[str], encoder: str, figures: int) -> tuple[Vectors, Vectors]:
    """Images and first captions (n, dim) of figures that have both, as many from each source, in float32."""
    model = load_encoder(encoder, precision="fp32")
    pixels: list[Pixels] = []
    vectors: list[Vectors] = []
    captions: list[str] = []
    for source in sources:
        corpus, wanted = open_corpus(source), len(captions) + figures // len(sources)
        for item in (item for split in corpus.split(256) for item in corpus.read(split)):
            if not isinstance(item, Figure) or item.image is None or not any(item.captions):
                continue
            try:
                pixels.append(model.prepare(decode(item.image)))
            except UnreadableImage:
                continue
            captions.append(next(filter(None, item.captions)))
            if len(pixels) == BATCH or len(captions) == wanted:
                vectors.append(model.encode_images(np.stack(pixels)))
                pixels.clear()
            if len(captions) == wanted:
                break
    images = np.concatenate([*vectors, *([model.encode_images(np.stack(pixels))] if pixels else [])])
    return images, encode_captions(model, captions, in_windows=False, batch_size=BATCH).vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--source", action="append", default=[], help="a corpus of figures; repeatable")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--figures", type=int, default=2000, help="figures of all sources (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=10_000, help="random pairs (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/storage.json"))
    args = parser.parse_args()
    result: dict[str, Any] = {"machine": describe_machine(), "rows": args.rows, "dim": args.dim, "thumbnail": THUMBNAIL}
    result["precision"] = {"random clustered": precision(*clustered(args.pairs, args.dim, seed=0))}
    if args.source:
        names = ", ".join(Path(source).parent.name or source for source in args.source)
        result["precision"][f"{args.encoder}: {names}"] = precision(*encoded(args.source, args.encoder, args.figures))
    for name, values in result["precision"].items():
        print(name, values, flush=True)
    result["layouts"] = layouts(args.rows, args.dim, args.repeats)
    write_json(args.out, result)


if __name__ == "__main__":
    main()
