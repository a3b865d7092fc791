"""What reading long captions in windows (`--long-captions chunk`) is worth beside cutting them.

DATA is a folder of corpora as in heldout.py. One pool are its held-out pairs, the other the corpora of --corpora as a
whole, most of whose pairs a starter was trained on, but of which many more are long. Each is encoded once for its
images; its captions are then read both ways, at the encoder's own context and at shorter ones, which a copy of the
bundle with another context_length stands for (a text tower from Hugging Face reads any). The queries that are compared
are the captions that the encoder cannot read whole, and the images of those figures; the gallery is all of the pool.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from environment import describe_machine
from heldout import write_pool

from retrieval.encoders import load_encoder
from retrieval.encoders.captions import encode_captions
from retrieval.evaluation.bootstrap import estimates, paired
from retrieval.evaluation.metrics import per_query
from retrieval.evaluation.ranks.one_way import relevant_ranks
from retrieval.evaluation.relevance import Relevance, clusters
from retrieval.files import write_json
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.shards.vectors import unit
from retrieval.types import Vectors

STARTER = Path(__file__).resolve().parents[1] / "retrieval" / "encoders" / "starter"
CORPORA = ("papers-modern", "gutenberg-medicine", "gutenberg-biology")
MEASURES = ("hit_rate@1", "hit_rate@10", "mrr")
POLICIES = {"truncate": False, "chunk": True}


def shortened(bundle: Path, context: int, folder: Path) -> Path:
    """A copy of a bundle that reads fewer tokens."""
    shutil.copytree(bundle, folder)
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["model_cfg"]["text_cfg"]["context_length"] = context
    path.write_text(json.dumps(config), encoding="utf-8")
    return folder


def compare(built: OpenedIndex, bundle: Path) -> dict[str, Any]:
    """Both policies on one pool: long captions by corpus, every measure, and the paired difference chunk - truncate."""
    encoder = load_encoder(str(bundle))
    columns = built.shards.columns("texts", ["caption", "corpus"])
    captions, corpora = columns["caption"].to_pylist(), np.array(columns["corpus"].to_pylist())
    read = {
        policy: encode_captions(encoder, captions, in_windows=in_windows, batch_size=64)
        for policy, in_windows in POLICIES.items()
    }
    long = read["truncate"].truncated
    assert (read["chunk"].windowed == long).all()
    assert not read["chunk"].truncated.any()
    texts = {policy: unit(some.vectors.astype(np.float16)) for policy, some in read.items()}  # as an index stores them
    asked = {"long": long, "all": np.ones_like(long)}
    return {
        "context": encoder.tokenize(["a"]).ids.shape[1],
        "long": {
            corpus: [int(long[corpora == corpus].sum()), int((corpora == corpus).sum())]
            for corpus in np.unique(corpora)
        },
        "queries": {name: directions(built, texts, rows) for name, rows in asked.items() if rows.any()},
    }


def directions(built: OpenedIndex, texts: dict[str, Vectors], rows: Any) -> dict[str, Any]:
    """Of the captions at some rows (a mask), and of the images of their figures."""
    relevance = Relevance(built, "figure_id")
    images = unit(np.asarray(built.vectors("image")))
    codes = {kind: relevance.codes(kind) for kind in ("image", "text")}
    pictured = np.isin(codes["image"], codes["text"][rows])
    values: dict[str, dict[str, Any]] = {"t2i": {}, "i2t": {}}
    for policy, vectors in texts.items():
        t2i = relevant_ranks(vectors[rows], images, codes["text"][rows], codes["image"])
        i2t = relevant_ranks(images[pictured], vectors, codes["image"][pictured], codes["text"])
        for direction, ranks in (("t2i", t2i), ("i2t", i2t)):
            measured = per_query(ranks, (1, 10))
            values[direction][policy] = {name: measured[name] for name in MEASURES}
    articles = {"t2i": clusters(built.shards, "text")[rows], "i2t": clusters(built.shards, "image")[pictured]}
    return {
        direction: {
            **{policy: _told(estimates(some, articles[direction])) for policy, some in by_policy.items()},
            "chunk - truncate": _told(paired(by_policy["chunk"], by_policy["truncate"], articles[direction])),
        }
        for direction, by_policy in values.items()
    }


def _told(measures: dict[str, Any]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in measures.items()}


def show(pool: str, result: dict[str, Any]) -> None:
    long = sum(count for count, _ in result["long"].values())
    captions = sum(total for _, total in result["long"].values())
    print(f"{pool}, context {result['context']}: {long} of {captions} captions ({long / captions:.1%}) are long")
    for name, both in result["queries"].items():
        for direction, systems in both.items():
            cells = []
            for system, measures in systems.items():
                found = measures["hit_rate@10"]
                low, high = found["interval"] or (np.nan, np.nan)
                cells.append(f"{system} {found['value']:.3f} [{low:.3f}, {high:.3f}]")
            print(f"  {name:<5}{direction}  {found['queries']:>5} queries  hit_rate@10: {'  '.join(cells)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of corpora with heldout_1000.json")
    parser.add_argument("--bundle", type=Path, default=STARTER, help="folder of the encoder (default: the starter)")
    parser.add_argument("--contexts", type=int, nargs="+", default=[32, 64, 77], help="beside the encoder's own")
    parser.add_argument("--corpora", nargs="+", default=list(CORPORA), help="pool of whole corpora")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/long-captions.json"))
    args = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundles = [shortened(args.bundle, context, folder / f"context-{context}") for context in args.contexts]
        pools = {"held-out": None, "+".join(args.corpora): args.corpora}
        for number, (pool, corpora) in enumerate(pools.items()):
            index = folder / f"index-{number}"
            encode(write_pool(args.data, folder, corpora), index, str(args.bundle), thumbnail=0)
            build(index)
            results[pool] = []
            for bundle in [*bundles, args.bundle]:
                results[pool].append(compare(OpenedIndex(index), bundle))
                show(pool, results[pool][-1])
    write_json(args.out, {"machine": describe_machine(), "encoder": args.bundle.name, "pools": results})


if __name__ == "__main__":
    main()
