"""What words add to vectors: dense, lexical and hybrid search, asked with second descriptions of the same figures.

DATA is a folder of corpora whose captions.jsonl has `alt`, a description written independently of the caption, and
near_duplicates.json. Images and captions are indexed, the alt texts ask for them (text to image, text to text). Half of
the articles choose the weight of the vectors, the other half is reported: all queries, and those that hold a term which
one to three captions have. Also measured: time and size of the words' index, over the captions repeated to a larger
collection as well, and what a query costs in each mode.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from environment import describe_machine

from retrieval.evaluation.bootstrap import estimates, paired
from retrieval.evaluation.compare_modes import Rankings, best_weight, halves, measures, rank_texts
from retrieval.files import write_json
from retrieval.indexer.encode import encode
from retrieval.indexes.bm25.bm25_index import Lexical, write_lexical
from retrieval.indexes.bm25.terms import terms_of
from retrieval.indexes.build import build
from retrieval.indexes.opened_index import OpenedIndex
from retrieval.indexes.percentiles import read_background, sample_scores
from retrieval.search.query import Query
from retrieval.search.rank import DENSE_WEIGHT, Ranker
from retrieval.search.search_options import MODES
from retrieval.search.searcher import Searcher

CORPORA = ("openstax-anatomy-physiology", "openstax-biology", "openstax-microbiology", "openstax-nursing")
RARE = 3  # captions at most that hold a rare term
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TIMED = 100


def write_tables(data: Path, folder: Path) -> tuple[Path, Path]:
    """The figures with their captions, and their alt texts, as tables; of near-equal pictures the first."""
    clusters = json.loads((data / "near_duplicates.json").read_text(encoding="utf-8"))
    again = {name for cluster in clusters for name in sorted(cluster)[1:]}
    figures, queries = folder / "figures.jsonl", folder / "alt.jsonl"
    with open(figures, "w", encoding="utf-8") as captions, open(queries, "w", encoding="utf-8") as alts:
        for corpus in CORPORA:
            for line in (data / corpus / "captions.jsonl").read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                name = f"{corpus}/{row['id']}"
                if name in again or not row.get("alt") or not row.get("caption"):
                    continue
                about = {"id": name, "article_id": row["article_id"]}
                image = str((data / corpus / row["image"]).resolve())
                captions.write(json.dumps(about | {"image": image, "caption": row["caption"]}) + "\n")
                alts.write(json.dumps(about | {"caption": row["alt"]}) + "\n")
    return figures, queries


def modes(ranked: Rankings, some: np.ndarray, weight: float) -> dict[str, Any]:
    """Each mode's measures over some queries, and what hybrid gains on the others."""
    values = {mode: measures(ranked.first_ranks(mode, weight)[some], ks=(1, 10)) for mode in MODES}
    clusters = ranked.clusters[some]
    found = {mode: estimates(its, clusters) for mode, its in values.items()}
    gains = {f"hybrid - {mode}": paired(values["hybrid"], values[mode], clusters) for mode in ("dense", "lexical")}
    return {
        name: {measure: {"value": e.value, "interval": e.interval, "queries": e.queries} for measure, e in its.items()}
        for name, its in (found | gains).items()
    }


def milliseconds(ask: Callable[[int], object]) -> float:
    """The median of single calls."""
    ask(0)
    times = []
    for number in range(TIMED):
        begun = time.perf_counter()
        ask(number)
        times.append(time.perf_counter() - begun)
    return round(1000 * median(times), 3)


def costs(index: Path, texts: list[str]) -> dict[str, float]:
    """Milliseconds of a query by mode, the encoder's part left out, and of its percentiles."""
    searcher = Searcher(index)
    vectors = [searcher.built.vectors("text")[row].astype(np.float32) for row in range(TIMED)]
    sample = read_background(index, "image", searcher.built.facts["background"]["image"]["rows"])
    cost = {
        "dense": milliseconds(lambda n: searcher.search(vector=vectors[n])),
        "dense, 1 per article": milliseconds(lambda n: searcher.search(vector=vectors[n], per_article=1)),
        "dense, unique": milliseconds(lambda n: searcher.search(vector=vectors[n], unique=True)),
        "lexical": milliseconds(lambda n: searcher.search(texts[n], mode="lexical")),
        "percentiles": milliseconds(lambda n: sample_scores(vectors[n][None], sample)),
    }
    full = np.random.default_rng(0).normal(size=(16_384, 512)).astype(np.float32)
    query = full[:1].copy()
    cost["percentiles of 16,384 rows of 512"] = milliseconds(lambda n: sample_scores(query, full))
    cost["hybrid, with the encoder"] = milliseconds(
        lambda n: next(searcher.search_many([Query(texts[n])], mode="hybrid"))
    )
    cost["dense, with the encoder"] = milliseconds(lambda n: next(searcher.search_many([Query(texts[n])])))
    return cost


def words(data: Path, folder: Path, repeats: int, texts: list[str]) -> dict[str, Any]:
    """Time and size of the words of every corpus' captions, so many times over, and of a query."""
    captions = [
        json.loads(line)["caption"]
        for path in sorted(data.glob("*/captions.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    begun = time.perf_counter()
    about = write_lexical(folder, (captions for _ in range(repeats)), f"{repeats} times")
    seconds = time.perf_counter() - begun
    lexical = Lexical(folder, f"{repeats} times")
    return {
        **{name: about[name] for name in ("rows", "terms")},
        "seconds": round(seconds, 2),
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "query_ms": milliseconds(lambda n: lexical.scores([(texts[n], 1.0)])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of corpora with alt texts")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--repeats", type=int, default=20, help="of all captions, for time and size (default: 20)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/hybrid.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        figures, queries = write_tables(args.data, folder)
        encode(figures, folder / "index", args.encoder)
        build(folder / "index")
        built = OpenedIndex(folder / "index")
        ranker = Ranker(built)
        rankings = rank_texts(built, ranker, queries, encoder=args.encoder)
        texts = [json.loads(line)["caption"] for line in queries.read_text(encoding="utf-8").splitlines()]
        chosen_by, asked = halves(rankings["t2i"].clusters, 0)
        weight = best_weight(rankings, chosen_by)
        known = [any(1 <= ranker.lexical.frequency(term) <= RARE for term in terms_of(text)) for text in texts]
        rare = asked[np.array(known)[asked]]
        result = {
            "machine": describe_machine(),
            "encoder": args.encoder,
            "figures": len(texts),
            "tuned_on": len(chosen_by),
            "dense_weight": weight,
            "directions": {
                name: {
                    "all": modes(ranked, asked, weight),
                    "rare": modes(ranked, rare, weight),
                    "default weight": modes(ranked, asked, DENSE_WEIGHT),
                    "mrr by weight": {
                        str(some): float(np.nanmean(1 / ranked.first_ranks("hybrid", some)[asked])) for some in WEIGHTS
                    },
                    "hit_rate@10 by weight": {
                        str(some): float(np.nanmean(ranked.first_ranks("hybrid", some)[asked] <= 10))
                        for some in WEIGHTS
                    },
                }
                for name, ranked in rankings.items()
            },
            "milliseconds": costs(folder / "index", texts),
            "words": words(args.data, folder / "words", args.repeats, texts),
        }
    write_json(args.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
