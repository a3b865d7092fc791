"""Changing an index beside making it anew: `add --sync` of a corpus that changed, `remove` from an approximate index.

    python benchmarks/changes.py collections/bench --rows 100000

SOURCE is a folder with captions.jsonl. Its first figures are indexed; then a twentieth of them has another caption, a
hundredth is gone and a tenth is new, and the index is brought to that. `diff` must find nothing between it and an index
made anew, or the benchmark fails. The approximate index is of synthetic pairs (synthetic.py): one article of five
figures is withdrawn, then a fiftieth of all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from environment import describe_machine
from synthetic import Pairs
from synthetic_files import write_shards

from retrieval.encoders import load_encoder
from retrieval.files import write_json
from retrieval.indexer.add import add
from retrieval.indexer.diff import diff
from retrieval.indexer.encode import encode
from retrieval.indexer.remove import remove
from retrieval.indexes.build import build, rebuild
from retrieval.shards.reader import Shards


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return round(time.perf_counter() - begun, 2)


def corpus(source: Path, figures: int, folder: Path) -> dict[str, Any]:
    """A corpus that changed, synchronised beside encoded anew."""
    lines = (source / "captions.jsonl").read_text(encoding="utf-8").splitlines()[:figures]
    rows = [json.loads(line) for line in lines]
    first = rows[: int(0.9 * len(rows))]
    second = [row for number, row in enumerate(rows) if number % 100 != 50]
    for number, row in enumerate(second):
        if number % 20 == 7:
            second[number] = {**row, "caption": f"{row['caption']} (corrected)"}
    tables = {"first": first, "second": second}
    for name, some in tables.items():
        text = "".join(json.dumps(row) + "\n" for row in some)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    encoder = load_encoder("starter", precision="fp32")
    encode(folder / "first.jsonl", folder / "index", encoder, image_root=source)
    build(folder / "index")
    synchronised = seconds(
        lambda: (
            add(folder / "index", folder / "second.jsonl", encoder, sync=True, image_root=source),
            rebuild(folder / "index"),
        )
    )
    anew = seconds(
        lambda: (encode(folder / "second.jsonl", folder / "anew", encoder, image_root=source), build(folder / "anew"))
    )
    differences = sum(1 for _ in diff(folder / "index", folder / "anew"))
    if differences:
        raise SystemExit(f"{differences} figures differ from an index made anew")
    change = Shards(folder / "index").changes[-1]
    return {
        "figures": dict(change.figures),
        "sync_s": synchronised,
        "anew_s": anew,
        "ratio": round(anew / synchronised, 2),
    }


def approximate(rows: int, folder: Path) -> dict[str, Any]:
    """Rows withdrawn from an index with inverted lists, beside building it."""
    write_shards(folder, Pairs(dim=256), rows, captions=min(rows, 5000))
    factory = f"IVF{max(64, rows // 200)},PQ64x4fsr"
    built = seconds(lambda: build(folder, factory=factory))
    ids = Shards(folder).columns("images", ["figure_id"])["figure_id"].to_pylist()
    result: dict[str, Any] = {"rows": rows, "factory": factory, "build_s": built}
    for name, some in (("five figures", ids[1000:1005]), ("a fiftieth", ids[5000::50])):
        result[name] = {
            "figures": len(some),
            "remove_s": seconds(lambda some=some: remove(folder, some)),
            "rebuild_s": seconds(lambda: rebuild(folder)),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with captions.jsonl")
    parser.add_argument("--figures", type=int, default=400)
    parser.add_argument("--rows", type=int, default=100_000, help="of the approximate index (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/changes.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        result = {
            "machine": describe_machine(),
            "corpus": corpus(args.source, args.figures, folder),
            "approximate": approximate(args.rows, folder / "approximate"),
        }
    write_json(args.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
