"""Asking a built index, beside the obvious way: all vectors in memory as float32, one product, a full sort.

The index is made of random clustered vectors written as real shards, so that opening it, searching it and looking up
what a hit shows (from Parquet) are all measured as a user meets them. Looking up, asking by id and filtering are
measured once more over --look-up-rows rows of few dimensions, as they do not depend on the vectors.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.parquet as pq
from environment import describe_machine
from numpy.typing import NDArray

from retrieval.files import write_json
from retrieval.indexes.build import build
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.search.searcher import Searcher
from retrieval.shards.plan import Plan, ShardRecord
from retrieval.shards.tables import schema as schema_of
from retrieval.shards.tables import seal, write_tables
from retrieval.shards.vectors import to_bytes
from retrieval.types import Split, Vectors

THUMBNAIL = 5000  # bytes, as a JPEG of 192 pixels has


def write_index(folder: Path, vectors: Vectors, captions: Vectors, shard_size: int) -> None:
    """Shards of images with thumbnails and one caption each."""
    import pyarrow as pa

    count, dim = vectors.shape
    bounds = [(start, min(start + shard_size, count)) for start in range(0, count, shard_size)]
    splits = tuple(Split(number, start, stop) for number, (start, stop) in enumerate(bounds))
    columns = {"year": "int64", "journal": "string"}
    plan = Plan("made", "made", {}, "0", columns, "made", "0", dim, None, 192, 1, shard_size, splits)
    (folder / "shards").mkdir(parents=True)
    plan.write(folder)
    thumbnail = np.random.default_rng(0).bytes(THUMBNAIL)
    for split in splits:
        rows = split.stop - split.start
        ids = [f"figure-{row:07d}" for row in range(split.start, split.stop)]
        shared = {"figure_id": ids, "article_id": ids, "source_uri": ids, "extra": [None] * rows}
        shared["year"] = [row % 1000 for row in range(split.start, split.stop)]
        shared["journal"] = [f"Journal of {row % 977}" for row in range(split.start, split.stop)]
        image = {
            "sha256": ["0" * 64] * rows,
            "width": [640] * rows,
            "height": [480] * rows,
            "thumbnail": [thumbnail] * rows,
        }
        text = {
            "caption": [f"what figure {row} shows" for row in range(split.start, split.stop)],
            "truncated": [False] * rows,
        }
        tables = {}
        for name, own, embedded in (("images", image, vectors), ("texts", text, captions)):
            layout = schema_of(name, plan)
            columns = shared | own | {"embedding": to_bytes(embedded[split.start : split.stop])}
            tables[name] = pa.table([pa.array(columns[f.name], f.type) for f in layout], schema=layout)
        tables["skips"] = schema_of("skips", plan).empty_table()
        sums = write_tables(folder, split.number, tables)
        seal(folder, ShardRecord(split.number, {n: t.num_rows for n, t in tables.items()}, {}, {}, 0, 0, sums))


def clustered(count: int, dim: int, seed: int) -> tuple[Vectors, Vectors]:
    """Images and captions (count, dim): pairs near each other, within 200 topics, with a gap between the modalities."""
    rng = np.random.default_rng(seed)
    topics = rng.standard_normal((200, dim)).astype(np.float32)
    shared = topics[rng.integers(200, size=count)] + rng.standard_normal((count, dim), dtype=np.float32)
    gap = rng.standard_normal((2, dim)).astype(np.float32)
    both = [shared + gap[side] + rng.standard_normal((count, dim), dtype=np.float32) for side in (0, 1)]
    images, captions = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in both)
    return images, captions


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return round(1000 * median(times), 3)


def obvious(gallery: Vectors, queries: Vectors, k: int) -> NDArray[np.int64]:
    return np.argsort(-(queries @ gallery.T), axis=1, kind="stable")[:, :k]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--look-up-rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/search.json"))
    args = parser.parse_args()
    images, captions = clustered(args.rows, args.dim, seed=0)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "index"
        write_index(folder, images, captions, 4096)
        for factory in ("Flat", f"IVF{4 * int(args.rows**0.5)},Flat"):
            begun = time.perf_counter()
            facts = build(folder, factory=factory)
            seconds = round(time.perf_counter() - begun, 1)
            searcher = Searcher(folder)
            index = searcher.built.index("image")
            for queries in (1, 64):
                some = captions[:queries]
                gallery = images.astype(np.float16).astype(np.float32)
                agree = float(np.mean(index.search(some, 10).rows == obvious(gallery, some, 10)))
                ours = milliseconds(lambda s=some, i=index: i.search(s, 10), args.repeats)
                theirs = milliseconds(lambda s=some, g=gallery: obvious(g, s, 10), args.repeats)
                rows.append(
                    {
                        "factory": factory,
                        "parameters": facts["image"]["parameters"],
                        "recall": facts["image"]["recall"]["recall"],
                        "build_s": seconds,
                        "queries": queries,
                        "ours_ms": ours,
                        "full_sort_ms": theirs,
                        "ratio": round(theirs / ours, 1),
                        "same_hits": round(agree, 4),
                    }
                )
                print(rows[-1], flush=True)
            whole = milliseconds(lambda s=searcher: s.search(vector=captions[0], k=10), args.repeats)
            rows[-1]["search_with_look_up_ms"] = whole
            print(f"one question with captions and thumbnails of 10 hits: {whole} ms")
        table = milliseconds(lambda: _scan(folder), 3)
        built = OpenedIndex(folder)
        some_rows = list(range(7, args.rows, args.rows // 10))[:10]
        taken = milliseconds(lambda: built.describe("image", some_rows), args.repeats)
        print(f"looking up 10 rows: {taken} ms, reading the whole columns instead: {table} ms")
    result = {"machine": describe_machine(), "rows": args.rows, "dim": args.dim, "search": rows}
    result |= {"look_up_ms": taken, "whole_columns_ms": table}
    write_json(args.out, result | {"large": look_ups(args.look_up_rows, args.repeats)})


def look_ups(rows: int, repeats: int) -> dict[str, object]:
    """What a question costs beside the search itself, over many rows: the first time, and the median of later ones."""
    few = np.random.default_rng(0).standard_normal((rows, 8), dtype=np.float32)
    few /= np.linalg.norm(few, axis=1, keepdims=True)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "index"
        write_index(folder, few, few, 4096)
        build(folder)
        opened = once(lambda: OpenedIndex(folder))
        built = OpenedIndex(folder)
        questions: dict[str, Callable[[], object]] = {
            "describe 10 images": lambda: built.describe("image", sorted(rng.integers(rows, size=10).tolist())),
            "describe 10 captions": lambda: built.describe("text", sorted(rng.integers(rows, size=10).tolist())),
            "find a figure by id": lambda: built.find([f"figure-{rng.integers(rows):07d}"]),
            "where year=7": lambda: built.matching("image", ("year=7",)),
            "where year>500": lambda: built.matching("image", ("year>500",)),
            "where journal~12": lambda: built.matching("image", ("journal~12",)),
        }
        result: dict[str, object] = {"rows": rows, "open_ms": opened}
        for name, ask in questions.items():
            built = OpenedIndex(folder)
            result[name] = {"first_ms": once(ask), "ms": milliseconds(ask, repeats)}
            print(f"{rows} rows, {name}: {result[name]}", flush=True)
    return result


def once(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return round(1000 * (time.perf_counter() - begun), 3)


def _scan(folder: Path) -> None:
    for path in sorted(folder.glob("shards/*.images.parquet")):
        pq.read_table(path, columns=["figure_id", "thumbnail"])


if __name__ == "__main__":
    main()
