"""Recall of an encoder on the held-out pool of a folder of corpora, through the commands that users run.

The folder holds one corpus a subfolder (captions.jsonl and images) and heldout_1000.json: corpus → figure ids. The pool
is indexed as one table and evaluated in both directions, whole and by corpus (queries of one corpus, gallery of all).
The demo's collection is drawn, indexed and evaluated on its held-out combinations as well, as `retrieval demo` does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from environment import describe_machine

from retrieval.cli.evaluate import table
from retrieval.demo.collection import draw_collection
from retrieval.evaluation.evaluate import evaluate
from retrieval.evaluation.report import Report
from retrieval.files import write_json
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build


def write_pool(data: Path, folder: Path, corpora: Iterable[str] | None = None) -> Path:
    """One JSON lines table of the held-out pairs, or of whole corpora; only the columns that evaluation needs."""
    pool = folder / "captions.jsonl"
    heldout = json.loads((data / "heldout_1000.json").read_text(encoding="utf-8"))
    with open(pool, "w", encoding="utf-8") as file:
        for corpus in heldout if corpora is None else corpora:
            wanted = set(heldout.get(corpus, ()))
            for line in (data / corpus / "captions.jsonl").read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if corpora is not None or row["id"] in wanted:
                    pair = {
                        "figure_id": f"{corpus}/{row['id']}",
                        "image": str((data / corpus / row["image"]).resolve()),
                        "caption": row["caption"],
                        "article_id": row["article_id"],
                        "corpus": corpus,
                    }
                    file.write(json.dumps(pair) + "\n")
    return pool


def demo(folder: Path, encoder: str) -> Report:
    """The report of the demo's collection, queries of its held-out combinations against all of it."""
    draw_collection(folder / "figures")
    encode(folder / "figures", folder / "demo", encoder)
    build(folder / "demo")
    return evaluate(folder / "demo", queries="split=heldout")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of corpora with heldout_1000.json")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/heldout.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        index = Path(temporary) / "index"
        encode(write_pool(args.data, Path(temporary)), index, args.encoder)
        build(index)
        reports = {"all": evaluate(index)}
        print(table(reports["all"]))
        corpora = sorted({path.parent.name for path in args.data.glob("*/captions.jsonl")})
        pool = json.loads((args.data / "heldout_1000.json").read_text(encoding="utf-8"))
        for corpus in corpora:
            if pool.get(corpus):
                reports[corpus] = evaluate(index, queries=f"corpus={corpus}")
        reports["demo"] = demo(Path(temporary), args.encoder)
    print(f"\n{'hit_rate@10 of queries from':<32}{'n':>5}  {'text → image':<24}image → text")
    for corpus, report in reports.items():
        found = {name: d.measures["hit_rate@10"] for name, d in report.directions.items()}
        cells = [
            f"{e.value:.3f} [{e.interval[0]:.3f}, {e.interval[1]:.3f}]" if e.interval else f"{e.value}"
            for e in found.values()
        ]
        print(f"{corpus:<32}{report.directions['t2i'].answerable:>5}  {cells[0]:<24}{cells[1]}")
    results = {name: report.to_json() | {"index": name} for name, report in reports.items()}
    write_json(args.out, {"machine": describe_machine(), "encoder": args.encoder, "reports": results})


if __name__ == "__main__":
    main()
